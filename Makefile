# make run     a working resolver and landing page, from a fresh checkout
# make demo    one order's whole life, timed, from a referral at the authority's desk to the name's return
# make test    all tests                            make lint    style, types, import rules
# make cover   all tests, with branch coverage: a fifth slower
# make bench   the comparison with other resolvers  make clean   remove what make made, state and all
# make soak    an hour at half of peak: memory and the slowest answer; then 3,600 looks at a feed, each killed at a random instant: the old list or the
#              new, whole. SOAK=120 for two minutes and 120 looks

# The first that runs and is new enough: a name on the path may be a shim with nothing behind it.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run demo test cover lint bench soak clean

run: $(VENV)/.runtime
	@exec $(BIN)/redhand run

demo: $(VENV)/.desk
	@exec $(BIN)/redhand demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 2 $(PYTEST)

cover: $(VENV)/.dev
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest --cov --cov-report=term $(PYTEST)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.runtime
	$(BIN)/python -m bench $(BENCH)

soak: SOAK ?= 3600
soak: $(VENV)/.dev
	@failed=0; \
	$(BIN)/python -m bench.soak --seconds $(SOAK) || failed=1; \
	REDHAND_KILLS=$(SOAK) $(BIN)/python -m pytest tests/blocklists/feed/test_killed.py --no-cov --quiet --capture=no || failed=1; \
	exit $$failed

clean:
	rm -rf $(VENV) var build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; install python3, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: $(PYTHON) cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml
	@echo "Installing Red Hand into $(VENV) (once)"
	@$(PIP) install -e .
	@touch $@

$(VENV)/.desk: $(VENV)/bin/python pyproject.toml
	@echo "Installing Red Hand with an authority's desk into $(VENV) (once)"
	@$(PIP) install -e '.[desk]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	@echo "Installing what tests and checks need into $(VENV) (once)"
	@$(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/.desk $(VENV)/.runtime
