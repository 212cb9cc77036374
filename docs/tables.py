"""What the pages take from the code and from committed measurements: each function makes the Markdown of one table."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from twinvae.cli.main import COMMANDS, _parser
from twinvae.config import PRESETS, Config
from twinvae.scoring.kinds import SCORES

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; a bar in a cell is no border."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def scores() -> str:
    """The kinds of score."""
    rows = [[f"`{score.kind}`", score.help, score.suits] for score in SCORES.values()]
    return table(("kind", "the score at time t", "take it for"), rows)


def hyperparameters() -> str:
    """Every field of `Config`: what it is, the values that it may have, and those of the presets."""
    presets = ("auto", "standard", "tutorial")
    rows = [
        [
            f"`{field.name}`",
            field.metadata["help"],
            _values(field),
            *(_code(getattr(PRESETS[p], field.name)) for p in presets),
        ]
        for field in fields(Config)
    ]
    return table(("name", "is", "may be", *presets), rows)


def _values(field: Any) -> str:
    choices, bounds = get_args(field.type), field.metadata
    if choices:
        return ", ".join(map(_code, choices))
    if field.type is bool:
        return "`True`, `False`"
    if field.type is str:
        return "a text"
    low = f"above {bounds['above']:g}" if bounds["above"] is not None else f"at least {bounds['least']:g}"
    return low + (f", below {bounds['below']:g}" if bounds["below"] < float("inf") else "")


def _code(value: object) -> str:
    return f"`{value!r}`"


def commands() -> str:
    """Each command with its options, as its `--help` has them."""
    return "\n\n".join(_command(name) for name in COMMANDS)


def _command(name: str) -> str:
    subparsers = next(a for a in _parser([name])._actions if isinstance(a, argparse._SubParsersAction))
    parser = subparsers.choices[name]
    summary, example = COMMANDS[name]
    parts = [f"## `twinvae {name}`", f"{summary[0].upper()}{summary[1:]}.", f"```console\n$ {example}\n```"]
    for group in parser._action_groups:
        rows = [
            _option(action, parser) for action in group._group_actions if not isinstance(action, argparse._HelpAction)
        ]
        if rows:
            title = {"positional arguments": "arguments"}.get(group.title or "", group.title or "")
            about = f" ({group.description})" if group.description else ""
            parts += [f"**{title[0].upper()}{title[1:]}**{about}", table(("option", "is"), rows)]
    return "\n\n".join(parts)


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> list[str]:
    names = ", ".join(action.option_strings)
    value = "" if action.nargs == 0 else parser._get_formatter()._format_args(action, (action.dest or "").upper())
    needed = " (required)" if action.required and action.option_strings else ""
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    return [f"`{f'{names} {value}'.strip()}`", f"{text}{needed}".strip() or "-"]


def newest(pattern: str) -> Path:
    """The newest file of results of this form: their names begin with the date."""
    return sorted(RESULTS.glob(pattern))[-1]


def answer() -> str:
    """The answer of the newest committed comparison: its five questions, its sentences and where they come from."""
    return (newest("*-cpu.json").with_suffix("") / "answer.md").read_text(encoding="utf-8")


def measured() -> str:
    """What the newest committed runs say of streams, of memory and of fleets."""
    heads = ("what", "measured", "in")
    return table(heads, [*_streams(newest("*-cpu.json")), *_fleets(newest("*-fleet.json"))])


def _records(file: Path, case: str, metric: str) -> Iterator[dict[str, Any]]:
    for record in json.loads(file.read_text(encoding="utf-8"))["records"]:
        if record["case"] == case and record["metric"] == metric:
            yield record


def _streams(file: Path) -> Iterator[list[str]]:
    for record in _records(file, "stream", "point"):
        size = record["parameters"]
        if record["implementation"] == "numpy":
            channels = f"{size['channels']} channel{'s' if size['channels'] > 1 else ''}"
            yield [
                f"a point of a stream: window {size['window']}, {channels}",
                f"{record['value'] * 1e6:.0f} µs",
                file.stem,
            ]
    for record in _records(file, "watch", "point"):
        lines = {"csv": "CSV", "jsonl": "JSON lines"}[record["parameters"]["lines"]]
        yield [f"`twinvae watch` from a pipe of {lines}", f"{1 / record['value']:,.0f} points a second", file.stem]
    for record in _records(file, "score", "growth"):
        name = {"jax-run": "JAX", "torch-eager": "PyTorch"}.get(record["implementation"])
        if name and record["parameters"]["points"] == 10_000_000:
            growth = f"{record['value'] / 1e6:.0f} MB beside the series"
            yield [f"memory while {name} scores 10 million points", growth, file.stem]


def _fleets(file: Path) -> Iterator[list[str]]:
    alone = {
        (one["implementation"], one["parameters"]["preset"]): one["value"]
        for one in _records(file, "fleet", "single_model")
        if one["threads"] == 1
    }
    for record in _records(file, "fleet", "fleet_model"):
        size, name = record["parameters"], {"jax-run": "JAX", "torch-eager": "PyTorch"}[record["implementation"]]
        rate = alone[record["implementation"], size["preset"]] / record["value"]
        cores = "one core" if record["threads"] == 1 else f"{record['threads']} cores"
        yield [
            f"{name}, `{size['preset']}`: a model of {size['series']:,} series of {size['points']:,} points, {cores}",
            f"{record['value'] * 1e3:.0f} ms, {rate:.1f} times the rate of a single fit on one core",
            file.stem,
        ]
