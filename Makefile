# Daily commands. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One numerical thread a process: tests and training start enough processes of their own.
THREADS := OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help serve test lint type format train-env clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

serve: $(VENV)/.serve ## Install what serving needs, bring the database up to date, serve on 127.0.0.1:8000
	$(BIN)/sameface serve

test: train-env ## Check style and types, run all tests
	$(MAKE) lint type
	$(THREADS) $(BIN)/python -m pytest

lint: $(VENV)/.dev ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.dev ## Check types
	$(BIN)/mypy

format: $(VENV)/.dev ## Mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train-env: $(VENV)/.train ## Install what training and all tests need, PyTorch included

clean: ## Remove the environment and caches; the database in data/ stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Stamps: an environment is installed again when pyproject.toml changes.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.serve: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[cpu]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[cpu,dev]'
	touch $@

# facenet-pytorch holds the weights of the detector. It pins numpy<2, Pillow<10.3 and torch<2.3, which its weights and
# networks do not need and nothing else here can meet; compreface-sdk, which tests run, pins a requests-toolbelt that
# cannot be imported beside urllib3 2. Hence --no-deps.
$(VENV)/.train: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[cpu,dev,train]'
	$(BIN)/python -m pip install --quiet --no-deps facenet-pytorch==2.6.0 compreface-sdk==0.6.0
	touch $@ $(VENV)/.dev $(VENV)/.serve
