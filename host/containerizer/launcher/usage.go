//go:build unix

package launcher

import (
	"reflect"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
)

// mergeUsage takes over every figure that is known.
func mergeUsage(into, from containerizer.Usage) containerizer.Usage {
	dst, src := reflect.ValueOf(&into).Elem(), reflect.ValueOf(from)
	for n := range src.NumField() {
		if field := src.Field(n); field.Kind() == reflect.Pointer && !field.IsNil() {
			dst.Field(n).Set(field)
		}
	}
	return into
}
