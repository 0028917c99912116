# make demo   train, index, import the sample, report, and serve http://127.0.0.1:8000 (SERVE=0: do not serve)
# make test   lint, type-check and run every test (WORKERS=3 at a time)
# make check  what `make test` does before pytest
# make docs   write the generated references anew
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SERVE ?= 1
WORKERS ?= 3
PORT ?= 8000
TORCH := torch==2.13.0
# PyTorch's own index has a build without CUDA, gigabytes smaller; used where it can be reached.
TORCH_CPU := https://download.pytorch.org/whl/cpu
SAMPLE := desk/sample

.PHONY: help install demo serve test check docs clean
help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(VENV)/.installed ## make .venv and install from constraints.txt
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "paretodesk needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@extra=$$(curl -fsI -m 3 $(TORCH_CPU)/torch/ >/dev/null 2>&1 && echo "--extra-index-url $(TORCH_CPU)"); \
	 echo "installing torch"; $(BIN)/pip install --quiet $$extra "$(TORCH)"
	@echo "installing paretodesk"
	$(BIN)/pip install --quiet -c constraints.txt "$(TORCH)" -e .
	@touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt "$(TORCH)" -e ".[test]"
	@touch $@

var/.trained: $(VENV)/.installed $(wildcard training/corpus/*/*.jsonl)
	$(BIN)/paretodesk train
	@mkdir -p var && touch $@

demo: var/.trained ## train, index, import the sample, print the report and serve
	$(BIN)/paretodesk kb sync
	$(BIN)/paretodesk orders import $(SAMPLE)/orders.csv
	$(BIN)/paretodesk import $(SAMPLE)/tickets.csv --preset sample
	$(BIN)/paretodesk report top-reasons
ifneq ($(SERVE),0)
	$(BIN)/paretodesk serve --port $(PORT)
endif

serve: var/.trained ## serve without importing anything
	$(BIN)/paretodesk serve --port $(PORT)

check: $(VENV)/.test-installed ## lint, format, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## check, then run every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

docs: $(VENV)/.test-installed ## write the generated references anew
	$(BIN)/python -m docs.generate

clean: ## forget the demo's database, index and models
	rm -rf var models/store
