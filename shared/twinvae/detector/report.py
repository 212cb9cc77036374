"""The files that `twinvae detect` writes: scores, events, pictures and the model; and how good the scores are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from twinvae.detector.detection import Detection
from twinvae.detector.detector import VAEDetector
from twinvae.detector.rows import DetectionOfRows
from twinvae.detector.score_files import write_scores
from twinvae.detector.shown import shown
from twinvae.files.atomic import as_json, write_text
from twinvae.files.checksum import file_checksum
from twinvae.files.out_of_core import on_disk
from twinvae.metrics.ranking import average_precision, roc_auc
from twinvae.model.record import event_record
from twinvae.pages.detection import detection_page
from twinvae.plots import pictures as plots
from twinvae.plots.events import plot_events
from twinvae.plots.fonts import drawable
from twinvae.plots.words import ENGLISH, Words
from twinvae.process.notices import warn
from twinvae.scoring.severity import Stretch
from twinvae.series.series import Series

SUMMARY, PAGE = "events.json", "report.html"
# All that `write_detection` writes beside the scores.
DETECTION_FILES = (
    SUMMARY, PAGE, "model.safetensors", "signal.png", "reconstruction.png", "score.png", "events.png", "latent.png"
)  # fmt: skip
OTHER_FILES = ("scores.csv", "scores.parquet", *DETECTION_FILES[1:])  # than the summary, which names them


def quality(series: Series, scores: Float[np.ndarray, " time"]) -> dict[str, float]:
    """ROC AUC and average precision of the known scores (not NaN), if the table has labels of both kinds there."""
    if series.labels is None:
        return {}
    if on_disk(scores):
        warn("ROC AUC and average precision are left out: they take all scores in memory")
        return {}
    known = ~np.isnan(scores)
    labels, scores = series.labels[known], scores[known]
    if not 0 < labels.sum() < len(labels):
        return {}
    return {"roc_auc": roc_auc(labels, scores), "average_precision": average_precision(labels, scores)}


def write_detection(
    out: Path,
    table: Series,
    detector: VAEDetector,
    *,
    train_rows: int,
    name: str,
    scores_suffix: str,
    found: Detection | None = None,
    words: Words = ENGLISH,
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes what was found in a table: scores, page, pictures, model, and last events.json; returns what that holds.

    `found` is the detection of the table; None stands for that of the detector. `train_rows` says how many of the first
    rows the detector was fitted on; 0 if it was fitted on another series, or has searched this one. `source` says where
    the table was read from: `twinvae.tables.source.Source`. `words` are those of the page, and of the pictures if
    a font here draws them.
    `files` in events.json are the names of the other files and their SHA-256. Those that an earlier run has written
    so, and this one has not (a picture without events, scores of another suffix), are removed.

    Raises:
        ValueError: if the series is not fit for use.
        OSError: if a file cannot be written.
    """
    found = detector.detect(table) if found is None else found
    scores, events, names = found.scores, found.events, detector.channels_
    out.mkdir(parents=True, exist_ok=True)
    before = _places(out)

    write_scores(out / f"scores{scores_suffix}", found)
    summary: dict[str, Any] = {
        "rows": len(scores),
        "train_rows": train_rows,
        "kind": found.name,
        "threshold": found.threshold,
        "basis": found.basis,
        "events": [event_record(event, table) for event in events],
        "most_unusual": [_stretch_record(stretch, table) for stretch in found.most_unusual],
    }
    if hasattr(detector, "history_"):  # a model that was loaded has none
        summary["loss"] = detector.history_["loss"][-1]
    if source is not None:
        summary["source"] = dict(source)
    if found.dropped:
        summary["dropped"] = dict(found.dropped)
    summary |= quality(table, scores)
    detector.save(out / "model.safetensors")
    page = detection_page(shown(found, title=name, train_rows=train_rows, source=source), words)
    write_text(out / PAGE, page)
    words = drawable(words)  # a page's fonts are those of its reader

    totals = [sum(event.channels[name] for event in events) for name in names]
    order = sorted(range(len(names)), key=lambda index: -totals[index])  # the first few channels tell the most
    series = replace(found.series, names=names, index=table.index)
    expected, contributions, labels = found.expected, found.contributions, found.labels
    if isinstance(found, DetectionOfRows):  # the pictures show its holes
        grid, step, labels = found.grid, found.grid.step, found.whole.labels
        series = replace(series, values=grid.spread(series.values), index=None, instants=None, grid=grid)
        scores, expected, contributions = map(grid.spread, (scores, expected, contributions))
        events = [
            replace(
                e,
                start=step(e.start),
                end=step(e.end - 1) + 1,
                peak=step(e.peak),
                similar_start=None if e.similar_start is None else step(e.similar_start),
            )
            for e in events
        ]
        train_rows = step(train_rows - 1) + 1 if train_rows else 0
    spans = [(event.start, event.end) for event in events]
    ordered = replace(series, values=series.values[:, order], names=tuple(names[index] for index in order))
    shaded_as = words("detected event ({events})", events=len(events))
    common: dict[str, Any] = {"shaded": spans, "shaded_as": shaded_as, "words": words}
    plots.plot_series(out / "signal.png", ordered, title=name, train_rows=train_rows, **common)
    plots.plot_series(
        out / "reconstruction.png", ordered, title=words("{title}: reconstruction", title=name),
        reconstruction=expected[:, order], train_rows=train_rows, **common,
    )  # fmt: skip
    plots.plot_score(
        out / "score.png", ordered, scores, found.threshold,
        title=words("{title}: anomaly score, {kind}", title=name, kind=found.name),
        ylabel=words(found.axis), **common,
    )  # fmt: skip
    if events:
        plot_events(
            out / "events.png", series, expected, contributions, events,
            title=name, threshold=found.threshold, margin=detector.config_.window, words=words,
        )  # fmt: skip
    hit = plots.windows_with(labels, detector.config_.window)
    if not hit.all():
        plots.plot_latent(
            out / "latent.png", found.latent[~hit], found.latent[hit],
            title=words("{title}: latent means by PCA", title=name),
            labels=(words("other windows"), words("windows with a detected event")), words=words,
        )  # fmt: skip
    written = [name for name, place in _places(out).items() if place != before.get(name)]
    _remove_former(out, written)
    summary["files"] = {name: file_checksum(out / name) for name in written}
    write_text(out / SUMMARY, as_json(summary))
    return summary


def _stretch_record(stretch: Stretch, table: Series) -> dict[str, Any]:
    record = event_record(replace(stretch.event, contributions=None), table)
    return {"severity": round(stretch.severity, 1), "event": stretch.is_event} | record


def _places(out: Path) -> dict[str, tuple[int, int]]:
    """The files there that may be ours, and what changes when one is replaced: its number in the file system."""
    found = {name: out / name for name in OTHER_FILES if (out / name).is_file()}
    return {name: (path.stat().st_ino, path.stat().st_mtime_ns) for name, path in found.items()}


def _remove_former(out: Path, written: Sequence[str]) -> None:
    """Removes files that the summary there names, which are as it says and were not written anew: no others."""
    try:
        former = dict(json.loads((out / SUMMARY).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # there is none, or it is not ours
        return
    for name in OTHER_FILES:
        if (
            name in former
            and name not in written
            and (out / name).is_file()
            and file_checksum(out / name) == former[name]
        ):
            (out / name).unlink()
