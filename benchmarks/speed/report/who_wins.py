"""Who wins at which size: for each batch and model the fastest of each framework, and by how much one is ahead."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.summary import fastest, interval, measured, number
from benchmarks.speed.results import Record, Table
from benchmarks.speed.stats import Ratio, ratio
from twinvae.pages.markup import NOT_MEASURED, as_list, as_table, missing

EAGER, COMPILED = ("torch-loop", "torch-eager"), ("torch-step", "torch-whole", "torch-compiled")
JAX = ("jax-step", "jax-run")
MATCHES = {
    "Eager PyTorch against JAX": EAGER,
    "PyTorch, eager or compiled, against JAX": (*EAGER, *COMPILED),
}
SEVERAL = 6  # more places than these are counted in words, not named: the map shows them


class Cell(NamedTuple):
    """A size, the fastest of each framework at it, and PyTorch's time over JAX's: None if it is within the noise."""

    batch: int
    model: str
    torch: Record | None
    jax: Record | None
    times: Ratio | None

    @property
    def lead(self) -> Ratio | None:
        """How many times as fast the one that is ahead is; None if neither is."""
        return self.times.inverse if self.times and self.times.value < 1 else self.times

    @property
    def text(self) -> str:
        """Who is ahead and by how much."""
        return self._said(lambda lead: number(lead.value))

    @property
    def ahead(self) -> str:
        """The same with the interval of the factor."""
        return self._said(interval)

    def _said(self, factor: Callable[[Ratio], str]) -> str:
        if self.torch is None or self.jax is None:
            return NOT_MEASURED
        if self.times is None or self.lead is None:
            return "level"
        return f"{'JAX' if self.times.value > 1 else 'PyTorch'} {factor(self.lead)} x"


def cells(table: Table, torch: Sequence[str], floor: float) -> list[Cell]:
    """Returns the cells of the map, for the best of these rungs of PyTorch; [] if no size was measured."""
    found = []
    for size in CASES["map"].options["values"]:
        one, two = (fastest(table, "map", "step", names, size=size) for names in (torch, JAX))
        times = ratio(one.samples, two.samples) if one and two else None
        shown = times if times and times.is_beyond(floor) else None
        batch, hidden, channels = size
        model = f"{hidden:,} hidden" + (f", {channels} channels" if channels > 1 else "")
        found.append(Cell(batch, model, one, two, shown))
    return found if any(cell.torch and cell.jax for cell in found) else []


def words(table: Table, floor: float) -> str:
    """Returns where each framework is the better choice, as a list."""
    lines = []
    for title, torch in MATCHES.items():
        known = [cell for cell in cells(table, torch, floor) if cell.torch and cell.jax]
        if not known:
            continue
        jax = [cell for cell in known if cell.times and cell.times.value > 1]
        pytorch = [cell for cell in known if cell.times and cell.times.value < 1]
        level = [cell for cell in known if cell.times is None]
        said = (
            f"JAX is the faster choice{_at(jax)}",
            f"PyTorch{_at(pytorch)}",
            f"neither, within the noise,{_at(level)}",
        )
        lines.append(f"{title}, {len(known)} sizes: {'; '.join(said)}.")
    return as_list(lines) or f"<p>{missing()}</p>"


def _at(places: Sequence[Cell]) -> str:
    """Where these cells lie, and the factors."""
    if not places:
        return " at none"
    factors = [cell.lead.value for cell in places if cell.lead]
    if len(places) > SEVERAL:
        return f" at {len(places)}" + (
            f", by {number(min(factors))} to {number(max(factors))} times" if factors else ""
        )
    by = [f" ({number(factor)} times)" for factor in factors] or [""] * len(places)
    return " at " + ", ".join(f"batch {c.batch:,} x {c.model}{b}" for c, b in zip(places, by, strict=True))


def details(table: Table, floor: float) -> str:
    """Returns the table behind the map."""
    eager, best = (cells(table, torch, floor) for torch in MATCHES.values())
    eager = eager or [cell._replace(torch=None, times=None) for cell in best]
    rows = [
        (
            f"{one.batch:,}", one.model, *(_fastest(record) for record in (one.torch, two.torch, two.jax)),
            one.ahead, two.ahead,
            " and ".join(dict.fromkeys(record.counts for record in (one.torch, two.torch, two.jax) if record)),
        )
        for one, two in zip(eager, best, strict=True)
    ]  # fmt: skip
    heads = (
        "batch", "model", "fastest eager PyTorch", "fastest PyTorch", "fastest JAX", "ahead, eager PyTorch against JAX",
        "ahead, any PyTorch against JAX", "processes x calls",
    )  # fmt: skip
    return as_table(heads, rows)


def _fastest(record: Record | None) -> str:
    return f"{measured(record)}, {IMPLEMENTATIONS[record.implementation].label}" if record else missing()
