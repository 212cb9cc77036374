"""`twinvae report`: writes a finished detection anew, by the model that is in its folder now."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twinvae.cli.options import add_language, choices, chosen_backend, chosen_words
from twinvae.cli.text import events_text, print_result
from twinvae.detector.detector import load_detector
from twinvae.detector.report import DETECTION_FILES, PAGE, SUMMARY, write_detection
from twinvae.files.atomic import check_outputs
from twinvae.files.checksum import file_checksum
from twinvae.network.backend import BACKENDS
from twinvae.process.notices import shortened
from twinvae.tables.table import read_table

MODEL = "model.safetensors"
ANEW = "make it anew with twinvae detect"


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `twinvae detect --out DIR` has written")
    parser.add_argument(
        "--series", type=Path, metavar="FILE", help="the series, where it is now; default: where it was read from"
    )
    parser.add_argument("--backend", choices=BACKENDS, help="default: the one installed, JAX first")
    parser.add_argument("--device", choices=choices("device"), help="where to compute")
    add_language(parser)


def run(options: argparse.Namespace) -> None:
    """Scores the series again, writes all files of the detection, and prints the events."""
    out, words = options.folder, chosen_words(options)
    summary, source = _summary(out / SUMMARY)
    file = options.series or Path(source["file"])
    suffix = ".parquet" if "scores.parquet" in summary["files"] else ".csv"
    check_outputs([out / name for name in (f"scores{suffix}", *DETECTION_FILES) if name != MODEL], [file])
    if not file.is_file():
        raise ValueError(f"{file}: the series of {out} is not there: give the place where it is now (--series FILE)")
    if file_checksum(file) != source["sha256"]:
        raise ValueError(f"{file}: is not the file of {out / SUMMARY}, it has another SHA-256: {ANEW}")
    table = read_table(file, **source["reading"])
    detector = load_detector(chosen_backend(options)).load(out / MODEL, device=options.device)
    ignore = [tuple(span) for span in source["ignore"]]
    find = detector.search if summary["kind"] == "search" else detector.detect
    found = find(table, ignore=ignore)
    written = write_detection(
        out, table, detector, found=found, train_rows=source["train_rows"], name=source["name"], scores_suffix=suffix,
        words=words, source=source,
    )  # fmt: skip
    events = events_text(written["events"], written["threshold"])
    print_result(options, written, f"{events}{written['basis']}\nlook at {out / PAGE}")


def _summary(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What events.json says, and of it where the series was read from.

    Raises:
        ValueError: if it is not that of a detection, or names no file.
    """
    if not path.is_file():
        raise ValueError(f"{path.parent}: holds no detection, there is no {SUMMARY}: name the --out of twinvae detect")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        source = summary.get("source")
        whole = source is None or (isinstance(source["reading"], dict) and isinstance(source["ignore"], list))
        if not whole or not isinstance(summary["files"], dict) or not isinstance(summary["kind"], str):
            raise ValueError
    except (AttributeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: damaged ({shortened(error)}): {ANEW}") from None
    if source is None or source["file"] is None:
        why = "an earlier release has made it" if source is None else "its series came from no file"
        raise ValueError(f"{path}: does not say where the series is ({why}): {ANEW}")
    return summary, source
