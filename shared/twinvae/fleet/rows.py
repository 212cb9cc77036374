"""The rows of a fleet's tables. The schemas of the Parquet files follow from the fields of these types."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, get_type_hints

from twinvae.detector.detector import VAEDetector
from twinvae.process.notices import one_line

if TYPE_CHECKING:
    import polars as pl


class Row(NamedTuple):
    """What fleet.parquet says of one series. A series that failed has its reason and little else."""

    name: str
    status: str  # "ok" or "failed"
    error: str | None = None
    warnings: tuple[str, ...] = ()
    rows: int | None = None
    channels: int | None = None
    window: int | None = None
    epochs: int | None = None
    loss: float | None = None  # of the last epoch
    kind: str | None = None
    threshold: float | None = None
    events: int | None = None
    dropped: int | None = None  # events that rules have left out
    highest: float | None = None  # score, as a share of the threshold
    anomalous_steps: int | None = None
    roc_auc: float | None = None
    average_precision: float | None = None
    model: str | None = None  # the path of its file in the folder of the fleet
    now: float | None = None  # score of an event that reaches into its last window, as a share of the threshold
    drift: float | None = None  # the share of the last rows that scores higher than nine in ten of the first
    last_time: str | None = None  # the time stamp of its last row
    sketch: str | None = None  # what report.html draws of it: see `twinvae.fleet.sketch`


class EventRow(NamedTuple):
    """What events.parquet says of one event: rows [start, end) of a series, with time stamps as text."""

    series: str
    start: int
    end: int
    start_time: str
    last_time: str
    peak: int
    peak_time: str
    score: float
    value: float | None
    expected: float | None
    channels: tuple[str, ...]
    shares: tuple[float, ...]  # of the channels in the score
    why: tuple[str, ...] = ()  # what rules say of it, where some are on


def foremost(events: Iterable[EventRow], row: Row) -> EventRow | None:
    """The event of a series to look at first: the highest of those that reach into its last window, or else of all."""
    return max(events, key=lambda event: (is_now(event, row), event.score), default=None)


def is_now(event: EventRow, row: Row) -> bool:
    """Whether an event reaches into the last window of its series."""
    return event.end > (row.rows or 0) - (row.window or 0)


def fitted_row(name: str, detector: VAEDetector, warnings: tuple[str, ...]) -> Row:
    """The row of a series whose detector is trained and has scored nothing yet."""
    config, history = detector.config_, getattr(detector, "history_", None)  # a model that was read has no history
    return Row(
        name,
        "ok",
        warnings=warnings,
        channels=len(detector.channels_),
        window=config.window,
        epochs=len(history["loss"]) if history else config.epochs,
        loss=history["loss"][-1] if history else None,
        kind=config.kind,
        threshold=detector.threshold_,
    )


def failed_row(name: str, error: object, rows: int | None = None, warnings: tuple[str, ...] = ()) -> Row:
    """The row of a series that has no detector."""
    return Row(name, "failed", reason(error), warnings, rows)


def reason(error: object) -> str:
    """What went wrong, in one line that is never empty."""
    return one_line(error) or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)


def table_of(rows: Iterable[Row] | Iterable[EventRow], of: type[Row] | type[EventRow]) -> "pl.DataFrame":
    """The rows as a table with a column for each field of their type."""
    import polars as pl

    return pl.DataFrame([row._asdict() for row in rows], pl.Schema(get_type_hints(of)))


def as_parquet(table: "pl.DataFrame") -> bytes:
    """The table as the content of a Parquet file."""
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()
