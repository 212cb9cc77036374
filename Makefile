# Each target does all the set-up it needs, in .venv; PYTHON chooses the interpreter.
PYTHON ?= python3
BIN := .venv/bin
# Nothing is timed while tests run side by side, so what belongs to pytest-benchmark is off.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 8 --dist worksteal --benchmark-disable

.PHONY: demo test test-all lint types docs bench tutorial gpu clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/ready
	$(BIN)/twinvae demo --backend both --out out/demo

test: lint types
	$(BIN)/pytest $(SIDE_BY_SIDE)

test-all: test
	$(BIN)/pytest -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

docs: .venv/ready
	$(BIN)/sphinx-build -W --keep-going --quiet -b html docs out/docs

bench: .venv/ready
	$(BIN)/pytest benchmarks

# Puts code, results and pictures into docs/tutorial/en.md and ja.md, and makes their notebooks.
tutorial: .venv/ready
	$(BIN)/python docs/tutorial/pages.py

# On a machine that is reached for minutes and has no network: with its own Python, from the source. WHEELS may name a
# folder of wheels that are missing there, DEVICE=cpu rehearses the run where there is no GPU.
DEVICE := gpu
gpu:
	PYTHONPATH=.:shared $(PYTHON) -m benchmarks gpu --device $(DEVICE) --out out/gpu $(if $(WHEELS),--wheels $(WHEELS))

clean:
	rm -rf .venv out .mypy_cache .ruff_cache .pytest_cache
