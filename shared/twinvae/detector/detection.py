"""A fitted detector and a table -> the files of `twinvae detect` and `twinvae score`."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.detector.detector import VAEDetector
from twinvae.detector.score_files import write_scores
from twinvae.files.atomic import as_json, write_text
from twinvae.files.out_of_core import on_disk
from twinvae.metrics.ranking import average_precision, roc_auc
from twinvae.plots import pictures as plots
from twinvae.plots.events import plot_events
from twinvae.process.notices import warn
from twinvae.scoring.events import Event, with_expectation
from twinvae.scoring.kinds import SCORES, mean_over_channels
from twinvae.series.series import Series

SHARES = 20  # channels of an event whose shares stand in events.json
EXPLAINED = 3  # of them with their contributions over time
MOST_VALUES = 50  # of them; those of a longer event are means over several rows


def quality(table: Series, scores: Float[np.ndarray, " time"]) -> dict[str, float]:
    """ROC AUC and average precision of the known scores (not NaN), if the table has labels of both kinds there."""
    if table.labels is None:
        return {}
    if on_disk(scores):
        warn("ROC AUC and average precision are left out: they take all scores in memory")
        return {}
    known = ~np.isnan(scores)
    labels, scores = table.labels[known], scores[known]
    if not 0 < labels.sum() < len(labels):
        return {}
    return {"roc_auc": roc_auc(labels, scores), "average_precision": average_precision(labels, scores)}


def event_record(event: Event, table: Series) -> dict[str, Any]:
    """An event as it stands in events.json: rows [start, end), and the time stamps of the first, last and peak row.

    Of many channels, the first 20 have their share. The contributions of the first three are lists of at most 50
    values of three digits, each the mean over `rows_per_value` rows (the last over what is left).
    """
    shares = list(event.channels.items())[:SHARES]
    record = vars(event) | {
        "channels": {name: _rounded(share, 4) for name, share in shares},
        "start_time": table.stamp(event.start),
        "last_time": table.stamp(event.end - 1),
        "peak_time": table.stamp(event.peak),
    }
    for name in ("value", "expected"):
        record[name] = None if record[name] is None else _rounded(record[name], 7)
    parts = record.pop("contributions")
    if parts is not None:
        size = -(-len(parts) // MOST_VALUES)
        begins = np.arange(0, len(parts), size)
        top = parts[:, :EXPLAINED].astype(np.float64)
        counts = np.add.reduceat(~np.isnan(top), begins, axis=0, dtype=np.int64)
        sums = np.add.reduceat(np.nan_to_num(top), begins, axis=0)
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        record["rows_per_value"] = size
        record["contributions"] = {
            name: [None if np.isnan(value) else _rounded(value, 3) for value in column]
            for (name, _), column in zip(shares, means.T, strict=False)
        }
    return record


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def write_detection(
    out: Path, table: Series, detector: VAEDetector, *, train_rows: int, name: str, scores_suffix: str
) -> dict[str, Any]:
    """Scores the table and writes scores, events.json, the pictures and the model; returns a summary.

    `train_rows` says how many of the first rows the detector was fitted on; 0 if it was fitted on another series.

    Raises:
        ValueError: if the series is not fit for use.
        OSError: if a file cannot be written.
    """
    parts = detector.contributions(table)
    scores = mean_over_channels(parts)
    series = table.checked(detector.config_.missing).values
    expected = detector.reconstruct(table)
    events = with_expectation(detector.events_of(parts), table.names, series, expected)
    spans = [(event.start, event.end) for event in events]
    out.mkdir(parents=True, exist_ok=True)

    write_scores(out / f"scores{scores_suffix}", table, detector, parts)
    summary: dict[str, Any] = {
        "rows": len(scores),
        "train_rows": train_rows,
        "kind": detector.config_.kind,
        "threshold": detector.threshold_,
        "loss": detector.history_["loss"][-1],
        "events": [event_record(event, table) for event in events],
    }
    summary |= quality(table, scores)
    write_text(out / "events.json", as_json(summary))
    detector.save(out / "model.safetensors")

    order = _by_share(events, table.names)
    stamp = None if table.index is None else table.stamp
    shown, names = series[:, order], [table.names[index] for index in order]
    common: dict[str, Any] = {"shaded": spans, "shaded_as": f"detected event ({len(events)})"}
    plots.plot_series(
        out / "signal.png", shown, names, stamp, title=name, train_rows=train_rows, **common
    )  # fmt: skip
    plots.plot_series(
        out / "reconstruction.png", shown, names, stamp, title=f"{name}: reconstruction",
        reconstruction=expected[:, order], train_rows=train_rows, **common,
    )  # fmt: skip
    plots.plot_score(
        out / "score.png", scores, detector.threshold_, stamp,
        title=f"{name}: anomaly score, {detector.config_.kind}", ylabel=_unit(detector.config_), **common,
    )  # fmt: skip
    if events:
        plot_events(
            out / "events.png", series, expected, parts, table.names, events, stamp,
            title=name, threshold=detector.threshold_, margin=detector.config_.window,
        )  # fmt: skip
    else:
        (out / "events.png").unlink(missing_ok=True)  # of an earlier run
    latent = detector.latent(table)
    labels = np.zeros(len(scores), dtype=np.int8)
    for start, end in spans:
        labels[start:end] = 1
    hit = plots.windows_with(labels, detector.config_.window)
    if not hit.all():
        plots.plot_latent(
            out / "latent.png", latent[~hit], latent[hit], title=f"{name}: latent means by PCA",
            labels=("other windows", "windows with a detected event"),
        )  # fmt: skip
    return summary


def _unit(config: Config) -> str:
    unit = SCORES[config.kind].unit
    return f"{unit} (training deviations)" if unit == "squared error" and config.scaling == "standard" else unit


def _by_share(events: list[Event], names: tuple[str, ...]) -> list[int]:
    """Channels in the order of their share in the events, so that the first few tell the most."""
    totals = [sum(event.channels[name] for event in events) for name in names]
    return sorted(range(len(names)), key=lambda index: -totals[index])
