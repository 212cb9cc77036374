"""Options that several commands share: their types, and what is made of them."""

import argparse
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from twinvae.config import DEFAULT_PRESET, HYPERPARAMETERS, PRESETS, RULES, Config, check_seed, resolve
from twinvae.network.backend import BACKENDS, installed_backends, require_backend
from twinvae.plots.fonts import drawable
from twinvae.plots.words import LANGUAGES, Words, language_of
from twinvae.process.notices import shortened, warn

if TYPE_CHECKING:
    from twinvae.detector.detector import VAEDetector
    from twinvae.series.series import Series

SERIES_FILE = "a CSV, Parquet or .npy file, one row per time step"
MOST_DIGITS = 20  # of a whole number
TIME_HELP = "the time stamps; default: timestamp, time, date or another usual name; none: there are none"
# Of `read_table`.
READING = (
    "missing_values", "decimal", "skip_rows", "time_format", "time_zone", "difference", "separator", "header"
)  # fmt: skip

HOW_SPANS = ("decimal", "time_format", "time_zone")  # that a file of spans shares with that of the series

# Types.


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or len(text) > MOST_DIGITS or int(text) < least:
            raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not a whole number of at least {least}")
        return int(text)

    return convert


count = _whole(1)


def seed(text: str) -> int:
    """A whole number of at most 64 bits."""
    value = _whole(0)(text)
    try:
        check_seed(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


def number(text: str, kind: Callable[[str], Any] = float) -> Any:
    """Any number, or any whole number."""
    try:
        if kind is int and len(text) > MOST_DIGITS:
            raise ValueError
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{shortened(text)!r} is not a {'whole ' if kind is int else ''}number"
        ) from None


def names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name")
    return found


def _separator(text: str) -> str:
    from twinvae.tables.dialect import check_separator

    separator = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}.get(text.lower(), text)
    try:
        check_separator(separator)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return separator


def choices(name: str) -> tuple[str, ...]:
    """The values that a hyperparameter may have."""
    return get_args(next(field.type for field in fields(Config) if field.name == name))


def _value(name: str, kind: Any) -> Any:
    def convert(text: str) -> Any:
        value = text if kind is str else number(text, kind)
        try:
            resolve(DEFAULT_PRESET, {name: value})
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return convert


# Groups of options.


def add_source(parser: argparse.ArgumentParser) -> None:
    """Which backend computes, and what the columns of a file are."""
    parser.add_argument("--backend", choices=BACKENDS, help="default: the one installed, JAX first")
    parser.add_argument("--columns", type=names, metavar="A,B", help="the columns to use; default: all but time")
    parser.add_argument("--time", metavar="COLUMN", help=TIME_HELP)
    parser.add_argument("--labels", metavar="COLUMN", help="0/1 labels: never fitted on; they measure the scores")
    group = parser.add_argument_group("how the file is written", "default: found out")
    add_cells(parser, group)
    add = group.add_argument
    add("--header", type=names, default=(), metavar="A,B", help="the columns' names, if no line of the file has them")
    add("--time-format", metavar="FORMAT", help="of the time stamps, as strftime has it: %%m/%%d/%%Y %%H:%%M")
    add(
        "--difference", type=names, default=(), metavar="A,B",
        help="counters: what they rise by is the channel, wraps allowed for",
    )  # fmt: skip


def add_cells(parser: argparse.ArgumentParser, group: "argparse._ArgumentGroup | None" = None) -> None:
    """How numbers and missing values are written; in a group of the parser, if one is given."""
    parser._negative_number_matcher = re.compile(r"^-\.?\d")  # -999,-1 is a value, as -999 is
    add = (group or parser).add_argument
    add(
        "--missing-values", type=names, default=(), metavar="A,B",
        help="cells or numbers without a value, beside the usual words: n.i.B.,-999",
    )  # fmt: skip
    add("--decimal", choices=(".", ","), help="the decimal mark")
    add("--separator", type=_separator, metavar="C", help="between cells: one character, or tab")
    add("--skip-rows", type=_whole(0), metavar="N", help="lines before the header")
    add("--time-zone", metavar="ZONE", help="of local time stamps without an offset: Europe/Berlin")


def add_language(parser: argparse.ArgumentParser) -> None:
    """Which language the words in pictures and pages are of."""
    text = "of the words in pictures and pages; default: the locale's"
    parser.add_argument("--lang", choices=tuple(LANGUAGES), help=text)


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `read_table` that say how a file is written."""
    return {name: getattr(options, name) for name in READING}


def add_detector(parser: argparse.ArgumentParser) -> None:
    """What a detector is fitted with: the options of `add_source`, the preset, the seed and every hyperparameter."""
    add_source(parser)
    group = parser.add_argument_group("the detector", "each default comes from the preset")
    group.add_argument("--preset", choices=tuple(PRESETS), default=DEFAULT_PRESET, help=f"default: {DEFAULT_PRESET}")
    group.add_argument("--seed", type=seed, default=0, metavar="N", help="of initial weights, shuffles and noise")
    for field in fields(Config):
        _add_setting(group, field, f"{field.metadata['help']} (auto: {_automatic(field.name)})")


def _add_setting(group: "argparse._ArgumentGroup", field: "Field[Any]", text: str) -> None:
    text = text.replace("%", "%%")
    flag = "--false-alarms" if field.name == "false_events" else f"--{field.name.replace('_', '-')}"
    if field.type is bool:
        group.add_argument(flag, action="store_true", default=None, help=text)
    elif field.type in (int, float, str):
        group.add_argument(flag, dest=field.name, type=_value(field.name, field.type), metavar="X", help=text)
    else:
        group.add_argument(flag, choices=choices(field.name), help=text)


def _automatic(name: str) -> str:
    value = getattr(PRESETS[DEFAULT_PRESET], name)
    if value == "":
        return "none"
    return {
        "window": f"the series' period, at least {value}",
        "epochs": f"{value}, fewer for a long series",
        "learning_rate": f"{value}, less for many channels",
    }.get(name, str(value))


def add_rules(parser: argparse.ArgumentParser) -> None:
    """The rules of events, in place of those that a model was fitted with."""
    group = parser.add_argument_group("which events are worth a call", "default: as the model was fitted")
    for field in fields(Config):
        if field.name in RULES:
            _add_setting(group, field, field.metadata["help"])


def add_ignore(parser: argparse.ArgumentParser) -> None:
    """The spans of time that have no event."""
    text = "a CSV with the columns start and end: maintenance windows, which have no events; both ends belong to one"
    parser.add_argument("--ignore", type=Path, metavar="FILE", help=text)


# What is made of them.


def chosen_backend(options: argparse.Namespace) -> str:
    """The chosen backend, or the first that is installed; a ValueError says if it is not installed, or none is."""
    if not options.backend and not installed_backends():
        raise ValueError("no backend is installed: pip install 'twinvae[jax]' or pip install 'twinvae[torch]'")
    chosen: str = options.backend or installed_backends()[0]
    require_backend(chosen)
    return chosen


def chosen_detector(options: argparse.Namespace) -> "VAEDetector":
    """A detector with the hyperparameters given, not fitted yet."""
    from twinvae.detector.detector import load_detector

    given = {name: getattr(options, name) for name in HYPERPARAMETERS}
    return load_detector(chosen_backend(options))(preset=options.preset, seed=options.seed, **given)


def chosen_language(options: argparse.Namespace) -> Words:
    """The words of the chosen language, or of the locale's: for pages, whose fonts are those of their reader."""
    return LANGUAGES[options.lang or language_of(os.environ)]


def chosen_words(options: argparse.Namespace) -> Words:
    """The words of the chosen language for pictures, if a font here draws them; else English ones."""
    return drawable(chosen_language(options))


def chosen_rules(options: argparse.Namespace) -> dict[str, Any]:
    """The rules of events that were given with `add_rules`."""
    return {name: getattr(options, name) for name in RULES}


def ignored_spans(options: argparse.Namespace) -> tuple[tuple[Any, Any], ...]:
    """The spans of the file that was given with `add_ignore`, written as the series is; none without one.

    Raises:
        ValueError: if it cannot be read.
    """
    from twinvae.series.spans import moments
    from twinvae.tables.spans import read_spans

    if options.ignore is None:
        return ()
    how = {name: value for name in HOW_SPANS if (value := getattr(options, name, None)) is not None}
    spans = read_spans(options.ignore, **how)
    with _naming(options.ignore):
        return moments(spans)


def recorded_spans(options: argparse.Namespace) -> list[list[Any]]:
    """The spans of `ignored_spans` as JSON can hold them."""
    return [[end if isinstance(end, float) else end.isoformat() for end in span] for span in ignored_spans(options)]


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Has a ValueError name the file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def spans_of(options: argparse.Namespace, series: "Series") -> tuple[tuple[Any, Any], ...]:
    """`ignored_spans`, held against the series before anything is computed. Warns if none lies in it.

    Raises:
        ValueError: if they are not of what the rows of the series are known by.
    """
    from twinvae.series.spans import rows_within

    if not (spans := ignored_spans(options)):
        return ()
    with _naming(options.ignore):
        found = rows_within(series, spans)
    if not found:
        last = series.stamp(len(series) - 1)
        warn(f"{options.ignore}: none of its {len(spans)} spans lies in the series, from {series.stamp(0)} to {last}")
    return spans


def read_series(path: Path, options: argparse.Namespace) -> "Series":
    """The series of a file, its columns chosen by the options. Warns if a column was taken as labels unasked."""
    from twinvae.tables.table import read_table

    table = read_table(path, columns=options.columns, time=options.time, labels=options.labels, **reading(options))
    if table.labels is not None and options.labels is None:
        column = shortened(table.labels_name)
        warn(f"{path}: took column {column} as labels, not as a channel; see --labels and --columns")
    return table
