"""The scores that average errors over time and compare windows with those of the training series, by plain loops."""

import numpy as np

from twinvae.scoring.formulas import Calibration

ENSEMBLE = ("multiscale", "causal_multiscale", "residual", "neighbour")


def averaged(errors: np.ndarray, durations: tuple[int, ...], largest: np.ndarray) -> np.ndarray:
    """The mean over the durations of (e / largest)**2, where e is the mean of the known errors in all covering runs."""
    length = len(errors)
    squares = []
    for duration, most in zip(durations, largest, strict=True):
        size = min(duration, length)
        mean = np.full(errors.shape, np.nan)
        for t in range(length):
            starts = range(max(0, t - size + 1), min(t, length - size) + 1)
            inside = np.concatenate([errors[s : s + size] for s in starts])
            known = ~np.isnan(inside)
            sums = np.where(known, inside, 0).sum(axis=0)
            mean[t] = np.where(known.any(axis=0), sums / np.maximum(known.sum(axis=0), 1), np.nan)
        squares.append((mean / most) ** 2)
    result: np.ndarray = np.mean(squares, axis=0)
    return result


def trailing(errors: np.ndarray, durations: tuple[int, ...], largest: np.ndarray, warm_up: np.ndarray) -> np.ndarray:
    """As `averaged`, over the last steps of each duration; those before the first have the warm-up."""
    squares = []
    for duration, most in zip(durations, largest, strict=True):
        mean = np.full(errors.shape, np.nan)
        for t in range(len(errors)):
            before = [warm_up] * max(0, duration - 1 - t)
            last = np.array([*before, *errors[max(0, t - duration + 1) : t + 1]])
            for c in range(errors.shape[1]):
                known = last[:, c][~np.isnan(last[:, c])]
                mean[t, c] = known.mean() if len(known) else np.nan
        squares.append((mean / most) ** 2)
    result: np.ndarray = np.mean(squares, axis=0)
    return result


def distances(view: str, series: np.ndarray, window: int, bank: np.ndarray) -> np.ndarray:
    """The distance of each window from the nearest of the bank, over the values that both have."""
    found = []
    for start in range(len(series) - window + 1):
        part = series[start : start + window]
        if view == "shape":
            known = ~np.isnan(part)
            steps = np.maximum(known.sum(axis=0), 1)
            part = part - np.where(known, part, 0).sum(axis=0) / steps
            part = part / np.maximum(np.sqrt(np.where(known, part**2, 0).sum(axis=0) / steps), 0.05)
        squares = (part.T.ravel() - bank) ** 2
        shared = (~np.isnan(squares)).sum(axis=1)
        sums = np.nansum(squares, axis=1)[shared > 0] / shared[shared > 0]
        found.append(np.sqrt(sums.min()) if len(sums) else np.nan)
    return np.array(found)


def over_windows(values: np.ndarray, held: np.ndarray, length: int, window: int) -> np.ndarray:
    """The mean over the windows that cover a step of what each has, weighted by how many values it holds."""
    result = np.full((length, 1), np.nan)
    for t in range(length):
        near = range(max(0, t - window + 1), min(t, length - window) + 1)
        covering = [w for w in near if held[w] and not np.isnan(values[w])]
        if covering:
            result[t] = np.average(values[covering], weights=held[covering])
    known = ~np.isnan(result[:, 0])
    result[~known, 0] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), result[known, 0] ** 2) ** 0.5
    return result


def scores(
    kind: str,
    point: np.ndarray,
    causal: np.ndarray,
    series: np.ndarray,
    reconstruction: np.ndarray,
    window: int,
    calibration: Calibration,
) -> np.ndarray:
    """The contributions of an averaged kind, or of the ensemble, from the errors of steps (time, channel).

    `causal` has the warm-up in its first steps. NaN where a value is missing.
    """
    memory = calibration.memory
    assert memory is not None
    held = np.array([(~np.isnan(series[w : w + window])).sum() for w in range(len(series) - window + 1)])
    parts = {}
    if kind == "trailing":
        return trailing(causal, calibration.durations[:3], calibration.largest["trailing"], calibration.warm_up)
    for one in ENSEMBLE if kind == "ensemble" else (kind,):
        if one == "multiscale":
            errors = point
        elif one == "causal_multiscale":
            errors = causal
        else:
            view, of = ("shape", series) if one == "neighbour" else ("residual", series - reconstruction)
            found = distances(view, of, window, memory.banks[view].values.astype(np.float64))  # type: ignore[index]
            errors = over_windows(found, held, len(series), window) ** 2
        parts[one] = averaged(errors, calibration.durations, calibration.largest[one])  # type: ignore[index]
    if kind != "ensemble":
        return np.broadcast_to(parts[kind], series.shape).copy()
    p, c, r, z = (parts[one] / calibration.peak[one] for one in ENSEMBLE)  # type: ignore[index]
    result = np.full(series.shape, np.nan)
    for t in range(len(series)):
        known = ~np.isnan(p[t]) & ~np.isnan(c[t])
        if known.any():
            means = p[t][known].mean(), c[t][known].mean()
            score = ((means[0] + 1e-3) * (means[1] + 1e-3) * (r[t, 0] + 1e-3)) ** (1 / 3) * (1 + z[t, 0]) ** 0.25
            result[t, known] = score * (p[t][known] / means[0] + c[t][known] / means[1]) / 2
    return result
