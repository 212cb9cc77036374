"""`twinvae fleet`: fits and scores many series, each with a detector of its own."""

import argparse
import errno
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from twinvae.cli.options import (
    add_detector,
    add_ignore,
    add_language,
    chosen_backend,
    chosen_language,
    count,
    reading,
    recorded_spans,
)
from twinvae.cli.text import complain, fleet_record, fleet_text, print_result
from twinvae.config import HYPERPARAMETERS, resolve
from twinvae.detector.search import is_asked_for
from twinvae.fleet.batches import TOGETHER
from twinvae.fleet.folder import FleetFolder
from twinvae.fleet.input import Folder, Input, Version, open_input
from twinvae.fleet.local_engine import in_turns, run_local
from twinvae.fleet.plan import Plan
from twinvae.fleet.run import Engine, FleetRun, make_plan
from twinvae.fleet.tables import Tables, input_digest, read_tables, write_tables
from twinvae.fleet.work import Settings
from twinvae.network.backend import load_backend
from twinvae.process.progress import fleet_progress

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PACKAGES = {"jax": ("twinvae", "numpy", "jax", "jaxlib"), "torch": ("twinvae", "numpy", "torch")}
GO_ON = "what is finished is kept: go on with --resume"


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("input", type=Path, metavar="INPUT", help="a folder of CSV or Parquet files, or with --key one long table")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the page, the tables and the models")
    add(
        "--train-rows",
        type=count,
        metavar="N",
        help="the first N rows of each series are normal; default: search all rows",
    )
    add("--key", metavar="COLUMN", help="tells the series of one long table apart")
    add("--scores", action="store_true", help="write the score of every step: scores/NAME.parquet")
    add("--resume", action="store_true", help="go on where a run has ended: give the same options as before")
    add(
        "--leave-changed", action="store_true",
        help="with --resume: series whose files have changed or gone fail, the rest goes on",
    )  # fmt: skip
    together = f"train at most N series in one batch; default: {TOGETHER}"
    add("--together", type=count, default=TOGETHER, metavar="N", help=together)
    add("--workers", type=count, metavar="N", help="batches at a time at most; default: one a core")
    add("--engine", choices=("local", "ray"), default="local", help="default: local")
    add("--address", metavar="ADDRESS", help="of a Ray cluster, HOST:PORT or auto; default: Ray on this machine")
    add_ignore(parser)
    add_language(parser)
    add_detector(parser)


def run(options: argparse.Namespace) -> None:
    """Trains and scores all series, and prints which have the most events; a ValueError says if none could be done."""
    tables = run_fleet(options, chosen_backend(options))
    print_result(options, fleet_record(tables, options.out), fleet_text(tables, options.out))
    if not tables.summary["ok"]:
        sys.stdout.flush()
        raise ValueError(
            f"none of the {tables.summary['series']} series could be done: see {options.out}/fleet.parquet"
        )


def run_fleet(options: argparse.Namespace, backend: str) -> Tables:
    """Trains and scores all series of an input into a folder, or goes on with that.

    Raises:
        KeyboardInterrupt: at Ctrl-C and SIGTERM; the message says how to go on.
        ValueError, OSError: if it cannot work: see `open_input` and `FleetFolder`.
    """
    warn = partial(complain, "warning")
    given = {name: getattr(options, name) for name in HYPERPARAMETERS if getattr(options, name) is not None}
    ignore = recorded_spans(options) or None
    settings = Settings(backend, options.preset, options.seed, given, options.train_rows, options.scores, ignore)
    recorded = _recorded(options, settings)
    engine = _engine(options, settings)
    folder = FleetFolder(options.out)
    if not options.resume or not (folder.is_begun or folder.is_finished):
        folder.check_new()
    if options.out.resolve() == options.input.resolve():
        raise ValueError(f"{options.out}: --out is the folder of the input: choose another")
    with folder.lock(), _saying_how_to_go_on(folder):
        source = open_input(
            options.input, key=options.key, columns=options.columns, time=options.time, labels=options.labels,
            scratch=folder.progress / "sorted", **reading(options),
        )  # fmt: skip
        if source.left_out:
            warn(f"{options.input}: left out {source.left_out} entries that are hidden, or no .csv or .parquet file")
        if folder.is_finished:
            return _finished(folder, recorded, source)
        plan = folder.read_plan()
        if plan is None:
            if options.train_rows is None and not is_asked_for(settings.detector()):
                warn("fitted on whole series: their anomalies count as normal; see --train-rows")
            with fleet_progress("read", len(source.names)) as report:
                plan = make_plan(source, settings, recorded, options.together, report, warn)
            folder.write_plan(plan)
        else:
            _check_settings(folder, plan.settings, recorded)
            source = _as_planned(plan, source, leave_changed=options.leave_changed, warn=warn)
        with fleet_progress("done", len(plan.names)) as report:
            FleetRun(plan, source, settings, folder, report, warn).go(engine)
        return write_tables(plan, folder, chosen_language(options))


# What a run is begun with, and whether it is the same when it goes on.


def _recorded(options: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """All that the results depend on, beside the input."""
    recorded = settings._asdict() | {name: getattr(options, name) for name in ("key", "time", "labels", "together")}
    recorded["columns"] = options.columns and list(options.columns)
    recorded |= {name: value for name, value in reading(options).items() if value}  # plans of older runs have none
    recorded["versions"] = {name: importlib.metadata.version(name) for name in PACKAGES[settings.backend]}
    as_read: dict[str, Any] = json.loads(json.dumps(recorded, sort_keys=True))
    return as_read  # as it will be read from the plan


def _check_settings(folder: FleetFolder, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    try:
        old, new = _flat(before), _flat(now)
    except (AttributeError, KeyError, TypeError):
        raise ValueError(
            f"{folder.path}: the settings that it was begun with are damaged: choose another --out"
        ) from None
    changed = [
        f"{name} was {old.get(name, 'not given')}, now {new.get(name, 'not given')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    if changed:
        raise ValueError(
            f"{folder.path}: begun with other settings: {'; '.join(changed)}: give the same, or choose another --out"
        )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    nested = {name: value for part in ("hyperparameters", "versions") for name, value in settings[part].items()}
    rest = {name: value for name, value in settings.items() if name not in ("hyperparameters", "versions")}
    return {name.replace("_", "-"): value for name, value in (rest | nested).items() if value is not None}


def _as_planned(plan: Plan, source: Input, *, leave_changed: bool, warn: Callable[[str], None]) -> Input:
    """The input in the versions that the plan was made of."""
    differences = _differences(plan.files, source.files)
    if not differences:
        return source
    said = f"{source.path}: the input has changed since the run began: {differences}"
    if not leave_changed or not isinstance(source, Folder):
        rest = ", or let these series fail with --leave-changed" if isinstance(source, Folder) else ""
        raise ValueError(f"{said}: put it back, choose another --out{rest}")
    warn(f"{said}: what is not finished of it fails")
    return source.as_of(plan.files)


def _differences(before: Mapping[str, Version], now: Mapping[str, Version]) -> str:
    found = {
        "changed": [name for name, version in before.items() if now.get(name, version) != version],
        "gone": [name for name in before if name not in now],
        "new": [name for name in now if name not in before],
    }
    return "; ".join(
        f"{len(names)} {what} ({', '.join(sorted(names)[:3])}{', ...' if len(names) > 3 else ''})"
        for what, names in found.items()
        if names
    )


def _finished(folder: FleetFolder, recorded: Mapping[str, Any], source: Input) -> Tables:
    tables = read_tables(folder)
    if tables.summary["input"] is None:
        raise ValueError(f"{folder.path}: holds a fleet that was saved from Python: choose another --out")
    _check_settings(folder, tables.summary["settings"], recorded)
    if tables.summary["input"] != input_digest(source.files):
        raise ValueError(f"{folder.path}: finished, and the input has changed since: choose another --out")
    folder.clear()  # the process may have ended just before
    complain("note", f"{folder.path}: was finished already: nothing to do")
    return tables


# How it runs, and how it is ended.


def _engine(options: argparse.Namespace, settings: Settings) -> Engine:
    if options.engine == "ray":
        if options.workers is not None:
            raise ValueError("--workers is for --engine local: Ray's cluster says how many there are")
        if settings.hyperparameters.get("device") == "gpu":
            raise ValueError("--device gpu is for --engine local: a task on Ray has one CPU")
        if not importlib.util.find_spec("ray"):
            raise ValueError("Ray is not installed: pip install 'twinvae[ray]'")
        from twinvae.fleet.ray_engine import run_ray

        return lambda work, tasks, *, one_by_one: run_ray(
            work, tasks, address=options.address, backend=settings.backend
        )
    if options.address is not None:
        raise ValueError("--address is for --engine ray")
    lanes = load_backend(settings.backend).lanes(resolve(settings.preset, settings.hyperparameters).device)
    return lambda work, tasks, *, one_by_one: run_local(
        work, tasks, in_turns(lanes, 1 if one_by_one else options.workers)
    )


@contextmanager
def _saying_how_to_go_on(folder: FleetFolder) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        kept = GO_ON if folder.is_begun else "no batch was begun"
        raise type(error)(f"interrupted: {kept}") from None
    except OSError as error:
        if error.errno in FULL and folder.is_begun:
            raise OSError(error.errno, f"{os.strerror(error.errno)}: {GO_ON}", error.filename) from None
        raise
