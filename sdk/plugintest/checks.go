package plugintest

// startChecks are those that every plugin has to pass before anything else.
func startChecks() []check {
	return []check{
		{
			name: "start and handshake", run: checkStart, vital: true,
			says: "Started without arguments, the plugin listens on a socket in PLUGIN_UNIX_SOCKET_DIR and writes " +
				"one line to stdout, 1|1|unix|SOCKET|grpc|, before anything else; the health of the service " +
				"\"plugin\" is then SERVING.",
			read: "docs/vendors/wire.md#starting",
		},
		{
			name: "describe", run: checkDescribe, vital: true,
			says: "Describe has no effects, says the same each time, and names the kind and a service of it that " +
				"the host knows. What the schema has is named in lower case, once in its block, with a type and a" +
				" line of doc. Calls of the kind's service fail with FAILED_PRECONDITION before Configure.",
			read: "docs/vendors/wire.md#services",
		},
		{
			name: "configure", run: checkConfigure, vital: true,
			says: "A process takes one good configuration, and refuses a second with FAILED_PRECONDITION.",
			read: "docs/vendors/wire.md#services",
		},
		{
			name: "refuse bad configurations", run: checkBadConfigs,
			says: "A configuration that does not fit the schema, or that the plugin cannot work with, is refused by" +
				" a diagnostic that says what is wrong. The process lives on, unconfigured.",
			read: "docs/vendors/wire.md#configuration",
		},
		{
			name: "TLS", run: checkTLS,
			says: "With PLUGIN_CLIENT_CERT the plugin serves TLS to the owner of that certificate alone, and puts " +
				"its own into the handshake's last field.",
			read: "docs/vendors/wire.md#tls",
		},
	}
}

// allocatorChecks are those about proposals, and about the stream that they are made on.
func allocatorChecks() []check { return append(proposalChecks(), streamChecks()...) }

func proposalChecks() []check {
	return []check{
		{
			name: "propose what is free", run: checkPropose,
			says: "What is free is proposed to frameworks that may have it, within what is free and in roles they " +
				"have; what one framework refuses goes to another. After each round comes a Progress with the " +
				"sequence it has considered.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "take back what is refused", run: checkRefused,
			says: "A proposal counts as allocated until an answer refuses it. It is free again then, and proposed " +
				"again.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "offer again what comes back", run: checkReoffer,
			says: "What a framework gives back (Recovered, without a filter) is proposed again.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "heed suppression", run: checkSuppression,
			says: "A framework that has suppressed a role gets no proposals in it until it revives.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "heed filters", run: checkFilters,
			says: "What a framework has refused for a time (Recovered, with a filter) is not proposed to it again " +
				"before that time has passed or the framework revives.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "follow the cluster", run: checkFollow,
			says: "Proposals are of agents that are there and active, and for frameworks that are there; what an " +
				"agent has more is proposed as well.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
	}
}

func streamChecks() []check {
	return []check{
		{
			name: "a snapshot in between", run: checkSnapshot,
			says: "A snapshot replaces all that the plugin knows, at any time. Proposals that have no answer are " +
				"void then; one that is accepted later all the same is in use, also where the plugin has proposed " +
				"something else of the same resources since, which is refused and not free.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "kill and recover", run: checkAllocatorRecover,
			says: "A new process gets a snapshot, and proposes what that leaves free, and nothing else.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "explain", run: checkExplain,
			says: "Explain gives a reason, with a code and a text, why a framework that gets no proposals gets " +
				"none; a framework that the plugin does not know is no error.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "end of the stream", run: checkStreamEnd,
			says: "When the host closes its side of the stream the plugin closes its own, and forgets the cluster. " +
				"A process serves one stream after the other.",
			read: "docs/vendors/wire.md#the-allocators-stream",
		},
		{
			name: "updates that make no sense", run: checkNonsense,
			says: "What the plugin cannot make sense of it leaves alone, or asks for a snapshot, or ends the stream" +
				" with an error that contracts know. The process lives on.",
			read: "docs/vendors/wire.md#errors",
		},
	}
}

// authorizerChecks are those about decisions, and about the tools for those who write policies.
func authorizerChecks() []check {
	return append([]check{
		{
			name: "decide", run: checkDecide,
			says: "Authorize answers with a decision for each object, in their order, or with one when there are " +
				"none, and names the policy's revision.",
			read: "docs/vendors/wire.md#the-authorizers-answers",
		},
		{
			name: "decide on large objects", run: checkLarge,
			says: "A message may have 16 MiB, and a question 1,000 objects.",
			read: "docs/vendors/wire.md#bounds",
		},
		{
			name: "decide on every action", run: checkActions,
			says: "Every action of Mesos has an answer, for every subject and for objects without any field. While " +
				"an answer's valid_until has not passed, the same question has the same answer.",
			read: "docs/vendors/wire.md#the-authorizers-answers",
		},
		{
			name: "filter as it decides", run: checkFilter,
			says: "The predicate that Filter answers holds for exactly those objects that Authorize allows, or " +
				"Filter says needs_batch and why.",
			read: "docs/vendors/wire.md#the-authorizers-answers",
		},
		{
			name: "tell the policy's revision", run: checkRevisions,
			says: "Revisions tells the present revision at once, the one that answers name, and stays open until it" +
				" is cancelled.",
			read: "docs/vendors/wire.md#the-authorizers-answers",
		},
		{
			name: "decide for many at once", run: checkConcurrent,
			says: "Calls come at the same time.",
			read: "docs/vendors/wire.md#the-authorizers-answers",
		},
		{
			name: "cancellation", run: checkAuthorizerCancel,
			says: "A call that the host gives up does no harm: the next one is answered.",
			read: "docs/vendors/wire.md#errors",
		},
		{
			name: "bad questions", run: checkBadQuestions,
			says: "A question that makes no sense gets as many decisions as it has objects, or an error that " +
				"contracts know.",
			read: "docs/vendors/wire.md#errors",
		},
		{
			name: "the same after a restart", run: checkAuthorizerRestart,
			says: "The same policy has the same revision after a restart.",
			read: "docs/vendors/wire.md#the-authorizers-answers",
		},
	}, toolsChecks()...)
}

// toolsChecks are for authorizers that serve PolicyTools.
func toolsChecks() []check {
	return []check{
		{
			name: "policy tools", run: checkTools,
			says: "Test, Check and Coverage answer about the configured policies: each test has a name and a place, each finding" +
				" a severity and a message, and percentages are from 0 to 100.",
			read: "docs/vendors/wire.md#policy-tools",
		},
		{
			name: "policy tools explain as it decides", run: checkExplanations,
			says: "Explain gives the answer that Authorize gives to the same question.",
			read: "docs/vendors/wire.md#policy-tools",
		},
		{
			name: "policy tools without a configuration", run: checkToolsOnly,
			says: "A process that is configured with tools_only needs no policies of its own, and answers about those it is given.",
			read: "docs/vendors/wire.md#policy-tools",
		},
		{
			name: "policy tools and bad questions", run: checkBadTools,
			says: "A path that cannot be read, a regular expression or an action that is none is INVALID_ARGUMENT.",
			read: "docs/vendors/wire.md#policy-tools",
		},
	}
}

// isolatorChecks are those about containers.
func isolatorChecks() []check {
	return append([]check{
		{
			name: "a plan that agents carry out", run: checkPlan, vital: true,
			says: "Prepare returns a plan in the words of the OCI runtime specification: name=value, clean absolute " +
				"paths, limits by their names, cgroups below /sys/fs/cgroup with the agent's instance in their path. " +
				"A handle has at most 64 KiB.",
			read: "docs/vendors/wire.md#the-isolators-calls",
		},
		{
			name: "a container's life", run: checkLife,
			says: "Recover, Prepare, Isolate, Usage, Status, Update and Cleanup follow each other, and after " +
				"Cleanup nothing is left of the container.",
			read: "docs/vendors/wire.md#the-isolators-calls",
		},
		{
			name: "repeated operations", run: checkRepeats,
			says: "A request with an operation_id that has come before gets the first answer. A Prepare of the same" +
				" container by another operation gets the same plan, and Cleanup succeeds when there is nothing " +
				"left to clean up.",
			read: "docs/vendors/wire.md#errors",
		},
		{
			name: "kill and recover", run: checkRecover,
			says: "A container outlives the plugin. A new process is told of it by Recover, with its handle, does " +
				"not return it as unknown, and measures it as before.",
			read: "docs/vendors/wire.md#the-isolators-calls",
		},
		{
			name: "kill before the handle is stored", run: checkLostHandle,
			says: "What was prepared for a container is found by Recover and returned as unknown when the host does" +
				" not name the container, and cleaned up by its id alone when the host does without a handle.",
			read: "docs/vendors/wire.md#the-isolators-calls",
		},
		{
			name: "watch", run: checkWatch,
			says: "Watch tells of limits that were reached, and nothing else. It ends without an error when the " +
				"container is cleaned up.",
			read: "docs/vendors/wire.md#the-isolators-calls",
		},
		{
			name: "several containers at once", run: checkSeveral,
			says: "Calls for different containers come at the same time.",
			read: "docs/vendors/wire.md#the-isolators-calls",
		},
		{
			name: "cancellation", run: checkIsolatorCancel,
			says: "A Prepare that the host gives up is followed by a Cleanup, which leaves nothing of it.",
			read: "docs/vendors/wire.md#the-isolators-calls",
		},
		{
			name: "bad requests", run: checkBadRequests,
			says: "A request without a container, without an operation_id or with an id that is no file name is " +
				"refused with INVALID_ARGUMENT. Containers that never were have no usage, and nothing to clean " +
				"up.",
			read: "docs/vendors/wire.md#errors",
		},
	}, launcherChecks()...)
}

// endChecks are those about the end of a process, and about what is left of it.
func endChecks() []check {
	return []check{
		{
			name: "drain", run: checkDrain,
			says: "Drain lets what is in flight end, and answers. Calls of the kind's service fail with UNAVAILABLE" +
				" from then on; a second Drain is answered as well.",
			read: "docs/vendors/wire.md#services",
		},
		{
			name: "end when asked", run: checkShutdown,
			says: "The process ends soon after plugin.GRPCController/Shutdown; a plugin without that service ends " +
				"at SIGTERM.",
			read: "docs/vendors/wire.md#ending",
		},
		{
			name: "end with SIGTERM", run: checkTerminate,
			says: "The process ends soon after SIGTERM.",
			read: "docs/vendors/wire.md#ending",
		},
		{
			name: "end with the host", run: checkHostGone,
			says: "With MEZZO_PLUGIN_WATCH_STDIN=1 the process ends when its standard input does: its host is gone," +
				" whatever it died of.",
			read: "docs/vendors/wire.md#standard-input",
		},
		{
			name: "nothing left behind", run: checkLeaks,
			says: "A plugin that has ended leaves no process and no socket behind, and calls leave no descriptors " +
				"open while it runs.",
			read: "docs/vendors/wire.md#ending",
		},
		{
			name: "output", run: checkOutput,
			says: "What a plugin prints goes into the host's log: some lines, each of a few hundred bytes.",
			read: "docs/vendors/wire.md#logs",
		},
	}
}

// launcherChecks are for isolators that bring resources or start containers; of others they are skipped.
func launcherChecks() []check {
	return []check{
		{
			name: "contributed resources", run: checkContributed,
			says: "What an isolator contributes is well formed, reserved for nobody and allocated to nobody, and the same when it is" +
				" asked again.",
			read: "docs/vendors/README.md#the-kinds",
		},
		{
			name: "a launched container's life", run: checkLaunched,
			says: "Launch makes the container and holds it, and answers the id of its first process or 0; Start lets the command go;" +
				" Wait brings one message, at the container's end.",
			read: "docs/vendors/wire.md#an-isolator-that-starts-containers",
		},
		{
			name: "launch, repeated and cleaned up", run: checkHeld,
			says: "A call that comes again has the first one's effect, also in another process of the plugin, and Cleanup ends what is" +
				" held or runs.",
			read: "docs/vendors/wire.md#an-isolator-that-starts-containers",
		},
		{
			name: "signals", run: checkSignals,
			says: "Signal reaches the container's command, and NOT_FOUND or nothing comes of one for a container that has ended.",
			read: "docs/vendors/wire.md#an-isolator-that-starts-containers",
		},
		{
			name: "launched containers outlive the plugin", run: checkOutlives,
			says: "Containers run on when the plugin is killed, and after Recover their ends are known.",
			read: "docs/vendors/wire.md#an-isolator-that-starts-containers",
		},
		{
			name: "drain while waiting", run: checkDrainWaiting,
			says: "Drain ends the streams of Wait, so that a container keeps no plugin from being replaced.",
			read: "docs/vendors/wire.md#an-isolator-that-starts-containers",
		},
	}
}
