"""Small detectors and the series that they are fitted on, for the tests of the detector."""

import numpy as np

SIZES = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 3, "batch_size": 8}
SMALL = {"preset": "tutorial", **SIZES}
PLAIN = np.sin(np.arange(80) / 3.0) + 0.1 * np.random.default_rng(0).normal(size=80)
CHANNELS = np.stack([PLAIN, np.random.default_rng(1).normal(size=80), np.cos(np.arange(80) / 5.0)], axis=1)
SPIKE = PLAIN.copy()
SPIKE[40] += 20.0
