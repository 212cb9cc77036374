"""`twinvae fit`: fits a detector on a normal series and saves it."""

import argparse
from pathlib import Path

from twinvae.cli.options import SERIES_FILE, add_detector, check_writable, chosen_detector, count, read_series
from twinvae.cli.text import print_result


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help=SERIES_FILE)
    parser.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="where to save the model (.safetensors)"
    )
    parser.add_argument("--train-rows", type=count, metavar="N", help="fit on the first N rows only")
    add_detector(parser)


def run(options: argparse.Namespace) -> None:
    """Fits and saves, and prints the loss and the thresholds."""
    check_writable(options.model)
    detector = chosen_detector(options)
    table = read_series(options.file, options).rows(slice(options.train_rows))
    detector.fit(table)
    detector.save(options.model)
    result = {
        "model": str(options.model),
        "rows": len(table),
        "loss": detector.history_["loss"][-1],
        "thresholds": detector.thresholds_,
    }
    print_result(
        options,
        result,
        f"fitted on {len(table)} rows of {', '.join(table.names)}: loss {result['loss']:.4g}, "
        f"threshold {detector.threshold_:.4g} ({detector.config_.kind}); model in {options.model}",
    )
