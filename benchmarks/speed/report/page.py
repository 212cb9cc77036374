"""The page of a results file, which needs no other file, and its pictures beside it."""

from html import escape
from pathlib import Path

from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report import answer, tables, who_wins
from benchmarks.speed.report.noise import noise_floor
from benchmarks.speed.report.plots import pictures
from benchmarks.speed.results import Results, Table
from twinvae.files.atomic import replacing, write_text
from twinvae.pages.document import document
from twinvae.pages.markup import NOT_MEASURED, as_figure, as_list, missing

CAPTIONS = {
    "ladder": "Why, not only who. From a careful eager loop to vae_torch: the bookkeeping of the optimizer. To "
    "compile=True: no dispatch of single operations, and no return to Python between steps. From a jitted step to "
    "vae_jax: no return either. Dotted and dashed: what the arithmetic alone would take at the rate of large matrix "
    "products that each framework reaches here. Last come those that compute something else, the tutorial's beginner's "
    "loop among them.",
    "map": "A training step, the fastest rung of each framework at each size. White cells are level within the noise; "
    "hatched ones were not measured.",
    "time_to_result": "What a user waits for. Compile and first use is what a first fit and score cost beyond a second "
    "one in the same process, by one definition for all.",
    "latency": "A sensor's next point: one window in, one score out, parameters bound once.",
    "scoring": "Time of a scored point by length of the series; the floors count 7,680 operations a point.",
    "training": "Time of a training step, one thread, as each size grows alone; bands are bootstrap intervals.",
    "threads": "What more threads give.",
}
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
    """Writes `report.html`, a PNG for each picture and the answer as `answer.md` into the folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    table = Table(results.records)
    floor = noise_floor(table)
    drawn = pictures(table, floor)
    for name, content in drawn.items():
        with replacing(folder / f"{name}.png") as temporary:
            temporary.write_bytes(content)
    page = folder / "report.html"
    write_text(
        folder / "answer.md", answer.markdown(results, table, floor, f"benchmarks/results/{folder.name}/{page.name}")
    )
    write_text(page, html(results, source.name, drawn))
    return page


def html(results: Results, source: str, drawn: dict[str, bytes]) -> str:
    """Returns the page. `drawn` holds the pictures by name."""
    table = Table(results.records)
    floor = noise_floor(table)
    parts = [
        "<h2>The answer</h2>", answer.answer(table, floor),
        as_list(answer.lead(table, floor)) or f"<p>{NOT_MEASURED}</p>",
        "<h2>Who wins at which size</h2>", _picture("map", drawn), who_wins.words(table, floor),
        who_wins.details(table, floor),
        "<h2>The same code twice</h2>", answer.control(table),
        "<h2>The ladder: training the tutorial's job, warm</h2>", _picture("ladder", drawn),
        tables.ladder(results, table, floor),
        "<h2>Time to a quality</h2>", tables.quality(table, floor),
        "<h2>Time to result: a fresh process</h2>", _picture("time_to_result", drawn),
        tables.cold(table), tables.breakeven(table, floor),
        "<h2>Compilation</h2>", tables.compilation(table),
        "<h2>Scoring</h2>", *_if_measured(table, ("points",), _picture("scoring", drawn)), tables.scoring(table),
        "<h2>One window at a time</h2>", _picture("latency", drawn), tables.latency(table),
        "<h2>Streams</h2>", tables.streams(table),
        *_if_measured(table, ("fleet", "fleet-size"), "<h2>Fleets</h2>", tables.fleets(table)),
        *_if_measured(
            table, ("batch", "hidden", "window-length", "channels"), "<h2>Training as sizes grow</h2>",
            _picture("training", drawn), tables.sizes(table),
        ),
        *_if_measured(table, ("threads",), "<h2>Threads</h2>", _picture("threads", drawn)),
        "<h2>The machine's limits</h2>", tables.machine(table),
        "<h2>Bars that this project set itself before it measured</h2>", tables.bars(table, floor),
        "<h2>The machine</h2>", _head(results),
        "<h2>Not measured</h2>", _missing(results, table),
        "<h2>How it was measured, and how to repeat it</h2>", as_list(METHOD), _reproduce(results, source),
    ]  # fmt: skip
    return document("twinvae: PyTorch and JAX, measured", parts)


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


def _if_measured(table: Table, cases: tuple[str, ...], *parts: str) -> tuple[str, ...]:
    """The parts, where one of these cases was measured; others are named at the end of the page."""
    return parts if any(record.case in cases for record in table.records) else ()


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
