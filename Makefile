# make demo | make test work on a fresh machine from a clean clone; everything else is for developers.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# One torch thread a process: tests run in two processes.
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo test slow check format numbers docs bench topaz clean

setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup            ## simulate, train on two micrographs, pick, evaluate, report
	$(BIN)/cryoglean demo --out demo

test: setup            ## all tests but the slow ones
	CRYOGLEAN_THREADS=1 $(BIN)/python -m pytest

slow: setup            ## the minutes-long tests too
	CRYOGLEAN_THREADS=1 $(BIN)/python -m pytest -m 'slow or not slow'

check: setup           ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-logo

format: setup          ## mend format and what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

numbers: setup         ## architecture numbers
	$(BIN)/python tools/architecture.py

docs: setup            ## the generated reference
	$(BIN)/python tools/reference.py

topaz: setup           ## Topaz in its own environment, for the comparison
	PYTHON=$(PYTHON) bash benchmarks/topaz_environment.sh

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
