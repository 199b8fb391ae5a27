# One command for each thing one does here. `make help` lists them.
#
# What a machine lacks (a C compiler for the race detector, PostgreSQL and Chromium for the tests) is installed
# from Debian's packages when we are root; Go itself must be there.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# The product is one static binary: no cgo, no path of the machine that built it.
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "-X plexy/internal/app.linked=$(VERSION)"

PLEXY   = bin/plexy
PGRUN   = build/pgrun
TESTRUN = build/testrun

FUZZTIME ?= 20s
SEED     ?=
STEPS    ?=
ARGS     ?=

.DEFAULT_GOAL = build

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1 — /p' Makefile

.PHONY: build
build: ## build bin/plexy
	$(BUILD) -o $(PLEXY) ./cmd/plexy

.PHONY: run
run: build ## build and start the sandbox on 127.0.0.1:8080, data under ./plexy-data
	@exec ./$(PLEXY) serve $(ARGS)

.PHONY: test
test: compiler browser vet format pages build tools ## everything: all tests, then all of them with the race detector
	@$(PGRUN) $(TESTRUN) \
		plain -count=1 -timeout 40m ./... -- \
		race -race -short -count=1 -timeout 40m ./...

.PHONY: check
check: vet format build tools ## what a commit needs: all tests in their short form
	@$(PGRUN) $(TESTRUN) short -short -timeout 10m ./...

.PHONY: sim
sim: ## replay the simulation: make sim SEED=7 STEPS=1000000
	$(GO) test -count=1 -timeout 0 -v -run '^TestSimulation$$' ./internal/sim \
		-args $(if $(SEED),-seed=$(SEED)) $(if $(STEPS),-steps=$(STEPS))

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s) each
	@set -e; for file in $$(grep -rl '^func Fuzz' --include='*_test.go' api cmd internal receiver | sort); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$$file"); do \
			echo "=== $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; \
		done; \
	done

.PHONY: soak
soak: build tools ## hours: the crash tests and the simulation in their long form, then fuzzing
	@PLEXY_TEST_SOAK=1 $(PGRUN) $(TESTRUN) soak -count=1 -timeout 12h ./internal/proof ./internal/sim
	@$(MAKE) fuzz FUZZTIME=10m

.PHONY: bench
bench: build tools ## measure against the yardstick; fails when a bound is missed
	@$(PGRUN) ./$(PLEXY) bench --work build $(ARGS)

.PHONY: vet
vet:
	@$(GO) vet ./...

.PHONY: format
format:
	@bad=$$("$$($(GO) env GOROOT)/bin/gofmt" -l api cmd internal receiver); \
	if [ -n "$$bad" ]; then echo "not as gofmt writes it:"; echo "$$bad"; exit 1; fi

# The pages are compiled from *.templ files, and what came of it is committed: building needs no generator.
TEMPL = $(GO) run github.com/a-h/templ/cmd/templ@v0.3.1100 generate -include-version=false -path internal

.PHONY: generate
generate: ## compile the pages' *.templ files into Go
	@$(TEMPL)

.PHONY: pages
pages:
	@$(TEMPL) -check >/dev/null 2>&1 || { echo "a *.templ file was changed and not compiled: make generate"; exit 1; }

.PHONY: tools
tools:
	@$(GO) build -buildvcs=false -o $(PGRUN) ./internal/pgtest/pgrun
	@$(GO) build -buildvcs=false -o $(TESTRUN) ./internal/house/testrun

# The race detector is the only thing here that needs cgo.
.PHONY: compiler
compiler:
	@command -v gcc >/dev/null && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "the race detector needs a C compiler: install gcc and the C library's headers"; exit 1; \
	fi; \
	apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev

# The pages for people are tested in a real browser.
.PHONY: browser
browser:
	@command -v chromium >/dev/null && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "the tests of the pages need Chromium: install it, or they are skipped"; exit 0; \
	fi; \
	apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		chromium fonts-dejavu-core

.PHONY: clean
clean: ## remove what was built; data stays
	rm -rf bin build
