package initproto

// writer appends values: integers as base-128 varints, strings and lists with their length before them.
type writer struct{ b []byte }

func (w *writer) uint(v uint64) {
	for v >= 0x80 {
		w.b = append(w.b, byte(v)|0x80)
		v >>= 7
	}
	w.b = append(w.b, byte(v))
}

func (w *writer) bool(v bool) {
	if v {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

func (w *writer) str(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) strs(list []string) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.str(s)
	}
}

func (w *writer) capabilities(c *Capabilities) {
	w.bool(c != nil)
	if c == nil {
		return
	}
	for _, set := range [...]uint64{c.Bounding, c.Effective, c.Inheritable, c.Permitted, c.Ambient} {
		w.uint(set)
	}
}

// reader takes values off the front of b. After a value that is not there it is bad, and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	var v uint64
	for shift := uint(0); shift < 64 && len(r.b) > 0; shift += 7 {
		c := r.b[0]
		r.b = r.b[1:]
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if shift == 63 && c > 1 {
				break
			}
			return v
		}
	}
	r.fail()
	return 0
}

func (r *reader) uint32() uint32 {
	v := r.uint()
	if v > 0xffffffff {
		r.fail()
		return 0
	}
	return uint32(v)
}

func (r *reader) bool() bool {
	v := r.uint()
	if v > 1 {
		r.fail()
	}
	return v == 1
}

// count reads the length of a list. A list is never longer than the bytes that are left, so that a wrong
// length cannot ask for much memory.
func (r *reader) count() int {
	v := r.uint()
	if v > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(v) //nolint:gosec // at most len(r.b)
}

func (r *reader) str() string {
	n := r.count()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) strs() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.str())
	}
	return list
}

func (r *reader) capabilities() *Capabilities {
	if !r.bool() || r.bad {
		return nil
	}
	return &Capabilities{Bounding: r.uint(), Effective: r.uint(), Inheritable: r.uint(), Permitted: r.uint(), Ambient: r.uint()}
}

func (r *reader) fail() {
	r.b, r.bad = nil, true
}

func putUint32(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}
