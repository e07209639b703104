package resource_test

import (
	"fmt"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func Example() {
	total, err := resource.Parse("cpus:4;mem:1024;ports:[31000-31009];cpus(ops):2", resource.DefaultRole)
	if err != nil {
		fmt.Println(err)
		return
	}
	task, err := resource.Parse("cpus:0.1;ports:[31003-31003]", resource.DefaultRole)
	if err != nil {
		fmt.Println(err)
		return
	}
	free, err := total.Sub(task)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(free)
	fmt.Println(free.AllocatableTo("dev").Allocate("dev"))
	_, err = task.Sub(total)
	fmt.Println(err)
	// Output:
	// cpus:3.9; cpus(reservations: [(STATIC,ops)]):2; mem:1024; ports:[31000-31002,31004-31009]
	// cpus(allocated: dev):3.9; mem(allocated: dev):1024; ports(allocated: dev):[31000-31002,31004-31009]
	// cpus:0.1; ports:[31003-31003] does not contain cpus:4; cpus(reservations: [(STATIC,ops)]):2; mem:1024; ports:[31000-31009]: resources not contained
}
