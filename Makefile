PYTHON ?= python3
VENV ?= .venv
VENV_FLAGS ?=
TORCH_INDEX_URL ?=
PIP_ARGS ?= $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))
RUNS := $(VENV)/.installed
TESTS := $(VENV)/.installed-for-tests
INSTALL = $(VENV)/bin/python -m pip install -q --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e
Q ?= Which open diffusion language model is the fastest, how many tokens per second does it reach, and how do key-value caches and parallel decoding speed up diffusion language models?
DOCS ?=

run: $(RUNS)
	$(VENV)/bin/research run "$(Q)" $(if $(DOCS),--docs "$(DOCS)")

ui: $(RUNS)
	$(VENV)/bin/research ui $(if $(DOCS),--docs "$(DOCS)")

test: $(TESTS)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

$(RUNS): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(INSTALL) .
	touch $@

$(TESTS): $(RUNS)
	$(INSTALL) '.[dev]'
	touch $@

.PHONY: run ui test
