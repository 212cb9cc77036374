"""Speed: `run`, `report`, `compare` and `gpu`. Detection: `accuracy`, `pages`, `thresholds` and `decisions`."""

import argparse
import sys
from pathlib import Path

from benchmarks.accuracy.sets import DATA
from benchmarks.errors import RunError, complain
from benchmarks.gpu.command import add_command
from benchmarks.speed.command import add_commands
from benchmarks.speed.results import ResultsError
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

    wanted = None if options.methods is None else [] if options.methods == ["none"] else options.methods
    return accuracy(
        options.source, data=options.data, wanted=wanted, variants=options.variant, backends=options.backends,
        seeds=options.seeds, jobs=options.jobs, json=options.json, out=options.out,
    )  # fmt: skip


def _pages(options: argparse.Namespace) -> int:
    from benchmarks.accuracy.pages import pages

    return pages(options.results, options.page)


def _thresholds(options: argparse.Namespace) -> int:
    from benchmarks.accuracy.thresholds import thresholds

    try:
        return thresholds(options.source, options.backend or (installed_backends() or ("jax",))[0], options.json)
    except ValueError as error:
        raise RunError(one_line(error)) from None


def _decisions(options: argparse.Namespace) -> int:
    from benchmarks.accuracy.decisions import decisions

    return decisions(
        options.source, data=options.data, backends=options.backends or (installed_backends() or ("jax",))[:1],
        peers=options.peers, situations=options.situations or (), jobs=options.jobs, json=options.json,
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_commands(commands)
    add_command(commands)

    one = commands.add_parser("accuracy", help="measure how well anomalies are found, beside baselines")
    one.add_argument(
        "source", nargs="*", metavar="DIR|NAME",
        help="a folder of labelled series, a file, a data set; default: each set of --data, and synthetic",
    )  # fmt: skip
    one.add_argument("--data", type=Path, default=DATA, metavar="DIR", help=f"the folder of the sets; default: {DATA}")
    one.add_argument("--methods", type=_names, metavar="A,B", help="only these (twinvae, sub-pca, ...), or none")
    one.add_argument(
        "--variant", action="append", default=[], metavar="NAME=VALUE,...",
        help="twinvae with these settings as another method; may be given several times",
    )  # fmt: skip
    one.add_argument("--backends", type=_names, metavar="jax,torch", help="default: the first that is installed")
    one.add_argument("--seeds", type=_seeds, default=(0,), metavar="0,1,2", help="default: 0")
    one.add_argument("--jobs", type=int, default=1, metavar="N", help="processes, a series each at a time; default: 1")
    one.add_argument("--json", type=Path, metavar="FILE", help="keep every number here; what it has is not run again")
    one.add_argument("--out", type=Path, metavar="DIR", help="write an HTML page and pictures here")
    one.set_defaults(command=_accuracy)

    three = commands.add_parser("pages", help="write the tables of a run into the pages that show them")
    three.add_argument("results", type=Path, metavar="JSON", help="what accuracy or decisions --json wrote")
    three.add_argument("page", type=Path, nargs="*", metavar="PAGE", help="Markdown with the marks; none: print them")
    three.set_defaults(command=_pages)

    two = commands.add_parser("thresholds", help="measure how often thresholds alarm on normal data held out")
    two.add_argument("source", nargs="+", metavar="DIR|NAME", help="a folder of labelled series, a file, a data set")
    two.add_argument("--backend", choices=BACKENDS, help="default: the first that is installed")
    two.add_argument("--json", type=Path, metavar="FILE", help="write every number to this file")
    two.set_defaults(command=_thresholds)

    four = commands.add_parser("decisions", help="measure events: with a clean part, with none, at an asked rate")
    four.add_argument(
        "source", nargs="*", metavar="DIR|NAME",
        help="a folder of labelled series, a file, a data set; default: each set of --data, and synthetic",
    )  # fmt: skip
    four.add_argument("--data", type=Path, default=DATA, metavar="DIR", help=f"the folder of the sets; default: {DATA}")
    four.add_argument("--backends", type=_names, metavar="jax,torch", help="default: the first that is installed")
    four.add_argument("--situations", type=_names, metavar="A,B", help="only these; the tables name them")
    four.add_argument("--jobs", type=int, default=1, metavar="N", help="processes, a series each at a time; default: 1")
    four.add_argument("--peers", action="store_true", help="the usual peers beside ours")
    four.add_argument("--json", type=Path, metavar="FILE", help="keep every number here; what it has is not run again")
    four.set_defaults(command=_decisions)
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _seeds(text: str) -> list[int]:
    if not _names(text) or not all(name.isdecimal() for name in _names(text)):
        raise argparse.ArgumentTypeError(f"seeds are whole numbers of at least 0, with commas between, got {text!r}")
    return [int(name) for name in _names(text)]


if __name__ == "__main__":
    sys.exit(main())
