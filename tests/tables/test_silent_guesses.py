"""What a file holds beside its channels is not taken for one, and what is decided is said."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.tables.test_files_as_people_have_them import read

TIMES = [datetime(2026, 3, 2) + timedelta(minutes=20 * row) for row in range(120)]
TEMP = [20.5 + row % 7 for row in range(len(TIMES))]


@pytest.mark.parametrize("names", ["YEAR,MO,DY,HR,MN", "yyyy,mm,dd,hh,mi", "YYYY,MM,DD,hh,mm", "Yr,Mon,Day,Hour,Min"])
def test_the_parts_of_a_calendar_are_joined_by_their_short_names(tmp_path: Path, names: str) -> None:
    lines = [f"{t.year},{t.month},{t.day},{t.hour},{t.minute},{x}" for t, x in zip(TIMES, TEMP, strict=True)]
    table, said = read(tmp_path, "\n".join([f"{names},temp", *lines]) + "\n")
    assert table.names == ("temp",)
    assert table.index is not None
    assert str(table.index[4]) == "2026-03-02 01:20"
    assert len(said) == 1


def test_the_parts_of_a_calendar_beside_time_stamps_are_no_channels(tmp_path: Path) -> None:
    lines = [f"{t},{t.year},{t.month},{t.day},{t.hour},{x}" for t, x in zip(TIMES, TEMP, strict=True)]
    table, _ = read(tmp_path, "\n".join(["time,YEAR,MO,DY,HR,temp", *lines]) + "\n")
    assert table.names == ("temp",)


def test_a_short_name_alone_may_be_a_unit(tmp_path: Path) -> None:
    lines = [f"{t},{row % 5}" for row, t in enumerate(TIMES)]
    assert read(tmp_path, "\n".join(["time,mm", *lines]) + "\n")[0].names == ("mm",)
