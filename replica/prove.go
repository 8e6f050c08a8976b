package replica

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/tidwall/redcon"

	"atomiccounter/replica/csync"
	"atomiccounter/replica/handshake"
	"atomiccounter/tlv"
)

// maxErrorLine bounds what is read of an error of a peer that has proven nothing.
const maxErrorLine = 1 << 10

// prove has the peer at the other end of a new connection prove that it knows the secret, and then proves that to it for replica id in
// its present life. A peer that is this very process has proven it already. Errors of type csync.Error say how it was refused.
func prove(conn net.Conn, secret string, id tlv.ReplicaID, life uint64) error {
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	t := handshake.Transcript{Caller: handshake.Party{Replica: id, Life: life}}
	rand.Read(t.Caller.Nonce[:]) // never fails
	if secure, ok := conn.(*tls.Conn); ok {
		state := secure.ConnectionState()
		var err error
		if t.Channel, err = state.ExportKeyingMaterial(handshake.ChannelLabel, nil, handshake.Size); err != nil {
			return err
		}
	}
	r := bufio.NewReaderSize(conn, maxErrorLine)
	if err := send(conn, "CAUTH", "HELLO", strconv.Itoa(handshake.Version), csync.Hex(id), csync.Hex(life), string(t.Caller.Nonce[:])); err != nil {
		return err
	}
	proof, err := readHello(r, &t.Called)
	switch {
	case err != nil:
		return err
	case !handshake.Equal(proof, t.ProveCalled(secret)):
		return csync.Error("the peer does not know the peer secret, or has another one (or TLS ends somewhere between the two servers)")
	case t.Called.Same(&t.Caller):
		return csync.ErrSelf
	}
	if err := send(conn, "CAUTH", "PROOF", string(t.ProveCaller(secret))); err != nil {
		return err
	}
	if line, err := readLine(r); err != nil {
		return err
	} else if string(line) != "+OK" {
		return malformed("%.50q to CAUTH PROOF", line)
	}
	if r.Buffered() > 0 {
		return malformed("more than was asked for")
	}
	return conn.SetDeadline(time.Time{})
}

func send(w io.Writer, args ...string) error {
	b := redcon.AppendArray(nil, len(args))
	for _, arg := range args {
		b = redcon.AppendBulkString(b, arg)
	}
	_, err := w.Write(b)
	return err
}

// readHello reads the reply to CAUTH HELLO.
func readHello(r *bufio.Reader, p *handshake.Party) (proof []byte, err error) {
	line, err := readLine(r)
	if err == nil && string(line) != "*4" {
		err = malformed("%.50q to CAUTH HELLO", line)
	}
	if err != nil {
		return nil, err
	}
	var parts [4][]byte
	for i, size := range []int{16, 16, handshake.Size, handshake.Size} {
		if parts[i], err = readString(r, size); err != nil {
			return nil, err
		}
	}
	p.Replica, err = csync.ParseHex[tlv.ReplicaID](string(parts[0]))
	if err == nil {
		p.Life, err = csync.ParseHex[uint64](string(parts[1]))
	}
	if err != nil {
		return nil, malformed("replica %.16q in life %.16q", parts[0], parts[1])
	}
	copy(p.Nonce[:], parts[2])
	return parts[3], nil
}

// readString reads a bulk string of a known size.
func readString(r *bufio.Reader, size int) ([]byte, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	if string(line) != "$"+strconv.Itoa(size) {
		return nil, malformed("%.50q, not a string of %d bytes", line, size)
	}
	b := make([]byte, size+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		return nil, malformed("a string of more than %d bytes", size)
	}
	return b[:size], nil
}

// readLine reads a line up to its end. An error that the peer answers with is one: in other words, because its code means something only
// of a peer that has proven itself.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, malformed("a line of more than %d bytes", maxErrorLine)
	case err != nil:
		return nil, err
	case !bytes.HasSuffix(line, []byte("\r\n")):
		return nil, malformed("%.50q", line)
	}
	line = bytes.Clone(line[:len(line)-2])
	if len(line) > 0 && line[0] == '-' {
		return nil, csync.Error(fmt.Sprintf("in the handshake the peer says: %q", line[1:]))
	}
	return line, nil
}
