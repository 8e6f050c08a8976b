package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"atomiccounter/commands/config"
)

// defaultBind is every address, IPv6 where there is any.
const defaultBind = "* -::*"

// listener lets in clients that speak TLS, if secure is there.
type listener struct {
	net.Listener
	secure *tls.Config
}

// listen opens all listeners that the settings ask for, or none.
func listen(s *config.Settings, secure *tls.Config) ([]listener, error) {
	list, err := listenTCP(s.Bind, s.Port, nil)
	if err == nil && secure != nil {
		var more []listener
		more, err = listenTCP(s.Bind, s.TLSPort, secure)
		list = append(list, more...)
	}
	if err == nil && s.UnixSocket != "" {
		var l net.Listener
		if l, err = listenUnix(s.UnixSocket, s.UnixSocketPerm); err == nil {
			list = append(list, listener{l, nil})
		}
	}
	switch {
	case err != nil:
		return nil, errors.Join(err, closeAll(list))
	case len(list) == 0:
		return nil, errors.New("nothing to listen on: there is neither a port nor a Unix socket")
	}
	return list, nil
}

func listenTCP(bind string, port int64, secure *tls.Config) (list []listener, err error) {
	if port == 0 {
		return nil, nil
	}
	for _, addr := range strings.Fields(cmp.Or(bind, defaultBind)) {
		addr, optional := strings.CutPrefix(addr, "-")
		l, err := listenAddr(addr, int(port))
		if optional && unavailable(err) {
			continue
		} else if err != nil {
			return list, err
		}
		list = append(list, listener{l, secure})
	}
	return list, nil
}

// listenAddr listens on an address of one family, as Redis does: 0.0.0.0 is not every address of IPv6 too.
func listenAddr(addr string, port int) (net.Listener, error) {
	network := "tcp"
	switch ip, err := netip.ParseAddr(addr); {
	case addr == "*":
		network, addr = "tcp4", ""
	case addr == "::*":
		network, addr = "tcp6", ""
	case err == nil && ip.Is4():
		network = "tcp4"
	case err == nil:
		network = "tcp6"
	}
	config := net.ListenConfig{KeepAlive: -1} // each connection is told when it is let in
	return config.Listen(context.Background(), network, net.JoinHostPort(addr, strconv.Itoa(max(port, 0))))
}

// keepAlive has a silent peer probed after d, and given up after three probes a third of d apart, as Redis does; 0: never.
func keepAlive(nc net.Conn, d time.Duration) error {
	tcp, ok := nc.(*net.TCPConn)
	if !ok || d == 0 {
		return nil // there are no probes unless asked for
	}
	return tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: max(d/3, time.Second), Count: 3})
}

// unavailable says that this machine has no such address, or not its family.
func unavailable(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.EPFNOSUPPORT)
}

// listenUnix listens on a socket file, with the permissions of perm unless that is 0. It takes the place of a file that a
// dead process left behind.
func listenUnix(path string, perm fs.FileMode) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil || perm == 0 {
		return l, err
	}
	if err := os.Chmod(path, perm); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("unix socket %s: there is a file of that name, which is no socket", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("unix socket %s: another process listens on it", path), c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

func closeAll(list []listener) (err error) {
	for _, l := range list {
		if e := l.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}
