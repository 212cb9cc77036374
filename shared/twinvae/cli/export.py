"""`twinvae export`: writes the window scorer of a saved detector for other runtimes."""

import argparse
from pathlib import Path

from twinvae.cli.options import chosen_backend
from twinvae.cli.text import print_result
from twinvae.detector.detector import load_detector
from twinvae.files.atomic import check_outputs
from twinvae.network.backend import BACKENDS


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="FILE")
    add("--onnx", type=_onnx_file, required=True, metavar="FILE", help="an ONNX file, .onnx")
    add("--backend", choices=BACKENDS, help="which the file is checked against; default: the one installed, JAX first")


def run(options: argparse.Namespace) -> None:
    """Writes the file, which is checked against the detector, and prints how far their scores differ."""
    check_outputs([options.onnx], [options.model])
    backend = chosen_backend(options)
    checked = load_detector(backend).load(options.model).export_onnx(options.onnx)
    size = options.onnx.stat().st_size
    onnx = {"file": str(options.onnx), "bytes": size} | checked._asdict()
    print_result(
        options,
        {"model": str(options.model), "checked_with": backend, "onnx": onnx},
        f"{options.onnx}: {size} bytes; on {checked.windows} windows its scores are those of vae_{backend} to "
        f"{checked.difference:.1e}",
    )


def _onnx_file(text: str) -> Path:
    if Path(text).suffix.lower() != ".onnx":
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .onnx")
    return Path(text)
