"""`twinvae detect`: fits on the normal part of a series, or searches all of it, and writes everything."""

import argparse
from pathlib import Path
from typing import Any

from twinvae.cli.options import (
    SERIES_FILE,
    add_detector,
    add_ignore,
    add_language,
    chosen_detector,
    chosen_language,
    count,
    read_series,
    reading,
    recorded_spans,
    spans_of,
)
from twinvae.cli.text import events_text, print_result, quality_text, unusual_text
from twinvae.data.datasets import DATASETS, load_dataset
from twinvae.detector.detector import VAEDetector
from twinvae.detector.preparation import gap_warnings, hole_warnings
from twinvae.detector.report import DETECTION_FILES, PAGE, write_detection
from twinvae.detector.search import is_asked_for
from twinvae.files.atomic import check_outputs, new_folder
from twinvae.files.checksum import file_checksum
from twinvae.process.notices import collected, warn
from twinvae.series.series import Series
from twinvae.tables.table import read_table

WHOLE = (
    "fitted on the whole file: its anomalies count as normal{trimmed}; see --train-rows, or name no score, threshold, "
    "margin, trim or preset, and the file is searched"
)
UNTRIMMED = ", and nothing in it can exceed its own largest score by a margin"
TRIMMED = ", and its most unusual {:.3g} % do not count for the threshold"


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", type=Path, nargs="?", metavar="FILE", help=SERIES_FILE)
    source.add_argument("--dataset", choices=DATASETS, help="a public labelled series instead of a file")
    normal = parser.add_mutually_exclusive_group()
    normal.add_argument(
        "--train-rows",
        type=count,
        metavar="N",
        help="the first N rows are normal: fit on them; default: search all rows",
    )
    normal.add_argument("--train", type=Path, metavar="FILE2", help="fit on this file instead")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--parquet", action="store_true", help="write scores.parquet even if FILE is a CSV")
    add_ignore(parser)
    add_language(parser)
    add_detector(parser)


def run(options: argparse.Namespace) -> None:
    """Fits, scores, draws, and prints the events."""
    detector = chosen_detector(options)
    table, normal, train_rows, name = _series(options)
    suffix = ".parquet" if options.parquet or (options.file and options.file.suffix.lower() == ".parquet") else ".csv"
    words = chosen_language(options)
    outputs = [options.out / output for output in (f"scores{suffix}", *DETECTION_FILES)]
    with new_folder(options.out):
        check_outputs(outputs, [options.file, options.train, options.ignore])
        ignore = spans_of(options, table)
        found = None
        if options.train:
            detector.fit(normal)
        elif train_rows or not is_asked_for(detector):
            if not train_rows:
                trimmed = TRIMMED.format(100 * trim) if (trim := options.trim) else UNTRIMMED
                warn(WHOLE.format(trimmed=trimmed))
            _fit_on_a_part(detector, normal)
        else:
            found = detector.search(table, ignore=ignore)
        found = detector.detect(table, ignore=ignore) if found is None else found
        summary = write_detection(
            options.out, table, detector, found=found, train_rows=train_rows, name=name, scores_suffix=suffix,
            words=words, source=_source(options, table, name=name, train_rows=train_rows),
        )  # fmt: skip
    events = events_text(summary["events"], summary["threshold"])
    print_result(
        options,
        summary,
        f"{events}{unusual_text(summary['most_unusual'])}{quality_text(summary)}{summary['basis']}\n"
        f"look at {options.out / PAGE}; scores, events.json, pictures and model are beside it",
    )


def _fit_on_a_part(detector: VAEDetector, normal: Series) -> None:
    """Fits, and leaves what there is to say of missing values to the whole series, which is scored next."""
    said: list[str] = []
    try:
        with collected() as said:
            detector.fit(normal)
    finally:
        known = (
            *gap_warnings(normal, detector.missing),
            *hole_warnings(normal, detector.resolved().missing),
        )
        for message in (message for message in said if message not in known):
            warn(message)


def _series(options: argparse.Namespace) -> tuple[Series, Series, int, str]:
    """The series to score, the one to fit on, how many first rows of the first that is, and the name."""
    if options.dataset:
        dataset = load_dataset(options.dataset)
        table, train_rows, name = dataset.table, options.train_rows or dataset.train_rows, dataset.source
    else:
        table, train_rows = read_series(options.file, options), options.train_rows or 0
        name = _writable(options.file.name)
    if train_rows > len(table):
        raise ValueError(f"--train-rows is {train_rows}, the file has {len(table)} rows")
    if options.train:
        return table, read_table(options.train, columns=table.names, time=options.time, **reading(options)), 0, name
    return table, table.rows(slice(train_rows or None)), train_rows, name


def _writable(name: str) -> str:
    """The name, with a question mark for what no text file can hold: names of files may be any bytes."""
    return name.encode("utf-8", "replace").decode()


def _source(options: argparse.Namespace, series: Series, *, name: str, train_rows: int) -> dict[str, Any]:
    """Where a series was read from and how, so that it can be read again: what `labels.json` names it by."""
    how = reading(options) | {name: getattr(options, name) for name in ("columns", "time", "labels")}
    file = options.file
    return {
        "name": name,
        "file": None if file is None else _writable(str(file.resolve())),
        "sha256": None if file is None else file_checksum(file),
        "rows": len(series),
        "reading": {name: list(value) if isinstance(value, tuple) else value for name, value in how.items() if value},
        "train_rows": train_rows,
        "ignore": recorded_spans(options),
    }
