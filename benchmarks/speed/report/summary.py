"""The measurements in plain words: who wins when, and by how much."""

from typing import NamedTuple

from benchmarks.speed.implementations import IMPLEMENTATIONS, PRODUCT
from benchmarks.speed.report.bars import interval, seconds
from benchmarks.speed.results import Record, Table
from benchmarks.speed.stats import ratio

STEPS = 1500
PAIRS = (
    ("torch-eager", "tutorial"), ("torch-compiled", "torch-eager"), ("jax-step", "torch-eager"),
    ("jax-run", "tutorial"), ("jax-run", "torch-eager"), ("jax-run", "torch-compiled"), ("jax-run", "jax-step"),
)  # fmt: skip


class BreakEven(NamedTuple):
    """From which number of training steps the first is done before the second, both in fresh processes."""

    first: str
    second: str
    steps: float | None  # None is never; 0 is from the start

    @property
    def text(self) -> str:
        if self.steps is None:
            return "never"
        return "from the first step" if self.steps == 0 else f"from {self.steps:,.0f} steps"


def step_time(table: Table, name: str) -> float | None:
    """Seconds of a warm training step; for peers, of a whole fit over its steps."""
    step = table.best("fit", "step", implementation=name)
    if step is not None:
        return step.value
    fit = table.best("fit", "fit", implementation=name)
    return fit.value / STEPS if fit else None


def fixed_time(table: Table, name: str) -> float | None:
    """Seconds of a fresh process that do not depend on the number of steps, compilation not cached."""
    total = table.best("cold", "total", implementation=name, cache="cold")
    if total is None:
        return None
    train = table.best("cold", "train", implementation=name, cache="cold", threads=total.threads)
    return total.value - (train.value if train else 0.0)


def break_evens(table: Table) -> list[BreakEven]:
    """Those pairs that were measured."""
    found = []
    for first, second in PAIRS:
        costs = [(fixed_time(table, name), step_time(table, name)) for name in (first, second)]
        (fixed1, step1), (fixed2, step2) = costs
        if fixed1 is None or step1 is None or fixed2 is None or step2 is None:
            continue
        found.append(BreakEven(first, second, crossing(fixed1, step1, fixed2, step2)))
    return found


def crossing(fixed1: float, step1: float, fixed2: float, step2: float) -> float | None:
    """The number of steps from which `fixed1 + n * step1 < fixed2 + n * step2`; None if it never is for large n."""
    if step1 >= step2:
        return None
    return max(0.0, (fixed1 - fixed2) / (step2 - step1))


def sentences(table: Table) -> list[str]:
    """Each a finding with its numbers; what was not measured is not mentioned."""
    found: list[str] = []
    fits = {name: record for name in IMPLEMENTATIONS if (record := table.best("fit", "fit", implementation=name))}
    if fits:
        order = sorted(fits, key=lambda name: fits[name].value)
        best, reference = order[0], fits.get("tutorial")
        found.append(f"Training the tutorial's job again in one process is fastest with {_of(best, fits[best])}.")
        if reference and best != "tutorial":
            found += [
                f"{_label(name)} needs {seconds(fits[name].value)}: "
                f"{interval(ratio(reference.samples, fits[name].samples))} times as fast as the tutorial's own loop "
                f"({seconds(reference.value)})."
                for name in order
                if name in PRODUCT
            ]
    cold = _best_totals(table, "cold")
    if cold:
        best = min(cold, key=lambda name: cold[name].value)
        text = ", ".join(
            f"{_label(name)} {seconds(cold[name].value)}" for name in sorted(cold, key=lambda n: cold[n].value)
        )
        found.append(f"From a cold start to scores in hand, {_label(best)} is first: {text}.")
    warm = _best_totals(table, "warm")
    if warm:
        text = ", ".join(
            f"{_label(name)} {seconds(record.value)}"
            for name, record in sorted(warm.items(), key=lambda item: item[1].value)
        )
        found.append(f"With a compilation cache that an earlier process filled (hit asserted): {text}.")
    for even in break_evens(table):
        if even.steps:
            found.append(
                f"{_label(even.first)} overtakes {_label(even.second)} {even.text} of training, cold start counted."
            )
    scored = {
        name: record for name in IMPLEMENTATIONS if (record := table.best("score", "score_point", implementation=name))
    }
    if scored:
        text = ", ".join(
            f"{_label(name)} {1 / record.value / 1e6:.3g} million points a second"
            for name, record in sorted(scored.items(), key=lambda item: item[1].value)
        )
        found.append(f"Scoring a long series: {text}.")
    latency = {record.implementation: record for record in table.all("window", "latency")}
    if latency:
        text = ", ".join(
            f"{_label(name)} {seconds(r.value)}" for name, r in sorted(latency.items(), key=lambda i: i[1].value)
        )
        found.append(f"One window at a time (median): {text}.")
    return found


def _best_totals(table: Table, cache: str) -> dict[str, Record]:
    return {
        name: record
        for name in IMPLEMENTATIONS
        if (record := table.best("cold", "total", implementation=name, cache=cache))
    }


def _label(name: str) -> str:
    return IMPLEMENTATIONS[name].label


def _of(name: str, record: Record) -> str:
    return f"{_label(name)} ({seconds(record.value)}, {record.threads} thread{'s' if record.threads > 1 else ''})"
