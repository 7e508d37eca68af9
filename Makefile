# make          set up .venv: the package in place, development tools, the versions of constraints.txt
# make demo     train the digits with both backends, compare them, say where everything lies
# make test     everything CI runs: formatter, linter, type checker, tests (make check is the same)
# make lint     formatter and linter only;  make types, make unit: the other two parts
# make oldest   some of the tests with the oldest versions that pyproject.toml allows, in a .venv-oldest of their own
# make format   let the formatter and the linter's safe fixes edit the files
# make clean    remove caches, build folders and .venv's stamp; .venv itself stays
#
# Options of pytest: make unit ARGS="-m slow tests/backends"; WORKERS=0 runs the tests in this process, for a debugger

VENV ?= .venv
OLDEST ?= .venv-oldest
PYTHON ?= python3
ARGS ?=
# Processes that share the files of tests; each takes up to 2 GiB.
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := install
.NOTPARALLEL:
.PHONY: install demo test check lint types unit oldest format clean

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
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

# What meets the dependencies: planning, quimb, the command line with its configs, studies' jobs, scores, data sets.
OLDEST_TESTS ?= tests/backends/test_planning.py tests/backends/test_circuit.py tests/tnqrnn/test_qrnn.py \
	tests/lightning_modules/cli/test_shipped_configs.py tests/lightning_modules/cli/test_refused_settings.py \
	tests/lightning_modules/tasks/test_translation_scores.py tests/lightning_modules/data/test_hub.py \
	tests/studies/engine/test_study.py tests/studies/test_compare.py

# Old versions warn of what new ones changed: -W default, or every warning would be an error.
oldest:
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python .ci/oldest.py > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/constraints.txt --editable '.[studies,hf]' \
		hypothesis num2words pytest pytest-timeout
	NUMBA_CACHE_DIR=$(abspath $(OLDEST))/numba $(OLDEST)/bin/python -m pytest -W default $(OLDEST_TESTS) $(ARGS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(STAMP)
	find backends tnqrnn lightning_modules studies tests -name __pycache__ -prune -exec rm -rf {} +
