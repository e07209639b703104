// Package authorizer is the host's end of the authorizer contract: it asks the plugin, within its deadline,
// and takes no answer that does not fit the question. There is a file for each version of the contract.
//
// Errors are *sdk.Error with the plugin's name at the beginning. While the plugin is down they have the code
// sdk.Unavailable and are pluginhost.ErrDown: nothing is allowed then.
package authorizer
