"""The columns of a table: which hold numbers, labels or time stamps, and what is said of those that do not.

What does not fit is refused by a ValueError that names the file, the row and the column. `begin` is the row of the file
at which a part of a column begins.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int8

from twinvae.process.notices import shortened, warn
from twinvae.tables.dialect import COMMA, MISSING_CELLS, THOUSANDS, Decimal, Dialect, difference_of, no_number_because

if TYPE_CHECKING:
    import polars as pl


LONGEST_WORD = 30  # that may stand for a missing value
MOST_WORDS = 8  # named in one line
_LABEL_WORDS = {"normal": "0", "benign": "0", "false": "0", "no": "0"} | dict.fromkeys(
    ("attack", "a ttack", "anomaly", "anomalous", "abnormal", "fault", "true", "yes"), "1"
)


def _without_words(column: "pl.Series") -> "pl.Series":
    """A column of labels with 0 and 1 in place of words like Normal and Attack."""
    import polars as pl

    if column.dtype != pl.String:
        return column
    words = column.str.strip_chars()
    return words.str.to_lowercase().replace_strict(_LABEL_WORDS, default=words)


def is_binary(parts: Iterable["pl.Series"]) -> bool:
    """Whether a column, in parts, holds nothing but 0 and 1, or nothing but 1 and -1, or words for them."""
    import polars as pl

    found: set[float | None] = set()
    for part in parts:
        if not may_hold_numbers(part):
            return False
        found.update(_without_words(part).cast(pl.Float64, strict=False).unique())
        if not (found <= {0.0, 1.0} or found <= {1.0, -1.0}):
            return False
    return True


def may_hold_numbers(column: "pl.Series") -> bool:
    """Whether a column is of a type that has numbers, or text."""
    import polars as pl

    return column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.String)


def numbers(
    path: Path | str, column: "pl.Series", begin: int = 0, *, asked: bool = False
) -> Float[np.ndarray, " time"]:
    """The values of a column, or of a part of it; NaN where a cell is empty. `asked`: it was chosen as a channel."""
    import polars as pl

    if column.dtype == pl.String:
        text = column.str.strip_chars()  # polars takes as numbers what `dialect.number_of` does
        numbers = text.cast(pl.Float64, strict=False)
        bad = (numbers.is_null() & text.is_not_null() & ~text.str.to_lowercase().is_in(list(MISSING_CELLS))).arg_true()
        if len(bad):
            cell = shortened(text[bad[0]])
            is_word = cell.isprintable() and len(cell) <= LONGEST_WORD
            because = no_number_because(text[bad[0]])
            if not because and is_word:
                listed = ",".join(_words(text.gather(bad).unique(maintain_order=True)) or [cell])
                if " " in listed:
                    listed = f'"{listed}"'
                because = f"; if it stands for a missing value, say so with missing_values (--missing-values={listed})"
            elif not because:
                because = ": the line is damaged"
            if not asked and not no_number_because(text[bad[0]]):
                because += "; if the column is no channel, choose the numeric columns with columns (--columns)"
            raise ValueError(f"{path}: row {begin + bad[0]}, column {column.name}: {cell!r} is not a number{because}")
        return numbers.fill_null(np.nan).to_numpy()
    if not may_hold_numbers(column):
        raise ValueError(f"{path}: column {column.name} holds {column.dtype}, not numbers")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _words(cells: Iterable[str]) -> list[str]:
    """Those of the cells that may stand for missing values and can be named between commas, as many as a line holds."""
    able = [c for c in cells if c.isprintable() and len(c) <= LONGEST_WORD and not set(c) & set(',"$`\\')]
    return [cell for cell in able if not no_number_because(cell)][:MOST_WORDS]


def label_values(
    path: Path | str, column: "pl.Series", begin: int = 0, anomaly: float | None = None
) -> Int8[np.ndarray, " time"]:
    """The labels of a column, or of a part of it: each must be 0 or 1; or 1 or -1, of which one is the `anomaly`."""
    values = numbers(path, _without_words(column), begin)
    if anomaly is not None:
        values = np.where(np.abs(values) == 1, values == anomaly, values)
    if not np.isin(values, (0.0, 1.0)).all():
        row = np.flatnonzero(~np.isin(values, (0.0, 1.0)))[0]
        raise ValueError(
            f"{path}: row {begin + row}, column {column.name}: a label must be 0 or 1, got {values[row]:g}"
        )
    return values.astype(np.int8)


def signed_anomaly(path: Path | str, name: str, parts: Iterable["pl.Series"]) -> float | None:
    """Which of 1 and -1 is the anomaly in a column of labels that holds both and nothing else: the rarer; it is said.

    In scikit-learn it is -1 (`IsolationForest.predict`); in other data, 1. None where the labels are 0 and 1.
    """
    import polars as pl

    count = {1.0: 0, -1.0: 0}
    for part in parts:
        values = _without_words(part).cast(pl.Float64, strict=False) if may_hold_numbers(part) else part
        if not may_hold_numbers(part) or not values.is_in([*count]).fill_null(value=False).all():
            return None
        count = {value: n + int((values == value).sum()) for value, n in count.items()}
    if not count[-1.0]:
        return None
    anomaly = -1.0 if count[-1.0] <= count[1.0] else 1.0
    warn(f"{path}: column {name}: took {anomaly:g} as the anomaly and {-anomaly:g} as normal, the more frequent")
    return anomaly


def plain(
    source: Path | str, frame: "pl.DataFrame", dialect: Dialect, separator: str | None, times: Collection[str]
) -> "pl.DataFrame":
    """A frame with numbers as C writes them, and nothing where a value is missing; all columns but the time stamps.

    What is not a number is left as it stands. `separator` is that of a CSV, None of a file that has types.

    Raises:
        ValueError: if some numbers have a decimal comma and others a point.
    """
    import polars as pl

    missing = dialect.missing
    numbers = [number for number in missing if isinstance(number, float)]
    columns = {name: frame[name] for name in frame.columns if name not in times}
    if numbers:
        typed = [name for name, column in columns.items() if column.dtype.is_numeric()]
        frame = frame.with_columns(
            pl.when(~pl.col(name).cast(pl.Float64).is_in(numbers)).then(pl.col(name)) for name in typed
        )
    texts: dict[str, pl.Series] = {}
    for name, column in columns.items():
        if column.dtype == pl.String and (text := _worded(column, missing)) is not None:
            texts[name] = text
    decimal = dialect.decimal or _decimal(texts.values(), separator)
    if decimal == ",":
        points = next((name for name, text in texts.items() if _fits(text, r"^[+-]?\d+\.\d*$").any()), None)
        commas = next((name for name, text in texts.items() if _fits(text, COMMA).any()), None)
        if points is not None and commas is not None:
            raise ValueError(
                f"{source}: numbers of column {points} have a decimal point, those of {commas} a comma; see --decimal"
            )
        if dialect.decimal is None:
            warn(f"{source}: took the comma as the decimal mark; see --decimal")
        texts = {
            name: pl.select(
                pl.when(_fits(text, COMMA)).then(text.str.replace(",", ".", literal=True)).otherwise(text).alias(name)
            ).to_series()
            for name, text in texts.items()
        }
    if numbers:
        texts = {name: _without(text, numbers) for name, text in texts.items()}
    return frame.with_columns(texts.values())


def _worded(column: "pl.Series", missing: "Collection[str | float]") -> "pl.Series | None":
    """A text column without the words for missing values; None if there is nothing to be done, or it is all words."""
    import polars as pl

    text = column.str.strip_chars()
    is_number = text.cast(pl.Float64, strict=False).is_not_null()
    if not missing and (is_number | text.is_null()).all():
        return None
    words = [*MISSING_CELLS, *(word for word in missing if isinstance(word, str))]
    if not missing and not (is_number | _fits(text, COMMA)).any():
        return None
    return pl.select(pl.when(~text.str.to_lowercase().is_in(words)).then(text).alias(column.name)).to_series()


def _without(text: "pl.Series", numbers: Collection[float]) -> "pl.Series":
    import polars as pl

    is_one = text.cast(pl.Float64, strict=False).is_in(list(numbers)).fill_null(value=False)
    return pl.select(pl.when(~is_one).then(text).alias(text.name)).to_series()


def _fits(text: "pl.Series", pattern: str) -> "pl.Series":
    return text.str.contains(pattern).fill_null(value=False)


def _decimal(texts: "Iterable[pl.Series]", separator: str | None) -> Decimal:
    """The decimal mark of a file: the comma where cells have one that is not between thousands."""
    for text in texts:
        commas = _fits(text, COMMA)
        if commas.any() and (separator != "," or not (commas & _fits(text, THOUSANDS)).any()):
            return ","
    return "."


def differences(values: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
    """By how much a counter has risen at each row, as `difference_of` has it; missing at the first."""
    with np.errstate(invalid="ignore"):
        rises = np.diff(values, prepend=np.nan)
        falls = np.flatnonzero(rises < 0)
        most = np.fmax.accumulate(values)
    rises[falls] = [difference_of(values[row], values[row - 1], most[row - 1]) for row in falls]
    return rises


def filled_rows(frame: "pl.DataFrame") -> int:
    """How many rows there are before the empty ones at the end of a frame."""
    import polars as pl

    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return int(filled[-1]) + 1 if len(filled) else 0
