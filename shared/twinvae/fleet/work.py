"""What is done to one batch of a fleet: train its detectors together, score each series. A pure function."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from twinvae.detector.detector import VAEDetector, load_detector
from twinvae.fleet.training import Member, fit_batch
from twinvae.process.notices import collected, one_line
from twinvae.scoring.kinds import mean_over_channels
from twinvae.series.series import Series


class Settings(NamedTuple):
    """What is the same for all batches. Can be pickled, and is plain data for JSON."""

    backend: str
    preset: str
    seed: int
    hyperparameters: dict[str, Any]  # those that are given
    train_rows: int | None  # the first rows, which are normal; None: all
    scores: bool  # whether the score of every step is wanted

    def detector(self) -> VAEDetector:
        """An unfitted detector.

        Raises:
            ValueError: if the backend is not installed.
        """
        return load_detector(self.backend)(preset=self.preset, seed=self.seed, **self.hyperparameters)

    def training_part(self, table: Series) -> Series:
        """What a detector is fitted on.

        Raises:
            ValueError: if the series has fewer rows than are to be fitted on.
        """
        if self.train_rows is not None and self.train_rows > len(table):
            raise ValueError(f"--train-rows is {self.train_rows}, the series has {len(table)} rows")
        return table.rows(slice(self.train_rows))


class Task(NamedTuple):
    """One batch: all that a worker needs, and nothing of the disk. Can be pickled."""

    number: int  # of the batch
    names: tuple[str, ...]
    series: tuple[Series, ...]


class Result(NamedTuple):
    """What came of one batch. Can be pickled."""

    rows: tuple[dict[str, Any], ...]  # of fleet.parquet, but for `model`
    events: tuple[dict[str, Any], ...]  # of events.parquet
    models: dict[str, bytes]  # the files of those that were trained
    scores: dict[str, bytes]  # Parquet files, if they are wanted


def work(settings: Settings, task: Task) -> Result:
    """Trains the series of a task together and scores all rows of each. A series that fails has a row that says why."""
    parts = {name: settings.training_part(table) for name, table in zip(task.names, task.series, strict=True)}
    members = fit_batch(settings.detector(), parts) if parts else []
    done = [_scored(settings, member, table) for member, table in zip(members, task.series, strict=True)]
    return joined(done, task.names)


def joined(results: Sequence[Result], names: Sequence[str]) -> Result:
    """Several results as one, of the series in the order of `names`."""
    place = {name: at for at, name in enumerate(names)}
    return Result(
        tuple(sorted((row for one in results for row in one.rows), key=lambda row: place[row["name"]])),
        tuple(sorted((event for one in results for event in one.events), key=lambda event: place[event["series"]])),
        {name: model for one in results for name, model in one.models.items()},
        {name: scores for one in results for name, scores in one.scores.items()},
    )


def failed(name: str, error: object, *, rows: int | None = None, warnings: Sequence[str] = ()) -> Result:
    """The result of a series that failed."""
    said = one_line(error) or type(error).__name__
    row = {"name": name, "status": "failed", "error": said, "warnings": [*warnings], "rows": rows}
    return Result((row,), (), {}, {})


def _scored(settings: Settings, member: Member, table: Series) -> Result:
    from twinvae.detector.detection import event_record, quality
    from twinvae.detector.score_files import scores_frame

    name, detector = member.name, member.detector
    if detector is None:
        return failed(name, member.error, rows=len(table), warnings=member.warnings)
    try:
        with collected() as found:
            parts = detector.contributions(table)
            events = detector.events_of(parts, series=table)
    except (TypeError, ValueError) as error:
        return failed(name, error, rows=len(table), warnings=(*member.warnings, *found))
    scores = mean_over_channels(parts)
    measured = quality(table, scores)
    row = {
        "name": name,
        "status": "ok",
        "error": None,
        "warnings": [*dict.fromkeys((*member.warnings, *found))],
        "rows": len(table),
        "channels": len(table.names),
        "window": detector.config_.window,
        "epochs": len(detector.history_["loss"]),
        "loss": detector.history_["loss"][-1],
        "kind": detector.config_.kind,
        "threshold": detector.threshold_,
        "events": len(events),
        "anomalous_steps": sum(event.end - event.start for event in events),
        "roc_auc": measured.get("roc_auc"),
        "average_precision": measured.get("average_precision"),
    }
    records = [_event_row(name, event_record(event, table)) for event in events]
    wanted = {}
    if settings.scores:
        file = io.BytesIO()
        scores_frame(table, detector, parts).write_parquet(file)
        wanted[name] = file.getvalue()
    return Result((row,), tuple(records), {name: detector.as_bytes()}, wanted)


def _event_row(name: str, record: dict[str, Any]) -> dict[str, Any]:
    kept = ("start", "end", "start_time", "last_time", "peak", "peak_time", "score", "value", "expected")
    channels = record["channels"]
    shares = {"channels": list(channels), "shares": list(channels.values())}
    return {"series": name} | {field: record[field] for field in kept} | shares
