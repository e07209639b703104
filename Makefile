# Mezzo's targets. A bare `make` lists them.

GO      ?= go
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X github.com/mezzo-cluster/mezzo/host/version.version=$(VERSION)
TOOL     = $(GO) tool -modfile=tools/go.mod
PLUGINS  = allocator-drf authorizer-opa isolator-cgroups

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build demo test unit sim policies conformance integration cgroup2 windows lint fmt generate generate-check bench clean deps

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build every binary into bin/
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./host/cmd/... ./examples/...
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/isolator-process github.com/mezzo-cluster/mezzo/sdk/examples/isolator-process
	@for p in $(PLUGINS); do \
		echo "$(GO) build -o bin/$$p ./plugins/$$p"; \
		$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/$$p ./plugins/$$p || exit 1; done

demo: build ## run five tasks on a cluster of one machine (KEEP=1 leaves it running)
	@scripts/demo

test: deps ## everything: unit, property, race, simulator, policies, conformance, end-to-end, cgroups v2, Windows, leak check
	@scripts/test all

unit: ## unit and property tests, with the race detector
	@scripts/test unit

sim: ## the simulator's fixed seeds and its planted bugs
	@scripts/test sim

policies: build ## the shipped policies: their tests, the checker, coverage
	@scripts/test policies

conformance: build ## the conformance kit against every shipped plugin
	@scripts/test conformance

integration: build ## end-to-end tests with real processes (as root)
	@scripts/test integration

cgroup2: ## the cgroups v2 tests, in a small virtual machine
	@scripts/test cgroup2

windows: ## the plugin host's tests on Windows, under Wine
	@scripts/windows

lint: ## golangci-lint, buf lint, gofmt
	@test -z "$$(git ls-files '*.go' | xargs gofmt -l | tee /dev/stderr)"
	$(TOOL) buf lint
	$(TOOL) golangci-lint run ./...
	cd sdk && $(GO) tool -modfile=../tools/go.mod golangci-lint run --config ../.golangci.yml ./...

fmt: ## format the Go files
	git ls-files '*.go' | xargs gofmt -w

generate: ## generate Go from the .proto files
	$(TOOL) buf generate

generate-check: generate ## fail if generated files are not up to date
	git diff --exit-code -- '*.pb.go' '*_mesosjson.go'

bench: build ## every benchmark of docs/benchmarks.md
	@scripts/bench

deps: ## install what the tests need from Debian
	@scripts/deps

clean: ## remove what was built
	rm -rf bin
