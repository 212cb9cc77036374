"""Models that have learned nothing, or whose training came to something that is not finite: nothing is kept."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.command import failure
from tests.helpers.detectors import CHANNELS, PLAIN, SMALL
from twinvae.config import Config, resolve
from twinvae.detector.suitable import suitable
from twinvae.network.failure import check_learned
from twinvae.network.net import Net

WIDE = np.sin(np.arange(400) / 7.0)[:, None] + 0.1 * np.random.default_rng(0).normal(size=(400, 741))


# The learning rate.


@pytest.mark.parametrize(
    ("channels", "window", "expected"),
    [(1, 256, 1e-3), (8, 256, 1e-3), (16, 256, 1e-3), (64, 64, 1e-3), (128, 64, 5e-4), (1024, 64, 6.25e-5)],
)
def test_the_learning_rate_falls_with_the_values_of_a_window(channels: int, window: int, expected: float) -> None:
    config, series = replace(resolve("auto", {}), window=window), np.zeros((300, channels))
    chosen = suitable(config, series, window=False, epochs=False, learning_rate=True)
    assert chosen == replace(config, learning_rate=chosen.learning_rate)
    assert chosen.learning_rate == pytest.approx(expected)
    assert suitable(config, series, window=False, epochs=False, learning_rate=False) == config


@pytest.mark.slow
def test_a_given_learning_rate_and_that_of_other_presets_stay(detector_class: Any) -> None:
    wide = np.random.default_rng(0).normal(size=(40, 2000))
    for arguments in ({"learning_rate": 1e-6}, {"preset": "standard", "learning_rate": 1e-6}):
        detector = detector_class(**arguments, window=4, hidden_dim=2, latent_dim=1, epochs=1).fit(wide)
        assert detector.config_.learning_rate == 1e-6


@pytest.mark.slow
def test_the_default_learns_741_channels(detector_class: Any) -> None:
    history = detector_class(epochs=3).fit(WIDE).history_
    features = 64 * WIDE.shape[1]
    assert max(history["loss"]) < 1.2 * features, "it was 10^11 times as much"
    assert history["loss"][-1] < history["loss"][0]


# Worse than the mean.


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["auto", "standard"])
def test_a_training_that_diverged_finitely_is_an_error(detector_class: Any, preset: str) -> None:
    detector = detector_class(preset=preset, learning_rate=0.05, epochs=3)
    with pytest.raises(ValueError, match=r"(errs .* times as much as the mean|training diverged).*lower learning_rate"):
        detector.fit(WIDE[:, :300])
    assert not hasattr(detector, "model_")


@pytest.mark.parametrize("level", [1000.0, -5e4])
def test_a_level_that_was_not_learned_is_an_error_that_says_scale(detector_class: Any, level: float) -> None:
    with pytest.raises(ValueError, match=r"(errs .* mean of the training series|training diverged): scale the series"):
        detector_class(**SMALL | {"epochs": 20}).fit(level + PLAIN)


def test_the_command_says_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n" + "\n".join(map(str, 1000 + PLAIN)))
    line = failure(
        capsys,
        "fit",
        path,
        "--model",
        tmp_path / "m.safetensors",
        "--preset",
        "tutorial",
        "--window",
        "5",
        "--epochs",
        "20",
    )
    assert "--scaling standard" in line
    assert not (tmp_path / "m.safetensors").exists()


def test_a_member_of_a_fleet_fails_alone(backend_name: str) -> None:
    fleet_class = importlib.import_module(f"vae_{backend_name}").VAEFleet
    with pytest.warns(UserWarning, match=r"high: (the training has failed|training diverged): scale"):
        fleet = fleet_class(**SMALL | {"epochs": 20}).fit({"good": PLAIN, "high": PLAIN + 1000.0})
    assert list(fleet) == ["good"]


@pytest.mark.filterwarnings("ignore:posterior collapse")
@pytest.mark.parametrize(("dtype", "scale"), [("float32", 1e-3), ("float32", 1e10), ("float64", 1.0)])
def test_a_posterior_that_collapsed_to_the_mean_is_no_error(detector_class: Any, dtype: Any, scale: float) -> None:
    noise = scale * (5.0 + np.random.default_rng(0).normal(size=(300, 2)))
    detector_class(**SMALL | {"epochs": 20}, beta=1e3, scaling="standard", dtype=dtype).fit(noise)


def test_missing_values_do_not_count() -> None:
    net = Net(3, 1, 1, 1, "float64", centred=False, masked=True)
    x = np.array([0.0, 2.0, np.nan, 0.0, 2.0, np.nan])[:, None]
    # Windows 0..3 hold 2 values each, so the steps count 1, 2, -, 3, 2, -: the mean is 1, the squares are all 1.
    config = Config(window=3, scaling="standard", learning_rate=1.0)
    check_learned(x, np.full((4, 1), 1.99), net, config)
    with pytest.raises(ValueError, match=r"errs 2\.01 times"):
        check_learned(x, np.full((4, 1), 2.01), net, config)


def test_centred_windows_are_held_against_their_own_means() -> None:
    x = 1e4 * np.arange(6.0)[:, None] + np.array([1.0, -1.0] * 3)[:, None]
    squares = np.lib.stride_tricks.sliding_window_view(x[:, 0], 3).var(axis=1)[:, None]
    config = Config(window=3, centring="window", learning_rate=1.0)
    net = Net(3, 1, 1, 1, "float64", centred=True, masked=False)
    check_learned(x, 1.99 * squares, net, config)
    with pytest.raises(ValueError, match=r"errs 2\.01 times"):
        check_learned(x, 2.01 * squares, net, config)
    check_learned(x, 2.01 * squares, Net(3, 1, 1, 1, "float64", centred=False, masked=False), config)


# What is not finite.


@pytest.mark.parametrize("scale", [1e19, 1e20, 1e25, 1e30])
def test_an_infinite_loss_is_an_error(detector_class: Any, scale: float) -> None:
    detector = detector_class(**SMALL)
    with pytest.raises(ValueError, match=r"(training diverged|overflows).*scal"):
        detector.fit(scale * CHANNELS)
    assert not hasattr(detector, "model_")


DAMAGE: dict[str, Any] = {
    "a threshold": lambda m: replace(m, thresholds=m.thresholds | {"point": float("inf")}),
    "the warm-up": lambda m: replace(m, calibration=m.calibration._replace(warm_up=np.full(1, np.nan))),
    "calibration": lambda m: replace(m, calibration=m.calibration._replace(variance=np.full(1, np.inf))),
    "a parameter": lambda m: replace(m, parameters=m.parameters | {"encoder.bias": np.full(4, np.nan, np.float32)}),
    "the scale": lambda m: replace(m, scaler=m.scaler._replace(scale=np.zeros(1))),
    "the seed": lambda m: replace(m, seed=-1),
}


@pytest.mark.parametrize("part", DAMAGE)
def test_the_writer_checks_what_the_reader_checks(detector_class: Any, tmp_path: Path, part: str) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    detector.save(tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    detector.model_ = DAMAGE[part](detector.model_)
    with pytest.raises(ValueError, match=r"this model cannot be saved: .*: fit it again"):
        detector.save(tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == before
