# Every target does its own setup. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test check docs clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup:  ## create .venv with exact versions, for a CPU or a GPU; a second run takes a fraction of a second
	@$(PYTHON) requirements/install.py

demo: setup  ## run all stages on an embedded task: curate, rewards, PPO, benchmarks, report (minutes, CPU)
	@$(BIN)/reasoner-zero run --config configs/demo.toml

test: setup  ## run all tests, including those with real Prefect, DeepSpeed and vLLM
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: setup  ## check style, types and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest tests/test_arrows.py

docs: setup  ## build the documentation in site/, without a network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:  ## remove the environment, all results and all build output
	rm -rf .venv runs site build
