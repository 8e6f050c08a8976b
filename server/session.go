package server

import (
	"bytes"
	"errors"
	"log/slog"
	"time"

	"atomiccounter/commands"
	"atomiccounter/engine"
)

// Bounds of a round. Between rounds the engine's locks are free and the replies are on their way.
const (
	maxRoundOutput   = 256 << 10 // bytes; one reply may exceed it
	maxRoundCommands = 1 << 10
)

var (
	// errQueryBuffer ends a client without a reply, as Redis does.
	errQueryBuffer = errors.New("reached max query buffer length")
	// errCrossProtocol ends a client that speaks HTTP: a web page may have made a browser connect.
	errCrossProtocol = errors.New("possible security attack: it looks like somebody is sending POST or Host: commands, perhaps from a web page")
)

// Session is one client's conversation, without the connection: bytes in, replies out, plus the journal position that
// the replies depend on. One goroutine at a time uses it.
type Session struct {
	ctx     *commands.Context
	scan    scanner
	running [][]byte // command in progress, for the log of a crash
	ahead   ahead
}

// Round is what one call of Feed did.
type Round struct {
	// Consumed bytes of the input are done with. The next input begins with the others.
	Consumed int
	// Position must be durable, in the mode Always, before the replies are sent.
	Position engine.Position
	// More says that the input has perhaps further complete commands: send the replies, then call Feed with the rest.
	More bool
	// Wait is what the last command waits for: send the replies, wait, then call Feed with the rest, even if there is none.
	Wait *commands.Wait
	// Close says that the client is to be disconnected once the replies are sent.
	Close bool
	// Err is why, if that is worth a line in the log; the client has been told what there is to tell.
	Err error

	commands int
}

// NewSession begins a conversation with c.
func NewSession(s *commands.Server, c *commands.Client) *Session {
	return &Session{ctx: s.NewContext(c)}
}

// Close ends the conversation for others, which may know what it watches.
func (s *Session) Close() { s.ctx.Close() }

// Replies is where Feed appends; the caller takes from it what it sends and may replace it.
func (s *Session) Replies() *[]byte { return &s.ctx.Out.Buf }

// Held is how many bytes it has taken for what it knows of the input.
func (s *Session) Held() int64 { return s.scan.held() + s.ahead.held() }

// Deliver appends to the replies what others have sent to the client: it is called between two rounds, also while a command
// waits. It may not be sent before pos is durable, in the mode Always. False: there was nothing.
func (s *Session) Deliver() (pos engine.Position, some bool) {
	if !s.ctx.Mail() {
		return 0, false
	}
	return s.ctx.Deliver(), true
}

// Feed goes on with the command that waits, if one does, then runs the complete commands that in begins with, appends their
// replies, and commits. It keeps nothing of in, but if in ends within a command it remembers how far it has read, so the next input must begin with those bytes.
func (s *Session) Feed(in []byte) Round {
	s.ctx.Join()
	if s.ctx.Mail() { // it came before these commands ran
		s.ctx.Deliver()
	}
	mark := len(s.ctx.Out.Buf)
	r := s.run(in, mark)
	s.count(r)
	s.scan.forget()
	s.ahead.drop()
	pos, err := s.ctx.Pipe.Commit()
	if err != nil {
		// None of these commands may be acknowledged, not even those that only read: what they saw may be lost.
		s.ctx.Out.Buf = s.ctx.Out.Buf[:mark]
		s.ctx.Out.Error(commands.ErrorLine(err))
		return Round{Consumed: len(in), Close: true, Err: err}
	}
	r.Position = pos
	return r
}

func (s *Session) run(in []byte, mark int) (r Round) {
	defer s.accuse()
	if s.ctx.Wait != nil {
		if s.resume(&r); r.Close || r.Wait != nil {
			return r
		}
	}
	for {
		args, n, err := s.next(in[r.Consumed:])
		switch {
		case err != nil:
			return s.refuse(r, err)
		case n == 0:
			return s.pause(r, len(in)-r.Consumed)
		}
		r.Consumed += n
		if len(args) == 0 {
			continue
		}
		if crossProtocol(args[0]) {
			r.Close, r.Err = true, errCrossProtocol
			return r
		}
		s.running = args
		s.ctx.Run(args)
		s.running = nil
		r.commands++
		if s.ctx.Mail() {
			s.ctx.Deliver()
		}
		if s.ctx.Client.Close {
			r.Close = true
			return r
		}
		if s.ctx.Wait != nil {
			r.Wait = s.ctx.Wait
			return r
		}
		if r.commands == maxRoundCommands || len(s.ctx.Out.Buf)-mark >= maxRoundOutput {
			r.More = r.Consumed < len(in)
			return r
		}
	}
}

// resume goes on with the command that waits. Its arguments are gone; its name is for the log of a crash.
func (s *Session) resume(r *Round) {
	s.running = [][]byte{[]byte(s.ctx.Client.LastCommand())}
	s.ctx.Resume()
	s.running = nil
	r.Close, r.Wait = s.ctx.Client.Close, s.ctx.Wait
}

// next gives the arguments of the command that in begins with, and its length in bytes; 0: it is incomplete. There are no arguments
// if it is no command.
func (s *Session) next(in []byte) (args [][]byte, n int, err error) {
	c := s.ahead.take()
	if c == nil && s.scan.atStart() {
		s.ahead.read(in)
		if len(s.ahead.keys) > 1 {
			s.ctx.Pipe.Expect(s.ahead.keys)
		}
		c = s.ahead.take()
	}
	if c != nil {
		return c.args, c.bytes, nil
	}
	n, err = s.scan.next(in, s.limits())
	return s.scan.args, n, err
}

func (s *Session) limits() limits {
	config := &s.ctx.Server.Config
	return limits{
		bulk:   config.ProtoMaxBulk(),
		unauth: !s.ctx.Client.Authenticated.Load() && config.Password() != "",
	}
}

// refuse answers a request that breaks the protocol.
func (s *Session) refuse(r Round, err error) Round {
	s.ctx.RefuseProtocol(err)
	r.Close, r.Err = true, err
	return r
}

// pause ends a round before an incomplete command, of which rest bytes are there.
func (s *Session) pause(r Round, rest int) Round {
	lim := s.limits()
	most := s.ctx.Server.Config.QueryBuffer()
	if lim.unauth {
		most = min(most, maxUnauthBuffer)
	}
	if int64(max(rest, s.scan.wants())+s.ctx.Queued()) > most {
		s.ctx.Server.Stats.QueryBuffer.Add(1)
		r.Close, r.Err = true, errQueryBuffer
	}
	return r
}

func (s *Session) count(r Round) {
	now := time.Now()
	s.ctx.EndRound(now)
	stats := &s.ctx.Server.Stats
	stats.Reads.Add(1)
	stats.InputBytes.Add(int64(r.Consumed))
	s.ctx.Client.Active.Store(now.UnixNano())
}

// accuse names the command that panicked. The panic goes on: locks are held then that would never be released, so a
// server that lived on would hang, one client after another.
func (s *Session) accuse() {
	if s.running == nil {
		return
	}
	s.ctx.Server.Log.Error("bug: a command panicked", slog.String("command", string(s.running[0][:min(len(s.running[0]), 64)])),
		slog.Int("arguments", len(s.running)-1), slog.Int64("client", s.ctx.Client.ID))
	if flush := s.ctx.Server.Log.Flush; flush != nil {
		flush() // the process ends
	}
}

func crossProtocol(name []byte) bool {
	return (len(name) == 4 || len(name) == 5) &&
		(bytes.EqualFold(name, []byte("post")) || bytes.EqualFold(name, []byte("host:")))
}
