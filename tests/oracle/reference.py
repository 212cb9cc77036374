"""The oracle: model, loss, gradient, Adam and scores in plain NumPy, slow and obvious.

It shares no code with the product but the names of the parameters and of a calibration's parts.
"""

from collections.abc import Iterable

import numpy as np

from tests.oracle import views
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import Chunk
from twinvae.scoring.formulas import AVERAGED, Calibration


def linear(x: np.ndarray, parameters: Parameters, layer: str) -> np.ndarray:
    return x @ parameters[f"{layer}.weight"].T + parameters[f"{layer}.bias"]


def encode(x: np.ndarray, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance; x is (batch, feature)."""
    posterior = linear(np.maximum(linear(x, parameters, "encoder"), 0), parameters, "posterior")
    latent = posterior.shape[1] // 2
    return posterior[:, :latent], posterior[:, latent:]


def decode(z: np.ndarray, parameters: Parameters) -> np.ndarray:
    return linear(np.maximum(linear(z, parameters, "decoder"), 0), parameters, "output")


def loss(
    x: np.ndarray, weights: np.ndarray, noise: np.ndarray, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray]:
    """Squared error and the KL divergence of each dimension, summed over the batch; NaN is a missing value."""
    mean, log_variance = encode(np.nan_to_num(x), parameters)
    x_hat = decode(mean + np.exp(log_variance / 2) * noise, parameters)
    squared = np.nansum(weights[:, None] * (x - x_hat) ** 2)
    counted = (weights * np.isfinite(x).mean(axis=1))[:, None]
    divergence = (counted * 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)).sum(axis=0)
    return squared, divergence


def gradient(
    x: np.ndarray, weights: np.ndarray, noise: np.ndarray, parameters: Parameters, beta: float | np.ndarray
) -> Parameters:
    """Gradient of squared error + beta * KL, by hand; NaN is a missing value."""
    known = np.isfinite(x)
    x = np.nan_to_num(x)
    beta = beta * known.mean(axis=1)[:, None]
    hidden_in = linear(x, parameters, "encoder")
    hidden = np.maximum(hidden_in, 0)
    mean, log_variance = encode(x, parameters)
    deviation = np.exp(log_variance / 2)
    z = mean + deviation * noise
    back_in = linear(z, parameters, "decoder")
    back = np.maximum(back_in, 0)
    x_hat = linear(back, parameters, "output")

    result: Parameters = {}

    def through(layer: str, inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Records a layer's gradients; returns the gradient of its inputs."""
        result[f"{layer}.weight"] = outputs.T @ inputs
        result[f"{layer}.bias"] = outputs.sum(axis=0)
        return outputs @ parameters[f"{layer}.weight"]

    d_x_hat = 2 * weights[:, None] * (x_hat - x) * known
    d_back = through("output", back, d_x_hat) * (back_in > 0)
    d_z = through("decoder", z, d_back)
    d_mean = d_z + beta * weights[:, None] * mean
    d_log_variance = d_z * noise * deviation / 2 + beta * weights[:, None] * 0.5 * (np.exp(log_variance) - 1)
    d_hidden = through("posterior", hidden, np.concatenate([d_mean, d_log_variance], axis=1)) * (hidden_in > 0)
    through("encoder", x, d_hidden)
    return result


def windows(series: np.ndarray, window: int) -> np.ndarray:
    """(n, window, channel), by a loop."""
    return np.stack([series[i : i + window] for i in range(len(series) - window + 1)])


def seen(every: np.ndarray, centring: str) -> np.ndarray:
    """What the model sees of windows (n, window, channel)."""
    return every - every.mean(axis=1, keepdims=True) if centring == "window" else every


def train(
    parameters: Parameters,
    series: np.ndarray,
    chunks: Iterable[Chunk],
    *,
    window: int,
    beta: float,
    learning_rate: float,
    steps: int | None = None,
    centring: str = "none",
) -> tuple[Parameters, np.ndarray]:
    """Adam (Kingma and Ba 2015, algorithm 1) over the chunks, or their first `steps`; (step, 1 + latent) terms."""
    every = seen(windows(series, window), centring).reshape(-1, window * series.shape[1])
    now = {name: array.copy() for name, array in parameters.items()}
    first = {name: np.zeros_like(array) for name, array in now.items()}
    second = {name: np.zeros_like(array) for name, array in now.items()}
    terms: list[np.ndarray] = []
    for chunk in chunks:
        for index in range(chunk.used):
            starts, weights, noise = chunk.starts[index], chunk.weights[index], chunk.noise[index]
            now_beta = beta if chunk.beta_scale is None else beta * float(chunk.beta_scale[index])
            if steps is not None and len(terms) == steps:
                return now, np.array(terms)
            x, w, e = every[starts], weights.astype(every.dtype), noise.astype(every.dtype)
            terms.append(np.hstack(loss(x, w, e, now)))
            step = len(terms)
            for name, slope in gradient(x, w, e, now, now_beta).items():
                first[name] = 0.9 * first[name] + 0.1 * slope
                second[name] = 0.999 * second[name] + 0.001 * slope**2
                m, v = first[name] / (1 - 0.9**step), second[name] / (1 - 0.999**step)
                now[name] = now[name] - learning_rate * m / (np.sqrt(v) + 1e-8)
    return now, np.array(terms)


def scores(
    series: np.ndarray,
    parameters: Parameters,
    window: int,
    kind: str,
    calibration: Calibration | None = None,
    centring: str = "none",
) -> np.ndarray:
    """The contributions (time, channel) of a kind of score, by loops over time steps and windows.

    Without a calibration the first steps of `causal`, which have no score, are NaN. A series that holds NaN is for
    `masked_scores`.
    """
    length, channels = series.shape

    def other(kind: str) -> np.ndarray:
        return scores(series, parameters, window, kind, calibration, centring)

    if calibration is not None and kind in (*AVERAGED, "ensemble"):
        x_hat = np.full(series.shape, np.nan)
        every, drawn = drawings(series, parameters, window, centring)[:2]
        for t in range(length):
            x_hat[t] = np.mean([drawn[w, t - w] for w in range(len(every)) if w <= t < w + window], axis=0)
        return views.scores(kind, other("point"), other("causal"), series, x_hat, window, calibration)
    if calibration is not None and kind == "probability":
        return other("point") / calibration.variance / 2
    every, x_hat, divergence = drawings(series, parameters, window, centring)
    result = np.full((length, channels), np.nan if calibration is None else calibration.warm_up)
    for t in range(length):
        covering = [w for w in range(len(every)) if w <= t < w + window]
        if kind == "point":
            result[t] = np.mean([(series[t] - x_hat[w, t - w]) ** 2 for w in covering], axis=0)
        elif kind == "reconstruction":
            result[t] = (series[t] - np.mean([x_hat[w, t - w] for w in covering], axis=0)) ** 2
        elif kind == "window":
            result[t] = np.mean([((every[w] - x_hat[w]) ** 2).mean(axis=0) for w in covering], axis=0)
        elif kind == "divergence":
            result[t] = np.mean([divergence[w] for w in covering])
        elif kind == "causal" and t >= window - 1:
            result[t] = (series[t] - x_hat[t - window + 1, window - 1]) ** 2
    return result


def drawings(
    series: np.ndarray, parameters: Parameters, window: int, centring: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All windows, their reconstructions and their KL divergences."""
    every = windows(series, window)
    model_sees = seen(every, centring)
    mean, log_variance = encode(model_sees.reshape(len(every), -1), parameters)
    x_hat = decode(mean, parameters).reshape(every.shape) + (every - model_sees)
    return every, x_hat, (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1) / 2


def run_errors(point: np.ndarray, duration: int) -> np.ndarray:
    """The mean, at each step, over the runs of `duration` steps that cover it of their means."""
    duration = min(duration, len(point))
    runs = [point[s : s + duration].mean(axis=0) for s in range(len(point) - duration + 1)]
    return np.array(
        [np.mean(runs[max(0, t - duration + 1) : min(t, len(runs) - 1) + 1], axis=0) for t in range(len(point))]
    )


def reconstructions(series: np.ndarray, parameters: Parameters, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The reconstruction (n, window, channel) and the KL divergence (n,) of each window, missing values (NaN) filled
    in four rounds."""
    every = windows(series, window)
    flat = every.reshape(len(every), -1)
    guess = np.zeros_like(flat)
    for _ in range(4):
        mean, log_variance = encode(np.where(np.isnan(flat), guess, flat), parameters)
        guess = decode(mean, parameters)
    return guess.reshape(every.shape), (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1) / 2


def masked_scores(  # noqa: PLR0912  (a branch for each kind of score)
    series: np.ndarray,
    parameters: Parameters,
    window: int,
    kind: str,
    calibration: Calibration,
) -> np.ndarray:
    """`scores` of a series with missing values (NaN), one step and channel at a time."""
    length, channels = series.shape
    known, (x_hat, divergence) = np.isfinite(series), reconstructions(series, parameters, window)
    held = [int(known[w : w + window].sum()) for w in range(len(x_hat))]
    result = np.full((length, channels), np.nan)

    def error(t: int, w: int, c: int) -> float:
        return float((series[t, c] - x_hat[w, t - w, c]) ** 2)

    def covering(t: int) -> list[int]:
        return [w for w in range(len(x_hat)) if w <= t < w + window and held[w]]

    def point(t: int, c: int) -> float:
        return float(np.average([error(t, w, c) for w in covering(t)], weights=[held[w] for w in covering(t)]))

    points = {(t, c): point(t, c) for t in range(length) for c in range(channels) if known[t, c]}
    for (t, c), own in points.items():
        if kind == "point":
            result[t, c] = own
        elif kind == "reconstruction":
            drawn = np.average([x_hat[w, t - w, c] for w in covering(t)], weights=[held[w] for w in covering(t)])
            result[t, c] = (series[t, c] - drawn) ** 2
        elif kind == "window":
            steps = [(s, w) for w in covering(t) for s in range(w, w + window) if known[s, c]]
            result[t, c] = np.mean([error(s, w, c) for s, w in steps])
        elif kind == "probability":
            result[t, c] = own / calibration.variance[c] / 2
        elif kind == "divergence":
            result[t, c] = np.average(divergence[covering(t)], weights=[held[w] for w in covering(t)])
        elif kind == "causal" and t >= window - 1:
            result[t, c] = error(t, t - window + 1, c)
    if kind in (*AVERAGED, "ensemble"):
        errors, newest, drawn = np.full((3, length, channels), np.nan)
        newest[: window - 1] = calibration.warm_up
        for (t, c), own in points.items():
            errors[t, c] = own
            if t >= window - 1:
                newest[t, c] = error(t, t - window + 1, c)
        for t in range(length):
            if around := covering(t):
                drawn[t] = np.average([x_hat[w, t - w] for w in around], axis=0, weights=[held[w] for w in around])
        result = views.scores(kind, errors, newest, series, drawn, window, calibration)
        late = np.arange(length)[:, None] >= (window - 1 if kind == "trailing" else 0)
        result[~known & late] = np.nan
    for c in range(channels):
        fill_gaps(result[:, c], known[:, c], window, kind)
    return result


def fill_gaps(scores: np.ndarray, known: np.ndarray, window: int, kind: str) -> None:
    """Scores of missing steps from their neighbours; those with no value within a window stay NaN."""
    for t in np.flatnonzero(~known):
        before = [s for s in np.flatnonzero(known) if s < t]
        after = [s for s in np.flatnonzero(known) if s > t]
        if kind in ("causal", "trailing"):
            if t >= window - 1 and before and t - before[-1] < window:
                scores[t] = scores[t - 1]  # NaN: still warming up
        elif min([t - s for s in before[-1:]] + [s - t for s in after[:1]], default=window) < window:
            ends = [*before[-1:], *after[:1]]
            scores[t] = np.interp(t, ends, scores[ends])
