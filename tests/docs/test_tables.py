"""What the pages take from the code and from committed results."""

import importlib.util
import json
import re
from dataclasses import fields
from types import ModuleType
from typing import Any

import pytest

from benchmarks.accuracy import pages
from tests.conftest import ROOT
from tests.parity.test_mirror import FILES
from twinvae.cli.main import COMMANDS
from twinvae.config import Config
from twinvae.scoring.kinds import SCORES

README = (ROOT / "README.md").read_text(encoding="utf-8")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Made from the code.


def test_the_table_of_scores_has_every_kind(tables: ModuleType) -> None:
    for score in SCORES.values():
        assert f"| `{score.kind}` | {score.help} | {score.suits} |" in tables.scores()
    assert "```{scores}" in page("scores.md")


def test_the_table_of_hyperparameters_has_every_field(tables: ModuleType) -> None:
    table = tables.hyperparameters()
    assert re.findall(r"^\| `(\w+)`", table, re.M) == [field.name for field in fields(Config)]
    assert (
        '| `quantile` | of "quantile": which quantile of the training scores | above 0, below 1 '
        "| `0.999` | `0.999` | `0.999` |"
    ) in table
    assert "```{hyperparameters}" in page("hyperparameters.md")


def test_the_reference_of_the_command_has_every_command_and_its_options(tables: ModuleType) -> None:
    text = tables.commands()
    assert re.findall(r"^## `twinvae (\w+)`", text, re.M) == list(COMMANDS)
    detect = text.partition("## `twinvae detect`")[2].partition("\n## ")[0]
    for option in ("[FILE]", "--train-rows N", "--false-alarms X", "--preset {tutorial,standard,auto}"):
        assert f"| `{option}` |" in detect, option
    assert "```{commands}" in page("command_line.md")


def test_the_page_of_the_backends_shows_each_pair_of_files() -> None:
    shown = re.findall(r"literalinclude\} \.\./vae_(\w+)/(\w+)\.py", page("backends.md"))
    assert sorted(shown) == sorted((backend, file) for file in FILES for backend in ("jax", "torch"))


# Held to committed results.


def test_the_readme_answers_with_the_newest_comparison(tables: ModuleType) -> None:
    machine, _, rest = tables.answer().partition("\n\n")
    table = rest.partition("\n\n")[0].splitlines()
    rows = [line for line in table if line.startswith("|")]
    assert len(rows) == 2 + 5
    assert "\n".join([machine, "", *rows]) in README


def test_what_is_said_of_streams_and_fleets_is_what_the_results_hold(tables: ModuleType) -> None:
    results = [
        {
            "case": "fleet", "metric": metric, "implementation": "jax-run", "threads": threads, "value": value,
            "parameters": {"preset": "auto", "points": 2000, "series": 1000},
        }
        for metric, threads, value in (("single_model", 1, 0.2), ("fleet_model", 2, 0.05))
    ]  # fmt: skip
    (row,) = tables._fleets(written(results))
    assert row[1] == "50 ms, 4.0 times the rate of a single fit on one core"
    assert "2 cores" in row[0]
    assert "| a point of a stream: window 64, 1 channel | " in tables.measured()


def written(records: list[dict[str, Any]]) -> Any:
    class File:
        stem = "made"

        def read_text(self, encoding: str) -> str:
            return json.dumps({"records": records})

    return File()


def test_the_cost_of_a_million_series_follows_from_the_committed_fleets(tables: ModuleType) -> None:
    """Seconds of one core a model, and hours of one core for a million of them."""
    file = tables.newest("*-fleet.json")
    names = {"JAX": "jax-run", "PyTorch": "torch-eager"}
    rows = re.findall(r"^\| (JAX|PyTorch), `(\w+)` \| ([\d.]+) \| (\d+) \|$", page("fleet.md"), re.M)
    assert len(rows) == 4
    assert file.name in page("fleet.md")
    for name, preset, seconds, hours in rows:
        (value,) = (
            one["value"]
            for one in tables._records(file, "fleet", "fleet_model")
            if (one["implementation"], one["parameters"]["preset"], one["threads"]) == (names[name], preset, 1)
        )
        assert float(seconds) == pytest.approx(value, abs=0.5 * 10 ** -len(seconds.partition(".")[2]))
        assert int(hours) == pytest.approx(value * 1e6 / 3600, abs=0.6)


def test_the_sets_on_which_it_is_said_to_lose_are_those_of_the_table() -> None:
    text = page("accuracy.md")
    said = set(re.findall(r"`(\w+)`", text.partition("## Where it loses")[2].partition("Sharp")[0]))
    mark = pages.MARK.search(text)
    assert mark is not None
    report = text[mark.start() :].partition("development half")[0]
    behind = {
        name for name, by in re.findall(r"^\| (\w+) \| .* \| ([+-][\d.]+) \|$", report, re.M) if float(by) < -0.05
    }
    assert said == behind


# The door.


def test_the_readme_is_a_door() -> None:
    words = README.split()
    assert len(words) <= 900


def test_the_citation_names_the_version_of_the_package() -> None:
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert version is not None
    assert f"\nversion: {version[1]}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
