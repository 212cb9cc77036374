"""The bars: what was promised of the speed, and whether the measurements keep it."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.speed import arithmetic
from benchmarks.speed.implementations import IMPLEMENTATIONS, PRODUCT
from benchmarks.speed.report.summary import fastest, interval, seconds
from benchmarks.speed.results import Table
from benchmarks.speed.stats import Ratio, ratio
from twinvae.config import Config
from twinvae.pages.markup import NOT_MEASURED

GROWTH = 400e6  # bytes over the series itself
FLAT = 1.25  # a point of a long series may take this many times as long as one of a short series
TORCH = ("torch-eager", "torch-compiled")


class Verdict(NamedTuple):
    """A bar, what was measured, and whether the bar is met: None if nothing was measured."""

    bar: str
    measured: str
    met: bool | None
    shown: bool = True  # False where the bar lies within the interval or the noise: neither met nor missed


def verdicts(table: Table, floor: float) -> list[Verdict]:
    """Returns the verdict on every bar, in the order of the page. `floor` is the factor that is noise."""
    return [
        _faster(table, floor, "Warm fit, JAX against the tutorial's loop", 25, ("jax-run",), "tutorial"),
        _faster(table, floor, "Warm fit, JAX against PyOD's VAE (its defaults)", 100, ("jax-run",), "pyod"),
        _step(table, floor),
        _faster(table, floor, "Warm fit, best PyTorch against the tutorial's loop", 9, TORCH, "tutorial"),
        _faster(
            table, floor, "Warm fit, PyTorch's default against the tutorial's loop", 1.8, ("torch-eager",), "tutorial"
        ),
        _cold(table, floor, "Cold process to scores, JAX against the tutorial", 0.5, "cold"),
        _cold(table, floor, "The same with a warm compilation cache", 0.4, "warm"),
        *(_scoring(table, floor, label, name) for label, name in (("JAX", "jax-run"), ("PyTorch", "torch-eager"))),
        *(_roofline(table, floor, label, name) for label, name in (("JAX", "jax-run"), ("PyTorch", "torch-eager"))),
        _growth(table, "Growth while scoring 10 million points", "score"),
        _growth(table, "Growth while training on 10 million points", "train-memory"),
        _flat(table, floor),
        _latency(table, floor, "One window at a time, slowest product", 100e-6, max),
        _latency(table, floor, "One window at a time, fastest product", 25e-6, min),
        _stream(table, floor),
        _watch(table, floor),
        _fleet(table, floor, "jax-run", "JAX fleet on all cores: at least 1.7x the single fit's rate on one core", 1.7),
        _fleet(table, floor, "torch-eager", "PyTorch fleet: at least 5x the models a second of its single fit", 5.0),
        _recompile(table),
    ]


def _judged(bar: str, measured: str, times: Ratio, limit: float, floor: float, *, most: bool = False) -> Verdict:
    met = times.value <= limit if most else times.value >= limit
    return Verdict(bar, measured, met, times.is_beyond(floor, limit))


def _exact(value: float) -> Ratio:
    return Ratio(value, None, None)


def _faster(table: Table, floor: float, title: str, least: float, names: tuple[str, ...], peer: str) -> Verdict:
    bar = f"{title}: at least {least:g} times as fast"
    ours, theirs = fastest(table, "fit", "fit", names), table.one("fit", "fit", implementation=peer)
    if ours is None or theirs is None:
        return Verdict(bar, NOT_MEASURED, None)
    times = ratio(theirs.samples, ours.samples)
    detail = f"{seconds(ours.value)} against {seconds(theirs.value)}"
    if len(names) > 1:
        detail = f"{IMPLEMENTATIONS[ours.implementation].label}: {detail}"
    return _judged(bar, f"{interval(times)} times ({detail})", times, least, floor)


def _step(table: Table, floor: float) -> Verdict:
    bar = "JAX training step: at most 3 times the arithmetic floor"
    step = table.one("fit", "step", implementation="jax-run")
    rate = table.roofline(step.threads) if step else None
    own = table.floor(step) if step else None
    if step is None or rate is None or own is None:
        return Verdict(bar, NOT_MEASURED, None)
    least = arithmetic.training_step(Config()) / rate
    strict = least - arithmetic.unneeded(Config()) / rate
    measured = (
        f"{step.value / least:.2f} times ({seconds(step.value)} against {seconds(least)} at {rate / 1e9:.0f} GFLOP/s, "
        f"the fastest library; {step.value / strict:.2f} times without the gradient of the series, which nobody needs; "
        f"{step.value / own:.2f} times at XLA's own rate)"
    )
    return _judged(bar, measured, _exact(step.value / least), 3, floor, most=True)


def _cold(table: Table, floor: float, title: str, most: float, cache: str) -> Verdict:
    bar = f"{title}: at most {most:g} of the time"
    ours = table.one("cold", "total", implementation="jax-run", cache=cache)
    theirs = table.one("cold", "total", implementation="tutorial")
    if ours is None or theirs is None:
        return Verdict(bar, NOT_MEASURED, None)
    share = ratio(ours.samples, theirs.samples)
    measured = f"{interval(share)} ({seconds(ours.value)} against {seconds(theirs.value)})"
    return _judged(bar, measured, share, most, floor, most=True)


def _scoring(table: Table, floor: float, label: str, name: str) -> Verdict:
    bar = f"Scoring 10 million points, {label}: at least 100 times PyOD's windows a second"
    ours = table.one("score", "score_point", implementation=name, points=10**7)
    theirs = table.one("score", "score_point", implementation="pyod")
    if ours is None or theirs is None:
        return Verdict(bar, NOT_MEASURED, None)
    times = ratio(theirs.samples, ours.samples)
    detail = f"{1 / ours.value / 1e6:.3g} against {1 / theirs.value / 1e6:.2g} million a second"
    return _judged(bar, f"{interval(times)} times ({detail})", times, 100, floor)


def _roofline(table: Table, floor: float, label: str, name: str) -> Verdict:
    bar = f"Scoring 10 million points, {label}: at least 35% of its own library's sgemm rate"
    ours = table.one("score", "score_point", implementation=name, points=10**7)
    least = table.floor(ours) if ours else None
    if ours is None or least is None:
        return Verdict(bar, NOT_MEASURED, None)
    share = _exact(least / ours.value)
    return _judged(bar, f"{share.value:.0%} on {ours.threads} thread(s)", share, 0.35, floor)


def _growth(table: Table, title: str, case: str) -> Verdict:
    bar = f"{title}: at most {GROWTH / 1e6:.0f} MB over the series"
    found = [record for record in table.all(case, "growth", points=10**7) if record.implementation in PRODUCT]
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    worst = {one.implementation: max(r.value for r in found if r.implementation == one.implementation) for one in found}
    return Verdict(bar, _each(worst, lambda value: f"{value / 1e6:.0f} MB"), max(worst.values()) <= GROWTH)


def _flat(table: Table, floor: float) -> Verdict:
    bar = f"Cost of a point: flat from 10⁴ to 10⁷ points (at most {FLAT:g} times that at 10⁴)"
    worst: dict[str, float] = {}
    complete = False
    for record in table.all("points", "score_point"):
        same = {"implementation": record.implementation, "threads": record.threads}
        short = table.one("points", "score_point", points=10**4, **same)
        if record.implementation in PRODUCT and short and record.parameters["points"] > 10**4:
            times = record.value / short.value
            worst[record.implementation] = max(times, worst.get(record.implementation, 0.0))
            complete = complete or record.parameters["points"] == 10**7
    if not complete:
        return Verdict(bar, NOT_MEASURED, None)
    measured = _each(worst, lambda value: f"at most {value:.2f} times")
    return _judged(bar, measured, _exact(max(worst.values())), FLAT, floor, most=True)


def _latency(table: Table, floor: float, title: str, most: float, choose: Callable[[list[float]], float]) -> Verdict:
    bar = f"{title}: median at most {most * 1e6:.0f} µs"
    found = {r.implementation: r.value for r in table.all("window", "latency") if r.implementation in PRODUCT}
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    return _judged(bar, _each(found, seconds), _exact(choose(list(found.values()))), most, floor, most=True)


def _stream(table: Table, floor: float) -> Verdict:
    bar = "A stream's next point, without a framework: median at most 25 µs"
    found = table.all("stream", "point", implementation="numpy")
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    sizes = (
        f"{seconds(r.value)} (window {r.parameters['window']}, channels {r.parameters['channels']})" for r in found
    )
    return _judged(bar, "; ".join(sizes), _exact(max(record.value for record in found)), 25e-6, floor, most=True)


def _watch(table: Table, floor: float) -> Verdict:
    bar = "twinvae watch: at least 20,000 points a second from a pipe"
    found = [best for lines in ("csv", "jsonl") if (best := table.one("watch", "point", lines=lines))]
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    rates = "; ".join(f"{1 / record.value:,.0f} ({record.parameters['lines']})" for record in found)
    return _judged(bar, rates, _exact(1 / max(record.value for record in found)), 20_000, floor)


def _fleet(table: Table, floor: float, name: str, bar: str, least: float) -> Verdict:
    """A fleet against the single fit: in JAX that on one core, in PyTorch the faster of one core and all cores."""
    found = []
    most = max((record.threads for record in table.records if record.case == "fleet"), default=1)
    for fleet in table.all("fleet", "fleet_model", implementation=name, threads=most):
        preset = fleet.parameters["preset"]
        wanted = {"preset": preset} | ({"threads": 1} if name == "jax-run" else {})
        singles = table.all("fleet", "single_model", implementation=name, **wanted)
        if singles:
            value = ratio(min(singles, key=lambda record: record.value).samples, fleet.samples)
            found.append((value, f"{interval(value)} ({preset}, {seconds(fleet.value)} a model)"))
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    return _judged(bar, "; ".join(text for _, text in found), min(value for value, _ in found), least, floor)


def _recompile(table: Table) -> Verdict:
    bar = "A second fit and score, other data of the same shape: compile nothing"
    found = {record.implementation: record.value for record in table.all("recompile", "programs_again")}
    if not found:
        return Verdict(bar, NOT_MEASURED, None)
    return Verdict(bar, _each(found, lambda value: f"{value:.0f} programs"), max(found.values()) == 0)


def _each(values: dict[str, float], text: Callable[[float], str]) -> str:
    return "; ".join(f"{IMPLEMENTATIONS[name].label} {text(value)}" for name, value in values.items())
