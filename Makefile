# What people run. `make help` lists it.

.DEFAULT_GOAL := help
SHELL := /bin/sh

include mk/tools.mk
include mk/clients.mk
include mk/postgres.mk
include mk/suites.mk
include mk/xmlsec.mk

.PHONY: help run build test conformance bench fuzz lint format

help: ## Say what can be made
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tools ## Build and run the server (ARGS="…" adds flags), data in ./data
	cargo run --release --locked --package provost-server -- serve $(ARGS)

build: tools ## Build the one binary, target/release/provost
	cargo build --release --locked --package provost-server

test: tools clients suites xmlsec ## Run every test: both databases, the real Codex clients, others' suites
	$(WITH_POSTGRES) cargo test --workspace --locked --no-fail-fast

conformance: tools clients ## Hold the policy linter against the real client (SEED=1 COUNT=1000)
	CONFORMANCE_SEED=$(or $(SEED),1) CONFORMANCE_COUNT=$(or $(COUNT),1000) cargo test --locked --package provost-model \
		--lib -- --ignored --nocapture generated_policies_get_the_clients_verdict

bench: tools ## Run the benchmarks; each prints ratios against a baseline of the same run
	cargo build --release --locked --package provost-benches
	for bench in bundle decision explain start relay simulate; do target/release/$$bench || exit 1; done
	for bench in scim revocation storm publish; do $(WITH_POSTGRES) target/release/$$bench || exit 1; done

fuzz: ## Fuzz what reads strangers' bytes, a minute each (needs nightly Rust and cargo-fuzz)
	for target in filter path_and_patch; do cargo +nightly fuzz run $$target -- -max_total_time=60 || exit 1; done

lint: tools ## Check format, lints and dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	mk/deny

format: ## Format everything
	cargo fmt --all
