"""labels.json: what somebody has marked in the report of a detection, and in which series."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinvae.detector.marks import MarkedSpan, check_within, marked_spans
from twinvae.process.notices import one_line, shortened
from twinvae.series.series import Series
from twinvae.tables.source import GIVE, Source, given, part, text

FORMAT = "twinvae labels"
VERSION = 1
ANEW = "save the labels again from the report"


@dataclass(frozen=True)
class Labels:
    """What a file of labels says; `series` reads the series that it is of."""

    path: Path
    source: Source  # of the series
    marks: tuple[MarkedSpan, ...]
    stamps: tuple[tuple[MarkedSpan, str | None, str | None], ...]  # of the first and the last row of each mark

    def series(self, file: Path | None, channels: tuple[str, ...]) -> Series:
        """The series, from its own place or from another file, held to what was marked.

        `channels` are those of the model: the columns, where the labels name none.

        Raises:
            ValueError: if it is not there, or not the series that was marked.
            OSError: if it cannot be read.
        """
        series = self.source.read(channels, file)
        check_within(self.marks, series)
        for mark, *texts in self.stamps:
            for row, said, what in zip((mark.start, mark.end - 1), texts, ("begins", "ends"), strict=True):
                if said is not None and said != series.stamp(row):
                    raise ValueError(
                        f"{self.path}: the mark {mark.mark} of rows [{mark.start}, {mark.end}) {what} at "
                        f"{shortened(said)}, where the series has {series.stamp(row)}: {GIVE}"
                    )
        return series


def read_labels(path: Path) -> Labels:
    """Reads a file of labels and checks all of it.

    Raises:
        ValueError: if it is none, or a part is damaged; it names the file, and the mark by its place, from 0.
        OSError: if it cannot be read.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = shortened(one_line(error), 100)
        raise ValueError(f"{path}: not a whole file of labels, it is no JSON ({reason}): {ANEW}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path}: not a file of labels: save one from the report of twinvae detect (report.html)")
    if (version := content.get("version")) != VERSION or type(version) is not int:
        there = f"labels of version {shortened(version)}, this release reads version {VERSION}"
        raise ValueError(f"{path}: {there}: mark the series in a report of this release")
    if content.get("series") == {}:
        raise ValueError(
            f"{path}: of a page that was made in Python, whose series is in no file: give the marks to "
            "detector.feedback(series, marks)"
        )
    try:
        return _labels(path, content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}: {ANEW}") from None


def _labels(path: Path, content: Mapping[str, Any]) -> Labels:
    series, marks = part(content, "series", dict, "the file"), part(content, "marks", list, "the file")
    source = Source.of_record(series)
    for number, mark in enumerate(marks):
        if not isinstance(mark, dict) or not {"mark", "start", "end"} <= mark.keys():
            raise ValueError(f"mark {number} has no mark, start and end: {shortened(json.dumps(mark))}")
    spans = [(mark["mark"], mark["start"], mark["end"]) for mark in marks]
    known = marked_spans(spans)
    stamps = [
        (MarkedSpan(*span), *(given(mark, key, text) for key in ("start_time", "last_time")))
        for mark, span in zip(marks, spans, strict=True)
    ]
    return Labels(path, source, known, tuple(stamps))
