"""No name or text of a results file becomes markup in a page."""

from pathlib import Path

from benchmarks.accuracy.records import METRICS, Accuracy, Record
from benchmarks.accuracy.report import write_report
from benchmarks.speed.report.page import html
from tests.benchmarks.test_accuracy import PERFECT
from tests.helpers.speed_results import results_of
from twinvae.pages.document import document
from twinvae.pages.markup import Html, as_table

MARKUP = "<script>alert('&')</script>"


def test_cells_titles_and_heads_are_text_unless_they_are_html() -> None:
    page = document(MARKUP, [as_table([MARKUP], [[MARKUP], [Html("<b>bold</b>")]])])
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;") == 4
    assert "<td><b>bold</b></td>" in page


def test_every_text_of_speed_results_is_escaped() -> None:
    results = results_of()
    results.machine |= {"name": MARKUP, "system": MARKUP, "commit": MARKUP, "instructions": [MARKUP]}
    results.versions[MARKUP] = MARKUP
    results.notes.append(MARKUP)
    results.command = MARKUP
    for run in results.runs.values():
        run["notes"]["flags"] = {MARKUP: MARKUP}
        if "events" in run["notes"]:
            run["notes"]["events"] = [[MARKUP, MARKUP]]
        for found in run["metrics"]:
            for name in ("lines", "precision", "preset"):
                if name in found["parameters"]:
                    found["parameters"][name] = MARKUP
    page = html(results, MARKUP)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;") > 10


def test_every_text_of_accuracy_results_is_escaped(tmp_path: Path) -> None:
    run = Accuracy(MARKUP, (0,))
    run.machine = {"name": MARKUP, "system": MARKUP, "commit": MARKUP}
    run.versions[MARKUP] = MARKUP
    run.failures.append(MARKUP)
    run.notes.append(MARKUP)
    parameters = {"unlabelled_fit": False, "fitted_rows": 5, "channels": 1, "steps": 9, "buffer": MARKUP}
    method = PERFECT._replace(name=MARKUP, label=MARKUP, words=MARKUP)
    values: dict[str, float | None] = dict.fromkeys(METRICS, 0.5)
    run.records = [Record(MARKUP, MARKUP, MARKUP, "none", 0, values, parameters=parameters)]
    page = write_report(run, [method], {}, tmp_path).read_text()
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;") > 10
