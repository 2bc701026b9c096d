# Everything a developer or an admin who tries Postigo needs. `make` lists the targets.

# One profile and always the whole workspace, so that features are the same: nothing is compiled twice.
CARGO_PROFILE := release
LISTEN ?= 127.0.0.1:8025
POSTIGO_DATA ?= $(CURDIR)/postigo-data

MILLION ?= $(CURDIR)/target/million

IN ?= --lib
TEST ?=

TARGET := $(or $(CARGO_TARGET_DIR),target)
POSTIGO := $(TARGET)/$(CARGO_PROFILE)/postigo

.DEFAULT_GOAL := help
.PHONY: help run dev try pages build test check bench bench-million proof guests setup

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: build ## Build all, start the daemon with a sample configuration, file a few sample mails
	POSTIGO_DATA="$(POSTIGO_DATA)" docs/sample/run $(POSTIGO) $(LISTEN)

dev: setup-build guests ## The same while you work on it: our own crates are compiled unoptimised, in a fraction of the time
	CARGO_INCREMENTAL=1 cargo build --$(CARGO_PROFILE) --config .ci/dev.toml --workspace --bin postigo
	POSTIGO_DATA="$(POSTIGO_DATA)" docs/sample/run $(POSTIGO) $(LISTEN)

try: setup-build guests ## Run some tests, unoptimised: make try TEST=filing::, make try TEST=pop3:: IN='--test end_to_end'
	@# End-to-end tests run the binary; only a crate's own integration tests have cargo build it.
	$(if $(findstring end_to_end,$(IN)),CARGO_INCREMENTAL=1 cargo build --$(CARGO_PROFILE) --config .ci/dev.toml --workspace --bin postigo)
	CARGO_INCREMENTAL=1 cargo test --$(CARGO_PROFILE) --config .ci/dev.toml --workspace $(IN) -- $(TEST)

pages: setup-build guests ## Write the tables in docs/ that are made of the code anew; read the difference afterwards
	POSTIGO_BLESS=1 CARGO_INCREMENTAL=1 cargo test --$(CARGO_PROFILE) --config .ci/dev.toml --workspace --lib -- the_tables_of_keys the_page_of_roles

build: setup-build guests ## Build the guests and the binary
	cargo build --$(CARGO_PROFILE) --workspace --bin postigo

guests: setup-build ## Build the shipped filters and the guests of the tests: target/guests/*.wasm
	.ci/build-guests

test: setup guests ## Run all tests, and the black-box cases where ../shared is there
	.ci/run-tests

check: setup-build guests ## Formatting, lints and documentation
	cargo fmt --all --check
	cargo clippy --$(CARGO_PROFILE) --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --$(CARGO_PROFILE) --workspace --lib --no-deps

proof: setup guests ## Run the full counts of the proofs: kills, cuts, hosts that take over, fuzzing, every mail of the collections; takes long
	POSTIGO_PROOF=full .ci/run-tests

bench: setup guests ## Run the benchmarks, each beside its baseline
	cargo build --$(CARGO_PROFILE) --workspace --all-targets
	cargo bench --workspace --bench postigo

bench-million: setup guests ## The same of a database with a million mails, which stays in target/million and is used again: takes long
	cargo build --$(CARGO_PROFILE) --workspace --all-targets
	POSTIGO_MAILS=1000000 POSTIGO_MILLION="$(MILLION)" cargo bench --workspace --bench postigo -- million

setup: setup-build ## Install what the tests need: Dovecot, Postfix, PostgreSQL
	.ci/setup --tests

.PHONY: setup-build
setup-build:
	.ci/setup
