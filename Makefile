# Two commands do all: `make demo` and `make test`. Both install what they need (as root).
# KILN_STATE_DIR and KILN_PORT choose another place than /var/lib/kiln and another port than 4566.
SHELL := /bin/bash
export CARGO_TERM_COLOR ?= auto
KILN := target/release/kiln
export PREFIX DESTDIR

.PHONY: help demo test test-service test-package check build install package bench setup down clean
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: setup build ## Start kiln, bake the shop's image, deploy it, kill a machine, watch it heal
	@scripts/demo.sh

test: setup ## Run every test, including those with real machines and real clients
	@scripts/test.sh

test-service: setup ## Run one service's tests: make test-service S=ec2
	@scripts/test-service.sh $(S)

check: ## Formatting, lints, layers, shapes, coverage tables
	cargo xtask check

build: ## Build the release binary, with its debug lines in a file beside it
	cargo build --release -p kiln-server
	@scripts/split-debug.sh $(KILN)

install: ## Install the built kiln, manual, completions and systemd unit (PREFIX, DESTDIR)
	@scripts/install.sh $(KILN)

package: build ## Make a Debian package in target/package
	@scripts/package.sh $(KILN) target/package

test-package: package ## Install that package on a bare Debian, run kiln there, purge it (as root, some minutes)
	@scripts/test-package.sh "$$(ls -t target/package/kiln_*.deb | head -n 1)"

bench: setup build ## Measure against named peers; writes bench/results.md
	@scripts/bench.sh

setup: ## Install the system packages and Python tools that kiln and its tests need
	@scripts/setup.sh

down: ## Stop kiln and its machines
	-$(KILN) down --stop-machines

clean: ## Remove what the build made (not kiln's state)
	cargo clean
