"""Speed: `python -m benchmarks run`, `report` and `compare`. Detection: `accuracy` and `thresholds`."""

import argparse
import math
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.results import ResultsError, read
from benchmarks.speed.run import QUICK, RunError, dated_path, gpu_seen, plan, run, start_results
from twinvae.config import PRESETS
from twinvae.network.backend import BACKENDS, installed_backends


def main(arguments: list[str] | None = None) -> int:
    """Runs one subcommand; the exit code: 0, 1 if something went wrong on the way, 2 for a bad request."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except (RunError, ResultsError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"benchmarks: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return 1
    return code


def _run(options: argparse.Namespace) -> int:
    wanted = plan(
        cases=options.case, implementations=options.implementation, threads=options.threads,
        device=options.device, quick=options.quick, rounds=options.rounds,
    )  # fmt: skip
    out = options.out or dated_path(options.device)
    if options.device == "gpu" and not gpu_seen():
        raise RunError("no GPU here that PyTorch or JAX can use: run with --device cpu")
    out.parent.mkdir(parents=True, exist_ok=True)
    results = start_results(
        out, device=options.device, quick=options.quick, resume=options.resume, command=machine.command_line()
    )
    finished = run(wanted, results, out, limit=QUICK if options.quick else math.inf)
    refused = results.refused()
    for (case, implementation), reason in refused.items():
        print(f"not measured: {case}, {implementation}: {reason}", file=sys.stderr)
    if not any(answer["metrics"] for answer in results.runs.values()):
        print("benchmarks: nothing was measured", file=sys.stderr)
        return 1
    if finished:
        print(f"wrote {out}; next: python -m benchmarks report {out}")
    return 0 if finished and not refused else 1


def _report(options: argparse.Namespace) -> int:
    from benchmarks.speed.report.page import write_report  # matplotlib takes half a second

    page = write_report(read(options.file), options.file, options.out or options.file.with_suffix(""))
    print(f"wrote {page} and its pictures")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from benchmarks.speed.report.compare import compare

    print(compare(read(options.old), read(options.new), least=options.least / 100))
    return 0


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
        raise RunError(" ".join(str(error).split())) from None


def _list(options: argparse.Namespace) -> int:
    del options
    for title, table in (
        ("cases", {case.name: case.title for case in CASES.values()}),
        ("implementations", {one.name: one.label for one in IMPLEMENTATIONS.values()}),
    ):
        print(f"{title}:")
        for name, text in table.items():
            print(f"  {name:16}{text}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("run", help="measure, each implementation in fresh processes; write a JSON file")
    one.add_argument("--quick", action="store_true", help="a short run of the main cases, within three minutes")
    one.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    one.add_argument("--case", action="append", default=[], help="only this case; may be repeated")
    one.add_argument("--implementation", action="append", default=[], help="only this one; may be repeated")
    one.add_argument("--threads", action="append", default=[], type=int, help="only this thread count")
    one.add_argument("--rounds", type=int, choices=range(1, 1001), metavar="N", help="fresh processes for each")
    one.add_argument("--out", type=Path, help="the results file; default: a dated one in out/")
    one.add_argument("--resume", action="store_true", help="go on with the file of --out")
    one.set_defaults(command=_run)

    two = commands.add_parser("report", help="write an HTML page and pictures of a results file")
    two.add_argument("file", type=Path)
    two.add_argument("--out", type=Path, help="the folder; default: beside the file, by its name")
    two.set_defaults(command=_report)

    three = commands.add_parser("compare", help="say what changed between two results files, beyond noise")
    three.add_argument("old", type=Path)
    three.add_argument("new", type=Path)
    three.add_argument("--least", type=float, default=5.0, help="smallest change that counts, in percent (5)")
    three.set_defaults(command=_compare)

    four = commands.add_parser("list", help="name the cases and implementations")
    four.set_defaults(command=_list)

    five = commands.add_parser("accuracy", help="measure how well anomalies are found, beside baselines")
    five.add_argument("source", nargs="+", metavar="DIR|NAME", help="a folder of labelled series, a file, a data set")
    five.add_argument("--backend", choices=(*BACKENDS, "both"), help="default: the first that is installed")
    five.add_argument("--preset", choices=tuple(PRESETS), help="default: the detector's own")
    five.add_argument("--seeds", type=_seeds, default=(0,), metavar="0,1,2", help="default: 0")
    five.add_argument("--baselines", type=_names, metavar="A,B", help="only these, or none; default: all")
    five.add_argument("--json", type=Path, metavar="FILE", help="write every number to this file")
    five.add_argument("--out", type=Path, metavar="DIR", help="write an HTML page and pictures here")
    five.set_defaults(command=_accuracy)

    six = commands.add_parser("thresholds", help="measure how often thresholds alarm on normal data held out")
    six.add_argument("source", nargs="+", metavar="DIR|NAME", help="a folder of labelled series, a file, a data set")
    six.add_argument("--backend", choices=BACKENDS, help="default: the first that is installed")
    six.add_argument("--json", type=Path, metavar="FILE", help="write every number to this file")
    six.set_defaults(command=_thresholds)
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _seeds(text: str) -> list[int]:
    if not _names(text) or not all(name.isdecimal() for name in _names(text)):
        raise argparse.ArgumentTypeError(f"seeds are whole numbers of at least 0, with commas between, got {text!r}")
    return [int(name) for name in _names(text)]


if __name__ == "__main__":
    sys.exit(main())
