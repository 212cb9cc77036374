"""`twinvae export`: writes the window scorer of a saved detector for other runtimes."""

import argparse
from pathlib import Path
from typing import Any

from twinvae.cli.options import check_writable, chosen_backend
from twinvae.cli.text import print_result
from twinvae.detector.detector import load_detector
from twinvae.network.backend import BACKENDS


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument("--model", type=Path, required=True, metavar="FILE")
    parser.add_argument("--onnx", type=_file(".onnx"), metavar="FILE", help="an ONNX file, .onnx, for ONNX Runtime")
    parser.add_argument("--jax", type=_file(".jax"), metavar="FILE", help="a program of jax.export, .jax")
    parser.add_argument(
        "--backend", choices=BACKENDS, help="which the file is checked against; default: the one installed, JAX first"
    )


def run(options: argparse.Namespace) -> None:
    """Writes the files, each checked against the detector, and prints how far their scores differ."""
    paths = {form: path for form in ("onnx", "jax") if (path := getattr(options, form))}
    if not paths:
        raise ValueError("nothing to write: give --onnx FILE, --jax FILE or both")
    for path in paths.values():
        check_writable(path)
    backend = chosen_backend(options)
    detector = load_detector(backend).load(options.model)
    result: dict[str, Any] = {"model": str(options.model), "checked_with": backend}
    lines = []
    for form, path in paths.items():
        checked = detector.export_onnx(path) if form == "onnx" else detector.export_jax(path)
        result[form] = {"file": str(path), "bytes": path.stat().st_size} | checked._asdict()
        lines.append(
            f"{path}: {result[form]['bytes']} bytes; on {checked.windows} windows its scores are those of "
            f"vae_{backend} to {checked.difference:.1e}"
        )
    print_result(options, result, "\n".join(lines))


def _file(suffix: str) -> Any:
    def convert(text: str) -> Path:
        if Path(text).suffix.lower() != suffix:
            raise argparse.ArgumentTypeError(f"{text!r} does not end in {suffix}")
        return Path(text)

    return convert
