"""The tables of a fleet: one row for each series, one for each event, the page that shows them, and the summary."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twinvae.detector.detector import VAEDetector
from twinvae.files.atomic import as_json
from twinvae.fleet.folder import MODELS, PAGE, TABLES, FleetFolder, page_name
from twinvae.fleet.input import Version
from twinvae.fleet.page import page_of
from twinvae.fleet.plan import FORMAT, VERSION, DamagedError, Plan
from twinvae.fleet.rows import EventRow, Row, as_parquet, failed_row, fitted_row, table_of
from twinvae.fleet.stems import file_stems
from twinvae.plots.words import ENGLISH, Words

if TYPE_CHECKING:
    import polars as pl


class Tables(NamedTuple):
    """The two tables and the summary of a finished fleet."""

    fleet: "pl.DataFrame"
    events: "pl.DataFrame"
    summary: dict[str, Any]


def write_tables(plan: Plan, folder: FleetFolder, words: Words = ENGLISH) -> Tables:
    """Puts the tables and the page together from the parts of all batches, and removes the progress.

    Raises:
        DamagedError: if a part is not there.
        OSError: if the output cannot be written.
    """
    import polars as pl

    rows = [table_of([failed_row(name, error) for name, error in plan.failed.items()], Row)]
    events, files = [table_of([], EventRow)], []
    for index in range(len(plan.batches)):
        part = folder.read_part(plan, index)
        if part is None:
            raise DamagedError(f"{folder.path}: part {index} has gone: go on with --resume")
        try:
            rows.append(table_of(part.rows, Row))  # a million rows take far less memory as tables
            events.append(table_of(part.events, EventRow))
        except (OverflowError, TypeError, ValueError, pl.exceptions.PolarsError):
            raise DamagedError(f"{folder.path}: part {index} is damaged: remove it, and go on with --resume") from None
        files += part.files
    fleet, found = pl.concat(rows).sort("name"), pl.concat(events).sort("series", "start")
    succeeded = int((fleet["status"] == "ok").sum())
    summary = {
        "format": FORMAT, "version": VERSION, "series": fleet.height, "ok": succeeded,
        "failed": fleet.height - succeeded, "events": found.height, "series_with_events": found["series"].n_unique(),
        "dropped": int(fleet["dropped"].sum()),
        "anomalous_steps": int(fleet["anomalous_steps"].sum()), "settings": dict(plan.settings),
        "input": input_digest(plan.files),
    }  # fmt: skip
    stems, there = file_stems(plan.names), set(files)
    paged = {name for name in plan.names if page_name(stems[name]) in there}
    page = page_of(fleet, found, plan.settings, words, paged)
    tables = {"events.parquet": as_parquet(found), "fleet.parquet": as_parquet(fleet), PAGE: page.encode()}
    return Tables(fleet, found, folder.finish(tables, summary, files))


def read_tables(folder: FleetFolder) -> Tables:
    """The tables of a finished fleet.

    Raises:
        ValueError: if they are not those of a fleet.
    """
    import polars as pl

    summary = folder.read_summary()
    try:
        files = folder.read_tables(summary)
        fleet, events = (pl.read_parquet(files[name]) for name in TABLES)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"{folder.path}: a table of the fleet cannot be read: {str(error).splitlines()[0]}") from None
    return Tables(fleet, events, summary)


def save_members(
    path: Path,
    settings: Mapping[str, Any],
    members: Mapping[str, VAEDetector],
    failures: Mapping[str, str],
    warnings: Mapping[str, tuple[str, ...]],
) -> None:
    """Writes fitted detectors as a finished fleet that has scored nothing, one at a time.

    Raises:
        ValueError: if the folder holds an unfinished run.
        OSError: if it cannot be written.
    """
    folder = FleetFolder(path)
    stems = file_stems([*members, *failures])
    rows = [failed_row(name, error) for name, error in failures.items()]
    summary = {
        "format": FORMAT, "version": VERSION, "series": len(members) + len(failures), "ok": len(members),
        "failed": len(failures), "settings": dict(settings), "input": None,
    }  # fmt: skip
    as_json(summary)  # what cannot be written is found before anything is replaced
    with folder.replaced():
        for name in members:
            detector, model = members[name], f"{MODELS}/{stems[name]}.safetensors"
            detector.save(path / model)
            rows.append(fitted_row(name, detector, warnings.get(name, ()))._replace(model=model))
        fleet, events = table_of(rows, Row).sort("name"), table_of([], EventRow)
        kept = [row.model for row in rows if row.model]
        folder.finish({"events.parquet": as_parquet(events), "fleet.parquet": as_parquet(fleet)}, summary, kept)


def input_digest(files: Mapping[str, Version]) -> str:
    """A hash of the versions of all files of an input."""
    text = json.dumps({name: list(version) for name, version in files.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
