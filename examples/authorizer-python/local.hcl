# A cluster on one machine whose authorizer is this folder's: build bin/authorizer-python by ./build, then
# `mezzo local local.hcl`.

master {
  data_dir   = abspath("../../data/master")
  plugin_dir = abspath("../../bin")
}

agent {
  work_dir   = abspath("../../data/agent")
  plugin_dir = abspath("../../bin")
}

plugin "allocator" "drf" {}

plugin "authorizer" "python" {
  config {
    permissions = abspath("permissions.toml")
  }
}

plugin "isolator" "cgroups" {}
