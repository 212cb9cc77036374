"""What a message advises fits what is in the file."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from twinvae.tables.table import read_table

TIMES = [datetime(2026, 3, 2) + timedelta(minutes=5 * row) for row in range(30)]


def _file(folder: Path, lines: list[str]) -> Path:
    path = folder / "x.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("cell", ["20.5 %", "$204.82", "1204.82 €", "<16", "'20.01", "\u22120.64"])
def test_a_number_with_signs_is_not_taken_for_a_word(tmp_path: Path, cell: str) -> None:
    path = _file(tmp_path, ["time,a", *(f"{row},{cell if row == 3 else row % 5}" for row in range(30))])
    with pytest.raises(ValueError, match="write numbers alone") as refused:
        read_table(path)
    assert "missing_values" not in str(refused.value)


def test_rows_from_the_newest_on_are_not_put_down_to_the_clocks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="newest row stands first") as refused:
        read_table(_file(tmp_path, ["time,a", *(f"{time},1" for time in reversed(TIMES))]))
    assert "time_zone" not in str(refused.value)


def test_a_row_that_comes_twice_is_not_put_down_to_the_clocks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same time stamp") as refused:
        read_table(_file(tmp_path, ["time,a", *(f"{time},1" for time in [*TIMES[:9], *TIMES[8:]])]))
    assert "time_zone" not in str(refused.value)


@pytest.mark.parametrize("name", ["Class", "target", "y"])
def test_labels_of_public_data_sets_are_no_channels(tmp_path: Path, name: str) -> None:
    path = _file(tmp_path, [f"time,a,{name}", *(f"{row},{row % 5},{int(row == 20)}" for row in range(30))])
    assert read_table(path).names == ("a",)
