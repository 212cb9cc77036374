"""What a page opens with: the answer in a table and in three sentences, and the controls of the same code."""

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.noise import controls, noise_floor
from benchmarks.speed.report.summary import break_evens, compared, interval, number, seconds
from benchmarks.speed.report.who_wins import COMPILED, EAGER, Cell, cells
from benchmarks.speed.results import Record, Results, Table
from benchmarks.speed.stats import ratio
from twinvae.pages.markup import as_table

ANSWERS = (
    ("Train a step: eager PyTorch, JAX", "fit", "step", "torch-eager"),
    ("Train a step: compiled PyTorch, JAX", "fit", "step", "torch-compiled"),
    ("A new process, from its start to scores, nothing compiled before", "cold", "total", "torch-eager"),
    ("Score a point of 10 million", "score", "score_point", "torch-eager"),
    ("Score one window that has just arrived", "window", "latency", "torch-eager"),
)
AGAINST = "jax-run"
HEADS = ("question", "PyTorch", "JAX", "PyTorch's time over JAX's")


def answer(table: Table, floor: float) -> str:
    """The five questions a reader has, PyTorch beside JAX; the ratio where it is more than noise."""
    return as_table(HEADS, _rows(table, floor))


def markdown(results: Results, table: Table, floor: float, page: str) -> str:
    """Returns the answer for a README: the machine, the table, the sentences, where they come from."""
    frameworks = ", ".join(
        f"{name} {results.versions[package]}"
        for name, package in (("PyTorch", "torch"), ("JAX", "jax"))
        if package in results.versions
    )
    head = f"{results.machine['name']}; {results.created[:10]}; {frameworks}; commit {results.machine.get('commit')}."
    rows = [HEADS, ("---",) * len(HEADS), *_rows(table, floor)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    source = f"Medians; brackets are 95 % intervals; no ratio within a factor of {number(floor)} is claimed (`{page}`)."
    return "\n".join([head, "", *lines, "", *lead(table, floor), source, ""])


def _rows(table: Table, floor: float) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for question, case, metric, name in ANSWERS:
        one, two = _pair(table, case, metric, name)
        if one and two:
            times = ratio(one.samples, two.samples)
            said = f"{interval(times)} times" if times.is_beyond(floor) else "no difference shown"
            rows.append(
                (question, f"{seconds(one.value)}, {_label(name)}", f"{seconds(two.value)}, {_label(AGAINST)}", said)
            )
    return rows


def lead(table: Table, floor: float) -> list[str]:
    """Returns the answer in three sentences: small models, large ones, and whether compilation pays."""
    said = []
    steps = {name: table.one("fit", "step", implementation=name) for name in ("torch-compiled", "torch-eager")}
    jax = table.one("fit", "step", implementation=AGAINST)
    others = ", ".join(
        f"in {'compiled' if name == 'torch-compiled' else 'eager'} PyTorch {seconds(step.value)} "
        f"(JAX: {compared(jax, step, floor)})"
        for name, step in steps.items()
        if step and jax
    )
    if jax and others:
        said.append(
            f"For a small model (4,294 parameters), a training step in JAX takes {seconds(jax.value)}, {others}."
        )
    sizes = [cell for cell in cells(table, (*EAGER, *COMPILED), floor) if cell.torch]
    eager = [cell for cell in cells(table, EAGER, floor) if cell.torch]
    if sizes:
        said.append(
            f"Of {len(sizes)} sizes, up to batch {max(cell.batch for cell in sizes):,} and 2,048 hidden units, "
            f"{_score(sizes)} where PyTorch may compile; against eager PyTorch alone, {_score(eager)}."
        )
    evens = [even for even in break_evens(table, floor) if even.second == "torch-eager"]
    if evens:
        times = "; ".join(
            f"{_label(e.first)}, {'nothing' if e.cache == 'cold' else 'its program'} on disk, {e.text}" for e in evens
        )
        said.append(f"Counted from the start of a process, these have scores before eager PyTorch has: {times}.")
    return said


def _score(sizes: list[Cell]) -> str:
    times = [cell.times for cell in sizes]
    jax, torch = (sum(t is not None and (t.value > 1) is ahead for t in times) for ahead in (True, False))
    return f"JAX is ahead at {jax}, PyTorch at {torch}, neither beyond the noise at {len(times) - jax - torch}"


def control(table: Table) -> str:
    """The same code measured twice, in alternate processes."""
    rows = [
        (
            f"{c.record.case}, {c.record.metric}: {_label(c.record.implementation)}", str(c.record.threads),
            seconds(c.record.value), seconds(c.again.value), interval(c.times), f"{c.spread:.3g}",
            f"{c.record.counts} and {c.again.counts}",
        )
        for c in controls(table)
    ]  # fmt: skip
    heads = ("the same code twice", "threads", "first", "again", "ratio", "spread of processes", "processes x calls")
    floor = (
        f"<p>Noise floor of this page: a factor of {noise_floor(table):.3g}, the furthest from 1 that a ratio above, "
    )
    return as_table(heads, rows) + floor + "or an end of its interval, lies. Nothing inside it is claimed.</p>"


def _pair(table: Table, case: str, metric: str, name: str) -> tuple[Record | None, Record | None]:
    wanted = {"cache": "cold"} if case == "cold" else {}
    one, two = (table.one(case, metric, implementation=which, **wanted) for which in (name, AGAINST))
    return one, two


def _label(name: str) -> str:
    return IMPLEMENTATIONS[name].label
