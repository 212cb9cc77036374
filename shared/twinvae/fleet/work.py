"""The work on one batch of a fleet, as a pure function: trains its detectors together and scores each series."""

from typing import TYPE_CHECKING, Any, NamedTuple

from twinvae.detector.detector import VAEDetector, load_detector
from twinvae.detector.search import is_asked_for, searched
from twinvae.fleet.rows import EventRow, Row, as_parquet, failed_row, fitted_row, foremost, is_now
from twinvae.fleet.sketch import DRIFTS, drift, sketch
from twinvae.fleet.training import Member, fit_batch
from twinvae.model.record import event_record
from twinvae.process.notices import collected
from twinvae.series.series import Series
from twinvae.series.spans import rows_within

if TYPE_CHECKING:
    from twinvae.detector.detection import Detection

REPORTED = ("none", "now", "events", "all")  # those with an event now or a drift, with any event too, or all
BOKEH = "bokeh.js"  # beside the pages of the series


class Settings(NamedTuple):
    """The settings that all batches share: plain data, which can be pickled and written as JSON."""

    backend: str
    preset: str
    seed: int
    hyperparameters: dict[str, Any]  # those that are given
    train_rows: int | None  # the first rows, which are normal; None: all
    scores: bool  # whether the score of every step is wanted
    ignore: list[list[Any]] | None = None  # spans that have no event: pairs of time stamps, or of row numbers
    reports: str = "none"  # which series have a page of their own: one of `REPORTED`
    language: str = "en"  # of the pages

    def detector(self) -> VAEDetector:
        """An unfitted detector.

        Raises:
            ValueError: if the backend is not installed.
        """
        return load_detector(self.backend)(preset=self.preset, seed=self.seed, **self.hyperparameters)

    @property
    def spans(self) -> list[tuple[Any, Any]]:
        """The spans that have no event."""
        return [(start, end) for start, end in self.ignore or ()]

    def training_part(self, table: Series) -> Series:
        """The rows of a series that its detector is fitted on.

        Raises:
            ValueError: if the series has fewer rows than are to be fitted on, or the spans without events do not fit.
        """
        rows_within(table, self.spans)
        if self.train_rows is not None and self.train_rows > len(table):
            raise ValueError(f"--train-rows is {self.train_rows}, the series has {len(table)} rows")
        return table.rows(slice(self.train_rows))


class Task(NamedTuple):
    """One batch with its series: all that a worker needs, so that it reads nothing from a disk. Can be pickled."""

    number: int  # of the batch
    names: tuple[str, ...]
    series: tuple[Series, ...]


class Result(NamedTuple):
    """The outcome of the work on one series. Can be pickled."""

    row: Row  # without `model`: where its file will lie is not known yet
    events: tuple[EventRow, ...] = ()
    model: bytes | None = None  # the model file, if the series was trained
    scores: bytes | None = None  # a Parquet file, if it is wanted
    page: bytes | None = None  # an HTML file, if it is wanted


def work(settings: Settings, task: Task) -> list[Result]:
    """Trains the series of a task together and scores all rows of each. A series that fails has a row that says why.

    Where no part is known to be normal, each is searched.
    """
    parts = {name: settings.training_part(table) for name, table in zip(task.names, task.series, strict=True)}
    members = fit_batch(settings.detector(), parts) if parts else []
    return [_scored(settings, member, table) for member, table in zip(members, task.series, strict=True)]


def _scored(settings: Settings, member: Member, table: Series) -> Result:
    from twinvae.detector.report import quality
    from twinvae.detector.score_files import scores_frame

    name, detector = member.name, member.detector
    if detector is None:
        return Result(failed_row(name, member.error, len(table), member.warnings))
    try:
        with collected() as found:
            if settings.train_rows is None and is_asked_for(detector):
                detection = searched(detector, detector.model_, detector.backend, table, ignore=settings.spans)
            else:
                detection = detector.detect(table, ignore=settings.spans)
            events = detection.events
    except (TypeError, ValueError) as error:
        return Result(failed_row(name, error, len(table), (*member.warnings, *found)))
    measured, scores, labels = quality(table, detection.scores), detection.scores, detection.labels
    row = fitted_row(name, detector, tuple(dict.fromkeys((*member.warnings, *found))))._replace(
        rows=len(table),
        kind=detection.name,
        threshold=detection.threshold,
        events=len(events),
        dropped=sum(detection.dropped.values()),
        highest=detection.highest,
        anomalous_steps=sum(event.end - event.start for event in events),
        roc_auc=measured.get("roc_auc"),
        average_precision=measured.get("average_precision"),
        drift=drift(scores, labels, settings.train_rows or len(table) // 2, detection.smear),
        last_time=table.stamp(len(table) - 1),
    )
    records = tuple(_event_row(name, event_record(event, table)) for event in events)
    first = foremost(records, row)
    drawn = table.names.index(first.channels[0]) if first else 0
    row = row._replace(
        now=first.score / detection.threshold if first and is_now(first, row) else None,
        sketch=sketch(table.values[:, drawn], scores, detection.threshold),
    )
    written = as_parquet(scores_frame(detection)) if settings.scores else None
    page = _page(settings, detection, name).encode() if is_reported(settings.reports, row) else None
    return Result(row, records, detector.as_bytes(), written, page)


def is_reported(reports: str, row: Row) -> bool:
    """Whether a series has a page of its own; `reports` is one of `REPORTED`."""
    odd = row.now is not None or (row.drift or 0) >= DRIFTS
    return {"none": False, "now": odd, "events": odd or bool(row.events), "all": True}[reports]


def _page(settings: Settings, detection: "Detection", name: str) -> str:
    """The page of one series. What reads its labels is told where the series is: the page does not know."""
    from twinvae.detector.shown import shown
    from twinvae.pages.detection import detection_page
    from twinvae.pages.document import bokeh_beside
    from twinvae.plots.words import LANGUAGES

    rows, train_rows = len(detection.scores), settings.train_rows or 0
    source: dict[str, Any] = {
        "name": name, "file": None, "sha256": None, "rows": rows, "reading": {}, "train_rows": train_rows,
        "ignore": settings.ignore or [],
    }  # fmt: skip
    seen = shown(detection, title=name, train_rows=train_rows, source=source)
    words, head = LANGUAGES[settings.language], bokeh_beside(BOKEH)
    return detection_page(seen, words, head=head, model="models/NAME.safetensors", back="../report.html")


def _event_row(name: str, record: dict[str, Any]) -> EventRow:
    channels = record["channels"]
    fields = record | {"series": name, "channels": tuple(channels), "shares": tuple(channels.values())}
    return EventRow(**{field: fields[field] for field in EventRow._fields if field in fields})
