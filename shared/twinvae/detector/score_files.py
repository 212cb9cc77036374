"""The files that scores are written to, some rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int8

from twinvae.detector.detector import VAEDetector
from twinvae.files.atomic import replacing
from twinvae.files.out_of_core import pieces
from twinvae.scoring.kinds import mean_over_channels
from twinvae.series.series import Series

if TYPE_CHECKING:
    import polars as pl

ROWS = 2**19  # written at a time


def check_suffix(path: Path) -> None:
    """Raises ValueError if scores cannot be written to a file of this name."""
    if path.suffix.lower() not in (".csv", ".parquet", ".npy"):
        raise ValueError(f"{path}: scores are written to a .csv, .parquet or .npy file")


def write_scores(
    path: Path, table: Series, detector: VAEDetector, contributions: Float[np.ndarray, "time channel"]
) -> None:
    """Writes a CSV or Parquet file: time stamp, score, label, and the score of each channel if there are several.

    A .npy file has the scores alone, (time,), NaN where a score is not known.

    Raises:
        ValueError: if the suffix is none of .csv, .parquet and .npy.
        OSError: if the file cannot be written.
    """
    check_suffix(path)
    scores = mean_over_channels(contributions)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".npy":
            _write_npy(temporary, scores)
        else:
            _write_frames(temporary, table, detector, scores, contributions)


def _write_npy(path: Path, scores: Float[np.ndarray, " time"]) -> None:
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(scores)  # type: ignore[no-untyped-call]
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for rows in pieces(scores):
            file.write(np.ascontiguousarray(scores[rows]).data)


def _write_frames(
    path: Path,
    table: Series,
    detector: VAEDetector,
    scores: Float[np.ndarray, " time"],
    contributions: Float[np.ndarray, "time channel"],
) -> None:
    import polars as pl
    from polars.io.plugins import register_io_source

    labels = detector.labels_of(scores)

    def frame(rows: slice) -> "pl.DataFrame":
        return _frame(table, scores, labels, contributions, rows)

    def frames(*_: object) -> Iterator["pl.DataFrame"]:
        return (frame(slice(begin, begin + ROWS)) for begin in range(0, len(scores), ROWS))

    lazy = register_io_source(frames, schema=frame(slice(1)).schema)
    try:
        if path.suffix.lower() == ".csv":
            lazy.sink_csv(path)
        else:
            lazy.sink_parquet(path)
    except pl.exceptions.PolarsError as error:  # what a full disk becomes inside polars
        raise OSError(str(error).splitlines()[0]) from None


def scores_frame(
    table: Series, detector: VAEDetector, contributions: Float[np.ndarray, "time channel"]
) -> "pl.DataFrame":
    """What `write_scores` writes, of all rows at once."""
    scores = mean_over_channels(contributions)
    return _frame(table, scores, detector.labels_of(scores), contributions, slice(None))


def _frame(
    table: Series,
    scores: Float[np.ndarray, " time"],
    labels: Int8[np.ndarray, " time"],
    contributions: Float[np.ndarray, "time channel"],
    rows: slice,
) -> "pl.DataFrame":
    import polars as pl

    columns: dict[str, Any] = {"score": np.array(scores[rows]), "label": np.array(labels[rows])}
    if len(table.names) > 1:
        columns |= {f"score_{name}": np.array(contributions[rows, i]) for i, name in enumerate(table.names)}
    time = table.stamps(rows)
    # A file's own column of time stamps may be called as one of ours.
    time = time.rename(f"time_{time.name}") if time.name in columns else time
    return pl.DataFrame(columns).fill_nan(None).insert_column(0, time)  # a score that is not known is an empty cell
