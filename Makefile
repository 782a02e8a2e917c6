# Every target can be run on a fresh machine that has git, make and Python 3.11+ with venv.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Compiled modules are kept: tests start many processes.
unexport PYTHONDONTWRITEBYTECODE
STAMP := $(VENV)/.installed

.PHONY: setup demo test lint format type integration soak bench docs check clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/swamp demo

test: setup
	$(BIN)/python -m pytest -n 3 -m "not extended and not soak" tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

type: setup
	$(BIN)/mypy swampsync tests integration

# Much of both waits for leases, disks and servers: a third process finds something to do meanwhile.
integration: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m pytest -n 3 -m "extended and not soak" tests
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder -m "not soak" integration

# Longer sweeps of what `make integration` samples; by hand, up to half an hour.
soak: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	SWAMPSYNC_KILL_STRIDE=3 SWAMPSYNC_EXAMPLES=30 $(BIN)/python -m pytest -n 2 -m soak tests integration
	SWAMPSYNC_KILL_STRIDE=3 SWAMPSYNC_EXAMPLES=30 $(BIN)/python -m pytest -n 2 integration/faults integration/sync

bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m integration.bench

docs: setup
	$(BIN)/python -m swampsync.cli.reference > design/cli-reference.md

check: lint type test

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
