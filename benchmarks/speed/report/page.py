"""The page of a results file, which needs no other file, and two pictures for pages of text beside it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report import answer, size_tables, tables, who_wins
from benchmarks.speed.report.charts import Picture, charts
from benchmarks.speed.report.noise import noise_floor
from benchmarks.speed.report.plots import pictures
from benchmarks.speed.results import Results, Table
from twinvae.files.atomic import replacing, write_text
from twinvae.pages.document import bokeh, document, figures
from twinvae.pages.markup import NOT_MEASURED, as_details, as_list, as_plots, as_sections, missing

SCRIPT = Path(__file__).with_name("implementations.js")
METHOD = (
    "Every case and implementation ran in fresh processes of its own, one framework a process, in turns (A B A B), "
    "pinned to as many cores as threads, with thread counts set in the environment and in the framework.",
    "An implementation that claims parity first trained ten steps (three where a step takes over a billion operations) "
    "from the same parameters, batches and noise as the slow NumPy oracle of the tests, in the same process and at the "
    "size that was then timed; loss and all parameters had to agree within 64 roundings of float32, or it got no "
    "time. Above 10,000 parameters or 1,000 windows a batch, rounding decides the sign of a slope that is nearly 0 and "
    "so of Adam's whole first step: there the losses had to agree within 640 roundings, and each array within a "
    "twentieth of the way it had moved.",
    "Scores of 1,000 points, of single windows, of streams and of pipes were compared with the oracle too.",
    "PyTorch's compiled programs are made in the first process of a case and found on disk by its others; what that "
    "first process waits is a column of its own. JAX compiles in every process unless a row says that its cache is "
    "warm.",
    "Values are medians; brackets are 95% bootstrap intervals that resample processes, then calls. Fewer than five "
    "processes have none. Controls of the same code give the noise floor: no ratio inside it is claimed, no "
    "order and no bar.",
    "Results come back as NumPy arrays, so nothing is timed half done. All products are full float32; TF32 is off, "
    "but in rows that name it.",
    "Start-up times count from the creation of the process. Files are in the operating system's cache.",
)


def write_report(results: Results, source: Path, folder: Path) -> Path:
    """Writes `report.html`, the answer as `answer.md` and two pictures for text into the folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    table = Table(results.records)
    floor = noise_floor(table)
    for name, content in pictures(table, floor).items():
        with replacing(folder / f"{name}.png") as temporary:
            temporary.write_bytes(content)
    page = folder / "report.html"
    write_text(
        folder / "answer.md", answer.markdown(results, table, floor, f"benchmarks/results/{folder.name}/{page.name}")
    )
    write_text(page, html(results, source.name))
    return page


def html(results: Results, source: str) -> str:
    """Returns the page, which holds all that it shows."""
    table = Table(results.records)
    floor = noise_floor(table)
    drawn = charts(table, floor)
    places, script = figures({name: plot for picture in drawn.values() for name, plot in picture.plots.items()})
    shown = {name: _shown(picture, [places[plot] for plot in picture.plots]) for name, picture in drawn.items()}
    unknown = f"<p>{missing()}</p>"
    sections = {
        "The answer": answer.answer(table, floor) + (as_list(answer.lead(table, floor)) or f"<p>{NOT_MEASURED}</p>"),
        "Who wins at which size": shown.get("map", unknown) + who_wins.words(table, floor)
        + who_wins.details(table, floor),
        "The same code twice": answer.control(table),
        "The ladder: training the tutorial's job, warm": shown.get("ladder", unknown)
        + tables.ladder(results, table, floor),
        "Time to a quality": tables.quality(table, floor),
        "Time to result: a fresh process": shown.get("time_to_result", unknown) + tables.cold(table)
        + tables.breakeven(table, floor),
        "Compilation": tables.compilation(table),
        "Scoring": shown.get("scoring", unknown) + tables.scoring(table),
        "Scoring by length of the series": _with_table(shown, "points", size_tables.points(table)),
        "One window at a time": shown.get("latency", unknown) + tables.latency(table),
        "Streams": tables.streams(table),
        "Fleets": tables.fleets(table) if any(one.case in ("fleet", "fleet-size") for one in table.records) else "",
        "Training as sizes grow": _with_table(shown, "training", size_tables.sizes(table)),
        "Threads": _with_table(shown, "threads", size_tables.threads(table)),
        "The machine's limits": tables.machine(table),
        "Bars that this project set itself before it measured": tables.bars(table, floor),
        "The machine": _head(results),
        "Not measured": _missing(results, table),
        "How it was measured, and how to repeat it": as_list(METHOD) + _reproduce(results, source),
    }  # fmt: skip
    parts = as_sections({title: content for title, content in sections.items() if content})
    code = f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
    return document("twinvae: PyTorch and JAX, measured", [*parts, script, code], head=bokeh())


def _shown(picture: Picture, places: Sequence[str]) -> str:
    samples = as_details("The samples behind each bar", picture.samples) if picture.samples else ""
    return picture.key + as_plots(places, picture.words, picture.caption) + samples


def _head(results: Results) -> str:
    machine = results.machine
    memory = f", {machine['memory'] / 2**30:.0f} GiB" if machine.get("memory") else ""
    facts = [
        f"family {machine.get('family')}, model {machine.get('model')}, stepping {machine.get('stepping')}; caches "
        f"{machine.get('caches') or 'unknown'}; hypervisor: {machine.get('hypervisor') or 'none known'}",
        *(f"BLAS of {library}: {build}" for library, build in (machine.get("blas") or {}).items()),
        f"{machine['name']}{memory}; {machine.get('system', '')}",
        f"vector instructions: {', '.join(machine.get('instructions') or ['unknown'])}",
        f"device: {results.device}; {'a quick run, so few samples' if results.quick else 'a full run'}; "
        f"{results.created}; commit {machine.get('commit') or 'unknown'}",
        ", ".join(f"{name} {version}" for name, version in results.versions.items()),
    ]
    loads = [run["load"] for run in results.runs.values() if run.get("load") is not None]
    if loads:
        facts.append(f"load average before each process: {min(loads):.2f} to {max(loads):.2f}, ours included")
    spent = sum(run.get("seconds") or 0.0 for run in results.runs.values())
    facts.append(f"{len(results.runs)} processes, {spent / 60:.0f} minutes in all")
    return as_list([*facts, *results.notes])


def _missing(results: Results, table: Table) -> str:
    measured = {(record.case, record.implementation) for record in table.records}
    refused = results.refused()
    lines = []
    for case in CASES.values():
        for name in case.implementations:
            if case.by_name or (case.name, name) in measured or case.device not in (None, results.device):
                continue
            only = IMPLEMENTATIONS[name].device if name in IMPLEMENTATIONS else None
            why = NOT_MEASURED if only in (None, results.device) else f"another thing only on a {only}: skipped"
            lines.append(f"{case.title}: {name}: {refused.get((case.name, name), why)}")
    extra = [case.name for case in CASES.values() if case.by_name and not any(case.name == one for one, _ in measured)]
    if extra:
        lines.append(f"cases that are measured where they are named, with --case: {', '.join(extra)}")
    lines += sorted({why for run in results.runs.values() for why in run["notes"].get("skipped", [])})
    if results.device == "cpu":
        lines.append("everything on a GPU: not measured in this file")
    return as_list(lines) or "<p>Nothing is missing.</p>"


def _with_table(shown: dict[str, str], name: str, table: str) -> str:
    """The figure and its table, where there is something to draw."""
    return shown[name] + table if name in shown else ""


def _reproduce(results: Results, source: str) -> str:
    flags = {name: value for run in results.runs.values() for name, value in run["notes"].get("flags", {}).items()}
    text = (
        "pip install --constraint constraints.txt --editable '.[all]' pyod tqdm\n"
        f"{results.command}\npython -m benchmarks report {source}\npython -m benchmarks compare OLD.json NEW.json"
    )
    names = ", ".join(sorted(flags))
    return (
        f"<pre>{escape(text)}</pre><p>Raw samples, versions, flags ({escape(names)}) and cores of every process are in "
        f"{escape(source)}.</p>"
    )
