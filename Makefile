# The two commands a newcomer needs are `make demo` and `make test`; each does its own set-up.
# It takes Rust (with cargo), a C compiler, Python 3 with venv, npm, git and curl. What is missing is named in one line.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(CURDIR)/.cache
export WINDVANE_RUNTIME_DIR ?= $(CACHE)/runtime
PYTHON := $(CACHE)/venv/bin/python
# nextest runs tests in parallel and stories one at a time; plain `cargo test` does the same work where it is not installed.
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)

# The optional layers of the Rust hooks are built, linted and tested with everything else, in one set of features.
FEATURES := --features windvane-sdk/tracing,windvane-sdk/tower

.PHONY: help
help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: tools
tools: ## Check that the needed programs are there
	@for tool in cargo cc python3 npm git curl; do \
	  command -v $$tool >/dev/null || { echo "make: $$tool is missing; install it first" >&2; exit 69; }; \
	done
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { echo "make: python3 has no venv; on Debian: apt-get install python3-venv" >&2; exit 69; }

$(CACHE)/venv/.ready: tests/requirements.txt
	@$(MAKE) --no-print-directory tools
	python3 -m venv $(CACHE)/venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@

# The engines come through npm and pip; a Python without pip gets one of its own.
PIP := $(if $(shell command -v pip),,$(CACHE)/pip/.ready)
export PATH := $(PATH):$(CACHE)/pip/bin

$(CACHE)/pip/.ready:
	@$(MAKE) --no-print-directory tools
	python3 -m venv $(CACHE)/pip
	@touch $@

.PHONY: runtime
runtime: build $(PIP) ## Install the native engines into .cache/runtime
	@target/debug/windvane runtime install

.PHONY: build
build: tools ## Build everything for development, tests included, so that nothing is compiled twice
	cargo build --locked --workspace $(FEATURES) --all-targets

.PHONY: release
release: tools ## Build the binary as it is shipped
	cargo build --locked --release

.PHONY: demo
demo: release $(PIP) ## Play a real year of flights through a model and look at what drifted
	@target/release/windvane runtime install
	@target/release/windvane demo $(DEMO)

.PHONY: test
test: fmt lint doc unit ## Everything that CI runs
	@echo "stories, and beside them what others wrote against us; each prints when it is done"
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target stories receivers outside
	@echo "all checks have passed"

# One after another: much of this is waiting, so that it fits beside the stories.
.PHONY: outside
outside:
	@$(MAKE) --no-print-directory --jobs=1 clients otlp openapi sdk golden deploy-lint pages

# Where Chromium is not there and cannot be installed, all else is still checked; `make browser` by itself fails with 69.
.PHONY: pages
pages: runtime
	@tests/browser/run.sh target/debug/windvane || { code=$$?; [ $$code = 69 ] || exit $$code; \
	  echo "make: there is no Chromium and none can be installed; the pages were not looked at" >&2; }

.PHONY: fmt
fmt: tools
	cargo fmt --all --check

.PHONY: lint
lint: tools
	cargo clippy --locked --workspace $(FEATURES) --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check --hide-inclusion-graph bans licenses sources; fi

.PHONY: doc
doc: tools
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --workspace $(FEATURES) --no-deps --document-private-items --quiet

# Properties draw the same cases each time, so that a verdict is about the commit; `make fuzz` draws others.
.PHONY: unit
unit: export PROPTEST_RNG_SEED := 20130101
unit: runtime ## Unit, property and tidy tests
ifeq ($(NEXTEST),yes)
	INSTA_UPDATE=no cargo nextest run --locked --workspace $(FEATURES) -E 'not binary(stories)'
else
	INSTA_UPDATE=no cargo test --locked --bins --test tidy
	INSTA_UPDATE=no cargo test --locked --workspace $(FEATURES) --exclude windvane --lib --bins --tests -- --test-threads=1
endif
	cargo test --locked --workspace $(FEATURES) --doc --quiet

.PHONY: stories
stories: runtime ## End-to-end stories through the binary
ifeq ($(NEXTEST),yes)
	INSTA_UPDATE=no cargo nextest run --locked --workspace $(FEATURES) -E 'binary(stories)'
else
	INSTA_UPDATE=no cargo test --locked --workspace $(FEATURES) --test stories -- --test-threads=1
endif

.PHONY: clients
clients: runtime ## The engine's endpoint under clients that others wrote
	tests/clients/run.sh target/debug/windvane

.PHONY: browser
browser: runtime ## The pages in Chromium: dark and light, wide and narrow, accessibility, live updates
	tests/browser/run.sh target/debug/windvane

$(CACHE)/venv-otlp/.ready: tests/otlp/requirements.txt
	python3 -m venv $(CACHE)/venv-otlp
	$(CACHE)/venv-otlp/bin/python -m pip install --quiet --disable-pip-version-check -r tests/otlp/requirements.txt
	@touch $@

.PHONY: otlp
otlp: runtime $(CACHE)/venv-otlp/.ready ## OpenTelemetry's SDK, instrumentations of others and Arrow's writer against the collector
	WINDVANE=$(CURDIR)/target/debug/windvane $(CACHE)/venv-otlp/bin/python -m pytest -q -p no:cacheprovider tests/otlp

.PHONY: otlp-spans
otlp-spans: release $(CACHE)/venv-otlp/.ready ## 100,000 spans by each of OpenTelemetry's exporters, all counted
	@target/release/windvane runtime install
	WINDVANE=$(CURDIR)/target/release/windvane WINDVANE_TEST_SPANS=$${SPANS:-100000} \
	  $(CACHE)/venv-otlp/bin/python -m pytest -q -p no:cacheprovider tests/otlp/test_sdk.py -k every_span --durations=4

$(CACHE)/venv-receivers/.ready: tests/receivers/requirements.txt
	python3 -m venv $(CACHE)/venv-receivers
	$(CACHE)/venv-receivers/bin/python -m pip install --quiet --disable-pip-version-check -r tests/receivers/requirements.txt
	@touch $@

# Prometheus' Alertmanager out of Debian's packages, unpacked and not installed; where apt has it not, its story says so.
# Debian's program looks for its templates by an absolute path; the unpacked one gets a relative path of the same length.
ALERTMANAGER ?= $(CACHE)/alertmanager/usr/bin/prometheus-alertmanager

$(CACHE)/alertmanager/.tried:
	@mkdir -p $(CACHE)/alertmanager
	@cd $(CACHE)/alertmanager && if command -v apt-get >/dev/null; then \
	  apt-get download -qq prometheus-alertmanager >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && apt-get update -qq >/dev/null 2>&1 && apt-get download -qq prometheus-alertmanager >/dev/null 2>&1; } || true; \
	  for package in *.deb; do [ -e "$$package" ] && dpkg-deb -x "$$package" . || true; done; fi
	@[ -x $(ALERTMANAGER) ] && cd $(CACHE)/alertmanager && sed -i 's#/usr/share/prometheus#.usr/share/prometheus#g' $(ALERTMANAGER) && ln -sfn usr .usr || true
	@[ -x $(ALERTMANAGER) ] || echo "make: no prometheus-alertmanager from apt; the story with Prometheus' Alertmanager is left out" >&2
	@touch $@

.PHONY: receivers
receivers: runtime $(CACHE)/venv-receivers/.ready $(CACHE)/alertmanager/.tried ## Alerts: receivers and stories against SMTP and HTTP servers and an Alertmanager that others wrote
	@[ -x $(ALERTMANAGER) ] && export ALERTMANAGER=$(ALERTMANAGER) || unset ALERTMANAGER; \
	WINDVANE=$(CURDIR)/target/debug/windvane $(CACHE)/venv-receivers/bin/python -m pytest -q -rs -n 3 -p no:cacheprovider tests/receivers

$(CACHE)/venv-sdk/.ready: sdk/python/tests/requirements.txt
	@$(MAKE) --no-print-directory tools
	python3 -m venv $(CACHE)/venv-sdk
	$(CACHE)/venv-sdk/bin/python -m pip install --quiet --disable-pip-version-check -r sdk/python/tests/requirements.txt
	@touch $@

.PHONY: sdk
sdk: sdk-rust sdk-python sdk-typescript ## The telemetry hooks, against faulty servers, real libraries and the real service

.PHONY: sdk-python
sdk-python: runtime sdk-typescript $(CACHE)/venv-sdk/.ready
	cd sdk/python && $(CACHE)/venv-sdk/bin/python -m mypy
	cd sdk/python && WINDVANE=$(CURDIR)/target/debug/windvane $(CACHE)/venv-sdk/bin/python -m pytest

$(CACHE)/venv-sdk-hooks/.ready: sdk/python/tests/large/requirements.txt
	python3 -m venv $(CACHE)/venv-sdk-hooks
	$(CACHE)/venv-sdk-hooks/bin/python -m pip install --quiet --disable-pip-version-check -r sdk/python/tests/large/requirements.txt
	@touch $@

.PHONY: sdk-hooks
sdk-hooks: $(CACHE)/venv-sdk-hooks/.ready ## Hooks of large libraries: BentoML, MLflow, Ray Serve; not part of `make test`
	cd sdk/python && $(CACHE)/venv-sdk-hooks/bin/python -m pytest tests/large/test_large.py

$(CACHE)/venv-sdk-torch/.ready: sdk/python/tests/large/torch.txt
	python3 -m venv $(CACHE)/venv-sdk-torch
	$(CACHE)/venv-sdk-torch/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir -r sdk/python/tests/large/torch.txt
	@touch $@

# TORCH_PYTHON=… names a Python that has PyTorch, NumPy and pytest already; then nothing is downloaded.
TORCH_PYTHON ?= $(CACHE)/venv-sdk-torch/bin/python

.PHONY: sdk-torch
sdk-torch: $(if $(filter $(CACHE)/%,$(TORCH_PYTHON)),$(CACHE)/venv-sdk-torch/.ready) ## The hook of PyTorch under the real one, gigabytes of it; not part of `make test`
	cd sdk/python && $(TORCH_PYTHON) -m pytest tests/large/test_torch.py

.PHONY: sdk-rust
sdk-rust: runtime
ifeq ($(NEXTEST),yes)
	cargo nextest run --locked --workspace $(FEATURES) -E 'package(windvane-sdk)'
else
	cargo test --locked -p windvane-sdk $(FEATURES) --quiet
endif
	cargo package --locked -p windvane-sdk --allow-dirty --quiet
	cargo package --locked -p windvane-sdk --allow-dirty --list | grep -qx LICENSE && cmp LICENSE sdk/rust/LICENSE

.PHONY: sdk-typescript
sdk-typescript: tools
	cd sdk/typescript && npm ci --silent --no-audit --no-fund && npm test --silent

$(CACHE)/venv-shadow/.ready: tests/shadow/requirements.txt tests/shadow/models.txt
	python3 -m venv $(CACHE)/venv-shadow
	$(CACHE)/venv-shadow/bin/python -m pip install --quiet --disable-pip-version-check -r tests/shadow/requirements.txt
	$(CACHE)/venv-shadow/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/shadow/models.txt
	@touch $@

.PHONY: shadow
shadow: runtime $(CACHE)/venv-shadow/.ready ## Gates on public models against Python's ONNX Runtime, and on models that are hostile
	WINDVANE=$(CURDIR)/target/debug/windvane $(CACHE)/venv-shadow/bin/python -m pytest -q -p no:cacheprovider tests/shadow

$(CACHE)/venv-deploy/.ready: tests/deploy/requirements.txt
	python3 -m venv $(CACHE)/venv-deploy
	$(CACHE)/venv-deploy/bin/python -m pip install --quiet --disable-pip-version-check -r tests/deploy/requirements.txt
	@touch $@

.PHONY: deploy-lint
deploy-lint: build $(CACHE)/venv-deploy/.ready ## Files for containers, Kubernetes and Grafana: linted, and valid against their schemas
	WINDVANE=$(CURDIR)/target/debug/windvane $(CACHE)/venv-deploy/bin/python -m pytest -q -p no:cacheprovider tests/deploy

.PHONY: openapi
openapi: runtime ## The HTTP interface against its own description, by schemathesis
	tests/openapi/run.sh target/debug/windvane

.PHONY: fuzz
fuzz: tools ## Properties with many other cases, then every decoder for a minute each; without nightly and cargo-fuzz, damaged bodies on stable
	PROPTEST_CASES=$${CASES:-20000} PROPTEST_MAX_GLOBAL_REJECTS=10000000 cargo test --locked --workspace --lib --test properties --test experiment_properties -- --skip engine_
	@if cargo +nightly fuzz --version >/dev/null 2>&1; then \
	  for target in body compressed segment rows arrow otlp cloudevents binary_tensors; do cargo +nightly fuzz run $$target -- -max_total_time=$${SECONDS_EACH:-60} || exit 1; done; \
	else \
	  echo "make: nightly with cargo-fuzz is not here; the same decoders take damaged bodies on stable" >&2; \
	  WINDVANE_FUZZ_ROUNDS=$${ROUNDS:-200000} cargo test --locked --workspace --lib mutations:: ; \
	fi

.PHONY: golden
golden: runtime $(CACHE)/venv/.ready ## The drift of each month of flights against SciPy, and against a random split of itself
	$(PYTHON) tests/golden/flights_scipy.py --windvane target/debug/windvane
	$(PYTHON) tests/golden/flights_split.py --windvane target/debug/windvane

.PHONY: cuts
cuts: $(CACHE)/venv/.ready ## Cut the files that the README compares out of the flights, into .cache/cuts
	$(PYTHON) data/cut.py $(CACHE)/cuts

.PHONY: data
data: tools ## Build the flights sample and the models again
	data/build.sh

.PHONY: soak
soak: build release $(PIP) ## Kill the service and the engine again and again, for long
	@target/release/windvane runtime install
	WINDVANE=$(CURDIR)/target/release/windvane WINDVANE_SOAK_ROUNDS=$${ROUNDS:-200} \
	  cargo test --locked --workspace --test stories crash -- --nocapture --test-threads=1

# RATE=20000 sends so many events a second; without it as many as the store takes. LASTS is in seconds.
.PHONY: soak-memory
soak-memory: release ## Ingest for half an hour as fast as the store takes it: does the service's memory stay where it is?
	@target/release/windvane runtime install
	python3 benches/ingest/steady.py target/release/windvane --rate $${RATE:-0} --batch $${BATCH:-1000} --seconds $${LASTS:-1800} --every 60

.PHONY: otlp-peer
otlp-peer: release ## The same spans into Windvane and into MLflow by the same exporter
	@target/release/windvane runtime install
	benches/otlp/peer.sh

.PHONY: acknowledge
acknowledge: release ## 5,000 events a second in batches of 50: is the 99th percentile of the acknowledgement under 25 ms?
	@target/release/windvane runtime install
	python3 benches/ingest/steady.py target/release/windvane --rate 5000 --batch 50 --seconds $${LASTS:-60} --p99-ms 25

.PHONY: bundle
bundle: ## Bundle the real libraries in parts, and install them where there is neither npm nor pip
	cargo test --locked --workspace --test stories bundle_installs -- --ignored

# A part that has run through leaves its table, so that what was interrupted goes on with the next part; `make -j2 calibrate` runs two
# at a time. Another commit begins anew.
CALIBRATION := target/calibration/$(shell git rev-parse --short HEAD 2>/dev/null || echo none)
CALIBRATED := $(patsubst %,$(CALIBRATION)/%.csv,experiments detectors streams drift methods peers power unstructured quality concept)
$(CALIBRATION)/experiments.csv: PART := -p windvane-stats --test experiment_calibration table
$(CALIBRATION)/detectors.csv: PART := -p windvane-stats --test detector_calibration average_run_lengths
$(CALIBRATION)/streams.csv: PART := -p windvane-stats --test detector_calibration false_alarms_of_streams_that_go_on
$(CALIBRATION)/drift.csv: PART := -p windvane-analyzer --lib drift::calibration::table
$(CALIBRATION)/methods.csv: PART := -p windvane-analyzer --lib drift::calibration::methods::table
$(CALIBRATION)/peers.csv: PART := -p windvane-analyzer --lib drift::calibration::peers::table
$(CALIBRATION)/power.csv: PART := -p windvane-analyzer --lib drift::calibration::peers::power
$(CALIBRATION)/unstructured.csv: PART := -p windvane-analyzer --lib drift::calibration::unstructured::table_of_vectors_and_texts
$(CALIBRATION)/quality.csv: PART := -p windvane-analyzer --lib quality::tests::calibration_of_unchanged_data
$(CALIBRATION)/concept.csv: PART := -p windvane-analyzer --lib performance::concept::tests::calibration_of_an_unchanged_relation

$(CALIBRATED): | tools
	@mkdir -p $(@D)
	cargo test --locked --release $(PART) -- --exact --ignored --nocapture > $@.part || { cat $@.part; exit 1; }
	@grep -q '1 passed' $@.part || { echo "make: no test is named so: $(PART)" >&2; exit 1; }
	@mv $@.part $@

.PHONY: calibrate
calibrate: $(CALIBRATED) ## How often drift, quality, experiments and detectors raise a false alarm, and how often they find what they should
	@tail -n +1 $(CALIBRATED)

.PHONY: clean-cache
clean-cache: ## Remove what the set-up fetched
	rm -rf $(CACHE) tests/clients/node/node_modules
