package isolator

import (
	"fmt"

	contract "github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
)

// maxText is how many bytes of a limitation's message are kept.
const maxText = 4 << 10

// checkPlan refuses a plan that an agent could not carry out, or not safely.
func checkPlan(p contract.Plan) error {
	if len(p.Handle.Data) > handshake.MaxHandle {
		return fmt.Errorf("the handle has %d bytes, and %d are allowed", len(p.Handle.Data), handshake.MaxHandle)
	}
	return p.Validate()
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
