"""Speed: `python -m benchmarks run`, `report`, `compare` and `gpu`. Detection: `accuracy` and `thresholds`."""

import argparse
import sys
from pathlib import Path

from benchmarks.errors import RunError, complain
from benchmarks.gpu.command import add_command
from benchmarks.speed.command import add_commands
from benchmarks.speed.results import ResultsError
from twinvae.config import PRESETS
from twinvae.network.backend import BACKENDS, installed_backends
from twinvae.process.notices import one_line


def main(arguments: list[str] | None = None) -> int:
    """Runs one subcommand and returns its exit code: 0, or 1 if something failed on the way, or 2 for a bad request."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except (RunError, ResultsError) as error:
        complain(error)
        return 2
    except OSError as error:
        complain(f"{error.filename or ''}: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 1
    return code


def _accuracy(options: argparse.Namespace) -> int:
    from benchmarks.accuracy.command import accuracy

    wanted = None if options.baselines is None else [] if options.baselines == ["none"] else options.baselines
    return accuracy(
        options.source, backend=options.backend, preset=options.preset, seeds=options.seeds, wanted=wanted,
        json=options.json, out=options.out,
    )  # fmt: skip


def _thresholds(options: argparse.Namespace) -> int:
    from benchmarks.accuracy.thresholds import thresholds

    try:
        return thresholds(options.source, options.backend or (installed_backends() or ("jax",))[0], options.json)
    except ValueError as error:
        raise RunError(one_line(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_commands(commands)
    add_command(commands)

    one = commands.add_parser("accuracy", help="measure how well anomalies are found, beside baselines")
    one.add_argument("source", nargs="+", metavar="DIR|NAME", help="a folder of labelled series, a file, a data set")
    one.add_argument("--backend", choices=(*BACKENDS, "both"), help="default: the first that is installed")
    one.add_argument("--preset", choices=tuple(PRESETS), help="default: the detector's own")
    one.add_argument("--seeds", type=_seeds, default=(0,), metavar="0,1,2", help="default: 0")
    one.add_argument("--baselines", type=_names, metavar="A,B", help="only these, or none; default: all")
    one.add_argument("--json", type=Path, metavar="FILE", help="write every number to this file")
    one.add_argument("--out", type=Path, metavar="DIR", help="write an HTML page and pictures here")
    one.set_defaults(command=_accuracy)

    two = commands.add_parser("thresholds", help="measure how often thresholds alarm on normal data held out")
    two.add_argument("source", nargs="+", metavar="DIR|NAME", help="a folder of labelled series, a file, a data set")
    two.add_argument("--backend", choices=BACKENDS, help="default: the first that is installed")
    two.add_argument("--json", type=Path, metavar="FILE", help="write every number to this file")
    two.set_defaults(command=_thresholds)
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _seeds(text: str) -> list[int]:
    if not _names(text) or not all(name.isdecimal() for name in _names(text)):
        raise argparse.ArgumentTypeError(f"seeds are whole numbers of at least 0, with commas between, got {text!r}")
    return [int(name) for name in _names(text)]


if __name__ == "__main__":
    sys.exit(main())
