"""PyOD's VAE on the same windows: what a user of the best-known library for anomaly detection gets.

It has to be installed: `pip install pyod tqdm` (its VAE needs tqdm and PyTorch). It is a different computation:

- its own layers by default (128, 64, 32, latent 2, dropout 0.2); `same_size=True` asks for ours, without dropout;
- a mean-squared-error loss, whose KL term its default `capacity=0` clamps to zero; Adam with weight decay;
- each feature standardised, in the data loader, one window at a time;
- the last, partial batch of an epoch is dropped: 14 steps where the tutorial has 15;
- it gives one score for a window and not for a time step; here the score of a time step is the mean over the windows
  that cover it;
- windows are copied, so a long series costs window times its memory.
"""

from typing import Any

import numpy as np
from pyod.models.vae import VAE

from twinvae.windowing.geometry import count
from twinvae.windowing.intervals import intervals

SAME_SIZE: dict[str, Any] = {
    "encoder_neuron_list": [32],
    "decoder_neuron_list": [32],
    "latent_dim": 10,
    "dropout_rate": 0.0,
}


class Detector:
    """Fits and scores a series of shape (time,)."""

    def __init__(
        self, *, window: int = 50, epochs: int = 100, batch: int = 32, device: str = "cpu", same_size: bool = False
    ) -> None:
        import torch

        self.window = window
        self.model = VAE(
            epoch_num=epochs,
            batch_size=batch,
            device=torch.device("cuda" if device == "gpu" else "cpu"),
            verbose=0,
            **(SAME_SIZE if same_size else {}),
        )

    def windows(self, series: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(series, self.window))

    def fit(self, series: np.ndarray) -> "Detector":
        self.model.fit(self.windows(series))
        return self

    def score_windows(self, windows: np.ndarray) -> np.ndarray:
        scores: np.ndarray = self.model.decision_function(windows)
        return scores

    def decision_function(self, series: np.ndarray) -> np.ndarray:
        scores = self.score_windows(self.windows(series))
        total = np.convolve(scores, np.ones(self.window))
        covered = np.convolve(np.ones(count(len(series), self.window)), np.ones(self.window))
        return total / covered

    def events(self, series: np.ndarray) -> list[tuple[int, int]]:
        """Returns the events above PyOD's own threshold; its default calls a tenth of all fitted windows anomalous."""
        labels = (self.decision_function(series) > self.model.threshold_).astype(np.int8)
        return intervals(labels, merge_gap=20)
