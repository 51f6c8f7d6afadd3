# Every target does its own set-up. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test check docs clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup:  ## make .venv with exact versions, for a CPU or a GPU; a second run takes a fraction of a second
	@$(PYTHON) requirements/install.py

demo: setup  ## the whole chain on an embedded task: curate, rewards, PPO, benchmarks, report (minutes, CPU)
	@$(BIN)/reasoner-zero run --config configs/demo.toml

test: setup  ## all tests, real Prefect, DeepSpeed and vLLM included
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: setup  ## style, types and import arrows
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest tests/test_arrows.py

docs: setup  ## the documentation site in site/, without a network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:  ## remove the environment, all results and what was built
	rm -rf .venv runs site build
