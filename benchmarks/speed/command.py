"""The commands of the speed benchmark: `python -m benchmarks run`, `report`, `compare`, `challenge` and `list`."""

import argparse
import math
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.errors import RunError, complain
from benchmarks.speed import run
from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.results import difference, read
from twinvae.files.atomic import write_text


def measure(options: argparse.Namespace) -> int:
    """Measures and writes the results file; the exit code: 0, or 1 if something was not measured.

    Raises:
        RunError: if the request cannot be met.
        ResultsError: if the file to go on with cannot be used.
    """
    wanted = run.plan(
        cases=options.case, implementations=options.implementation, threads=options.threads,
        device=options.device, quick=options.quick, rounds=options.rounds,
    )  # fmt: skip
    out = options.out or run.dated_path(options.device)
    if options.device == "gpu" and not run.gpu_seen():
        raise RunError("no GPU here that PyTorch or JAX can use: run with --device cpu")
    out.parent.mkdir(parents=True, exist_ok=True)
    results = run.start_results(
        out, device=options.device, quick=options.quick, resume=options.resume, command=machine.command_line()
    )
    finished = run.run(
        wanted, results, out, limit=run.QUICK if options.quick else math.inf, command=machine.command_line()
    )
    refused = results.refused()
    for (case, implementation), reason in refused.items():
        print(f"not measured: {case}, {implementation}: {reason}", file=sys.stderr)
    if not any(answer["metrics"] for answer in results.runs.values()):
        complain("nothing was measured")
        return 1
    if finished:
        print(f"wrote {out}; next: python -m benchmarks report {out}")
    return 0 if finished and not refused else 1


def report(options: argparse.Namespace) -> int:
    """Writes the page and the pictures of a results file."""
    from benchmarks.speed.report.page import write_report  # matplotlib takes half a second

    page = write_report(read(options.file), options.file, options.out or options.file.with_suffix(""))
    print(f"wrote {page} and its pictures")
    return 0


def compare(options: argparse.Namespace) -> int:
    """Prints what changed between two results files.

    Raises:
        RunError: if they differ in what they must share.
    """
    from benchmarks.speed.report.compare import compare

    old, new = read(options.old), read(options.new)
    if (why := difference(old, new, options.across)) is not None:
        raise RunError(f"{options.old} and {options.new} are of {why} (--across compares all the same)")
    print(compare(old, new, least=options.least / 100))
    return 0


CHALLENGED = (
    "tutorial", "torch-loop", "torch-eager", "torch-again", "torch-compiled", "jax-step", "jax-run", "jax-again",
)  # fmt: skip


def challenge(options: argparse.Namespace) -> int:
    """Runs the controls and a short run, and writes the page "How this could be wrong"; the exit code is that of `run`.

    Raises:
        RunError: if the file of results is there already.
    """
    from benchmarks.speed.report.challenge import page

    wanted = run.plan(
        cases=["fit", "window"], implementations=CHALLENGED, threads=[1], device="cpu", quick=True,
        rounds=options.rounds,
    )  # fmt: skip
    # The controls first: a run that is cut short still has its noise.
    wanted.sort(key=lambda job: (job.round, IMPLEMENTATIONS[job.implementation].same_as is None))
    source = options.out.with_suffix(".json")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    command = machine.command_line()
    results = run.start_results(source, device="cpu", quick=True, resume=False, command=command)
    finished = run.run(wanted, results, source, command=command)
    write_text(options.out, page(results, source.name))
    print(f"wrote {options.out} and {source}")
    return 0 if finished and not results.refused() else 1


def names(options: argparse.Namespace) -> int:
    """Prints the names of the cases and of the implementations."""
    del options
    for title, table in (
        ("cases", {case.name: case.title + (" (by name only)" if case.by_name else "") for case in CASES.values()}),
        ("implementations", {one.name: one.label for one in IMPLEMENTATIONS.values()}),
    ):
        print(f"{title}:")
        for name, text in table.items():
            print(f"  {name:16}{text}")
    return 0


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parsers of these commands. Each sets `command` to the function that runs it."""
    one = commands.add_parser("run", help="measure, each implementation in fresh processes; write a JSON file")
    one.add_argument("--quick", action="store_true", help="a short run of the main cases, within three minutes")
    one.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    one.add_argument("--case", action="append", default=[], help="only this case; may be repeated")
    one.add_argument("--implementation", action="append", default=[], help="only this one; may be repeated")
    one.add_argument("--threads", action="append", default=[], type=int, help="only this thread count")
    one.add_argument("--rounds", type=int, choices=range(1, 1001), metavar="N", help="fresh processes for each")
    one.add_argument("--out", type=Path, help="the results file; default: a dated one in out/")
    one.add_argument("--resume", action="store_true", help="go on with the file of --out, if there is one")
    one.set_defaults(command=measure)

    two = commands.add_parser("report", help="write an HTML page and pictures of a results file")
    two.add_argument("file", type=Path)
    two.add_argument("--out", type=Path, help="the folder; default: beside the file, by its name")
    two.set_defaults(command=report)

    three = commands.add_parser("compare", help="say what changed between two results files, beyond noise")
    three.add_argument("old", type=Path)
    three.add_argument("new", type=Path)
    three.add_argument(
        "--across", action="append", default=[], choices=("machine", "commit", "versions"),
        help="compare although this differs; may be repeated",
    )  # fmt: skip
    three.add_argument("--least", type=float, default=5.0, help="smallest change that counts, in percent (5)")
    three.set_defaults(command=compare)

    five = commands.add_parser("challenge", help="for doubters: controls, a short run, and how it could be wrong")
    five.add_argument("--rounds", type=int, default=5, choices=range(1, 101), metavar="N", help="fresh processes (5)")
    five.add_argument("--out", type=Path, default=Path("out/challenge.html"), help="the page; results lie beside it")
    five.set_defaults(command=challenge)

    four = commands.add_parser("list", help="name the cases and implementations")
    four.set_defaults(command=names)
