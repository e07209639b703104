//go:build unix

package launcher

import (
	"fmt"
	"slices"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// capabilityNames are Linux's capabilities; their place is their number.
var capabilityNames = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// initCapabilities turns names into bits.
func initCapabilities(c *isolator.Capabilities) (*initproto.Capabilities, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // none are demanded
	}
	out := &initproto.Capabilities{}
	for _, set := range []struct {
		names []string
		bits  *uint64
	}{
		{c.Bounding, &out.Bounding},
		{c.Effective, &out.Effective},
		{c.Inheritable, &out.Inheritable},
		{c.Permitted, &out.Permitted},
		{c.Ambient, &out.Ambient},
	} {
		for _, name := range set.names {
			n := slices.Index(capabilityNames, name)
			if n < 0 {
				return nil, fmt.Errorf("there is no capability %q", name)
			}
			*set.bits |= 1 << n
		}
	}
	return out, nil
}
