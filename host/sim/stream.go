package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// stream is a scheduler's subscription: events come down, and calls that name it go up.
type stream struct {
	w  *world
	id master.StreamID
	s  *client
	l  *leader

	up, down lane
	// framework is whose stream it is, empty until the master has sent something on it.
	framework string
	// opened is set once the master's end has it, gone when the client left before the master said whose it is.
	opened, gone bool
	severed      bool
	clientTold   bool
	serverTold   bool
}

// sever breaks the stream. What is on its way is lost; either end notices in its time.
func (st *stream) sever(clientNotices, serverNotices time.Duration) {
	if !st.severed {
		st.severed = true
		st.up.close()
		st.down.close()
	}
	st.w.after(serverNotices, st.tellServer)
	st.w.after(clientNotices, st.tellClient)
}

func (st *stream) tellServer() {
	if st.serverTold {
		return
	}
	st.serverTold = true
	l := st.l
	if l.dead || !st.opened || l.streams[st.id] != st {
		return
	}
	if st.framework == "" {
		st.gone = true
		return
	}
	delete(l.streams, st.id)
	l.post(master.StreamClosed{Framework: st.framework, Stream: st.id})
}

func (st *stream) tellClient() {
	if !st.clientTold {
		st.clientTold = true
		st.s.ended(st)
	}
}

// subscribe is the master's end of a SUBSCRIBE.
func (st *stream) subscribe(data []byte, denied string) {
	l := st.l
	if l.dead {
		st.sever(0, 0)
		return
	}
	call := decode[scheduler.Call](data).GetSubscribe()
	st.opened = true
	l.streams[st.id] = st
	l.post(master.Subscribe{
		Stream: st.id, Info: call.GetFrameworkInfo(), Suppressed: call.GetSuppressedRoles(),
		Constraints: call.GetOfferConstraints(), Principal: st.s.principal, Denied: denied,
	})
}

// call is the master's end of any other call, which looks first whether the stream is the framework's.
func (st *stream) call(data []byte, denied []master.Denial, reply master.ReplyID) {
	l := st.l
	if l.dead {
		st.sever(0, 0)
		return
	}
	call := decode[scheduler.Call](data)
	id := call.GetFrameworkId().GetValue()
	f := l.state.Framework(id)
	if f == nil || !f.Connected || f.Stream != st.id {
		st.w.cover.hit("outcome", "call refused by the endpoint")
		st.sever(st.w.latency(), 0)
		return
	}
	l.post(master.Call{
		Framework: id, Stream: st.id, Call: call, Principal: st.s.principal, Denied: denied, Reply: reply,
	})
}
