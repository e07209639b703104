package agent

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// randomUUID draws a version 4 UUID from the source the agent was given.
func (a *Agent) randomUUID() [16]byte {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], a.cfg.Random.Uint64())
	binary.BigEndian.PutUint64(u[8:], a.cfg.Random.Uint64())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// unknownUUID is the id of what is said of a task that is not here: the same whenever it is said, so that whoever asks
// twice hears of one end.
func (a *Agent) unknownUUID(framework, task string) [16]byte {
	sum := sha256.Sum256([]byte(a.agentID + "/" + framework + "/" + task))
	u := [16]byte(sum[:16])
	u[6] = u[6]&0x0f | 0x80 // version 8: made of what somebody knows
	u[8] = u[8]&0x3f | 0x80
	return u
}

func (a *Agent) randomID() string {
	u := a.randomUUID()
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:])
}
