# Two commands do all the set-up: `make demo` and `make test`. They need Python 3.11 and make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo up test lint bench chaos paged lock
help:  ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.stamp  ## make .venv with .venv/bin/fairlane

$(VENV)/.stamp: pyproject.toml requirements/dev.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "fairlane needs $(PYTHON): install Python 3.11, or call make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## the story on a real Kafka: flood, move, fresh again, restore (open the page it prints)
	$(BIN)/fairlane demo $(ARGS)

up: setup  ## the whole pipeline on this machine
	$(BIN)/fairlane up $(ARGS)

lint: setup  ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup  ## everything: lint, tests on a real Kafka (installs Debian's prometheus, alertmanager, chromium when it can)
	$(BIN)/python tests/install_tools.py
	$(MAKE) lint
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: setup  ## our speeds as ratios against bare loops
	$(BIN)/fairlane bench all $(ARGS)

chaos: setup  ## >= 200 random faults and every mutant on a real Kafka; writes docs/benchmarks/faults.md (ARGS="--seed 7" replays a run)
	$(BIN)/python -m tests.chaos $(ARGS)

paged: setup  ## a stopped worker pages within five minutes: real Prometheus and Alertmanager, shipped windows, about 15 minutes
	$(BIN)/python -m tests.e2e.paged

lock:  ## write requirements/*.txt anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements/runtime.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements/dev.txt
