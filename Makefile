# Everything runs in a virtual environment of its own; nothing else is needed but Python and make.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

# The RTL engine is compiled: by the system's C++ compiler, else by the one in the ziglang package.
COMPILER := $(firstword $(foreach name,$(CXX) g++ clang++ c++,$(shell command -v $(name))))
EXTRAS := $(if $(COMPILER),,[zig])

.PHONY: demo test ci test-all prove lint clean

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade "pip>=25.1"
	$(RUN) -m pip install --quiet --editable ".$(EXTRAS)"
	touch $@

$(VENV)/tested: $(VENV)/ready
	$(RUN) -m pip install --quiet --editable ".$(EXTRAS)" --group dev --group formal
	touch $@

demo: $(VENV)/ready
	$(VENV)/bin/shiftloom demo -o build/demo

test: $(VENV)/tested
	$(RUN) -m pytest -n 2 -m "not slow"

ci: $(VENV)/tested
	$(RUN) -m pytest -n 2 -m "not slow or proof"

test-all: $(VENV)/tested
	$(RUN) -m pytest -n 2

prove: $(VENV)/tested
	$(RUN) -m pytest tests/formal

lint: $(VENV)/tested
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pytest -q tests/test_types.py

clean:
	rm -rf $(VENV) build
