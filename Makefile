# embellie: the commands of this repository. `make help` lists them.
PYTHON ?= python3
PORT ?= 8400
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
export PORT

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check audit format docs docs-build bench reference widget lock clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.run ## A newspaper with readers, a running experiment and the dashboard (PORT=8400, ARGS="--once 60").
	@$(BIN)/embellie demo --port $(PORT) $(ARGS)

test: $(VENV)/.dev ## The tests a contributor needs: under 10 minutes on 2 cores, no server, no browser.
	$(BIN)/pytest -n auto -m "not slow and not engines and not chromium and not real_data" $(ARGS)

test-all: $(VENV)/.dev $(VENV)/.chromium $(VENV)/.engines .venv-spark/.ready ## The rest: slow tests, real data, PostgreSQL, Spark, Sail, a real Chromium, the widget's own tests.
	$(MAKE) -C widget check
	$(BIN)/pytest -m "slow or engines or chromium or real_data" $(ARGS)

check: $(VENV)/.dev ## Lint, format, types, locks.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@! grep -rnE 'https?://' requirements/*.txt || (echo "A lock file names an address." && false)

audit: $(VENV)/bin/python ## Ask the open database of advisories about every locked version (ARGS=--required fails when it cannot be reached).
	@$(BIN)/python requirements/audit.py $(ARGS)

format: $(VENV)/.dev ## Format the code and mend what lint can mend.
	$(BIN)/ruff check --fix-only . ; $(BIN)/ruff format .

docs: docs-build ## Build the docs and serve them on port 8401.
	$(BIN)/mkdocs serve -a 127.0.0.1:8401

docs-build: $(VENV)/.docs ## Build the docs into site/.
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.dev $(VENV)/.engines .venv-spark/.ready ## Run the benchmarks; each prints a table and writes JSON into benchmarks/results/.
	@mkdir -p benchmarks/results
	@for file in $(filter-out %_peers.py,$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file --out benchmarks/results/$$(basename $$file .py).json || exit 1; done

reference: $(VENV)/.dev ## Write docs/reference/cli.md from the commands.
	$(BIN)/python -c "from embellie.cli.reference import reference; print(reference(), end='')" > docs/reference/.cli.md && mv docs/reference/.cli.md docs/reference/cli.md

widget: ## Rebuild the widget into the package (needs node and npm).
	$(MAKE) -C widget build

lock: $(VENV)/.uv ## Renew the locks: versions and hashes, no address.
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements/run.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml requirements/dev.in -c requirements/run.txt -o requirements/dev.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/docs.in -o requirements/docs.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml --extra ml --extra object-storage --extra postgres --extra telemetry -c requirements/run.txt -c requirements/dev.txt -o requirements/image.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/engines.in -c requirements/dev.txt -o requirements/engines.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/operate.in -c requirements/dev.txt -c requirements/engines.txt -c requirements/image.txt -o requirements/operate.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/spark_server.in -o requirements/spark_server.txt

clean: ## Remove what was built.
	rm -rf $(VENV) .venv-spark site .mypy_cache .ruff_cache .hypothesis widget/node_modules

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "embellie needs Python 3.11 or newer; try make PYTHON=python3.12" && false)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.uv: $(VENV)/bin/python
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements/run.txt pyproject.toml
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/run.txt
	@echo "$(CURDIR)/src" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/embellie.pth"
	@printf '#!/bin/sh\nexec "%s/%s/python" -m embellie "$$@"\n' "$(CURDIR)" "$(BIN)" > $(BIN)/embellie && chmod +x $(BIN)/embellie
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.engines: $(VENV)/.dev requirements/engines.txt requirements/operate.txt
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/engines.txt
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/operate.txt
	@touch $@

# A Spark server for the tests, in an environment of its own: half a gigabyte that nobody needs who only connects.
.venv-spark/.ready: $(VENV)/.uv requirements/spark_server.txt
	@$(UV) venv -q --clear --python $(BIN)/python .venv-spark
	@$(UV) pip install -q --python .venv-spark/bin/python --require-hashes -r requirements/spark_server.txt
	@touch $@

$(VENV)/.docs: $(VENV)/.run requirements/docs.txt
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/docs.txt
	@touch $@

$(VENV)/.chromium: $(VENV)/.dev
	@command -v chromium >/dev/null || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium) || echo "No chromium: browser tests will skip and say so."
	@touch $@
