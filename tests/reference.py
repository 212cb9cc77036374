"""The oracle: model, loss, gradient, Adam and scores in plain NumPy, slow and obvious.

It shares no code with the product but the names of the parameters.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from shared.parameters import Parameters
from shared.schedule import Chunk


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
    """Squared error and KL divergence, summed over the batch."""
    mean, log_variance = encode(x, parameters)
    x_hat = decode(mean + np.exp(log_variance / 2) * noise, parameters)
    squared = (weights[:, None] * (x - x_hat) ** 2).sum()
    divergence = (weights[:, None] * 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)).sum()
    return squared, divergence


def gradient(x: np.ndarray, weights: np.ndarray, noise: np.ndarray, parameters: Parameters, beta: float) -> Parameters:
    """Gradient of squared error + beta * KL, by hand."""
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

    d_x_hat = 2 * weights[:, None] * (x_hat - x)
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
    """Adam (Kingma and Ba 2015, algorithm 1) over the chunks, or their first `steps`; (step, 2) terms of the loss."""
    every = seen(windows(series, window), centring).reshape(-1, window * series.shape[1])
    now = {name: array.copy() for name, array in parameters.items()}
    first = {name: np.zeros_like(array) for name, array in now.items()}
    second = {name: np.zeros_like(array) for name, array in now.items()}
    terms: list[tuple[np.ndarray, np.ndarray]] = []
    for chunk in chunks:
        for starts, weights, noise in zip(
            chunk.starts[: chunk.used], chunk.weights[: chunk.used], chunk.noise[: chunk.used], strict=True
        ):
            if steps is not None and len(terms) == steps:
                return now, np.array(terms)
            x, w, e = every[starts], weights.astype(every.dtype), noise.astype(every.dtype)
            terms.append(loss(x, w, e, now))
            step = len(terms)
            for name, slope in gradient(x, w, e, now, beta).items():
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
    durations: Sequence[int] = (1, 16, 64, 256),
    largest: np.ndarray | float = 1.0,
    centring: str = "none",
) -> np.ndarray:
    """The contributions (time, channel) of a kind of score, by loops over time steps and windows.

    The first steps of `causal`, which have no score, are NaN. `durations` and `largest` (duration, channel) are for
    `multiscale`.
    """
    length, channels = series.shape
    if kind == "multiscale":
        point = scores(series, parameters, window, "point", centring=centring)
        largest = np.broadcast_to(largest, (len(durations), channels))
        ratios = [run_errors(point, duration) / most for duration, most in zip(durations, largest, strict=True)]
        squares: np.ndarray = np.mean(np.square(ratios), axis=0)
        return squares
    every = windows(series, window)
    model_sees = seen(every, centring)
    flat = model_sees.reshape(len(every), -1)
    x_hat = decode(encode(flat, parameters)[0], parameters).reshape(every.shape) + (every - model_sees)
    result = np.full((length, channels), np.nan)
    for t in range(length):
        covering = [w for w in range(len(every)) if w <= t < w + window]
        if kind == "point":
            result[t] = np.mean([(series[t] - x_hat[w, t - w]) ** 2 for w in covering], axis=0)
        elif kind == "reconstruction":
            result[t] = (series[t] - np.mean([x_hat[w, t - w] for w in covering], axis=0)) ** 2
        elif kind == "window":
            result[t] = np.mean([((every[w] - x_hat[w]) ** 2).mean(axis=0) for w in covering], axis=0)
        elif kind == "causal" and t >= window - 1:
            result[t] = (series[t] - x_hat[t - window + 1, window - 1]) ** 2
    return result


def run_errors(point: np.ndarray, duration: int) -> np.ndarray:
    """The mean, at each step, over the runs of `duration` steps that cover it of their means."""
    duration = min(duration, len(point))
    runs = [point[s : s + duration].mean(axis=0) for s in range(len(point) - duration + 1)]
    return np.array(
        [np.mean(runs[max(0, t - duration + 1) : min(t, len(runs) - 1) + 1], axis=0) for t in range(len(point))]
    )
