"""The detector in the TSB-AD benchmark: its run function. The benchmark needs no class, `VAEDetector` is one.

Its wrapper finds a function `run_<name>` among its own globals: `TSB_AD.model_wrapper.run_TwinVAE = run_TwinVAE`.
This module imports nothing of TSB-AD.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from twinvae.detector.detector import load_detector


def run_TwinVAE(  # noqa: N802  (the benchmark's way to write names)
    data_train: Any,
    data_test: Any,
    backend: str = "jax",
    **HP: Any,  # noqa: N803
) -> Float64[np.ndarray, " time"]:
    """Fits on `data_train` and scores each time step of `data_test`, both of shape (time, channel).

    `HP` holds arguments of `VAEDetector`. The scores are not scaled to [0, 1]: the benchmark's main program does that.

    Raises:
        TypeError, ValueError: if an argument or a series is not fit for use. TSB-AD's wrapper hides the message.
    """
    detector = load_detector(backend)(**HP).fit(data_train)
    return detector.decision_function(data_test).astype(np.float64)
