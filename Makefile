# make          set up .venv: the package in place, development tools, the versions of constraints.txt
# make demo     train the digits with both backends, compare them, say where everything lies
# make test     everything CI runs: formatter, linter, type checker, tests (make check is the same)
# make lint     formatter and linter only;  make types, make unit: the other two parts
# make format   let the formatter and the linter's safe fixes edit the files
# make clean    remove caches, build folders and .venv's stamp; .venv itself stays
#
# Options of pytest: make unit ARGS="-m slow tests/backends"

VENV ?= .venv
PYTHON ?= python3
ARGS ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := install
.NOTPARALLEL:
.PHONY: install demo test check lint types unit format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/tnqrnn fit --config digits
	$(BIN)/tnqrnn fit --config digits --model.backend mps --model.max_bond 8
	$(BIN)/tnqrnn compare --config digits --max-bond 1 2 4 8

# A slip of formatting must not hide a failing test: all three parts run, any failure is a failure.
test check: $(STAMP)
	@$(MAKE) --no-print-directory --keep-going lint types unit

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(STAMP)
	find backends tnqrnn lightning_modules studies tests -name __pycache__ -prune -exec rm -rf {} +
