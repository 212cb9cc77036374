"""What a page opens with: the answer, the controls of the same code, and who wins at which size."""

from benchmarks.markup import as_table
from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.bars import interval, seconds
from benchmarks.speed.report.noise import controls, noise_floor
from benchmarks.speed.results import Table
from benchmarks.speed.stats import ratio

ANSWERS = (
    ("Train a step, PyTorch's loop against JAX's compiled run", "fit", "step", "torch-loop", "jax-run"),
    ("Train a step, both compiled, one step a call", "fit", "step", "torch-step", "jax-step"),
    ("Train a step, both compiled, the whole run", "fit", "step", "torch-compiled", "jax-run"),
    ("Score a point of a long series", "score", "score_point", "torch-eager", "jax-run"),
    ("Score one window", "window", "latency", "torch-eager", "jax-run"),
)


def answer(table: Table) -> str:
    """The five questions a reader has, PyTorch beside JAX; the ratio where it is more than noise."""
    floor, rows = noise_floor(table), []
    for question, case, metric, torch, jax in ANSWERS:
        both = [table.best(case, metric, implementation=name, threads=_threads(table, case)) for name in (torch, jax)]
        one, two = both
        if one and two:
            times = ratio(one.samples, two.samples)
            said = f"{interval(times)} times" if times.is_beyond(floor) else "no difference shown"
            rows.append((question, _label(torch), seconds(one.value), _label(jax), seconds(two.value), said))
    return as_table(("question", "PyTorch", "time", "JAX", "time", "PyTorch's time over JAX's"), rows)


def _threads(table: Table, case: str) -> int:
    return min((record.threads for record in table.records if record.case == case), default=1)


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
    floor = f"<p>A/A controls. Noise floor of this page: a factor of {noise_floor(table):.3g}. The answers and "
    return as_table(heads, rows) + floor + "the table of sizes claim no ratio inside it.</p>"


def who_wins(table: Table) -> str:
    """At each size the fastest implementation of each framework, and by how much one is ahead."""
    floor, rows = noise_floor(table), []
    for size in CASES["map"].options["values"]:
        fastest = []
        for backend in ("torch", "jax"):
            found = table.all("map", "step", size=size, backend=backend)
            fastest.append(min(found, key=lambda record: record.value, default=None))
        one, two = fastest
        if one is None or two is None:
            continue
        times = ratio(one.samples, two.samples)
        ahead, factor = ("JAX", times.value) if times.value > 1 else ("PyTorch", 1 / times.value)
        said = f"{ahead}, {factor:.3g} times" if times.is_beyond(floor) else "level within noise"
        rows.append(
            (
                *map(str, size), f"{seconds(one.value)}, {_label(one.implementation)}",
                f"{seconds(two.value)}, {_label(two.implementation)}", said,
            )
        )  # fmt: skip
    heads = ("batch", "hidden units", "channels", "fastest PyTorch", "fastest JAX", "ahead")
    return as_table(heads, rows)


def _label(name: str) -> str:
    return IMPLEMENTATIONS[name].label
