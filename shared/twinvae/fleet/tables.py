"""The tables of a fleet: one row for each series, one for each event, and the summary."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twinvae.detector.detector import VAEDetector
from twinvae.files.atomic import as_json
from twinvae.fleet.folder import MODELS, TABLES, FleetFolder
from twinvae.fleet.input import Version
from twinvae.fleet.plan import FORMAT, VERSION, DamagedError, Plan
from twinvae.fleet.stems import file_stems
from twinvae.fleet.work import failed

if TYPE_CHECKING:
    import polars as pl


class Tables(NamedTuple):
    """What a finished fleet is."""

    fleet: "pl.DataFrame"
    events: "pl.DataFrame"
    summary: dict[str, Any]


def fleet_schema() -> "dict[str, Any]":
    """The columns of fleet.parquet."""
    import polars as pl

    return {
        "name": pl.String, "status": pl.String, "error": pl.String, "warnings": pl.List(pl.String), "rows": pl.Int64,
        "channels": pl.Int64, "window": pl.Int64, "epochs": pl.Int64, "loss": pl.Float64, "kind": pl.String,
        "threshold": pl.Float64, "events": pl.Int64, "anomalous_steps": pl.Int64, "roc_auc": pl.Float64,
        "average_precision": pl.Float64, "model": pl.String,
    }  # fmt: skip


def event_schema() -> "dict[str, Any]":
    """The columns of events.parquet: rows [start, end) of a series, time stamps as text, shares of the channels."""
    import polars as pl

    return {
        "series": pl.String, "start": pl.Int64, "end": pl.Int64, "start_time": pl.String, "last_time": pl.String,
        "peak": pl.Int64, "peak_time": pl.String, "score": pl.Float64, "value": pl.Float64, "expected": pl.Float64,
        "channels": pl.List(pl.String), "shares": pl.List(pl.Float64),
    }  # fmt: skip


def write_tables(plan: Plan, folder: FleetFolder) -> Tables:
    """Makes the tables of all parts, and removes the progress.

    Raises:
        DamagedError: if a part is not there.
        OSError: if the output cannot be written.
    """
    import polars as pl

    of_series, of_event = fleet_schema(), event_schema()
    refused = [row for name, error in plan.failed.items() for row in failed(name, error).rows]
    rows, events = [pl.DataFrame(refused, of_series)], [pl.DataFrame(schema=of_event)]
    files: list[str] = []
    for index in range(len(plan.batches)):
        part = folder.read_part(plan, index)
        if part is None:
            raise DamagedError(f"{folder.path}: part {index} has gone: go on with --resume")
        rows.append(pl.DataFrame(part["rows"], of_series))
        events.append(pl.DataFrame(part["events"], of_event))
        files += part["files"]
    fleet = pl.concat(rows).sort("name")
    found = pl.concat(events).sort("series", "start")
    succeeded = int((fleet["status"] == "ok").sum())
    summary = {
        "format": FORMAT,
        "version": VERSION,
        "series": fleet.height,
        "ok": succeeded,
        "failed": fleet.height - succeeded,
        "events": found.height,
        "series_with_events": found["series"].n_unique(),
        "anomalous_steps": int(fleet["anomalous_steps"].sum()),
        "settings": dict(plan.settings),
        "input": input_digest(plan.files),
    }
    folder.finish({"events.parquet": _parquet(found), "fleet.parquet": _parquet(fleet)}, as_json(summary), files)
    return Tables(fleet, found, summary)


def read_tables(folder: FleetFolder) -> Tables:
    """The tables of a finished fleet.

    Raises:
        ValueError: if they are not those of a fleet.
    """
    import polars as pl

    summary = folder.read_summary()
    try:
        fleet, events = (pl.read_parquet(folder.path / name, glob=False) for name in TABLES)
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
    import polars as pl

    folder = FleetFolder(path)
    stems = file_stems([*members, *failures])
    rows = [row for name, error in failures.items() for row in failed(name, error).rows]
    summary = {
        "format": FORMAT, "version": VERSION, "series": len(members) + len(failures), "ok": len(members),
        "failed": len(failures), "settings": dict(settings), "input": None,
    }  # fmt: skip
    text = as_json(summary)  # what cannot be written is found before anything is replaced
    with folder.replaced():
        for name in members:
            detector, model = members[name], f"{MODELS}/{stems[name]}.safetensors"
            detector.save(path / model)
            config, history = detector.config_, getattr(detector, "history_", None)
            rows.append(
                {
                    "name": name, "status": "ok", "warnings": list(warnings.get(name, ())),
                    "channels": len(detector.channels_), "window": config.window, "kind": config.kind,
                    "epochs": len(history["loss"]) if history else config.epochs,
                    "loss": history["loss"][-1] if history else None, "threshold": detector.threshold_, "model": model,
                }
            )  # fmt: skip
        fleet, events = pl.DataFrame(rows, fleet_schema()).sort("name"), pl.DataFrame(schema=event_schema())
        kept = [row["model"] for row in rows if "model" in row]
        folder.finish({"events.parquet": _parquet(events), "fleet.parquet": _parquet(fleet)}, text, kept)


def input_digest(files: Mapping[str, Version]) -> str:
    """Tells the versions of an input's files apart."""
    text = json.dumps({name: list(version) for name, version in files.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _parquet(table: "pl.DataFrame") -> bytes:
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()
