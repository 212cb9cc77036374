# Each target does all the set-up it needs, in .venv; PYTHON chooses the interpreter.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all lint types bench clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/ready
	$(BIN)/twinvae demo --backend both --out out/demo

test: lint types
	$(BIN)/pytest

test-all: lint types
	$(BIN)/pytest -m ""

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/pytest benchmarks

clean:
	rm -rf .venv out .mypy_cache .ruff_cache .pytest_cache
