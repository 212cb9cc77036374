"""Which sets are measured where none is named, and which half of a set a series belongs to."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from benchmarks.errors import RunError
from twinvae.data.datasets import SYNTHETIC, BadFile, Dataset, read_datasets
from twinvae.process.notices import one_line

FOLDERS = ("nab", "ecg", "merlion", "skab", "bio", "mgab", "gutentag", "gutentag_dirty")
DATA = Path("..", "shared", "data")
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
    try:
        series = read_datasets(source)
        first = next(series)
    except StopIteration:
        raise RunError(f"{source}: no series in it") from None
    except (ValueError, OSError) as error:
        raise RunError(one_line(error)) from None
    return (Case(half(source, index), one) for index, one in enumerate(chain([first], series)))


def half(source: str, index: int) -> str:
    """The half of the series at a place: the first, third, ... in order of the names are for development.

    The synthetic series come in pairs of 1 and 4 channels, and so each other pair is turned: both halves have both.
    """
    return HALVES[(index + index // 2) % 2 if source == SYNTHETIC else index % 2]
