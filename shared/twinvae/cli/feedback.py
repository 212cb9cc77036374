"""`twinvae feedback`: what was marked in a report moves the threshold of a model."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twinvae.cli.options import choices, chosen_backend
from twinvae.cli.text import print_result
from twinvae.detector.detector import load_detector
from twinvae.detector.feedback import Feedback
from twinvae.detector.labels_file import read_labels
from twinvae.files.atomic import check_outputs
from twinvae.network.backend import BACKENDS
from twinvae.process.notices import warn

MOST_SPANS = 3  # printed of the events that come or go; all are in --json
OWN = (
    "the model was fitted on all of this series: a search has judged it by scores of its own, and what moves is the "
    "threshold of the model, which is for other series"
)


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL", help="a saved model; it is changed, or stays as it was")
    add("labels", type=Path, metavar="LABELS", help="labels.json, as the report of a detection saves it")
    add(
        "--series",
        type=Path,
        metavar="FILE",
        help="the series that was marked, where it is now; default: as LABELS say",
    )
    add("--out", type=Path, metavar="FILE", help="where to save the model that is changed; default: MODEL itself")
    add("--dry-run", action="store_true", help="say what would change and what it costs, and write nothing")
    add("--backend", choices=BACKENDS, help="default: the one installed, JAX first")
    add("--device", choices=choices("device"), help="where to compute")


def run(options: argparse.Namespace) -> None:
    """Changes the model and prints what that costs."""
    labels, out = read_labels(options.labels), options.out or options.model
    series_file = options.series or labels.file
    if not options.dry_run:
        check_outputs([out], [options.labels, series_file])
    detector = load_detector(chosen_backend(options)).load(options.model, device=options.device)
    series = labels.series(options.series, detector.channels_)
    changed = detector.feedback(series, labels.marks, ignore=labels.ignore)
    if not labels.train_rows and changed.is_all_own:
        warn(OWN)
    written = not options.dry_run and (changed.is_change or options.out is not None)
    if written:
        detector.save(out)
    record = changed.record()
    record = {"model": str(out), "written": written, "labels": str(options.labels), "series": str(series_file)} | record
    what = "the changed model is" if changed.is_change else "the model, unchanged, is"
    end = f"{what} in {out}" if written else f"{options.model} is as it was"
    print_result(options, record, f"{_text(changed, record, labels.name)}{end}")


def _text(changed: Feedback, record: Mapping[str, Any], name: str) -> str:
    lines = [f"{len(changed.marks)} marks: {record['why']}"]
    if changed.is_change:
        counts = record["events"]
        lines.append(f"events in {name}: {counts['before']} before, {counts['after']} after")
        lines += _spans("gone, and not marked", record["gone"]) + _spans("new, and not marked", record["new"])
    wrong = record["wrong_in_stream"]
    right = "all marks are right too" if not wrong else f"{len(wrong)} of {len(changed.marks)} marks are wrong"
    moves = "" if changed.times == 1 else ", whose threshold moves by the same factor"
    lines.append(f"in a stream of these rows, which knows no future (score {changed.stream_kind}{moves}), {right}")
    lines += _spans("wrong in a stream", wrong)
    before, after = (record["expected"][when] for when in ("before", "after"))
    if before != after:
        lines.append(f"expect {after['words']}; before it was {before['words']}")
    lines.append(record["basis"])
    return "\n".join(lines) + "\n"


def _spans(title: str, spans: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"  {title}: {_span(span)}" for span in spans[:MOST_SPANS]]
    return lines + ([f"  and {len(spans) - MOST_SPANS} more"] if len(spans) > MOST_SPANS else [])


def _span(span: Mapping[str, Any]) -> str:
    mark = f"{span['mark']} " if "mark" in span else ""
    score = "no score" if span["score"] is None else f"highest score {span['score']:.4g}"
    return f"{mark}rows [{span['start']}, {span['end']}), {span['start_time']} to {span['last_time']}, {score}"
