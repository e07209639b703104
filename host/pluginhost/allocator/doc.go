// Package allocator is the host's end of the allocator contract: it keeps an allocator plugin informed of the
// cluster, beside the master's loop and never holding it up, and hands its proposals to the master. There is
// a file for each version of the contract.
package allocator
