"""The folder that `twinvae fleet` writes: progress while it works, tables and models when it is done.

    DIR/.progress/plan.json      which series are in which batch, of which settings and versions of the files
    DIR/.progress/part-N.json    the rows of batch N's series, once its models are on the disk
    DIR/models, scores, reports  a file for each series
    DIR/events.parquet, fleet.parquet, report.html, and last fleet.json

Every file is written whole and renamed, so what is there is finished, whatever ended the process.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from twinvae.files.atomic import as_json, check_outputs, new_folder, remove_abandoned, write_bytes, write_text
from twinvae.files.lock import locked
from twinvae.fleet.plan import FORMAT, DamagedError, Plan, content_sum, read_checked, write_checked
from twinvae.fleet.rows import EventRow, Row
from twinvae.fleet.work import Result

PROGRESS, MODELS, SCORES, REPORTS = ".progress", "models", "scores", "reports"
SUFFIXES = {MODELS: "safetensors", SCORES: "parquet", REPORTS: "html"}  # of the files of the series, by their folder
TABLES = ("fleet.parquet", "events.parquet")
PAGE = "report.html"
SUMMARY = "fleet.json"


class Part(NamedTuple):
    """What is on the disk of one finished batch."""

    rows: list[Row]
    events: list[EventRow]
    files: list[str]  # models, scores and pages of its series, in the folder of the fleet


class FleetFolder:
    """The files of one fleet. Only `lock` makes the folder: what is checked before leaves no trace."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.progress = path / PROGRESS
        self._plan = self.progress / "plan.json"

    # What is there.

    @property
    def is_finished(self) -> bool:
        """Whether the folder holds a whole fleet."""
        return (self.path / SUMMARY).exists()

    @property
    def is_begun(self) -> bool:
        """Whether the folder holds an unfinished run that --resume can go on with."""
        return self._plan.exists() or any(True for _ in self._parts())

    def check_new(self) -> None:
        """Raises ValueError if a new fleet would mix with what is there, OSError if the folder cannot be read."""
        if self.is_finished:
            raise ValueError(f"{self.path}: holds a finished fleet: remove it, or choose another --out")
        if self.is_begun:
            raise ValueError(f"{self.path}: holds an unfinished run: go on with --resume, or choose another --out")
        for name in (*TABLES, PAGE, *SUFFIXES):
            if (self.path / name).exists():
                raise ValueError(f"{self.path}: {name} is in the way: choose another --out")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Makes the folders, and keeps other processes out as long as this one lives.

        Raises:
            ValueError: if another process works in this folder.
            OSError: if it cannot be made or written.
        """
        existed = self.path.exists()
        with new_folder(self.progress):
            self._check_places()
        try:
            with locked(self.progress / "lock", f"{self.path}: another process is at work in this folder"):
                try:
                    for name in ("", *SUFFIXES):
                        remove_abandoned(self.path / name)
                    yield
                finally:
                    if not self.is_begun:  # nothing to go on with: leave no trace
                        shutil.rmtree(self.progress, ignore_errors=True)
        finally:
            with suppress(OSError):  # what holds files stays; on Windows the lock's file has gone only now
                self.progress.rmdir()
            if not existed and not any(self.path.iterdir()):
                self.path.rmdir()

    def _check_places(self) -> None:
        """Raises OSError if what will be written at the end has no place: said before the work."""
        for name in SUFFIXES:
            if os.path.lexists(folder := self.path / name) and not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file, where a folder is to be written", str(folder))
        check_outputs(self.path / name for name in (*TABLES, PAGE, SUMMARY))

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Makes the folder ready for a new fleet, in place of a finished one.

        Raises:
            ValueError: if it holds an unfinished run or what is no fleet's, or another process works in it.
            OSError: if it cannot be made or written.
        """
        if self.is_finished:
            self.read_summary()  # not what somebody else calls so
        else:
            self.check_new()
        with self.lock():
            (self.path / MODELS).mkdir(exist_ok=True)
            yield

    # The plan and the parts.

    def write_plan(self, plan: Plan) -> None:
        """Writes the plan, so that it lasts through a power failure."""
        write_checked(self._plan, asdict(plan))
        _sync(self.progress)

    def read_plan(self) -> Plan | None:
        """The plan, if there is one.

        Raises:
            DamagedError: if it is not whole.
        """
        return Plan.read(self._plan) if self._plan.exists() else None

    def write_part(self, plan: Plan, index: int, results: Sequence[Result], stems: Mapping[str, str]) -> None:
        """Writes the files of a batch's series, and then its part, which says that they are all there."""
        models = {f"{MODELS}/{stems[one.row.name]}.safetensors": one.model for one in results}
        scores = {f"{SCORES}/{stems[one.row.name]}.parquet": one.scores for one in results}
        pages = {page_name(stems[one.row.name]): one.page for one in results}
        files = {name: content for name, content in (models | scores | pages).items() if content is not None}
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(exist_ok=True)
            write_bytes(path, content)
        for folder in sorted({(self.path / name).parent for name in files}):
            _sync(folder)
        named = zip(results, models, strict=True)
        rows = [one.row._replace(model=name if name in files else None)._asdict() for one, name in named]
        events = [event._asdict() for one in results for event in one.events]
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        write_checked(self._part(index), {"plan": plan.digest, "rows": rows, "events": events, "files": sums})
        _sync(self.progress)

    def read_part(self, plan: Plan, index: int) -> Part | None:
        """The part of a batch; None if it is not finished.

        Raises:
            DamagedError: if it is not whole, or a file of its series is not there.
            ValueError: if it is of another plan.
        """
        path = self._part(index)
        if not path.exists():
            return None
        part = read_checked(path)
        if part.get("plan") != plan.digest:
            what = "of other settings or other input than these"
            raise ValueError(f"{path}: {what}: give those again, or choose another --out")
        try:
            events = [EventRow(**event) for event in part["events"]]
            found = Part([Row(**row) for row in part["rows"]], events, list(part["files"]))
            sums = dict(part["files"])
        except (KeyError, TypeError, ValueError):
            raise DamagedError(f"{path}: damaged") from None
        for name, wanted in sums.items():
            file = self.path / name
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
                raise DamagedError(f"{file}: not as it was written")
        return found

    def _part(self, index: int) -> Path:
        return self.progress / f"part-{index:06}.json"

    def _parts(self) -> Iterator[Path]:
        return self.progress.glob("part-*.json")

    # The end.

    def finish(self, tables: Mapping[str, bytes], summary: Mapping[str, Any], kept: Iterable[str]) -> dict[str, Any]:
        """Writes the tables, the page and the summary, then removes the progress and files that no table names.

        A page of the fleet that was here before goes, if none takes its place. Returns the summary as it was written,
        with checksums of the tables and of itself.
        """
        whole = {**summary, "tables": {name: hashlib.sha256(content).hexdigest() for name, content in tables.items()}}
        whole["sum"] = content_sum(whole)
        if PAGE not in tables:
            self._remove_former_page()
        for name, content in tables.items():
            write_bytes(self.path / name, content)
        wanted = set(kept)
        for folder, suffix in SUFFIXES.items():
            for path in self.path.glob(f"{folder}/*.{suffix}"):
                if f"{folder}/{path.name}" not in wanted and path.is_file():
                    path.unlink()
        write_text(self.path / SUMMARY, as_json(whole))
        _sync(self.path)
        self.clear()
        return whole

    def _remove_former_page(self) -> None:
        """Removes the page that the summary here names, if it is as it says."""
        if self.is_finished and (wanted := self.read_summary().get("tables", {}).get(PAGE)):
            path = self.path / PAGE
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == wanted:
                path.unlink()

    def clear(self) -> None:
        """Removes the progress, which a finished fleet needs no more."""
        for path in self._parts():
            path.unlink()
        shutil.rmtree(self.progress, ignore_errors=True)

    def read_summary(self) -> dict[str, Any]:
        """What `fleet.json` says.

        Raises:
            ValueError: if it is not that of a fleet, or not as it was written.
        """
        path = self.path / SUMMARY
        if not path.exists():
            raise ValueError(f"{self.path}: holds no whole fleet: there is no {SUMMARY}")
        try:
            summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if summary["format"] != FORMAT or not isinstance(summary["settings"], dict):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError(f"{path}: not the summary of a fleet: choose another folder") from None
        rest = {name: value for name, value in summary.items() if name != "sum"}
        if summary.keys() & {"tables", "sum"} and summary.get("sum") != content_sum(rest):
            raise ValueError(f"{path}: damaged: it has not the checksum that it was written with: make the fleet anew")
        return summary

    def read_tables(self, summary: Mapping[str, Any]) -> dict[str, bytes]:
        """The files of the tables, which must have the checksums that the summary says.

        Raises:
            ValueError: if they have not.
            OSError: if one cannot be read.
        """
        found = {name: (self.path / name).read_bytes() for name in TABLES}
        for name, content in found.items():
            if "tables" in summary and hashlib.sha256(content).hexdigest() != summary["tables"][name]:
                raise ValueError(f"{self.path / name}: damaged: it has not the checksum that {SUMMARY} says")
        return found


def page_name(stem: str) -> str:
    """The file of the page of a series, in the folder of the fleet."""
    return f"{REPORTS}/{stem}.html"


def _sync(folder: Path) -> None:
    """Makes the names in a folder last through a power failure, where the system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            raise
    finally:
        os.close(handle)
