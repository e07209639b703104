package sim

// lane carries messages one way, in order. Each takes its time; one that is held up holds up those behind it, as
// on a TCP connection. What is on its way when the lane is closed is lost.
type lane struct {
	w       *world
	waiting []func()
	// stalled tells whether nothing gets through at present; nil means it always does.
	stalled func() bool
	owed    int // messages that would have arrived, were it not stalled
	closed  bool
}

// send puts a message, in the form of its delivery, on its way.
func (l *lane) send(deliver func()) {
	if l.closed {
		return
	}
	l.waiting = append(l.waiting, deliver)
	l.w.after(l.w.latency(), l.pump)
}

// pump delivers the message that has waited longest.
func (l *lane) pump() {
	switch {
	case l.closed || len(l.waiting) == 0:
	case l.stalled != nil && l.stalled():
		l.owed++
	default:
		deliver := l.waiting[0]
		l.waiting = l.waiting[1:]
		deliver()
	}
}

// resume lets through what a stall has held up.
func (l *lane) resume() {
	owed := l.owed
	l.owed = 0
	for range owed {
		l.w.after(l.w.latency(), l.pump)
	}
}

// close loses what is on its way.
func (l *lane) close() { l.closed, l.waiting = true, nil }

// idle tells whether nothing is on its way.
func (l *lane) idle() bool { return len(l.waiting) == 0 }
