// Package authorizer is the host's end of the authorizer contract: it asks the plugin, within its deadline,
// and takes no answer that does not fit the question. There is a file for each version of the contract.
// Tools is the same for the tools that an authorizer may have for those who write policies.
//
// Errors are *sdk.Error with the plugin's name at the beginning. While the plugin is down they have the code
// sdk.Unavailable and are pluginhost.ErrDown: nothing is allowed then.
package authorizer
