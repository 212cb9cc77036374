"""Lines of programs above a table, and names of files that are no .csv."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.tables.test_files_as_people_have_them import CLOCK, WAVE, read, rows
from twinvae.tables.table import read_table

TABLE = "time,temp\n" + rows(CLOCK, WAVE)
TOA5 = (
    '"TOA5","CR1000_site","CR1000","12345","CR1000.Std.31","CPU:prog.CR1","4321","FiveMin"\n'
    '"TIMESTAMP","RECORD","AirTC_Avg"\n"TS","RN","Deg C"\n"","","Avg"\n'
)
LABVIEW = (
    "LabVIEW Measurement\nSeparator\tTab\n***End_of_Header***\n\nSamples\t1\t1\nDelta_X\t0.001\t0.001\n"
    "***End_of_Header***\nX_Value\tTemp\tComment\n"
)


def test_a_file_of_a_campbell_logger(tmp_path: Path) -> None:
    table, said = read(tmp_path, TOA5 + rows([f'"{stamp}"' for stamp in CLOCK], range(100, 148), WAVE))
    assert (table.names, len(table.values), table.stamp(1)) == (("AirTC_Avg",), 48, CLOCK[1])
    assert "left out the rows of units below the header" in said


def test_a_file_of_labview(tmp_path: Path) -> None:
    table, _ = read(tmp_path, LABVIEW + rows([f"{row * 0.001:.6f}" for row in range(48)], WAVE, separator="\t"))
    assert "Temp" in table.names
    assert len(table.values) == 48


def test_metadata_below_the_header(tmp_path: Path) -> None:
    text = "Label,CPUUtilization\nID,m1\nPeriod,300\nStatistic,Average\n" + rows(CLOCK, WAVE)
    table, said = read(tmp_path, text)
    assert (table.names, table.stamp(0)) == (("CPUUtilization",), CLOCK[0])
    assert said[0] == "left out 3 rows below the header without time stamps: ID, Period, Statistic"


@pytest.mark.parametrize("name", ["x.txt", "x.DAT", "x.tsv", "x.asc", "x.lvm"])
def test_text_of_other_names_is_read_as_a_csv(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TABLE.replace(",", "\t"))
    assert read_table(tmp_path / name).names == ("temp",)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("x.csv.gz", "gunzip"), ("x.zip", "unpack it first"), ("x.npz", r"np\.save"), ("x.xlsx", "save the sheet as CSV"),
     ("x.xls", "HTML"), ("x.gz", r"name it \.csv"), ("x.dat", "gunzip")],
)  # fmt: skip
def test_other_names_are_told_what_to_do(tmp_path: Path, name: str, remedy: str) -> None:
    path = tmp_path / name
    if name.endswith((".zip", ".xlsx")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml" if name.endswith("x") else "x.csv", TABLE)
    elif name.endswith(".npz"):
        np.savez(path, values=np.zeros(3))
    else:
        content = {"x.xls": b"<html><table>", "x.gz": TABLE.encode()}.get(name, gzip.compress(TABLE.encode()))
        path.write_bytes(content)
    with pytest.raises(ValueError, match=remedy):
        read_table(path)
