package server

import (
	"fmt"
	"io"
	"strings"

	"atomiccounter/engine"
)

// Banner says what the server has begun with, once it is open. Dir is the directory of the store as it was given.
func (s *Server) Banner(w io.Writer, dir string) {
	var addrs, peers []string
	for _, a := range s.Addrs() {
		addrs = append(addrs, a.String())
	}
	durability := map[engine.SyncMode]string{
		engine.Always:   "always: a reply waits until its write is on disk",
		engine.EverySec: "everysec: a crash of the process loses nothing, a power failure at most the last second",
		engine.No:       "no: a crash of the process loses nothing, a power failure what the system had not written",
	}
	fmt.Fprintf(w, "atomiccounter %s\n", s.options.Version)
	fmt.Fprintf(w, "  listening   %s\n", strings.Join(addrs, "  "))
	fmt.Fprintf(w, "  data        %s\n", dir)
	fmt.Fprintf(w, "  durability  %s\n", durability[s.shared.Engine.Sync()])
	fmt.Fprintf(w, "  replica     %016x\n", uint64(s.shared.Engine.ReplicaID()))
	for _, p := range s.shared.Replication.Peers() {
		if !p.Inbound {
			peers = append(peers, p.Addr)
		}
	}
	if len(peers) > 0 {
		fmt.Fprintf(w, "  peers       %s\n", strings.Join(peers, "  "))
	}
}
