"""`python -m benchmarks accuracy` measures how well twinvae and the baselines that it has to beat find anomalies."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks import machine
from benchmarks.accuracy import halves, tables
from benchmarks.accuracy.method import Method
from benchmarks.accuracy.methods import chosen, methods_of
from benchmarks.accuracy.published import Published, read_published
from benchmarks.accuracy.records import Accuracy, read, write
from benchmarks.accuracy.run import measure_all, processes
from benchmarks.accuracy.sets import default_sources, named, opened
from benchmarks.errors import RunError, complain
from twinvae.network.backend import installed_backends


def accuracy(
    sources: Sequence[str], *, data: Path, wanted: Sequence[str] | None, variants: Sequence[str],
    backends: Sequence[str] | None, seeds: Sequence[int], jobs: int, json: Path | None, out: Path | None,
) -> int:  # fmt: skip
    """Measures every method on every series, prints the tables and writes the files that were asked for.

    The exit code is 0, or 1 if a series, a method or everything failed.

    Raises:
        RunError: if the request cannot be met.
        OSError: if a file cannot be written.
    """
    if jobs < 1:
        raise RunError(f"--jobs must be at least 1, got {jobs}")
    backends = backends or (installed_backends() or ("jax",))[:1]
    methods = chosen(wanted, backends, variants)
    there, missing = (list(sources), []) if sources else default_sources(data)
    names = named(there)
    cases = {name: opened(source) for name, source in names.items()}
    try:
        published = {name: read_published(Path(source)) for name, source in names.items()}
    except ValueError as error:
        raise RunError(str(error)) from None
    _check_writable(json, out)
    run = Accuracy(machine.command_line(), tuple(dict.fromkeys(seeds)), notes=missing)
    if json is not None and json.exists():  # an earlier run
        run.records = read(json).records

    def keep() -> None:
        if json is not None and run.records:
            write(json, run)

    say = partial(print, flush=True)  # into a file, too, while it runs
    for line in missing:
        say(line)
    with processes(jobs) as each:
        for name, series in cases.items():
            draw = None
            if out is not None:
                from benchmarks.accuracy import report  # matplotlib takes half a second

                draw = partial(report.draw, out, name)
            measure_all(run, name, series, methods, say=say, complain=complain, draw=draw, each=each, keep=keep)
    if not run.records:
        complain("nothing was measured")
        return 1
    shown = methods_of(run.implementations)  # those too that the file holds
    _print(run, shown, published)
    if json is not None:
        print(f"wrote {json}")
    if out is not None:
        from benchmarks.accuracy import report

        print(f"wrote {report.write_report(run, shown, published, out)} and its pictures")
    if run.failures:
        complain(f"{len(run.failures)} failed: see above")
    return 1 if run.failures else 0


def _print(run: Accuracy, methods: Sequence[Method], published: Mapping[str, Sequence[Published]]) -> None:
    for name, figures in published.items():
        if name in run.datasets:
            rows = tables.summary(run, name, methods, figures, spreads=("vus_pr",))
            print(f"\n{name}, {len(run.cases(name))} series, means:")
            print(tables.as_lines(["method", *tables.SHORT.values(), tables.RANK, "series"], rows))
    print("\n* point-adjusted F1 is inflated: a random score can beat real detectors by it (Kim et al. 2022)")
    if len(run.datasets) > 1:
        print("\n" + "\n\n".join(f"{title}\n{tables.as_lines(*table)}" for title, table in halves.all_tables(run)))


def _check_writable(json: Path | None, out: Path | None) -> None:
    """Raises OSError for a file that cannot be written: now, and not after hours of measuring."""
    if json is not None and json.is_dir():
        raise RunError(f"{json} is a folder: --json names a file")
    for folder in (json.parent if json is not None else None, out):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
