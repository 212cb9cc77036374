"""`twinvae fit`: fits a detector on a normal series and saves it."""

import argparse
from pathlib import Path

from twinvae.cli.options import SERIES_FILE, add_detector, chosen_detector, count, read_series
from twinvae.cli.text import print_result
from twinvae.files.atomic import check_outputs


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help=SERIES_FILE)
    add("--model", type=Path, required=True, metavar="FILE", help="where to save the model (.safetensors)")
    add("--train-rows", type=count, metavar="N", help="fit on the first N rows only")
    add_detector(parser)


def run(options: argparse.Namespace) -> None:
    """Fits and saves, and prints the loss and the thresholds."""
    check_outputs([options.model], [options.file])
    detector = chosen_detector(options)
    table = read_series(options.file, options).rows(slice(options.train_rows))
    detector.fit(table)
    detector.save(options.model)
    loss, rows = detector.history_["loss"][-1], len(table)
    print_result(
        options,
        {"model": str(options.model), "rows": rows, "loss": loss, "thresholds": detector.thresholds_},
        f"fitted on {rows} rows of {', '.join(table.names)}: loss {loss:.4g}, "
        f"threshold {detector.threshold_:.4g} ({detector.config_.kind}); model in {options.model}",
    )
