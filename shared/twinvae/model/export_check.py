"""An exported window scorer, held to the detector's own before its file is kept.

An exported program takes raw windows, float64 of shape (n, window, channel), and gives a `Labelled`. It cannot refuse
a window as the detector does (a value is missing or infinite, or the error overflows the model's dtype): the score
of such a window is NaN, its label -1. With `missing="mask"` a window without any value has the score NaN and the
label 0: no alarm.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int8

from twinvae.model.model import Model
from twinvae.scoring.calibration import SINGLE_WINDOW

NOT_SCORED = -1

EACH = 32  # probing windows of a sort
TOLERANCE = 64  # units in the last place, as in every comparison of one forward pass
NEAR = 1e-3  # how far to both sides of the threshold the outlier of a window is moved


Windows = Float64[np.ndarray, "n window channel"]
Scores = Float64[np.ndarray, " n"]


class Labelled(NamedTuple):
    """What an exported program gives for n windows."""

    scores: Scores
    labels: Int8[np.ndarray, " n"]


class Checked(NamedTuple):
    """What an exported program was held to."""

    windows: int
    difference: float  # the largest of two scores, relative to what the tolerance is a multiple of


Score = Callable[[Windows], Scores]
Program = Callable[[Windows], Labelled]


def check(program: Program, model: Model, score: Score) -> Checked:
    """Compares a program with the detector's window scorer on probing windows, in batches and one by one.

    Scores may differ by 64 units in the last place of the model's dtype, times the largest score or mean squared
    (scaled) value of the windows of one sort. Labels must follow from the program's own scores and the threshold.

    Raises:
        ArithmeticError: if a score or a label differs.
    """
    windows, worst = 0, 0.0
    for sort, probes in probing_windows(model, score).items():
        alone = f"{sort} (one window)"  # a batch of one may take another way through the matrix products
        for name, some in ((sort, probes), (alone, probes[:1]), (alone, probes[-1:])):
            worst = max(worst, _difference(name, program(some), _scores(score, some), some, model))
        windows += len(probes)
    return Checked(windows, worst)


def _scores(score: Score, windows: Windows) -> Scores:
    """The detector's scores, NaN in place of a refusal."""
    try:
        return score(windows)
    except ValueError:
        if len(windows) == 1:
            return np.full(1, np.nan)
        return np.concatenate([_scores(score, one[None]) for one in windows])


def _difference(sort: str, found: Labelled, expected: Scores, windows: Windows, model: Model) -> float:
    """The largest difference of two scores relative to the largest score or mean square; raises if it is too large."""
    scores, labels = found
    if scores.shape != expected.shape or labels.shape != expected.shape:
        raise ArithmeticError(f"{sort}: {expected.shape} scores became {scores.shape}, with labels {labels.shape}")
    unknown = np.isnan(expected)
    if (np.isnan(scores) != unknown).any():
        first = int(np.argmax(np.isnan(scores) != unknown))
        raise ArithmeticError(f"{sort}: a window scores {scores[first]:g}, in the detector {expected[first]:g}")
    threshold = model.thresholds[SINGLE_WINDOW]
    faultless = np.isnan(windows).all(axis=(1, 2)) & (model.config.missing == "mask")  # without a value and a score
    wanted = np.where(unknown & ~faultless, NOT_SCORED, scores > threshold)
    if (labels != wanted).any():
        first = int(np.argmax(labels != wanted))
        raise ArithmeticError(
            f"{sort}: a window with the score {scores[first]:g} has the label {labels[first]}, not {wanted[first]} "
            f"(threshold {threshold:g})"
        )
    if unknown.all():
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        values = ((windows[~unknown] - model.scaler.shift) / model.scaler.scale).reshape((~unknown).sum(), -1)
    size = max(float(expected[~unknown].max()), float(np.nanmean(values * values, axis=1).max()))
    difference = np.abs(scores - expected)[~unknown]
    first = int(np.argmax(difference))
    allowed = TOLERANCE * float(np.finfo(model.config.dtype).eps)
    if not difference[first] <= allowed * size:
        raise ArithmeticError(
            f"{sort}: a window scores {scores[~unknown][first]:.9g}, in the detector {expected[~unknown][first]:.9g}, "
            f"a difference of {difference[first] / size:.2g} where {allowed:.2g} is allowed"
        )
    return float(difference[first]) / size


def probing_windows(model: Model, score: Score) -> dict[str, Windows]:
    """Windows that try every part of an exported program, by their sort, in the units of the series.

    The first are drawn by the model itself, from latent points of its prior; so they are like its training series,
    which a saved detector does not hold. Others are these with noise, outliers and gaps, and such that score just
    above and below the threshold.
    """
    generator = np.random.default_rng(0)
    shape = (EACH, model.config.window, len(model.channels))

    def in_units(scaled: Float[np.ndarray, "n window channel"]) -> Windows:
        return scaled * model.scaler.scale + model.scaler.shift

    weights = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    latent = generator.standard_normal((EACH, model.config.latent_dim))
    hidden = np.maximum(latent @ weights["decoder.weight"].T + weights["decoder.bias"], 0.0)
    usual = (hidden @ weights["output.weight"].T + weights["output.bias"]).reshape(shape)
    noisy = usual + generator.standard_normal(shape)
    values = shape[1] * shape[2]
    place = generator.integers(values, size=(EACH, 1)) == np.arange(values)  # one value of each window
    outlier = place.reshape(shape) * generator.choice([-1.0, 1.0], (EACH, 1, 1))
    refused = np.repeat(noisy[:1], 4, axis=0)
    refused[:, -1, -1] = (np.nan, np.inf, -np.inf, 1e300)
    probes = {
        "usual windows": in_units(usual),
        "noise": in_units(noisy),
        "outliers": in_units(usual + outlier * generator.uniform(3.0, 30.0, (EACH, 1, 1))),
        "values far off": in_units(1e6 * noisy),
        "windows at the threshold": _at_threshold(in_units, usual, outlier, model, score),
        "missing or infinite values": in_units(refused),
    }
    if model.config.missing == "mask":
        holes = np.where(generator.random(shape) < generator.random((EACH, 1, 1)), np.nan, noisy)
        holes[0], holes[1, :, 0], holes[-1] = np.nan, np.nan, np.where(place[-1].reshape(shape[1:]), noisy[-1], np.nan)
        probes["gaps"] = in_units(holes)
    return probes


def _at_threshold(
    in_units: Callable[[np.ndarray], np.ndarray], usual: Windows, outlier: Windows, model: Model, score: Score
) -> Windows:
    """Windows with an outlier so large that they score a little more (or less, every second) than the threshold.

    The size is found by bisection; where the window without an outlier is above the threshold already, it is small.
    """
    threshold = model.thresholds[SINGLE_WINDOW]
    low = np.zeros((len(usual), 1, 1))
    high = np.full_like(low, 100.0 * np.sqrt(abs(threshold) * usual[0].size) + 1.0)
    for _ in range(40):
        middle = (low + high) / 2
        above = (_scores(score, in_units(usual + outlier * middle)) > threshold)[:, None, None]
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    side = np.where(np.arange(len(usual)) % 2, 1.0 - NEAR, 1.0 + NEAR)[:, None, None]
    return in_units(usual + outlier * high * side)
