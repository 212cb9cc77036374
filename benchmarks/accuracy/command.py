"""`python -m benchmarks accuracy` measures how well twinvae and the baselines that it has to beat find anomalies."""

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from benchmarks import machine
from benchmarks.accuracy import tables
from benchmarks.accuracy.methods import baselines, products
from benchmarks.accuracy.published import read_published
from benchmarks.accuracy.records import Accuracy, write
from benchmarks.accuracy.run import measure_all
from benchmarks.errors import RunError, complain
from twinvae.data.datasets import BadFile, Dataset, read_datasets
from twinvae.network.backend import installed_backends
from twinvae.process.notices import one_line


def accuracy(
    sources: Sequence[str], *, backend: str | None, preset: str | None, seeds: Sequence[int],
    wanted: Sequence[str] | None, json: Path | None, out: Path | None,
) -> int:  # fmt: skip
    """Measures every method on every series, prints the tables and writes the files that were asked for.

    The exit code is 0, or 1 if a series, a method or everything failed.

    Raises:
        RunError: if the request cannot be met.
        OSError: if a file cannot be written.
    """
    backend = backend or (installed_backends() or ("jax",))[0]
    methods = [*products(backend, preset), *baselines(wanted)]
    opened = {name: _opened(source) for name, source in _names(sources).items()}
    try:
        published = {name: read_published(Path(source)) for name, source in _names(sources).items()}
    except ValueError as error:
        raise RunError(str(error)) from None
    _check_writable(json, out)
    run = Accuracy(machine.command_line(), preset, tuple(dict.fromkeys(seeds)))
    try:
        for name, series in opened.items():
            draw = None
            if out is not None:
                from benchmarks.accuracy import report  # matplotlib takes half a second

                draw = partial(report.draw, out, name)
            measure_all(run, name, series, methods, complain=complain, draw=draw)
    finally:  # also of an interrupted run
        if json is not None and run.records:
            write(json, run)
    if not run.records:
        complain("nothing was measured")
        return 1
    for name in run.datasets:
        rows = tables.summary(run, name, methods, published[name], spreads=("vus_pr",))
        print(f"\n{name}, {len(run.cases(name))} series, means:")
        print(tables.as_lines(["method", *tables.SHORT.values(), tables.RANK, "series"], rows))
    print("\n* point-adjusted F1 is inflated: a random score can beat real detectors by it (Kim et al. 2022)")
    if json is not None:
        print(f"wrote {json}")
    if out is not None:
        from benchmarks.accuracy import report

        print(f"wrote {report.write_report(run, methods, published, out)} and its pictures")
    if run.failures:
        complain(f"{len(run.failures)} failed: see above")
    return 1 if run.failures else 0


def _names(sources: Sequence[str]) -> dict[str, str]:
    """The sources by the short names of their data sets, or by their whole paths where two short names are equal."""
    short = [Path(source).stem if Path(source).is_file() else Path(source).name or source for source in sources]
    return {name if short.count(name) == 1 else source: source for name, source in zip(short, sources, strict=True)}


def _opened(source: str) -> Iterator[Dataset | BadFile]:
    """The series of a data set. The first is read at once, so a wrong name is known before anything is measured."""
    try:
        series = read_datasets(source)
        first = next(series)
    except StopIteration:
        raise RunError(f"{source}: no series in it") from None
    except (ValueError, OSError) as error:
        raise RunError(one_line(error)) from None
    return chain([first], series)


def _check_writable(json: Path | None, out: Path | None) -> None:
    """Raises OSError for a file that cannot be written: now, and not after hours of measuring."""
    if json is not None and json.is_dir():
        raise RunError(f"{json} is a folder: --json names a file")
    for folder in (json.parent if json is not None else None, out):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
