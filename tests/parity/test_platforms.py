"""A platform or a device that is not here is one line, from every function and from the command."""

from typing import Any

import numpy as np
import pytest

from tests.conftest import in_a_fresh_process
from tests.helpers.detectors import PLAIN, SMALL

CALLS = """
import numpy as np, sys
from twinvae.cli import main as cli
from vae_jax import VAEDetector, VAEFleet

sys.stderr = sys.stdout
series = np.sin(np.arange(80.0))
small = dict(preset="tutorial", window=5, hidden_dim=4, latent_dim=2, epochs=1)
for detector, given in ((VAEDetector(**small), series), (VAEDetector(device="cpu", **small), series),
                        (VAEDetector(device="gpu", **small), series), (VAEFleet(**small), {"a": series})):
    try:
        detector.fit(given)
    except ValueError as error:
        print(error)
print("command", cli.main(["doctor", "--backend", "jax"]))
"""


@pytest.mark.parametrize("platform", ["rocm", "nonsense"])  # a plugin that is not installed, a word that is none
def test_a_platform_of_jax_that_is_not_here(platform: str) -> None:
    *said, code = in_a_fresh_process(CALLS, JAX_PLATFORMS=platform).splitlines()
    expected = f"JAX does not start with JAX_PLATFORMS={platform}: unset it, or name what is here, such as cpu"
    assert [line.startswith(expected) for line in said[:4]] == [True] * 4, said
    assert said[-1].startswith(f"twinvae: error: {expected}")
    assert code == "command 1"


def test_a_device_that_is_not_here(detector_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    usual = np.array(detector_class(**SMALL).fit(PLAIN).decision_scores_)
    assert (detector_class(**SMALL, device="cpu").fit(PLAIN).decision_scores_ == usual).all()
    if detector_class.backend.__name__.startswith("vae_torch"):
        with pytest.raises(ValueError, match="PyTorch sees no gpu here"):
            detector_class(**SMALL, device="gpu").fit(PLAIN)
    with pytest.raises(ValueError, match="device must be one of auto, cpu, gpu, got 'cuda'"):
        detector_class(**SMALL, device="cuda").fit(PLAIN)
