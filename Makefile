# Everything runs in a virtual environment of its own; nothing else is needed but Python and make.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: test test-all lint clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade "pip>=25.1"
	$(RUN) -m pip install --quiet --editable . --group dev
	touch $@

test: $(VENV)/installed
	$(RUN) -m pytest -n 2 -m "not slow"

test-all: $(VENV)/installed
	$(RUN) -m pytest -n 2

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

clean:
	rm -rf $(VENV)
