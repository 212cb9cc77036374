"""`twinvae watch`: scores points from standard input as they come."""

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from twinvae.cli.options import (
    TIME_HELP,
    add_cells,
    add_ignore,
    add_rules,
    choices,
    chosen_rules,
    count,
    ignored_spans,
    names,
)
from twinvae.cli.text import complain
from twinvae.files.atomic import check_outputs
from twinvae.files.lock import locked_beside
from twinvae.stream.lines import LineReader
from twinvae.stream.points import LINE_FORMATS
from twinvae.stream.stream import Stream
from twinvae.stream.watch import Watch, aside


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="FILE")
    add("--state", type=Path, metavar="FILE", help="where to keep what a restart needs to continue")
    add("--state-every", type=count, default=10_000, metavar="N", help="points; default: 10000, or 1 s")
    add("--replay", action="store_true", help="the input begins anew: skip the lines the state has seen")
    add("--format", choices=LINE_FORMATS, default="auto", help="of the lines; default: by the first")
    add("--columns", type=names, metavar="A,B", help="the model's channels, as the input names them")
    add("--time", metavar="COLUMN", help=TIME_HELP)
    add_cells(parser)
    add("--missing", choices=choices("missing"), help="default: as fitted; interpolate: the last value")
    add_ignore(parser)
    add_rules(parser)


def run(options: argparse.Namespace) -> None:
    """Writes a line for each point to standard output, and at the end a summary to stderr."""
    if sys.stdin is None:
        raise ValueError("standard input is closed: pipe the points into it")
    if options.replay and not options.state:
        raise ValueError("--replay is for --state FILE: it leaves out what the state has seen")
    if options.state:
        check_outputs([options.state, aside(options.state)], [options.model])
    stream, ignore = (
        Stream.load(options.model, missing=options.missing, **chosen_rules(options)),
        ignored_spans(options),
    )
    reader = LineReader(
        stream.channels, form=options.format, columns=options.columns, time=options.time,
        missing_values=options.missing_values, decimal=options.decimal, separator=options.separator,
        skip_rows=options.skip_rows, time_zone=options.time_zone,
    )  # fmt: skip
    in_use = f"{options.state}: another process keeps its state there: choose another --state, or end it"
    with locked_beside(options.state, in_use) if options.state else nullcontext():
        watch = Watch(
            stream, reader, state=options.state, state_every=options.state_every, complain=complain, ignore=ignore
        )
        seen = watch.run(sys.stdin.buffer, sys.stdout.buffer, replay=options.replay)
    if options.json:
        print(json.dumps(seen._asdict()), file=sys.stderr)
    else:
        still = ", one still open" if seen.open_event else ""
        unknown = f"{seen.without_score} without a score, " if seen.without_score else ""
        counts = f"{seen.points} points, {unknown}{seen.alarms} alarms, {seen.events} events{still}"
        left_out = f", {seen.dropped} more left out by rules" if seen.dropped else ""
        complain("note", f"{counts}{left_out}, {seen.bad_lines} bad lines")
        if seen.points and not seen.events and seen.highest is not None:
            complain("note", f"{stream.basis}; the highest score is {seen.highest:.2g} of it")
    if watch.interrupted:
        raise KeyboardInterrupt
