"""Every public name that the docs list has an example in its docstring, and the example runs."""

import doctest
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def listed() -> dict[str, Any]:
    """The classes and functions of the page, by their names; of a module those that it defines."""
    found: dict[str, Any] = {}
    for kind, name in re.findall(r"^\.\. auto(class|function|exception|module):: ([\w.]+)$", API, re.M):
        if kind == "module":
            module = importlib.import_module(name)
            found |= {
                f"{name}.{each}": value
                for each, value in vars(module).items()
                if not each.startswith("_")
                and (inspect.isclass(value) or inspect.isfunction(value))
                and value.__module__ == name
            }
        else:
            module_name, _, each = name.rpartition(".")
            found[name] = getattr(importlib.import_module(module_name), each)
    return found


NAMES = listed()


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parts = doctest.DocTestParser().get_examples(inspect.getdoc(NAMES[name]) or "")
    assert parts, f"{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    names = dict(vars(importlib.import_module(NAMES[name].__module__)))  # as doctest has it
    runner.run(doctest.DocTest(parts, names, name, None, None, None), out=said.append)
    assert runner.failures == 0, "".join(said)


def test_the_page_lists_what_the_packages_export() -> None:
    for package in ("vae_jax", "vae_torch", "twinvae"):
        for name in importlib.import_module(package).__all__:
            assert f"{package}.{name}" in NAMES
