"""Normal series: a repeating shape over a slow background, with autoregressive noise.

None is a random walk: what the training part shows stays normal for ever. All channels of a series share the clock of
its cycles and a part of its noise, so they are correlated, as sensors on one machine are; each has its own unit and
shape.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float64

SignalKind = Literal["periodic", "daily", "autoregressive", "beats"]
SIGNAL_KINDS: tuple[SignalKind, ...] = get_args(SignalKind)

SHARED_NOISE = 0.3  # share of the noise's variance that all channels have in common
STEPS_A_DAY = 48
WEEKEND = 0.6  # height of the weekend's days
# The waves P, Q, R, S, T of a heart beat: place in the cycle, width, height.
BEAT = np.array([(0.2, 0.03, 0.15), (0.36, 0.012, -0.12), (0.4, 0.015, 1.0), (0.44, 0.015, -0.25), (0.68, 0.06, 0.3)])


class Signal(NamedTuple):
    """A normal series in its parts: `gain * shape(phase) + background + noise`."""

    shape: Callable[[Float64[np.ndarray, " time"]], Float64[np.ndarray, "time channel"]]
    phase: Float64[np.ndarray, " time"]  # cycles since the start
    gain: Float64[np.ndarray, "time 1"]
    background: Float64[np.ndarray, "time channel"]
    noise: Float64[np.ndarray, "time channel"]

    @property
    def values(self) -> Float64[np.ndarray, "time channel"]:
        """The series itself."""
        return self.gain * self.shape(self.phase) + self.background + self.noise


def draw_signal(kind: SignalKind, length: int, channels: int, rng: np.random.Generator) -> Signal:
    """Draws a normal series of shape (length, channels).

    - `periodic`: a wave of 30 to 60 steps with two harmonics, over a slow wave of about ten times its period.
    - `daily`: days of 48 steps (half hours) with a morning and an evening peak, each of its own height; quiet weekends.
    - `autoregressive`: a wave of 20 to 40 steps, half hidden in autoregressive noise.
    - `beats`: an ECG with beats of 60 to 90 steps, never quite as long as the last one; the channels are leads.

    A ValueError says if there is no such kind.
    """
    if kind not in SIGNAL_KINDS:
        raise ValueError(f"unknown signal {kind!r}: choose one of {', '.join(SIGNAL_KINDS)}")
    draw = {"periodic": _periodic, "daily": _daily, "autoregressive": _autoregressive, "beats": _beats}[kind]
    return _in_units(draw(length, channels, rng), rng)


def autoregressive_noise(
    length: int, channels: int, coefficient: float, rng: np.random.Generator
) -> Float64[np.ndarray, "time channel"]:
    """Stationary noise of variance 1: `n[t] = a n[t-1] + sqrt(1 - a^2) e[t]`, correlated between channels.

    It starts in its stationary distribution, so the first steps are like all others (Box and Jenkins 1970).
    """
    white = rng.standard_normal((length, channels + 1))
    mixed = np.sqrt(SHARED_NOISE) * white[:, :1] + np.sqrt(1.0 - SHARED_NOISE) * white[:, 1:]
    noise = mixed.copy()
    fresh = np.sqrt(1.0 - coefficient**2)
    for step in range(1, length):
        noise[step] = coefficient * noise[step - 1] + fresh * mixed[step]
    return noise


def _periodic(length: int, channels: int, rng: np.random.Generator) -> Signal:
    period = rng.uniform(30.0, 60.0)
    phase = np.arange(length) / period
    slow = 0.4 * np.sin(2.0 * np.pi * (phase[:, None] / rng.uniform(8.0, 12.0) + _lags(channels, rng)))
    noise = 0.12 * autoregressive_noise(length, channels, 0.3, rng)
    return Signal(_harmonics((1.0, 0.5, 0.25), channels, rng), phase, np.ones((length, 1)), slow, noise)


def _daily(length: int, channels: int, rng: np.random.Generator) -> Signal:
    peaks = np.array([8.0, 14.0, 19.0]) / 24.0 + 0.5 * _lags(channels, rng)[:, None]
    heights = np.array([0.8, 0.5, 1.0]) * np.exp(rng.normal(0.0, 0.25, (channels, 3)))

    def shape(phase: Float64[np.ndarray, " time"]) -> Float64[np.ndarray, "time channel"]:
        distance = np.cos(2.0 * np.pi * (phase[:, None, None] - peaks)) - 1.0
        return (heights * np.exp(distance * [10.0, 2.0, 8.0])).sum(axis=2)

    phase = np.arange(length) / STEPS_A_DAY
    day = phase.astype(int)
    days = np.arange(day[-1] + 1)
    heights_of_days = np.exp(rng.normal(0.0, 0.05, len(days))) * np.where(days % 7 < 5, 1.0, WEEKEND)
    noise = 0.06 * autoregressive_noise(length, channels, 0.6, rng)
    return Signal(shape, phase, heights_of_days[day][:, None], np.zeros((length, channels)), noise)


def _autoregressive(length: int, channels: int, rng: np.random.Generator) -> Signal:
    phase = np.arange(length) / rng.uniform(20.0, 40.0)
    noise = 0.4 * autoregressive_noise(length, channels, 0.8, rng)
    shape = _harmonics((1.0,), channels, rng)
    return Signal(shape, phase, np.ones((length, 1)), np.zeros((length, channels)), noise)


def _beats(length: int, channels: int, rng: np.random.Generator) -> Signal:
    period = rng.uniform(60.0, 90.0)
    beats = int(2.0 * length / period) + 3
    intervals = period * np.exp(0.04 * autoregressive_noise(beats, 1, 0.5, rng)[:, 0])
    onsets = np.cumsum(intervals) - intervals[0] * (1.0 + rng.uniform())  # the series starts within a beat
    places, widths, heights = BEAT.T
    leads = heights * np.exp(rng.normal(0.0, 0.3, (channels, len(BEAT))))

    def shape(phase: Float64[np.ndarray, " time"]) -> Float64[np.ndarray, "time channel"]:
        distance = (phase[:, None] - places + 0.5) % 1.0 - 0.5
        return np.exp(-0.5 * (distance / widths) ** 2) @ leads.T

    phase = np.interp(np.arange(length), onsets, np.arange(beats))
    breath = 0.06 * np.sin(2.0 * np.pi * phase / rng.uniform(3.5, 5.0))
    background = breath[:, None] * np.exp(rng.normal(0.0, 0.3, channels))
    noise = 0.03 * autoregressive_noise(length, channels, 0.5, rng)
    return Signal(shape, phase, np.ones((length, 1)), background, noise)


def _harmonics(
    heights: tuple[float, ...], channels: int, rng: np.random.Generator
) -> Callable[[Float64[np.ndarray, " time"]], Float64[np.ndarray, "time channel"]]:
    """Sines at 1, 2, ... cycles; each channel has its own heights and lag."""
    order = np.arange(1, len(heights) + 1)
    offsets = rng.uniform(size=len(heights)) + order * _lags(channels, rng)[:, None]
    own = np.array(heights) * np.exp(rng.normal(0.0, 0.2, (channels, len(heights))))
    return lambda phase: (own * np.sin(2.0 * np.pi * (phase[:, None, None] * order + offsets))).sum(axis=2)


def _lags(channels: int, rng: np.random.Generator) -> Float64[np.ndarray, " channel"]:
    """How many cycles each channel lags behind the first one."""
    return np.concatenate([[0.0], rng.uniform(0.0, 0.15, channels - 1)])


def _in_units(signal: Signal, rng: np.random.Generator) -> Signal:
    """The same in units of its own for each channel, as a thermometer and a pressure gauge have."""
    channels = signal.noise.shape[1]
    scale, offset = np.exp(rng.normal(0.0, 1.0, channels)), rng.normal(0.0, 3.0, channels)
    shape = signal.shape
    return signal._replace(
        shape=lambda phase: scale * shape(phase),
        background=scale * (signal.background + offset),
        noise=scale * signal.noise,
    )
