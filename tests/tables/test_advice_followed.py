"""What a message advises works when it is followed."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.tables.test_files_as_people_have_them import read
from twinvae.series.scaling import written
from twinvae.tables.table import read_table

LINES = "".join(f"{row},{row % 7}.5,3\n" for row in range(30))


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", "日時,温度,流量"),
        ("cp932", "時刻,センサー,値"),
        ("cp1252", "Date,Température,Débit"),
        ("cp1252", "Zeit,Temp °C,“Fluß”"),
        ("latin-1", "time,caf\u00e9\u0081,b"),
    ],
)
def test_the_encoding_that_is_named_is_the_files(tmp_path: Path, encoding: str, names: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes((names + "\n" + LINES).encode(encoding))
    with pytest.raises(ValueError, match="is no UTF-8 text") as refused:
        read_table(path)
    said = re.search(r"iconv -f (\S+) -t UTF-8", str(refused.value))
    assert said is not None
    assert path.read_bytes().decode(said[1]).splitlines()[0] == names


@pytest.mark.parametrize(("encoding", "name"), [("gb18030", "温度"), ("cp949", "온도"), ("cp1251", "Температура")])
def test_one_of_the_encodings_that_are_named_is_the_files(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes((f"time,{name},b\n" + LINES).encode(encoding))
    with pytest.raises(ValueError, match=encoding.replace("cp125", "WINDOWS-125").upper()):
        read_table(path)


@pytest.mark.parametrize("cell", ["18446744073709551615", "4294967295", "1e30", "-9999.99", "123456789.25"])
def test_the_missing_value_that_is_named_is_the_cell(tmp_path: Path, cell: str) -> None:
    text = "time,a\n" + "".join(f"{row},{cell if row == 9 else row % 7}\n" for row in range(30))
    table, _ = read(tmp_path, text, missing_values=[written(read(tmp_path, text)[0].values[9, 0])])
    assert np.flatnonzero(np.isnan(table.values[:, 0])).tolist() == [9]


def test_all_words_of_a_column_are_named_at_once(tmp_path: Path) -> None:
    words = {2: "Pt Created", 5: "offline", 9: "1.#INF", 10: "offline"}
    text = "time,a\n" + "".join(f"{row},{words.get(row, row % 7)}\n" for row in range(30))
    with pytest.raises(ValueError, match="row 2, column a: 'Pt Created' is not a number") as refused:
        read(tmp_path, text)
    said = re.search(r'--missing-values="([^"]*)"\)', str(refused.value))
    assert said is not None
    table, _ = read(tmp_path, text, missing_values=said[1].split(","))
    assert np.flatnonzero(np.isnan(table.values[:, 0])).tolist() == [*words]
