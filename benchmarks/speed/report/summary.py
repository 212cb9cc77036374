"""What follows from several measurements: stages that add up, break-even points, the words for who is faster."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.results import LIBRARIES, Record, Table
from benchmarks.speed.stats import Ratio, ratio

STEPS = 1500
UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
STAGES = ("start", "import", "first_use", "train", "score", "total")
PAIRS = (
    ("torch-compiled", "cold", "torch-eager"), ("torch-compiled", "warm", "torch-eager"),
    ("jax-run", "cold", "torch-eager"), ("jax-run", "warm", "torch-eager"), ("jax-run", "cold", "torch-compiled"),
    ("torch-compiled", "cold", "tutorial"), ("jax-run", "cold", "tutorial"),
)  # fmt: skip


class BreakEven(NamedTuple):
    """The number of training steps from which on the first is done before the second, each in a fresh process."""

    first: str
    cache: str  # of the first: cold, or warm where an earlier process has left its programs on disk
    second: str
    steps: float | None  # None is never; 0 is from the start

    @property
    def text(self) -> str:
        if self.steps is None:
            return "never, or not shown"
        return "from the first step" if self.steps == 0 else f"from {self.steps:,.0f} steps"


def step_record(table: Table, name: str) -> Record | None:
    """Returns the time of a warm training step; for peers, that of a whole fit, in which it has `STEPS` steps."""
    return table.one("fit", "step", implementation=name) or table.one("fit", "fit", implementation=name)


def step_time(table: Table, name: str) -> float | None:
    """Returns the seconds of a warm training step."""
    record = step_record(table, name)
    return None if record is None else record.value * step_scale(record)


def step_scale(record: Record) -> float:
    """Returns the training steps in one unit of a record that `step_record` gave, inverted."""
    return 1 / STEPS if record.metric == "fit" else 1.0


def rungs(table: Table) -> list[tuple[str, Record]]:
    """Returns who trains the tutorial's job and its record: PyTorch, JAX, then those that compute something else."""
    rows = [(name, record) for name in IMPLEMENTATIONS if (record := step_record(table, name)) is not None]
    return sorted(
        (row for row in rows if not IMPLEMENTATIONS[row[0]].same_as),
        key=lambda row: (IMPLEMENTATIONS[row[0]].difference is not None, IMPLEMENTATIONS[row[0]].backend == "jax"),
    )


def rung_floors(table: Table) -> dict[str, float]:
    """Returns the seconds that the arithmetic of the ladder's step takes in each framework's own library."""
    steps = {name: table.one("fit", "step", implementation=name) for name in LIBRARIES.values()}
    return {name: floor for name, step in steps.items() if step and (floor := table.floor(step))}


def beside_eager(table: Table, record: Record, floor: float) -> str:
    """Returns how many times the speed of vae_torch's step a step has; "level" within the noise; "" if it is unlike."""
    reference = table.one("fit", "step", implementation="torch-eager")
    if reference is None or record is reference or record.metric != reference.metric:
        return ""
    times = ratio(reference.samples, record.samples)
    return f"{number(times.value)} x" if times.is_beyond(floor) else "level"


def fixed_time(table: Table, name: str, cache: str) -> float | None:
    """Returns the seconds of a fresh process that do not depend on the number of steps."""
    total, train = (table.one("cold", stage, implementation=name, cache=cache) for stage in ("total", "train"))
    return total.value - (train.value if train else 0.0) if total else None


def break_evens(table: Table, floor: float) -> list[BreakEven]:
    """Returns the break-even points of those pairs that were measured; no step counts as faster within the noise."""
    found = []
    for first, cache, second in PAIRS:
        fixed1, fixed2 = fixed_time(table, first, cache), fixed_time(table, second, "cold")
        step1, step2 = step_time(table, first), step_time(table, second)
        if fixed1 is None or step1 is None or fixed2 is None or step2 is None:
            continue
        steps = crossing(fixed1, step1, fixed2, step2) if step2 > step1 * floor else None
        found.append(BreakEven(first, cache, second, steps))
    return found


def crossing(fixed1: float, step1: float, fixed2: float, step2: float) -> float | None:
    """Returns the number of steps n from which on `fixed1 + n * step1 < fixed2 + n * step2`; None if there is none."""
    if step1 >= step2:
        return None
    return max(0.0, (fixed1 - fixed2) / (step2 - step1))


def cold_stages(table: Table) -> list[tuple[str, dict[str, float], Record]]:
    """Returns the seconds of each stage of a fresh process behind its label, and the record of the total.

    Medians of stages do not add up to the median of totals, so what is left over counts as first use: what a table
    shows and what a picture stacks are the same numbers.
    """
    found = []
    for name, implementation in IMPLEMENTATIONS.items():
        for cache in ("cold", "warm"):
            records = {stage: table.one("cold", stage, implementation=name, cache=cache) for stage in STAGES}
            total = records["total"]
            if total is None:
                continue
            values = {stage: record.value for stage, record in records.items() if record}
            others = sum(value for stage, value in values.items() if stage not in ("total", "first_use"))
            values["first_use"] = total.value - others
            found.append((implementation.label + (", warm cache" if cache == "warm" else ""), values, total))
    return found


def compared(record: Record, reference: Record, floor: float) -> str:
    """Returns how a time compares with that of a reference, in words; no ratio within the noise."""
    times = ratio(reference.samples, record.samples)
    if not times.is_beyond(floor):
        return "no difference shown"
    if times.value > 1:
        return f"{interval(times)} times as fast"
    return f"takes {interval(ratio(record.samples, reference.samples))} times as long"


def fastest(table: Table, case: str, metric: str, names: Iterable[str], **wanted: Any) -> Record | None:
    """Returns the record of the fastest of these implementations."""
    found = [table.one(case, metric, implementation=name, **wanted) for name in names]
    return min((record for record in found if record), key=lambda record: record.value, default=None)


def seconds(value: float) -> str:
    """Returns a duration as text, in a unit that suits it, with three digits."""
    for unit, factor in UNITS:
        if abs(value) >= factor:
            return f"{number(value / factor)} {unit}"
    return f"{number(value)} s"


def measured(record: Record, scale: float = 1.0) -> str:
    """Returns the median of a record in seconds times a scale, with its interval in the same unit where it has one."""
    said = seconds(record.value * scale)
    if record.low is None or record.high is None:
        return said
    factor = next((factor for unit, factor in UNITS if said.endswith(f" {unit}")), 1.0)
    return f"{said} [{number(record.low * scale / factor)}, {number(record.high * scale / factor)}]"


def number(value: float) -> str:
    """Returns a number with three digits, and no exponent below a million."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def interval(value: Ratio) -> str:
    """Returns a ratio and its bootstrap interval as text."""
    if value.low is None or value.high is None:
        return number(value.value)
    return f"{number(value.value)} [{number(value.low)}, {number(value.high)}]"
