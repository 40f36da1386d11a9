# make demo | make test work on a fresh machine from a clean clone; everything else is for developers.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# One torch thread a process: tests run in two processes.
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo test slow check format numbers reference docs bench bench-full topaz clean

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

reference: setup       ## the generated reference, docs/reference
	$(BIN)/python tools/reference.py

docs: reference $(VENV)/.docs ## the documentation site, in site/; it works offline and fails at broken links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.docs: $(VENV)/.done
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

bench: setup           ## the standing comparison, short: simulated micrographs, minutes
	$(BIN)/python benchmarks/standing.py short --workers 2

bench-full: setup      ## all of it, hours; goes on where it stopped
	$(BIN)/python benchmarks/standing.py full --workers 2

topaz: setup           ## Topaz in its own environment, for the comparison
	PYTHON=$(PYTHON) bash benchmarks/topaz_environment.sh

clean:
	rm -rf $(VENV) demo site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
