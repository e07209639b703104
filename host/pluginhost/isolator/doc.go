// Package isolator is the host's end of the isolator contract: it carries calls over restarts of the plugin
// with the same operation ids, tells a plugin that was started again which containers there are, and takes
// no plan that an agent could not carry out safely. There is a file for each version of the contract.
//
// Errors are *sdk.Error with the plugin's name at the beginning. A call that changes something waits for a
// plugin that is down until its context ends.
package isolator
