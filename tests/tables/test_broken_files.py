"""Files that are broken, or that nobody would write, are refused in one line, which names the file."""

import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.conftest import NO_DATA, ROOT
from twinvae.tables.table import read_table

FAULTS = ROOT.parent / "shared" / "data" / "faults"


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        read_table(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message) < len(str(path)) + 200
    return message


@pytest.mark.parametrize("name", ["bad_zip.npy", "bad_header.npy", "long_cell.csv", "timestruct.parquet"])
def test_the_files_that_people_met(name: str) -> None:
    if not (FAULTS / name).exists():
        pytest.skip(NO_DATA)
    refused(FAULTS / name)


HEADERS = {
    "a name for a number": "{'descr': '<f8', 'fortran_order': False, 'shape': (1200,D, }",
    "an open bracket": "{'descr': '<f8', 'fortran_order': False, 'shape': (1200,",
    "a sum": "{'descr': '<f8', 'fortran_order': False, 'shape': (1+1,), }",
    "deep": "(" * 900,
    "a huge shape": "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }" % ("1" * 400),
    "a negative shape": "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }",
    "a type of its own": "{'descr': ['<f8', 3], 'fortran_order': False, 'shape': (3,), }",
    "no key": "{}",
    "bytes": "\0\0\0",
}


@pytest.mark.parametrize("name", HEADERS)
def test_broken_headers_of_npy(tmp_path: Path, name: str) -> None:
    header = HEADERS[name].encode()
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    refused(path)


def test_flipped_bits_and_cut_ends_of_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(60.0).reshape(20, 3))
    whole, generator = path.read_bytes(), np.random.default_rng(0)
    for _ in range(1000):
        changed = bytearray(whole)
        for place in generator.integers(0, 128 * 8, generator.integers(1, 5)):
            changed[place // 8] ^= 1 << int(place % 8)
        path.write_bytes(changed[: generator.integers(1, len(changed))] if generator.random() < 0.2 else changed)
        try:
            read_table(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x05\x06", b"PK\x03\x04" + bytes(500)])
def test_zip_files_called_npy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    assert "not a .npy file" in refused(tmp_path / "x.npy")
    np.savez(tmp_path / "y.npz", a=np.zeros(3))
    (tmp_path / "y.npz").rename(tmp_path / "x.npy")
    refused(tmp_path / "x.npy")


def test_a_quote_that_is_never_closed_names_its_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,2\n3,"' + "4,5\n" * 60_000)
    assert "row 1" in refused(path)


@pytest.mark.parametrize("role", ["time", "labels", "columns"])
@pytest.mark.parametrize("value", [{"a": 1}, [1, 2]])
def test_nested_columns_have_no_role(tmp_path: Path, role: str, value: Any) -> None:
    pl.DataFrame({"x": [value] * 3, "v": [1.0, 2.0, 3.0]}).write_parquet(tmp_path / "x.parquet")
    assert "column x holds" in refused(tmp_path / "x.parquet", **{role: ["x"] if role == "columns" else "x"})


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_many_digits_are_infinite(tmp_path: Path, digits: int) -> None:
    """So that the detector refuses them with their place."""
    (tmp_path / "x.csv").write_text(f"v\n{'1' * digits}\n-{'1' * digits}\n2\n")
    assert read_table(tmp_path / "x.csv").values[:, 0].tolist() == [np.inf, -np.inf, 2.0]


@pytest.mark.parametrize("values", [[[1.0]] * 3, [b"\xff"] * 3, [timedelta(1)] * 3, [{"x": 1}] * 3])
def test_a_column_of_a_type_that_is_no_text_is_no_part_of_a_time_stamp(tmp_path: Path, values: list[Any]) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"date": values, "time": ["00:00", "00:01", "00:02"], "a": [1.0, 2.0, 3.0]}).write_parquet(path)
    with contextlib.suppress(ValueError):
        read_table(path)


def test_a_name_that_is_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.csv"
    path.write_text("a\n1\n2\n")
    assert "rename it" in refused(path)
