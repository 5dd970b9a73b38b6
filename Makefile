# Every target does its own set-up: a machine needs Python >= 3.11 and make, nothing else.
PYTHON ?= python3
# Two workers: most of the time goes into compilation, which uses one core; each worker needs about 3 GiB.
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# A worker that crashes ends the run: pytest-xdist may wait for ever for what one that replaces it has not been given.
PYTEST := JAX_PLATFORMS=cpu $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0 --durations 40

.PHONY: demo test test-all lint format figures clean

demo: $(INSTALLED)  ## search on handwritten digits, about a minute
	$(BIN)/python -m metagen_jax.automl --spec specs/image_digits_demo.yaml --out runs/demo --fresh

test: lint  ## lint, types, tests; tests/short.py says which are left out
	$(PYTEST) -m "not slow"

test-all: lint  ## every test
	$(PYTEST)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) runs
