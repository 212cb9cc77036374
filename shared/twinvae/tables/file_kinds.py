"""What a file is that is not what its name says, or not text all through: what to say of it, and what to do."""

import re
from pathlib import Path

LONGEST_CELL = 2**16  # characters: a longer one is no number, no word and no time stamp
TEXTS = (".csv", ".tsv", ".txt", ".dat", ".asc", ".lvm")  # read as a CSV
_HEAD = 4096
_UNPACK = "unpack it first"
_KINDS = (
    (b"\x1f\x8b", f"a gzip file: {_UNPACK} (gunzip)"),
    (b"BZh", f"a bzip2 file: {_UNPACK} (bunzip2)"),
    (b"\xfd7zXZ\x00", f"an xz file: {_UNPACK} (unxz)"),
    (b"\x28\xb5\x2f\xfd", f"a zstd file: {_UNPACK} (unzstd)"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    (b"PAR1", "a Parquet file: name it .parquet"),
    (b"\x93NUMPY", "an array of NumPy: name it .npy"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook: save the sheet as CSV (UTF-8)"),
    (b"ARROW1", "an Arrow file: write it as Parquet or CSV"),
    (b"\x89HDF", "an HDF5 file: write the table as Parquet or CSV"),
    (b"SQLite format 3", "an SQLite database: write the table as CSV"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xfe", "UTF-16 text: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
    (b"\xfe\xff", "UTF-16 text: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
)
_PARQUET = b"PAR1"


def is_text(path: Path) -> bool:
    """Whether the name of a file can be written as UTF-8; on Linux it may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_kind(path: Path) -> None:
    """Raises ValueError if a file begins as one of another kind than its name says; says which.

    A file that cannot be opened is left to who reads it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return
    if path.suffix.lower() == ".parquet" and head.startswith(_PARQUET):
        return
    kind = _kind(head)
    if kind is None and path.suffix.lower() not in TEXTS and head and b"\x00" not in head:
        kind = "text: if it is a CSV, name it .csv"
    if kind is not None:
        raise ValueError(f"{path}: it is {kind}")


def _kind(head: bytes) -> str | None:
    if (kind := next((kind for begin, kind in _KINDS if head.startswith(begin)), None)) is not None:
        return kind
    if head.startswith(b"PK\x03\x04"):
        if b".npy" in head:
            return "an archive of NumPy's arrays: save the one of the values with np.save, as .npy"
        is_workbook = b"xl/" in head or b"[Content_Types].xml" in head
        return "an Excel workbook: save the sheet as CSV (UTF-8)" if is_workbook else f"a zip archive: {_UNPACK}"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<" and text[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a page of HTML or XML: was it downloaded as shown in a browser?"
    if text[:2] in (b'{"', b"[{") or (text[:1] in b"{[" and text[:1] and b'":' in text):
        return "JSON: write it as a CSV (JSON lines are for twinvae watch)"
    return _with_zeros(head) if len(head) > 3 else None


def _with_zeros(head: bytes) -> str | None:
    if not head.strip(b"\0"):
        return "nothing but zero bytes: it was damaged, or never written to its end"
    order = "LE" if _is_utf_16(head[1::2]) else "BE" if _is_utf_16(head[::2]) else None
    return None if order is None else f"UTF-16 text: save it as UTF-8 (iconv -f UTF-16{order} -t UTF-8)"


def _is_utf_16(every_other: bytes) -> bool:
    return every_other.count(0) > 0.9 * len(every_other)


def bad_bytes(path: Path) -> str | None:
    """The first line of a text file with a cell that is too long or bytes that are no UTF-8 text; None without one."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if len(line) > LONGEST_CELL:
                longest = max(line.rstrip(b"\r\n").replace(b";", b",").replace(b"\t", b",").split(b","), key=len)
                if len(longest) > LONGEST_CELL:
                    return f"line {number}: a cell of {len(longest)} bytes: is a line break or a quote missing?"
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return (
                    f"line {number}: byte 0x{line[error.start]:02x} is no UTF-8 text: save the file as UTF-8; from an "
                    f"older Windows program, {_advice(line)}"
                )
    return None


def _advice(line: bytes) -> str:
    """How to bring text that is no UTF-8 to it, by what encodings make of one line with other bytes than ASCII's."""
    if re.search(r"[\u3040-\u30ff\u4e00-\u9fff]{2}", line.decode("cp932", errors="ignore")) and _fits(line, "cp932"):
        return "iconv -f CP932 -t UTF-8"
    if re.search(rb"[\xa1-\xfe]{2}", line):  # words of such letters, which western Europe has not
        return "iconv -t UTF-8 -f with its encoding: GB18030 (Chinese), CP949 (Korean), WINDOWS-1251 (Cyrillic), ..."
    return f"iconv -f {'WINDOWS-1252' if _fits(line, 'cp1252') else 'ISO-8859-1'} -t UTF-8"


def _fits(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
