"""A file that is not what its name says, or not text all through, is called what it is, with what to do."""

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinvae.fleet.input import open_input
from twinvae.tables.table import read_table

TEXT = "time,a\n" + "".join(f"{row},{row % 5}.5\n" for row in range(50))
CALLED_CSV = {
    "gzip": (gzip.compress(TEXT.encode(), mtime=0), "a gzip file: .*gunzip"),
    "bzip2": (bz2.compress(TEXT.encode()), "bunzip2"),
    "xz": (lzma.compress(TEXT.encode()), "unxz"),
    "UTF-16": (TEXT.encode("utf-16"), "UTF-16 text: save it as UTF-8"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "iconv -f UTF-16LE"),
    "UTF-16 of the other order": (TEXT.encode("utf-16-be"), "iconv -f UTF-16BE"),
    "zeros": (bytes(5000), "nothing but zero bytes"),
    "a page": (b"<!DOCTYPE html>\n<html>", "a page of HTML"),
    "JSON": (b'[{"a": 1}, {"a": 2}]', "it is JSON"),
    "JSON lines": (b'{"time": 1, "a": 1}\n{"time": 2, "a": 1}\n', "JSON lines are for twinvae watch"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook"),
    "Latin-1 in the header": ("time,Temp °C\n1,2\n2,3\n".encode("latin-1"), "line 1: byte 0xb0 .*WINDOWS-1252"),
    "Latin-1 in a row": ((TEXT + "60,5 °\n").encode("latin-1"), "line 52: byte 0xb0"),
    "Latin-1 below a title": (("# made by x\n" + TEXT + "60,5 °\n").encode("latin-1"), "line 53: byte 0xb0"),
    "a long cell and a bad byte": (TEXT.encode() + b"60," + b"x" * 70_000 + b"\n61,\xff\n", "line 52: a cell of 70000"),
    "a long cell": (TEXT.encode() + b"60," + b"x" * 200_000, "row 50, column a: .*the line is damaged"),
    "a long name": (b'time,"' + b"x" * 200_000 + b'"\n1,2\n', "line 1: a cell of 200002"),
    "NUL bytes for a row": (TEXT.encode() + bytes(40) + b"\n", "row 50, column time: "),
    "NUL bytes for a value": (TEXT.encode() + b"60,\0\0\n", "row 50, column a: .*the line is damaged"),
}


@pytest.mark.parametrize("name", CALLED_CSV)
def test_a_csv_that_is_none(tmp_path: Path, name: str) -> None:
    content, message = CALLED_CSV[name]
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 440


def test_archives_workbooks_and_parquet_called_csv(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for member, message in (("a.csv", "a zip archive"), ("xl/workbook.xml", "an Excel workbook")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, TEXT)
        with pytest.raises(ValueError, match=message):
            read_table(path)
    pl.DataFrame({"a": [1.0]}).write_parquet(path)
    with pytest.raises(ValueError, match=r"name it \.parquet"):
        read_table(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"name it \.npy"):
        read_table(path)


@pytest.mark.parametrize(
    ("content", "kind"), [(TEXT.encode(), "name it .csv"), (gzip.compress(b"x", mtime=0), "a gzip file")]
)
def test_a_parquet_file_that_is_none(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=kind):
        read_table(path)
    with pytest.raises(ValueError, match=kind):
        open_input(path, key="k")


@pytest.mark.parametrize("keys", [[{"a": 1}], [[1, 2]], [b"x"]], ids=["struct", "list", "bytes"])
def test_keys_that_are_no_words_are_refused(tmp_path: Path, keys: list[object]) -> None:
    pl.DataFrame({"k": keys * 3, "v": [1.0, 2.0, 3.0]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"^[^\n]*column k holds .* which cannot be the keys"):
        open_input(tmp_path / "x.parquet", key="k")
