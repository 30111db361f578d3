# make demo: install and run the main job.       make test: install and pass all tests.
# make check: style, types, imports, quick tests. make bench, make faults, make audit: measure for hours, append to
# benchmarks/records.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
JOBS ?= 2

.PHONY: demo test check install fast lint types imports bench faults audit clean

$(STAMPS)/base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test: $(STAMPS)/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	mkdir -p $(STAMPS) && touch $@

install: $(STAMPS)/base

demo: $(STAMPS)/base
	$(BIN)/python -m synth_worker.demo.main_job

test: $(STAMPS)/test lint types imports
	$(BIN)/python -m pytest -n $(JOBS)

check: $(STAMPS)/test lint types imports fast

fast: $(STAMPS)/test
	$(BIN)/python -m pytest -n $(JOBS) -m 'not slow and not browser'

lint: $(STAMPS)/test
	$(BIN)/ruff check backend tests benchmarks
	$(BIN)/ruff format --check backend tests benchmarks

types: $(STAMPS)/test
	$(BIN)/pyright

imports: $(STAMPS)/test
	$(BIN)/lint-imports --no-cache

bench: $(STAMPS)/test
	$(BIN)/python -m benchmarks $(if $(SINCE),--since $(SINCE))

faults: $(STAMPS)/test
	$(BIN)/python -m benchmarks.kill9

audit: $(STAMPS)/test
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.audit

clean:
	rm -rf $(VENV) $(STAMPS) build dist demo-out .pytest_cache .ruff_cache .hypothesis
