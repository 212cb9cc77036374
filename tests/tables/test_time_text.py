"""Time stamps as programs and people write them: their distances are known, and they are passed on as they stand."""

import datetime as dt
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from twinvae.tables.table import read_table

STEP = 60 * 60 * 7
TIMES = [dt.datetime(2026, 3, 1, 0, 0) + dt.timedelta(seconds=STEP * row) for row in range(60)]
FORMS: dict[str, Callable[[dt.datetime], str]] = {
    "CET": lambda t: f"{t:%Y-%m-%d %H:%M:%S} CET",
    "CEST": lambda t: f"{t:%d.%m.%Y %H:%M} CEST",
    "EST": lambda t: f"{t:%m/%d/%Y %I:%M %p} EST",
    "GMT": lambda t: f"{t:%a, %d %b %Y %H:%M:%S} GMT",
    "RFC 2822": lambda t: f"{t:%a, %d %b %Y %H:%M:%S} +0000",
    "Z": lambda t: f"{t:%Y-%m-%dT%H:%M}Z",
    "an offset": lambda t: f"{t:%Y-%m-%d %H:%M:%S} +0100",
    "an offset of hours": lambda t: f"{t:%Y-%m-%dT%H:%M:%S}+01",
    "an offset and a zone": lambda t: f"{t:%Y-%m-%dT%H:%M:%S}+01:00[Europe/Berlin]",
    "a zone": lambda t: f"{t:%Y-%m-%d %H:%M:%S} America/New_York",
    "24:00": lambda t: f"{t - dt.timedelta(days=1):%Y-%m-%d} 24:00" if t.hour == 0 else f"{t:%Y-%m-%d %H:%M}",
    "two digits, the year first": lambda t: f"{t:%y-%m-%d %H:%M}",
    "two digits, the day first": lambda t: f"{t:%d.%m.%y %H:%M}",
    "no zeros": lambda t: f"{t.year}/{t.month}/{t.day} {t.hour}:{t.minute:02}",
    "no zeros, the day first": lambda t: f"{t.day}.{t.month}.{t.year} {t.hour}:{t.minute:02}",
    "ISO weeks": lambda t: f"{t:%G-W%V-%uT%H:%M}",
    "days of the year": lambda t: f"{t:%Y-%j %H:%M}",
    "a fraction after a comma": lambda t: f"{t:%Y-%m-%d %H:%M:%S},000",
    "a.m.": lambda t: f"{t:%d %b %Y %I:%M:%S} {'a.m.' if t.hour < 12 else 'p.m.'}",
    "nanoseconds": lambda t: f"{t:%Y-%m-%d %H:%M:%S}.000000000",
    "ctime": lambda t: f"{t:%a %b %d %H:%M:%S %Y}",
    "one number": lambda t: f"{t:%Y%m%d%H%M%S}",
    "one number, UTC": lambda t: f"{t:%Y%m%dT%H%M%S}Z",
    "an underscore": lambda t: f"{t:%Y-%m-%d_%H:%M:%S}",
    "Uhr": lambda t: f"{t:%d.%m.%Y %H:%M} Uhr",
    "a short month with a point": lambda t: f"{t:%d. %b. %Y %H:%M}",
    "hours alone": lambda t: f"{t:%Y-%m-%d %H}",
}
NUMBERS: dict[str, tuple[Callable[[dt.datetime], str], float]] = {
    "epoch nanoseconds": (lambda t: str(int(t.replace(tzinfo=dt.UTC).timestamp()) * 10**9), STEP * 1e9),
    "Excel's days": (lambda t: repr((t - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)), STEP / 86400),
    "times that have passed": (lambda t: f"{(t - TIMES[0]) // dt.timedelta(hours=1)}:00:00", STEP),
}


def instants(folder: Path, form: Callable[[dt.datetime], str]) -> np.ndarray:
    path = folder / "x.csv"
    path.write_text("time;a\n" + "".join(f"{form(time)};{row % 5}.5\n" for row, time in enumerate(TIMES)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*may have the day or the month first")
        table = read_table(path)
    assert table.stamp(3) == form(TIMES[3])
    assert table.instants is not None
    return table.instants


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_read(tmp_path: Path, name: str) -> None:
    found = instants(tmp_path, FORMS[name])
    assert (np.diff(found) == np.timedelta64(STEP, "s")).all()
    assert abs(found[0] - np.datetime64(TIMES[0])) < np.timedelta64(15, "h")  # a zone


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_their_own_time(tmp_path: Path, name: str) -> None:
    form, step = NUMBERS[name]
    np.testing.assert_allclose(np.diff(instants(tmp_path, form)), step, rtol=1e-6)


@pytest.mark.parametrize("form", ["{:%Y-%m-%d %H:%M} XYZ", "le {:%d %m}", "{:%H:%M:%S}"])
def test_what_cannot_be_read_is_passed_on_as_text_with_one_line(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time;a\n" + "".join(f"{form.format(t)};{row % 5}.5\n" for row, t in enumerate(TIMES)))
    with pytest.warns(UserWarning, match="--time-format") as said:
        assert read_table(path).instants is None
    assert len(said) == 1


def test_one_number_that_is_no_date_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,a\n" + "".join(f"{20260101 + row},{row % 5}\n" for row in range(40)))
    table = read_table(path)
    assert table.instants is not None
    assert table.instants.dtype == np.float64


def test_a_cell_that_is_no_time_stamp_among_numbers_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,a\n1,2\n2,2\nEOF,3\n")
    with pytest.raises(ValueError, match="row 2, column time: 'EOF'"):
        read_table(path)
