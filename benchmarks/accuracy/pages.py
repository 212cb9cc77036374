"""`python -m benchmarks pages` writes the tables of an accuracy or a decisions run into the pages that show them.

A table stands in a page between the marks `<!-- NAME of FILE -->` and `<!-- end -->`, where FILE is the results file as
seen from the root of the project.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy import decision_records, decision_tables, halves
from benchmarks.accuracy.decision_records import Decisions
from benchmarks.accuracy.methods import methods_of
from benchmarks.accuracy.records import Accuracy, read
from benchmarks.accuracy.sets import REPORT
from benchmarks.accuracy.tables import Rows
from benchmarks.errors import RunError
from twinvae.files.atomic import write_text

MARK = re.compile(r"<!-- (?P<name>\w+) of (?P<file>\S+) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)
BRIEF = ("nab", "ecg", "skab", "mgab")  # beside the mean of the sets: five rows; servers, heart beats, machines, chaos


def parts(run: Accuracy | Decisions) -> dict[str, str]:
    """Returns what can stand in a page, by name."""
    tables = decision_tables.all_tables(run) if isinstance(run, Decisions) else halves.all_tables(run)
    whole = "\n".join(f"{title}:\n\n{markdown(*table)}" for title, table in tables)
    return {"decisions": whole} if isinstance(run, Decisions) else {"accuracy": whole, "brief": markdown(*_brief(run))}


def read_run(results: Path) -> Accuracy | Decisions:
    """Reads the results of either run.

    Raises:
        RunError: if the file is of neither form.
        OSError: if it cannot be read.
    """
    return decision_records.read(results) if decision_records.is_one(results) else read(results)


def filled(text: str, results: Path, run: Accuracy | Decisions) -> str:
    """Returns the text of a page with the tables of these results in their places.

    Raises:
        RunError: if the page has no place for them.
    """
    found = parts(run)
    marks = [mark for mark in MARK.finditer(text) if Path(mark["file"]).name == results.name]
    if not marks or any(mark["name"] not in found for mark in marks):
        raise RunError(f"a page needs the marks <!-- {'|'.join(found)} of {results} --> and <!-- end -->")
    for mark in reversed(marks):
        text = text[: mark.start("body")] + found[mark["name"]] + text[mark.end("body") :]
    return text


def pages(results: Path, places: Sequence[Path]) -> int:
    """Writes the tables into the pages, or prints them if there is no page; returns the exit code.

    Raises:
        RunError: if the results cannot be read or a page has no place for them.
        OSError: if a file cannot be read or written.
    """
    run = read_run(results)
    if not places:
        print("\n".join(parts(run).values()))
    texts = {place: filled(place.read_text(encoding="utf-8"), results, run) for place in places}
    for place, text in texts.items():
        write_text(place, text)
        print(f"wrote {place}")
    return 0


def markdown(columns: Sequence[str], table: Rows) -> str:
    """Returns a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *table]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _brief(run: Accuracy) -> halves.Table:
    """A few rows of the report half: our default in each backend and the best peer."""
    methods = methods_of(run.implementations)
    ours = [method for method in methods if method.ours and " " not in method.name]
    table = [
        [row.name, *(row.texts.get(method.name, "-") for method in ours), *halves.gap(row, methods)]
        for row in halves.rows(run, REPORT)
        if row.name in (*BRIEF, halves.MEAN)
    ]
    return ["set", *(f"`{method.name}`" for method in ours), "best peer", "ahead of it"], table
