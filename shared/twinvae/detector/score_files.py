"""The files that scores are written to, some rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from twinvae.detector.detection import Detection
from twinvae.files.atomic import replacing
from twinvae.files.out_of_core import pieces

if TYPE_CHECKING:
    import polars as pl

ROWS = 2**19  # written at a time


def check_suffix(path: Path) -> None:
    """Raises ValueError if scores cannot be written to a file of this name."""
    if path.suffix.lower() not in (".csv", ".parquet", ".npy"):
        raise ValueError(f"{path}: scores are written to a .csv, .parquet or .npy file")


def write_scores(path: Path, found: Detection) -> None:
    """Writes a CSV or Parquet file: time stamp, score, label, and the score of each channel if there are several.

    A .npy file has the scores alone, (time,), NaN where a score is not known.

    Raises:
        ValueError: if the suffix is none of .csv, .parquet and .npy.
        OSError: if the file cannot be written.
    """
    check_suffix(path)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".npy":
            _write_npy(temporary, found.scores)
        else:
            _write_frames(temporary, found)


def _write_npy(path: Path, scores: Float[np.ndarray, " time"]) -> None:
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(scores)  # type: ignore[no-untyped-call]
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for rows in pieces(scores):
            file.write(np.ascontiguousarray(scores[rows]).data)


def _write_frames(path: Path, found: Detection) -> None:
    import polars as pl
    from polars.io.plugins import register_io_source

    def frames(*_: object) -> Iterator["pl.DataFrame"]:
        return (scores_frame(found, slice(begin, begin + ROWS)) for begin in range(0, len(found.scores), ROWS))

    lazy = register_io_source(frames, schema=scores_frame(found, slice(1)).schema)
    try:
        if path.suffix.lower() == ".csv":
            lazy.sink_csv(path)
        else:
            lazy.sink_parquet(path)
    except pl.exceptions.PolarsError as error:  # what a full disk becomes inside polars
        raise OSError(str(error)) from None


def scores_frame(found: Detection, rows: slice = slice(None)) -> "pl.DataFrame":
    """Some rows of what `write_scores` writes, or all."""
    import polars as pl

    columns: dict[str, Any] = {"score": np.array(found.scores[rows]), "label": np.array(found.labels[rows])}
    names = found.series.names
    if len(names) > 1:
        columns |= {f"score_{name}": np.array(found.contributions[rows, i]) for i, name in enumerate(names)}
    time = found.series.stamps(rows)
    # A file's own column of time stamps may be called as one of ours.
    time = time.rename(f"time_{time.name}") if time.name in columns else time
    return pl.DataFrame(columns).fill_nan(None).insert_column(0, time)  # a score that is not known is an empty cell
