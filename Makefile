PYTHON ?= python3
VENV ?= .venv
VENV_FLAGS ?=
TORCH_INDEX_URL ?=
PIP_ARGS ?= $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))
STAMP := $(VENV)/.installed
Q ?= Which open diffusion language model is the fastest, and how many tokens per second does it reach?
DOCS ?=

run: $(STAMP)
	$(VENV)/bin/research run "$(Q)" $(if $(DOCS),--docs "$(DOCS)")

test: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest -q

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	touch $@

.PHONY: run test
