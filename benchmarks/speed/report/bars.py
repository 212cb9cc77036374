"""The bars: what was promised of the speed, and whether the measurements keep it."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.markup import NOT_MEASURED
from benchmarks.speed import arithmetic
from benchmarks.speed.implementations import IMPLEMENTATIONS, PRODUCT
from benchmarks.speed.results import Record, Table
from benchmarks.speed.stats import Ratio, ratio
from twinvae.config import Config

GROWTH = 400e6  # bytes over the series itself
FLAT = 1.25  # a point of a long series may take this many times as long as one of a short series
TORCH = ("torch-eager", "torch-compiled")


class Verdict(NamedTuple):
    """A bar, what was measured, and whether the bar is met: None if nothing was measured."""

    bar: str
    measured: str
    met: bool | None
    shown: bool = True  # False where the bar lies within the interval: neither met nor missed


def verdicts(table: Table) -> list[Verdict]:
    """Returns the verdict on every bar, in the order of the page."""
    return [
        _faster(table, "Warm fit, JAX against the tutorial's loop", 25, ("jax-run",), "tutorial"),
        _faster(table, "Warm fit, JAX against PyOD's VAE (its defaults)", 100, ("jax-run",), "pyod"),
        _step(table),
        _faster(table, "Warm fit, best PyTorch against the tutorial's loop", 9, TORCH, "tutorial"),
        _faster(table, "Warm fit, PyTorch's default against the tutorial's loop", 1.8, ("torch-eager",), "tutorial"),
        _cold(table, "Cold process to scores, JAX against the tutorial", 0.5, "cold"),
        _cold(table, "The same with a warm compilation cache", 0.4, "warm"),
        *(_scoring(table, label, names) for label, names in (("JAX", ("jax-run",)), ("PyTorch", TORCH))),
        *(_roofline(table, label, names) for label, names in (("JAX", ("jax-run",)), ("PyTorch", TORCH))),
        _growth(table, "Growth while scoring 10 million points", "score"),
        _growth(table, "Growth while training on 10 million points", "train-memory"),
        _flat(table),
        _latency(table, "One window at a time, slowest product", 100e-6, max),
        _latency(table, "One window at a time, fastest product", 25e-6, min),
        _stream(table),
        _watch(table),
        _fleet(table, "jax-run", "JAX fleet on all cores: at least 1.7x the single fit's rate on one core", 1.7),
        _fleet(table, "torch-eager", "PyTorch fleet: at least 5x the models a second of its single fit", 5.0),
        _recompile(table),
    ]


def _faster(table: Table, title: str, least: float, names: tuple[str, ...], peer: str) -> Verdict:
    bar = f"{title}: at least {least:g} times as fast"
    ours, theirs = _best_of(table, names, "fit", "fit"), table.best("fit", "fit", implementation=peer)
    if ours is None or theirs is None:
        return Verdict(bar, NOT_MEASURED, None)
    times = ratio(theirs.samples, ours.samples)
    detail = f"{seconds(ours.value)} against {seconds(theirs.value)}"
    if len(names) > 1:
        detail = f"{IMPLEMENTATIONS[ours.implementation].label}: {detail}"
    return Verdict(bar, f"{interval(times)} times ({detail})", times.value >= least, _decided(times, least))


def _step(table: Table) -> Verdict:
    bar = "JAX training step: at most 3 times the arithmetic floor"
    step, rate = table.best("fit", "step", implementation="jax-run", threads=1), table.roofline(1)
    if step is None or rate is None:
        return Verdict(bar, NOT_MEASURED, None)
    floor = arithmetic.training_step(Config()) / rate
    strict = floor - arithmetic.unneeded(Config()) / rate
    measured = (
        f"{step.value / floor:.2f} times ({seconds(step.value)} against {seconds(floor)} at {rate / 1e9:.0f} GFLOP/s, "
        f"the fastest library; {step.value / strict:.2f} times without the gradient of the series, which nobody needs"
    )
    blas = table.roofline(1, "numpy")
    measured += (
        f"; {step.value * blas / arithmetic.training_step(Config()):.2f} times at NumPy's rate)" if blas else ")"
    )
    return Verdict(bar, measured, step.value <= 3 * floor)


def _cold(table: Table, title: str, most: float, cache: str) -> Verdict:
    bar = f"{title}: at most {most:g} of the time"
    ours = table.best("cold", "total", implementation="jax-run", cache=cache)
    theirs = table.best("cold", "total", implementation="tutorial")
    if ours is None or theirs is None:
        return Verdict(bar, NOT_MEASURED, None)
    share = ratio(ours.samples, theirs.samples)
    measured = f"{interval(share)} ({seconds(ours.value)} against {seconds(theirs.value)})"
    return Verdict(bar, measured, share.value <= most, _decided(share, most))


def _scoring(table: Table, label: str, names: tuple[str, ...]) -> Verdict:
    bar = f"Scoring 10 million points, {label}: at least 100 times PyOD's windows a second"
    ours = _best_of(table, names, "score", "score_point", threads=_most(table, "score"), points=10**7)
    theirs = table.best("score", "score_point", implementation="pyod")
    if ours is None or theirs is None:
        return Verdict(bar, NOT_MEASURED, None)
    times = ratio(theirs.samples, ours.samples)
    detail = f"{1 / ours.value / 1e6:.1f} against {1 / theirs.value / 1e6:.3f} million a second"
    return Verdict(bar, f"{interval(times)} times ({detail})", times.value >= 100, _decided(times, 100))


def _roofline(table: Table, label: str, names: tuple[str, ...]) -> Verdict:
    bar = f"Scoring 10 million points, {label}: at least 35% of the sgemm rate of all cores"
    threads = _most(table, "score")
    ours = _best_of(table, names, "score", "score_point", threads=threads, points=10**7)
    rate = table.roofline(threads)
    if ours is None or rate is None or ours.operations is None:
        return Verdict(bar, NOT_MEASURED, None)
    share = ours.operations / ours.value / rate
    blas = table.roofline(threads, "numpy")
    beside = f"; {share * rate / blas:.0%} of NumPy's {blas / 1e9:.0f} GFLOP/s" if blas else ""
    return Verdict(bar, f"{share:.0%} of {rate / 1e9:.0f} GFLOP/s, the fastest library{beside}", share >= 0.35)


def _growth(table: Table, title: str, case: str) -> Verdict:
    bar = f"{title}: at most {GROWTH / 1e6:.0f} MB over the series"
    found = [record for record in table.all(case, "growth", points=10**7) if record.implementation in PRODUCT]
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    worst = {one.implementation: max(r.value for r in found if r.implementation == one.implementation) for one in found}
    return Verdict(bar, _each(worst, lambda value: f"{value / 1e6:.0f} MB"), max(worst.values()) <= GROWTH)


def _flat(table: Table) -> Verdict:
    bar = f"Cost of a point: flat from 10⁴ to 10⁷ points (at most {FLAT:g} times that at 10⁴)"
    worst: dict[str, float] = {}
    complete = False
    for record in table.all("points", "score_point"):
        short = table.best(
            "points", "score_point", implementation=record.implementation, threads=record.threads, points=10**4
        )
        if record.implementation in PRODUCT and short and record.parameters["points"] > 10**4:
            times = record.value / short.value
            worst[record.implementation] = max(times, worst.get(record.implementation, 0.0))
            complete = complete or record.parameters["points"] == 10**7
    if not complete:
        return Verdict(bar, NOT_MEASURED, None)
    return Verdict(bar, _each(worst, lambda value: f"at most {value:.2f} times"), max(worst.values()) <= FLAT)


def _latency(table: Table, title: str, most: float, choose: Callable[[list[float]], float]) -> Verdict:
    bar = f"{title}: median at most {most * 1e6:.0f} µs"
    found = {
        record.implementation: record.value
        for record in table.all("window", "latency")
        if record.implementation in PRODUCT
    }
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    return Verdict(bar, _each(found, seconds), choose(list(found.values())) <= most)


def _stream(table: Table) -> Verdict:
    bar = "A stream's next point, without a framework: median at most 25 µs"
    found = table.all("stream", "point", implementation="numpy")
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    sizes = (
        f"{seconds(r.value)} (window {r.parameters['window']}, channels {r.parameters['channels']})" for r in found
    )
    return Verdict(bar, "; ".join(sizes), max(record.value for record in found) <= 25e-6)


def _watch(table: Table) -> Verdict:
    bar = "twinvae watch: at least 20,000 points a second from a pipe"
    found = [best for lines in ("csv", "jsonl") if (best := table.best("watch", "point", lines=lines))]
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    rates = "; ".join(f"{1 / record.value:,.0f} ({record.parameters['lines']})" for record in found)
    return Verdict(bar, rates, max(record.value for record in found) <= 1 / 20_000)


def _fleet(table: Table, name: str, bar: str, least: float) -> Verdict:
    """A fleet against the single fit: in JAX that on one core, in PyTorch the faster of one core and all cores."""
    found = []
    for fleet in table.all("fleet", "fleet_model", implementation=name, threads=_most(table, "fleet")):
        preset = fleet.parameters["preset"]
        wanted = {"preset": preset} | ({"threads": 1} if name == "jax-run" else {})
        single = table.best("fleet", "single_model", implementation=name, **wanted)
        if single is not None:
            value = ratio(single.samples, fleet.samples)
            found.append((value, f"{interval(value)} ({preset}, {seconds(fleet.value)} a model)"))
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    return Verdict(bar, "; ".join(text for _, text in found), min(value.value for value, _ in found) >= least)


def _decided(times: Ratio, bar: float) -> bool:
    """Whether the bar lies outside the interval, where there is one."""
    return times.low is None or times.high is None or not times.low < bar < times.high


def _recompile(table: Table) -> Verdict:
    bar = "A second fit and score, other data of the same shape: compile nothing"
    found = {record.implementation: record.value for record in table.all("recompile", "programs_again")}
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    return Verdict(bar, _each(found, lambda value: f"{value:.0f} programs"), max(found.values()) == 0)


def _best_of(table: Table, names: tuple[str, ...], case: str, metric: str, **wanted: int) -> Record | None:
    found = [table.best(case, metric, implementation=name, **wanted) for name in names]
    return min((record for record in found if record), key=lambda record: record.value, default=None)


def _most(table: Table, case: str) -> int:
    return max((record.threads for record in table.records if record.case == case), default=1)


def _each(values: dict[str, float], text: Callable[[float], str]) -> str:
    return "; ".join(f"{IMPLEMENTATIONS[name].label} {text(value)}" for name, value in values.items())


def seconds(value: float) -> str:
    """Returns a duration as text, in a unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} s"


def interval(value: Ratio) -> str:
    """Returns a ratio and its bootstrap interval as text."""
    if value.low is None or value.high is None:
        return f"{value.value:.3g}"
    return f"{value.value:.3g} [{value.low:.3g}, {value.high:.3g}]"
