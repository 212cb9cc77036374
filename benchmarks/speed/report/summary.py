"""The measurements in plain words: who wins when, and by how much."""

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.speed.implementations import IMPLEMENTATIONS, PRODUCT
from benchmarks.speed.report.bars import interval, seconds
from benchmarks.speed.report.noise import noise_floor
from benchmarks.speed.results import Record, Table
from benchmarks.speed.stats import ratio

STEPS = 1500
STAGES = ("start", "import", "first_use", "train", "score", "total")
PAIRS = (
    ("torch-eager", "tutorial"), ("torch-compiled", "torch-eager"), ("jax-step", "torch-eager"),
    ("jax-run", "tutorial"), ("jax-run", "torch-eager"), ("jax-run", "torch-compiled"), ("jax-run", "jax-step"),
)  # fmt: skip


class BreakEven(NamedTuple):
    """The number of training steps from which on the first is done before the second, each in a fresh process."""

    first: str
    second: str
    steps: float | None  # None is never; 0 is from the start

    @property
    def text(self) -> str:
        if self.steps is None:
            return "never"
        return "from the first step" if self.steps == 0 else f"from {self.steps:,.0f} steps"


def step_time(table: Table, name: str) -> float | None:
    """Returns the seconds of a warm training step. For peers this is the time of a whole fit over its steps."""
    step = table.best("fit", "step", implementation=name)
    if step is not None:
        return step.value
    fit = table.best("fit", "fit", implementation=name)
    return fit.value / STEPS if fit else None


def fixed_time(table: Table, name: str) -> float | None:
    """Returns the seconds of a fresh process without compilation cache that do not depend on the number of steps."""
    total = table.best("cold", "total", implementation=name, cache="cold")
    if total is None:
        return None
    train = table.best("cold", "train", implementation=name, cache="cold", threads=total.threads)
    return total.value - (train.value if train else 0.0)


def break_evens(table: Table) -> list[BreakEven]:
    """Returns the break-even points of those pairs that were measured."""
    found = []
    for first, second in PAIRS:
        costs = [(fixed_time(table, name), step_time(table, name)) for name in (first, second)]
        (fixed1, step1), (fixed2, step2) = costs
        if fixed1 is None or step1 is None or fixed2 is None or step2 is None:
            continue
        found.append(BreakEven(first, second, crossing(fixed1, step1, fixed2, step2)))
    return found


def crossing(fixed1: float, step1: float, fixed2: float, step2: float) -> float | None:
    """Returns the number of steps n from which on `fixed1 + n * step1 < fixed2 + n * step2`; None if there is none."""
    if step1 >= step2:
        return None
    return max(0.0, (fixed1 - fixed2) / (step2 - step1))


def sentences(table: Table) -> list[str]:
    """Returns the findings, each with its numbers. What was not measured is not mentioned."""
    found: list[str] = []
    fits = best_of_each(table, "fit", "fit")
    if fits:
        order = sorted(fits, key=lambda name: fits[name].value)
        best, reference = order[0], fits.get("tutorial")
        second = fits[order[1]] if len(order) > 1 else None
        if second is None or ratio(second.samples, fits[best].samples).is_beyond(noise_floor(table)):
            found.append(f"Training the tutorial's job again in one process is fastest with {_of(best, fits[best])}.")
        if reference and best != "tutorial":
            floor = noise_floor(table)
            found += [
                f"{_label(name)} needs {seconds(fits[name].value)}: "
                f"{interval(ratio(reference.samples, fits[name].samples))} times as fast as the tutorial's own loop "
                f"({seconds(reference.value)})."
                for name in order
                if name in PRODUCT and ratio(reference.samples, fits[name].samples).is_beyond(floor)
            ]
    cold = best_of_each(table, "cold", "total", cache="cold")
    if cold:
        best = min(cold, key=lambda name: cold[name].value)
        found.append(f"From a cold start to scores in hand, {_label(best)} is first: {_in_order(cold)}.")
    warm = best_of_each(table, "cold", "total", cache="warm")
    if warm:
        found.append(f"With a compilation cache that an earlier process filled (hit asserted): {_in_order(warm)}.")
    for even in break_evens(table):
        if even.steps:
            found.append(
                f"{_label(even.first)} overtakes {_label(even.second)} {even.text} of training, cold start counted."
            )
    scored = best_of_each(table, "score", "score_point")
    if scored:
        rates = _in_order(scored, lambda value: f"{1 / value / 1e6:.3g} million points a second")
        found.append(f"Scoring a long series: {rates}.")
    latency = {record.implementation: record for record in table.all("window", "latency")}
    if latency:
        found.append(f"One window at a time (median): {_in_order(latency)}.")
    return found


def best_of_each(table: Table, case: str, metric: str, **wanted: Any) -> dict[str, Record]:
    """Returns the best record of each implementation that has one, in the order of the table of implementations."""
    return {
        name: record
        for name, implementation in IMPLEMENTATIONS.items()
        if not implementation.same_as
        and (record := table.best(case, metric, implementation=name, **wanted)) is not None
    }


def cold_stages(table: Table) -> list[tuple[str, dict[str, Record]]]:
    """Returns the stages of a fresh process by name, behind the label of each implementation and kind of cache.

    All stages are those of the thread count that has the best total.
    """
    found = []
    for name, implementation in IMPLEMENTATIONS.items():
        for cache in ("cold", "warm"):
            total = table.best("cold", "total", implementation=name, cache=cache)
            if total is not None:
                same = {"implementation": name, "cache": cache, "threads": total.threads}
                stages = {stage: record for stage in STAGES if (record := table.best("cold", stage, **same))}
                found.append((implementation.label + (", warm cache" if cache == "warm" else ""), stages))
    return found


def _in_order(records: dict[str, Record], text: Callable[[float], str] = seconds) -> str:
    """The implementations and their values, the lowest first."""
    ordered = sorted(records.items(), key=lambda item: item[1].value)
    return ", ".join(f"{_label(name)} {text(record.value)}" for name, record in ordered)


def _label(name: str) -> str:
    return IMPLEMENTATIONS[name].label


def _of(name: str, record: Record) -> str:
    return f"{_label(name)} ({seconds(record.value)}, {record.threads} thread{'s' if record.threads > 1 else ''})"
