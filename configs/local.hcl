# A whole cluster on one machine, for trying out: `mezzo local configs/local.hcl`. abspath takes a path from this
# file's folder. All that the cluster keeps is in the two folders below, and listeners are on loopback.

master {
  data_dir   = abspath("../data/master")
  plugin_dir = abspath("../bin")
}

agent {
  work_dir   = abspath("../data/agent")
  plugin_dir = abspath("../bin")
  attributes = { rack = "r1" }
}

# Who gets which offers: hierarchical dominant resource fairness.
plugin "allocator" "drf" {}

# Who may do and see what: the Rego policies in this folder, read again whenever a file changes.
plugin "authorizer" "opa" {
  config {
    policies = abspath("policies")
  }
}

# What confines a task: cpu, memory and pids, on cgroups v1 or v2.
plugin "isolator" "cgroups" {}
