"""The model of a stream, in plain NumPy: a window in, the squared error of its last step out."""

from copy import deepcopy

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.network.objective import REFILLS
from twinvae.network.parameters import Parameters
from twinvae.windowing.slide import centred


class StreamModel:
    """The network for one window at a time, with preallocated arrays, so that a point allocates next to nothing.

    What it computes is the statistic `causal` of `twinvae.scoring.statistics.block_statistics`, of one window.
    """

    def __init__(
        self, parameters: Parameters, config: Config, channels: int, noise: Float[np.ndarray, "draw latent"] | None
    ) -> None:
        dtype, latent = np.dtype(config.dtype), config.latent_dim
        self._channels, self._half, self._noise, self._centring = channels, latent, noise, config.centring
        rows = latent if noise is None else 2 * latent  # scores need no variance without draws
        self._encoder = parameters["encoder.weight"], parameters["encoder.bias"]
        weight, bias = parameters["posterior.weight"], parameters["posterior.bias"]
        self._posterior = np.ascontiguousarray(weight[:rows]), bias[:rows]
        self._decoder = parameters["decoder.weight"], parameters["decoder.bias"]
        self._output = parameters["output.weight"], parameters["output.bias"]
        self._last = np.ascontiguousarray(self._output[0][-channels:]), self._output[1][-channels:]
        self._hidden, self._latent = np.empty(config.hidden_dim, dtype), np.empty(rows, dtype)
        self._back, self._error = np.empty(config.hidden_dim, dtype), np.empty(channels, dtype)
        self._zeros = np.zeros(config.hidden_dim, dtype)  # a scalar in its place takes twice as long

    __copy__ = deepcopy  # a shallow one would compute in the same arrays

    def squared_error(self, window: Float[np.ndarray, " feature"], *, gaps: bool) -> Float[np.ndarray, "*draw channel"]:
        """The squared error of each channel at the last step, for each latent draw if scores are made by draws; the
        next call uses the array again.

        `window` is flat, the channels of a step side by side. Only with `gaps` may it hold NaN; the result is NaN where
        the last step is.
        """
        if self._centring == "window":
            window = self._centred(window, gaps)
        last = window[-self._channels :]
        latent = self._encode(self._refilled(window) if gaps else window)
        if self._noise is None:
            return self._decoded_error(latent, last)
        deviation = np.exp(0.5 * latent[self._half :])
        draws = [latent[: self._half] + deviation * noise for noise in self._noise]
        return np.array([self._decoded_error(draw, last).copy() for draw in draws])

    def deviation(self, window: Float[np.ndarray, " feature"], *, gaps: bool) -> Float[np.ndarray, " channel"]:
        """By how much each channel of the last step exceeds what the posterior mean makes of it; NaN if it is NaN."""
        if self._centring == "window":
            window = self._centred(window, gaps)
        self._decode(self._encode(self._refilled(window) if gaps else window)[: self._half])
        expected = np.dot(self._last[0], self._back) + self._last[1]
        return np.asarray(window[-self._channels :] - expected)

    def _centred(self, window: Float[np.ndarray, " feature"], gaps: bool) -> Float[np.ndarray, " feature"]:
        steps = window.reshape(-1, self._channels)
        if gaps:
            return centred(steps[None], True, np)[0].reshape(-1)
        return (steps - np.add.reduce(steps) / len(steps)).reshape(-1)  # `mean` takes longer for so little

    def _refilled(self, window: Float[np.ndarray, " feature"]) -> Float[np.ndarray, " feature"]:
        """`twinvae.network.objective.refilled` of one window."""
        missing = np.isnan(window)
        values = np.where(missing, 0.0, window)
        for _ in range(REFILLS):
            self._decode(self._encode(values)[: self._half])
            made = np.dot(self._output[0], self._back)
            made += self._output[1]
            np.copyto(values, made, where=missing)
        return values

    def _encode(self, window: Float[np.ndarray, " feature"]) -> Float[np.ndarray, " latent"]:
        """The posterior mean, and with draws the logarithm of its variance after it."""
        hidden, latent = self._hidden, self._latent
        _dense(self._encoder, window, hidden)
        np.maximum(hidden, self._zeros, hidden)
        _dense(self._posterior, hidden, latent)
        return latent

    def _decode(self, latent: Float[np.ndarray, " latent"]) -> None:
        back = self._back
        _dense(self._decoder, latent, back)
        np.maximum(back, self._zeros, back)

    def _decoded_error(
        self, latent: Float[np.ndarray, " latent"], last: Float[np.ndarray, " channel"]
    ) -> Float[np.ndarray, " channel"]:
        error = self._error
        self._decode(latent)
        _dense(self._last, self._back, error)
        np.subtract(error, last, error)
        np.multiply(error, error, error)
        return error


def _dense(layer: tuple[np.ndarray, np.ndarray], inputs: np.ndarray, out: np.ndarray) -> None:
    np.dot(layer[0], inputs, out)  # `matmul` takes longer for so little
    np.add(out, layer[1], out)


def windows_of(buffer: Float[np.ndarray, "rows channel"]) -> list[Float[np.ndarray, " feature"]]:
    """Every window, flat, by its last row: each point is written twice, W rows apart, so that all are slices."""
    window = len(buffer) // 2
    return [buffer[row + 1 : row + 1 + window].reshape(-1) for row in range(window)]
