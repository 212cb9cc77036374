"""`twinvae score`: scores a series with a saved detector."""

import argparse
from pathlib import Path

from twinvae.cli.options import (
    SERIES_FILE,
    add_ignore,
    add_rules,
    add_source,
    choices,
    chosen_backend,
    chosen_rules,
    read_series,
    spans_of,
)
from twinvae.cli.text import events_text, false_alarms_text, print_result, quality_text
from twinvae.detector.detector import load_detector
from twinvae.detector.report import quality
from twinvae.detector.score_files import check_suffix, write_scores
from twinvae.files.atomic import check_outputs
from twinvae.files.checksum import file_checksum
from twinvae.model.record import event_record
from twinvae.series.series import are_numbers


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help=SERIES_FILE)
    add("--model", type=Path, required=True, metavar="FILE")
    add("--out", type=Path, required=True, metavar="FILE", help="a .csv or .parquet file, or .npy for the scores alone")
    add(
        "--normal", action="store_true",
        help="the file holds no anomaly and was not fitted on: say how often it alarms, and how often was asked for",
    )  # fmt: skip
    add("--missing", choices=choices("missing"), help="default: as the model was fitted")
    add("--device", choices=choices("device"), help="where to compute")
    add_ignore(parser)
    add_rules(parser)
    add_source(parser)


def run(options: argparse.Namespace) -> None:
    """Scores a file, writes the scores, and prints the events."""
    check_suffix(options.out)
    check_outputs([options.out], [options.file, options.model, options.ignore])
    detector = load_detector(chosen_backend(options)).load(
        options.model, device=options.device, missing=options.missing, **chosen_rules(options)
    )
    if options.columns is None and not are_numbers(detector.channels_) and options.file.suffix.lower() != ".npy":
        options.columns = detector.channels_
    table = read_series(options.file, options)
    found = detector.detect(table, ignore=spans_of(options, table))
    write_scores(options.out, found)
    events = [event_record(event, table) for event in found.events]
    measured = quality(table, found.scores)
    result = {"rows": len(table), "threshold": detector.threshold_, "events": events, "scores": str(options.out)}
    result |= {"sha256": file_checksum(options.out), "basis": found.basis}
    if found.dropped:
        result["dropped"] = dict(found.dropped)
    text = f"{events_text(events, detector.threshold_)}{quality_text(measured)}{found.basis}\n"
    if options.normal:
        alarms = found.false_alarms
        result["false_alarms"] = alarms._asdict()
        text += false_alarms_text(alarms)
    print_result(options, result | measured, f"{text}scores of {len(table)} rows in {options.out}")
