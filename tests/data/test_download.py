"""Downloads: only what has the right checksum is kept. The web is a server in this process."""

import hashlib
import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinvae.cli import main as cli
from twinvae.data import download
from twinvae.data.datasets import Dataset, read_datasets
from twinvae.data.download import DOWNLOADS, Download, downloaded

SERIES = b"timestamp,value\n" + b"".join(f"2014-04-01 00:{row:02}:00,{row}\n".encode() for row in range(60))
LABELS = json.dumps({"known/a.csv": [["2014-04-01 00:30:00", "2014-04-01 00:31:00"]], "known/b.csv": []}).encode()


def archive() -> bytes:
    header = "datetime;Accelerometer1RMS;anomaly;changepoint\n"
    rows = "".join(f"2020-03-09 10:{row // 60:02}:{row % 60:02};{row};{int(row == 450)};0\n" for row in range(500))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("SKAB-1/data/valve1/0.csv", header + rows)
        file.writestr("SKAB-1/notebooks/run.py", "raise SystemExit")
    return packed.getvalue()


PAGES = {"/labels/combined_windows.json": LABELS, "/data/known/a.csv": SERIES, "/1.zip": archive()}


class _Pages(http.server.BaseHTTPRequestHandler):
    asked: tuple[str, ...] = ()

    def do_GET(self) -> None:
        type(self).asked += (self.path,)
        self.send_response(200 if self.path in PAGES else 404)
        self.end_headers()
        self.wfile.write(PAGES.get(self.path, b"no such page"))

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Pages]]:
    """Serves the pages, and makes them the data sets `nab` and `skab`."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(_Pages, "asked", ())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        sums = {path.removeprefix("/"): hashlib.sha256(page).hexdigest() for path, page in PAGES.items()}
        skab = {"1.zip": sums.pop("1.zip")}
        monkeypatch.setitem(DOWNLOADS, "nab", Download("two files", "MIT", f"{base}/", sums))
        monkeypatch.setitem(DOWNLOADS, "skab", Download("an archive", "GPL-3.0", f"{base}/", skab))
        yield _Pages
        server.shutdown()


def change(monkeypatch: pytest.MonkeyPatch, name: str, path: str, sha256: str) -> None:
    found = DOWNLOADS[name]
    monkeypatch.setitem(DOWNLOADS, name, found._replace(files=found.files | {path: sha256}))


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_files_are_fetched_once_and_read_by_name(
    web: type[_Pages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = download.download("nab", tmp_path)
    assert files_in(folder) == {"labels/combined_windows.json", "data/known/a.csv"}
    assert len(web.asked) == 2
    download.download("nab", tmp_path)
    assert len(web.asked) == 2
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path)
    (found,) = read_datasets("nab")
    assert isinstance(found, Dataset)
    assert (found.name, int(found.labels.sum()), found.train_rows) == ("known/a", 2, 9)


def test_an_archive_is_unpacked_but_for_what_is_no_data(web: type[_Pages], tmp_path: Path) -> None:
    folder = download.download("skab", tmp_path)
    assert files_in(folder) == {"1.zip", "data/valve1/0.csv"}
    (found,) = read_datasets(folder)
    assert isinstance(found, Dataset)
    assert (found.name, found.train_rows, found.channels) == ("valve1/0", 400, ("Accelerometer1RMS",))
    assert downloaded("skab", tmp_path) == [folder / "data" / "valve1" / "0.csv"]


@pytest.mark.parametrize("name", ["nab", "skab"])
def test_a_damaged_file_in_the_cache_is_fetched_again(web: type[_Pages], tmp_path: Path, name: str) -> None:
    folder = download.download(name, tmp_path)
    before = {path: (folder / path).read_bytes() for path in files_in(folder)}
    for path in DOWNLOADS[name].files:
        (folder / path).write_bytes(b"cut")
    download.download(name, tmp_path)
    assert {path: (folder / path).read_bytes() for path in files_in(folder)} == before


@pytest.mark.parametrize(("name", "path"), [("nab", "data/known/a.csv"), ("skab", "1.zip")])
def test_a_file_with_another_checksum_is_not_kept(
    web: type[_Pages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    change(monkeypatch, name, path, "0" * 64)
    with pytest.raises(ValueError, match=f"{path}: not the expected file") as raised:
        download.download(name, tmp_path)
    assert "\n" not in str(raised.value)
    assert files_in(tmp_path / name) <= {"labels/combined_windows.json"}
    with pytest.raises(ValueError, match=f"twinvae download {name}"):
        downloaded(name, tmp_path)


def test_a_page_that_is_not_there_is_one_line(
    web: type[_Pages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(monkeypatch, "nab", "data/known/b.csv", "0" * 64)
    assert cli.main(["download", "nab", "--cache", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "data/known/b.csv: cannot be fetched: 404" in line
    assert "b.csv" not in str(files_in(tmp_path))


def test_no_connection_is_one_line(
    web: type[_Pages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(DOWNLOADS, "skab", DOWNLOADS["skab"]._replace(base="http://127.0.0.1:9/"))  # nobody listens
    assert cli.main(["download", "skab", "--cache", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "1.zip: cannot be fetched: no connection" in line
    assert files_in(tmp_path) == set()


def test_the_command_says_where_the_data_are(
    web: type[_Pages], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["download", "nab", "--cache", str(tmp_path), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"name": "nab", "folder": str(tmp_path / "nab")}
    assert captured.err == ""


def test_the_list_names_every_set_with_its_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["download", "--list"]) == 0
    printed = capsys.readouterr().out
    for name, found in DOWNLOADS.items():
        assert f"{name} " in printed
        assert found.licence in printed


def test_nothing_is_fetched_unasked(web: type[_Pages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path)
    for name in DOWNLOADS:
        with pytest.raises(ValueError, match=f"the data set {name} is not in .*: twinvae download {name}"):
            read_datasets(name)
    assert web.asked == ()


def test_without_pooch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    for attempt in (download.cache_folder, lambda: download.download("nab", tmp_path)):
        with pytest.raises(ValueError, match=r"twinvae\[datasets\]"):
            attempt()


def test_every_address_is_at_a_fixed_commit_and_every_sum_whole() -> None:
    for found in DOWNLOADS.values():
        for path, sha256 in found.files.items():
            assert any(commit in found.base + path for commit in (download.NAB_COMMIT, download.SKAB_COMMIT))
            assert len(bytes.fromhex(sha256)) == 32
