"""The page of a results file, which needs no other file, and its pictures beside it."""

from html import escape
from pathlib import Path

from benchmarks.markup import NOT_MEASURED, as_figure, as_list, document, missing
from benchmarks.speed.cases import CASES
from benchmarks.speed.report import answer, tables
from benchmarks.speed.report.plots import pictures
from benchmarks.speed.report.summary import sentences
from benchmarks.speed.results import Results, Table
from twinvae.files.atomic import replacing, write_text

CAPTIONS = {
    "ladder": "Why, not only who. From the tutorial to vae_torch: no data loader, no wait for the loss in every step, "
    "one fused Adam. To compile=True: no dispatch of single operations. From a jitted step to vae_jax: no return to "
    "Python between steps. Dashed: what the arithmetic alone would take at this machine's measured rate of large "
    "matrix products, on one thread.",
    "time_to_result": "What a user waits for. Compile and first use is what a first fit and score cost beyond a second "
    "one in the same process, by one definition for all.",
    "latency": "A sensor's next point: one window in, one score out, parameters bound once.",
    "scoring": "Time of a scored point by length of the series; the floor counts 7,680 operations a point.",
    "training": "Time of a training step, one thread, as each size grows alone; bands are bootstrap intervals.",
    "threads": "What more threads give.",
}
METHOD = (
    "Every case and implementation ran in fresh processes of its own, one framework a process, in turns (A B A B), "
    "pinned to as many cores as threads, with thread counts set in the environment and in the framework.",
    "An implementation that claims parity first trained ten steps from the same parameters, batches and noise as "
    "the slow NumPy oracle of the tests, in the same process; loss and all parameters had to agree within 64 "
    "roundings of float32, or it got no time.",
    "What is scored was compared with the oracle too, at 1,000 points; swept sizes were verified each. Where float32 "
    "itself is further off, the bound is four times what the oracle differs by in float32.",
    "Values are medians; brackets are 95% bootstrap intervals that resample processes, then calls. Fewer than five "
    "processes have none. Controls of the same code give the noise floor. The answers, the table of sizes and the "
    "order of fits claim no ratio inside it; elsewhere read a ratio with the floor in mind.",
    "Results come back as NumPy arrays, so nothing is timed half done. All products are full float32; TF32 is off, "
    "but in rows that name it.",
    "Start-up times count from the creation of the process. Files are in the operating system's cache.",
)


def write_report(results: Results, source: Path, folder: Path) -> Path:
    """Writes `report.html` and a PNG for each picture into the folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = pictures(Table(results.records))
    for name, content in drawn.items():
        with replacing(folder / f"{name}.png") as temporary:
            temporary.write_bytes(content)
    page = folder / "report.html"
    write_text(page, html(results, source.name, drawn))
    return page


def html(results: Results, source: str, drawn: dict[str, bytes]) -> str:
    """Returns the page. `drawn` holds the pictures by name."""
    table = Table(results.records)
    parts = [
        "<h2>The answer</h2>", answer.answer(table), as_list(sentences(table)[:3]) or f"<p>{NOT_MEASURED}</p>",
        "<h2>The same code twice</h2>", answer.control(table),
        "<h2>Who wins at which size</h2>", answer.who_wins(table),
        "<h2>In plain words</h2>", as_list(sentences(table)[3:]) or f"<p>{NOT_MEASURED}</p>",
        "<h2>The ladder: training the tutorial's job, warm</h2>", _picture("ladder", drawn),
        tables.ladder(results, table),
        "<h2>Time to result: a fresh process</h2>", _picture("time_to_result", drawn),
        tables.cold(table), tables.breakeven(table),
        "<h2>Compilation</h2>", tables.compilation(table),
        "<h2>Scoring</h2>", _picture("scoring", drawn), tables.scoring(table),
        "<h2>One window at a time</h2>", _picture("latency", drawn), tables.latency(table),
        "<h2>Streams</h2>", tables.streams(table),
        "<h2>Fleets</h2>", tables.fleets(table),
        "<h2>Training as sizes grow</h2>", _picture("training", drawn), tables.sizes(table),
        "<h2>Threads</h2>", _picture("threads", drawn),
        "<h2>The machine's limits</h2>", tables.machine(table),
        "<h2>Bars that this project set itself before it measured</h2>", tables.bars(table),
        "<h2>The machine</h2>", _head(results),
        "<h2>Not measured</h2>", _missing(results, table),
        "<h2>How it was measured, and how to repeat it</h2>", as_list(METHOD), _reproduce(results, source),
    ]  # fmt: skip
    return document("twinvae: JAX, PyTorch and the tutorial, measured", parts)


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
    return as_list([*facts, *results.notes])


def _missing(results: Results, table: Table) -> str:
    measured = {(record.case, record.implementation) for record in table.records}
    refused = results.refused()
    lines = []
    for case in CASES.values():
        for name in case.implementations:
            if case.by_name or (case.name, name) in measured or case.device not in (None, results.device):
                continue
            lines.append(f"{case.title}: {name}: {refused.get((case.name, name), NOT_MEASURED)}")
    if results.device == "cpu":
        lines.append("everything on a GPU: not measured in this file")
    return as_list(lines) or "<p>Nothing is missing.</p>"


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


def _picture(name: str, drawn: dict[str, bytes]) -> str:
    return as_figure(drawn[name], CAPTIONS[name], CAPTIONS[name]) if name in drawn else f"<p>{missing()}</p>"
