package client

import mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"

// unit is what amounts are multiples of; what is less is from adding in binary.
const unit = 0.001

// fits tells whether an offer has all that is wanted, in unreserved scalars.
func fits(want, offered []*mesos.Resource) bool {
	have := map[string]float64{}
	for _, r := range offered {
		reserved := len(r.GetReservations()) > 0 || r.GetReservation() != nil || r.Role != nil && r.GetRole() != "*"
		if r.GetType() == mesos.Value_SCALAR && !reserved && r.GetDisk() == nil && r.GetRevocable() == nil {
			have[r.GetName()] += r.GetScalar().GetValue()
		}
	}
	for _, r := range want {
		have[r.GetName()] -= r.GetScalar().GetValue()
		if have[r.GetName()] < -unit/2 {
			return false
		}
	}
	return true
}
