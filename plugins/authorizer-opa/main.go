// Command authorizer-opa is the plugin that authorizes by Rego policies.
package main

import (
	"github.com/mezzo-cluster/mezzo/plugins/authorizer-opa/opa"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

func main() {
	serve.Authorizer("opa", "0.1.0", opa.New, serve.Doc("Decides who may do and see what, by policies in Rego."))
}
