"""Which sets are measured where none is named, and which half of a set a series belongs to."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple, get_args

from benchmarks.errors import RunError
from twinvae.data.datasets import SYNTHETIC, BadFile, Dataset, read_datasets
from twinvae.data.signals import SignalKind
from twinvae.data.synthetic import generate, series_names
from twinvae.process.notices import one_line

FOLDERS = ("nab", "ecg", "merlion", "skab", "bio", "mgab", "gutentag", "gutentag_dirty")
DATA = Path("..", "shared", "data")
LONG = "long"  # normal series that are long enough for a rate of false events to be named
LONG_ROWS = 30_000
DEV, REPORT = "dev", "report"
HALVES = (DEV, REPORT)


class Case(NamedTuple):
    """A series of a set, and its half: what was chosen on the series of `dev` is judged on those of `report`."""

    half: str
    series: Dataset | BadFile


def default_sources(data: Path) -> tuple[list[str], list[str]]:
    """Returns the sets that are there, the synthetic one last, and a line for each that is not."""
    missing = [f"{data / name}: not there, the set is left out" for name in FOLDERS if not (data / name).is_dir()]
    return [*(str(data / name) for name in FOLDERS if (data / name).is_dir()), SYNTHETIC], missing


def named(sources: list[str]) -> dict[str, str]:
    """The sources by the short names of their data sets, or by their whole paths where two short names are equal."""
    short = [Path(source).stem if Path(source).is_file() else Path(source).name or source for source in sources]
    return {name if short.count(name) == 1 else source: source for name, source in zip(short, sources, strict=True)}


def opened(source: str) -> Iterator[Case]:
    """The series of a data set, with their halves.

    The first is read at once, so a wrong name is known before anything is measured.

    Raises:
        RunError: if there is no series.
    """
    if source == LONG:
        return (Case(HALVES[index % 2], one) for index, one in enumerate(_long()))
    try:
        series = read_datasets(source)
        first = next(series)
    except StopIteration:
        raise RunError(f"{source}: no series in it") from None
    except (ValueError, OSError) as error:
        raise RunError(one_line(error)) from None
    return (Case(half(source, index), one) for index, one in enumerate(chain([first], series)))


def _long() -> Iterator[Dataset]:
    """Two normal series of each signal; a short anomaly at the end of each makes it one that has labels."""
    for seed, signal in enumerate(signal for signal in get_args(SignalKind) for _ in range(2)):
        made = generate("spike", seed=seed, signal=signal, length=LONG_ROWS + 500, train=LONG_ROWS, anomalies=1)
        yield Dataset(f"{signal}-{seed}", made.values, made.labels, LONG_ROWS, False, "made", series_names(made))


def half(source: str, index: int) -> str:
    """The half of the series at a place: the first, third, ... in order of the names are for development.

    The synthetic series come in pairs of 1 and 4 channels, and so each other pair is turned: both halves have both.
    """
    return HALVES[(index + index // 2) % 2 if source == SYNTHETIC else index % 2]
