"""What comes from names, cells and files never reaches the terminal as it is."""

import argparse
import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from twinvae.cli.main import main
from twinvae.cli.text import any_encoding, complain, print_result
from twinvae.process.notices import printable

WILD = "a\x1b[31mred\x07\x9b2J\u202eb\udc80\r"
SAFE = r"a\u001b[31mred\u0007\u009b2J\u202eb\udc80\u000d"


def test_control_characters_are_written_as_json_writes_them() -> None:
    assert printable(WILD) == SAFE
    assert printable("温度 [°C]\nβ é 👩‍🔧") == "温度 [°C]\nβ é 👩‍🔧"


def test_whatever_is_printed_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    complain("error", f"no column {WILD}\n x")
    print_result(argparse.Namespace(json=False), {}, f"one {WILD}\ntwo")
    print_result(argparse.Namespace(json=True), {"name": WILD.replace("\udc80", "")}, "")
    out, err = capsys.readouterr()
    assert printable(out + err) == out + err
    assert err.count("\n") == 1
    text, _, record = out.partition("two\n")
    assert SAFE in text
    assert json.loads(record) == {"name": WILD.replace("\udc80", "")}


def test_an_argument_that_is_no_option_and_a_file_of_a_wild_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["detect", "x.csv", "--out", "o", "--epochs", "\x1b[2J"])
    assert main(["detect", str(tmp_path / "\x1b[2J.csv"), "--out", str(tmp_path / "o")]) == 1
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert r"\u001b[2J" in err


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "latin-1", "cp437"])
def test_no_encoding_costs_a_result(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [TextIOWrapper(BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr("sys.stdout", streams[0])
    monkeypatch.setattr("sys.stderr", streams[1])
    with any_encoding():
        print_result(argparse.Namespace(json=False), {}, "温度 é 👩 …")
        complain("warning", "温度 é 👩 …")
    assert [stream.errors for stream in streams] == ["strict", "strict"]
    for stream in streams:
        stream.flush()
        assert "U0001f469" in stream.buffer.getvalue().decode(encoding)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_stderr_that_is_full_or_closed_costs_a_line_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr("sys.stderr", TextIOWrapper(full, write_through=True))
        complain("warning", "x")
    complain("warning", "x")
    with any_encoding():
        complain("warning", "x")
