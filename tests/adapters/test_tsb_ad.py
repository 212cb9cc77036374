"""What docs/tsb_ad.md tells users of TSB-AD to write: run as it stands there."""

import importlib.util
import re
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT, detector_of

MODEL: dict[str, Any] = {
    "preset": "tutorial", "window": 6, "hidden_dim": 4, "latent_dim": 2, "epochs": 3, "batch_size": 8,
    "dtype": "float64",
}  # fmt: skip
TIME = np.arange(90)
SERIES = np.stack([np.sin(TIME / 3), np.cos(TIME / 5)], axis=1)
SPIKE = SERIES + np.where((TIME >= 60) & (TIME < 63), 9.0, 0.0)[:, None]
FUNCTION, CALL = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tsb_ad.md").read_text(encoding="utf-8"), re.S)


def run_twin_vae() -> Any:
    """The function of the page."""
    names: dict[str, Any] = {}
    exec(FUNCTION, names)
    return names["run_TwinVAE"]


def test_the_function_scores_the_test_series(backend_name: str) -> None:
    own = detector_of(backend_name)(**MODEL).fit(SERIES)
    scores = run_twin_vae()(SERIES, SPIKE, backend=backend_name, **MODEL)
    assert scores.dtype == np.float64
    assert (scores == own.decision_function(SPIKE)).all()


def test_an_unknown_backend_and_unknown_hyperparameters_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown backend 'numpy'"):
        run_twin_vae()(SERIES, SPIKE, backend="numpy")
    with pytest.raises(TypeError, match="windw"):
        run_twin_vae()(SERIES, SPIKE, windw=6)


def test_the_benchmark_finds_and_runs_it() -> None:
    names: dict[str, Any] = {"run_TwinVAE": run_twin_vae(), "data_train": SERIES, "data_test": SPIKE}
    if importlib.util.find_spec("TSB_AD"):
        exec(CALL, names)
        assert names["scores"].shape == (90,)
    else:  # it asks for NumPy below 2, so it is seldom here: the page must still be Python
        compile(CALL, "docs/tsb_ad.md", "exec")
