"""Who wins at which size: for each batch and model the fastest of each framework, and by how much one is ahead."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.summary import fastest, number, seconds
from benchmarks.speed.results import Record, Table
from benchmarks.speed.stats import ratio
from twinvae.pages.markup import as_list, as_table, missing

EAGER, COMPILED = ("torch-loop", "torch-eager"), ("torch-step", "torch-whole", "torch-compiled")
JAX = ("jax-step", "jax-run")
MATCHES = {
    "eager PyTorch against JAX": EAGER,
    "PyTorch, eager or compiled, against JAX": (*EAGER, *COMPILED),
}
SEVERAL = 6  # more places than these are counted in words, not named: the map shows them


class Cell(NamedTuple):
    """A size, the fastest of each framework at it, and PyTorch's time over JAX's: None if it is within the noise."""

    batch: int
    model: str
    torch: Record | None
    jax: Record | None
    times: float | None

    @property
    def text(self) -> str:
        """Who is ahead and by how much."""
        if self.torch is None or self.jax is None:
            return "not measured"
        if self.times is None:
            return "level"
        return f"JAX {number(self.times)} x" if self.times > 1 else f"PyTorch {number(1 / self.times)} x"


def cells(table: Table, torch: Sequence[str], floor: float) -> list[Cell]:
    """Returns the cells of the map, for the best of these rungs of PyTorch; [] if no size was measured."""
    found = []
    for size in CASES["map"].options["values"]:
        one, two = (fastest(table, "map", "step", names, size=size) for names in (torch, JAX))
        times = ratio(one.samples, two.samples) if one and two else None
        shown = times.value if times and times.is_beyond(floor) else None
        batch, hidden, channels = size
        model = f"{hidden:,} hidden" + (f", {channels} channels" if channels > 1 else "")
        found.append(Cell(batch, model, one, two, shown))
    return found if any(cell.torch and cell.jax for cell in found) else []


def words(table: Table, floor: float) -> str:
    """Returns where each framework is the better choice, as a list."""
    lines = []
    for title, torch in MATCHES.items():
        measured = [cell for cell in cells(table, torch, floor) if cell.torch and cell.jax]
        if not measured:
            continue
        jax = [cell for cell in measured if cell.times and cell.times > 1]
        pytorch = [cell for cell in measured if cell.times and cell.times < 1]
        level = [cell for cell in measured if cell.times is None]
        said = (
            f"JAX is the faster choice{_at(jax)}",
            f"PyTorch{_at(pytorch)}",
            f"neither, within the noise,{_at(level)}",
        )
        lines.append(f"{title}, {len(measured)} sizes: {'; '.join(said)}.")
    return as_list(lines) or f"<p>{missing()}</p>"


def _at(places: Sequence[Cell]) -> str:
    """Where these cells lie, and the factors."""
    if not places:
        return " at none"
    factors = [max(cell.times, 1 / cell.times) for cell in places if cell.times]
    if len(places) > SEVERAL:
        return f" at {len(places)}" + (
            f", by {number(min(factors))} to {number(max(factors))} times" if factors else ""
        )
    by = [f" ({number(factor)} times)" for factor in factors] or [""] * len(places)
    return " at " + ", ".join(f"batch {c.batch:,} x {c.model}{b}" for c, b in zip(places, by, strict=True))


def details(table: Table, floor: float) -> str:
    """Returns the table behind the map."""
    rows = [
        (
            f"{cell.batch:,}", cell.model, *(_fastest(record) for record in (cell.torch, cell.jax)), cell.text,
            " and ".join(record.counts for record in (cell.torch, cell.jax) if record),
        )
        for cell in cells(table, (*EAGER, *COMPILED), floor)
    ]  # fmt: skip
    return as_table(("batch", "model", "fastest PyTorch", "fastest JAX", "ahead", "processes x calls"), rows)


def _fastest(record: Record | None) -> str:
    return f"{seconds(record.value)}, {IMPLEMENTATIONS[record.implementation].label}" if record else missing()
