package initproto

const magic = "MZIP"

// AppendPlan appends the plan with its header.
func AppendPlan(dst []byte, p *Plan) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, Version>>8, Version&0xff, 0, 0, 0, 0, 0, 0)
	w := writer{dst}
	w.command(p)
	w.surroundings(p)
	putUint32(w.b[start+8:], uint32(len(w.b)-start-HeaderLen)) //nolint:gosec // far below 4 GiB
	return w.b
}

// command appends what the command is and who runs it.
func (w *writer) command(p *Plan) {
	w.str(p.Path)
	w.strs(p.Args)
	w.strs(p.Env)
	w.str(p.Dir)
	w.bool(p.SwitchUser)
	w.uint(uint64(p.UID))
	w.uint(uint64(p.GID))
	w.uint(uint64(len(p.Groups)))
	for _, g := range p.Groups {
		w.uint(uint64(g))
	}
}

// surroundings appends what the command finds itself in.
func (w *writer) surroundings(p *Plan) {
	w.bool(p.Namespaces)
	w.str(p.Hostname)
	w.uint(uint64(len(p.Mounts)))
	for _, m := range p.Mounts {
		w.str(m.Source)
		w.str(m.Target)
		w.str(m.Type)
		w.str(m.Data)
		w.uint(m.Flags)
	}
	w.uint(uint64(len(p.Rlimits)))
	for _, l := range p.Rlimits {
		w.uint(uint64(l.Resource))
		w.uint(l.Soft)
		w.uint(l.Hard)
	}
	w.capabilities(p.Capabilities)
	w.bool(p.NoNewPrivs)
	w.strs(p.JoinFiles)
	w.uint(uint64(len(p.JoinNamespaces)))
	for _, n := range p.JoinNamespaces {
		w.str(n.Path)
		w.uint(n.Flag)
	}
	w.uint(uint64(len(p.Prestart)))
	for _, c := range p.Prestart {
		w.str(c.Path)
		w.strs(c.Args)
		w.strs(c.Env)
	}
}

// ParseHeader reads the HeaderLen bytes before a plan, and returns the plan's length. Another version than
// ours is an error.
func ParseHeader(b []byte) (int, error) {
	if len(b) != HeaderLen || string(b[:4]) != magic {
		return 0, errMalformed
	}
	if v := int(b[4])<<8 | int(b[5]); v != Version {
		return 0, versionError(v)
	}
	n := uint32(b[8])<<24 | uint32(b[9])<<16 | uint32(b[10])<<8 | uint32(b[11])
	if n > MaxPlan {
		return 0, errMalformed
	}
	return int(n), nil
}

// ParsePlan reads a plan without its header.
func ParsePlan(b []byte) (*Plan, error) {
	r := reader{b: b}
	p := &Plan{}
	p.Path = r.str()
	p.Args = r.strs()
	p.Env = r.strs()
	p.Dir = r.str()
	p.SwitchUser = r.bool()
	p.UID = r.uint32()
	p.GID = r.uint32()
	for range r.count() {
		p.Groups = append(p.Groups, r.uint32())
	}
	p.Namespaces = r.bool()
	p.Hostname = r.str()
	for range r.count() {
		p.Mounts = append(p.Mounts, Mount{Source: r.str(), Target: r.str(), Type: r.str(), Data: r.str(), Flags: r.uint()})
	}
	for range r.count() {
		p.Rlimits = append(p.Rlimits, Rlimit{Resource: r.uint32(), Soft: r.uint(), Hard: r.uint()})
	}
	p.Capabilities = r.capabilities()
	p.NoNewPrivs = r.bool()
	p.JoinFiles = r.strs()
	for range r.count() {
		p.JoinNamespaces = append(p.JoinNamespaces, Namespace{Path: r.str(), Flag: r.uint()})
	}
	for range r.count() {
		p.Prestart = append(p.Prestart, Command{Path: r.str(), Args: r.strs(), Env: r.strs()})
	}
	if r.bad || len(r.b) != 0 {
		return nil, errMalformed
	}
	return p, nil
}

type versionError int

func (v versionError) Error() string {
	return "the plan has version " + itoa(int(v)) + ", this mezzo-init understands version " + itoa(Version)
}

// itoa is strconv.Itoa for the small positive numbers that versions are.
func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
