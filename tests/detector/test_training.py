"""Training in both backends: the history, early stopping, interruptions, what overflows."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import assert_close, detector_of
from tests.helpers.detectors import CHANNELS, PLAIN, SIZES, SMALL, SPIKE
from tests.oracle import reference
from twinvae.config import Config


def test_the_same_seed_gives_the_same_detector_and_another_seed_another(detector_class: Any) -> None:
    one, same, other = (detector_class(**SMALL, seed=seed).fit(PLAIN) for seed in (0, 0, 1))
    assert (one.decision_scores_ == same.decision_scores_).all()
    assert one.history_ == same.history_
    assert (one.decision_scores_ != other.decision_scores_).any()


def test_fit_leaves_the_global_random_state_alone(detector_class: Any) -> None:
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    detector_class(**SMALL).fit(PLAIN)
    assert np.random.random() == expected  # noqa: NPY002


def test_history_is_each_epoch_s_mean_over_the_windows_of_the_oracle(fitted: Any) -> None:
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks

    config = Config(**SIZES, dtype="float64")  # type: ignore[arg-type]
    _, terms = reference.train(
        draw(Net.of(config, 1), 0), PLAIN[:, None], chunks(76, config, 0), window=5, beta=2.0, learning_rate=1e-3
    )
    epochs = terms.reshape(3, 10, 3).sum(axis=1) / 76
    kl = epochs[:, 1:].sum(axis=1)
    assert set(fitted.history_) == {"loss", "reconstruction", "kl", "kl_per_dimension"}
    assert_close(fitted.history_["reconstruction"], epochs[:, 0], 1e-10)
    assert_close(fitted.history_["kl"], kl, 1e-10)
    assert_close(fitted.history_["kl_per_dimension"], epochs[:, 1:], 1e-10)
    assert_close(fitted.history_["loss"], epochs[:, 0] + 2.0 * kl, 1e-10)


def test_the_loss_in_the_history_is_that_of_the_beta_of_each_step(detector_class: Any) -> None:
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks

    config = Config(**SIZES, beta_warm_up=2, dtype="float64")  # type: ignore[arg-type]
    _, terms = reference.train(
        draw(Net.of(config, 1), 0), PLAIN[:, None], chunks(76, config, 0), window=5, beta=2.0, learning_rate=1e-3
    )
    betas = 2.0 * np.minimum(1.0, np.arange(30) / 20)
    losses = (terms[:, 0] + betas * terms[:, 1:].sum(axis=1)).reshape(3, 10).sum(axis=1) / 76
    detector = detector_class(**SMALL, beta_warm_up=2, dtype="float64").fit(PLAIN)
    assert_close(detector.history_["loss"], losses, 1e-7)  # the factors of beta are float32


def test_a_warm_up_keeps_alive_what_a_strong_beta_kills_at_once(detector_class: Any) -> None:
    settings = SMALL | {"epochs": 40, "learning_rate": 0.01, "beta": 10.0}
    with pytest.warns(UserWarning, match="posterior collapse: .* lower beta or set beta_warm_up"):
        dead = detector_class(**settings).fit(PLAIN)
    assert max(dead.history_["kl_per_dimension"][-1]) < 0.01
    for name, value in (("beta", 0.1), ("beta_warm_up", 400)):
        alive = detector_class(**settings | {name: value}).fit(PLAIN)  # a warning is an error
        assert max(alive.history_["kl_per_dimension"][-1]) > 0.1


@pytest.mark.slow
def test_white_noise_collapses_and_one_lively_dimension_is_no_collapse(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SMALL | {"epochs": 100, "learning_rate": 0.01}
    noise = np.random.default_rng(0).normal(size=400)
    with pytest.warns(UserWarning, match="posterior collapse"):
        detector = detector_class(**settings).fit(noise)
    low, high = sorted(detector.history_["kl_per_dimension"][-1])
    assert low < high
    monkeypatch.setattr("twinvae.network.training.COLLAPSED", (low + high) / 2)
    detector_class(**settings).fit(noise)


def test_the_warm_up_does_not_count_towards_patience(detector_class: Any) -> None:
    losses = detector_class(**STOPPING, beta_warm_up=20).fit(PLAIN).history_["validation_loss"]
    assert len(losses) >= 20 + 3


def test_history_does_not_depend_on_where_chunks_end(detector_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = detector_class(**SMALL).fit(PLAIN)
    for steps in (1, 3, 10, 25):
        monkeypatch.setattr("twinvae.network.training.CHUNK_STEPS", steps)
        detector = detector_class(**SMALL).fit(PLAIN)
        assert detector.history_ == expected.history_
        assert (detector.decision_scores_ == expected.decision_scores_).all()


STOPPING = SMALL | {"epochs": 60, "validation_fraction": 0.25, "patience": 3, "learning_rate": 0.3}


def test_early_stopping_stops_and_keeps_the_best_epoch(detector_class: Any) -> None:
    detector = detector_class(**STOPPING, dtype="float64").fit(PLAIN)
    losses = detector.history_["validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == len(detector.history_["loss"]) == best + 1 + 3 < 60

    expected = []
    x = reference.windows(PLAIN[60:, None], 5).reshape(16, 5)

    def held_out_loss(parameters: Any) -> float:
        squared, divergence = reference.loss(x, np.ones(16), np.zeros((16, 2)), parameters)
        return float(squared + 2.0 * divergence.sum()) / 16

    assert held_out_loss(detector.parameters_) == pytest.approx(min(losses), rel=1e-10)
    for epochs in (best + 1, len(losses)):
        shorter = detector_class(**STOPPING | {"epochs": epochs, "patience": 60}, dtype="float64").fit(PLAIN)
        expected.append(shorter.history_["validation_loss"])
    assert expected == [losses[: best + 1], losses]


def test_early_stopping_is_deterministic(detector_class: Any) -> None:
    one, other = (detector_class(**STOPPING).fit(PLAIN) for _ in range(2))
    assert one.history_ == other.history_
    assert (one.decision_scores_ == other.decision_scores_).all()


def test_early_stopping_works_with_several_channels(detector_class: Any) -> None:
    detector = detector_class(**STOPPING | {"epochs": 2}).fit(CHANNELS)
    assert len(detector.history_["validation_loss"]) == 2


def test_early_stopping_is_off_unless_asked_for(fitted: Any) -> None:
    assert "validation_loss" not in fitted.history_
    assert len(fitted.history_["loss"]) == 3


def test_scaling_is_that_of_the_training_part(detector_class: Any) -> None:
    series = PLAIN.copy()
    series[60:] += 100.0
    detector = detector_class(**STOPPING | {"epochs": 1}, scaling="standard").fit(series)
    assert detector.scaler_.shift[0] == pytest.approx(series[:60].mean())


@pytest.mark.parametrize("fraction", [0.01, 0.97])
def test_a_held_out_part_without_a_window_is_refused(detector_class: Any, fraction: float) -> None:
    with pytest.raises(ValueError, match="each part needs at least one window of 5"):
        detector_class(**SMALL, validation_fraction=fraction).fit(PLAIN)


def interrupted(monkeypatch: pytest.MonkeyPatch, detector_class: Any, chunks: int) -> None:
    """Makes Ctrl-C come after so many chunks."""
    train = detector_class.backend.train

    def wrapper(*arguments: Any) -> Iterator[Any]:
        states = train(*arguments)
        for _ in range(chunks):
            yield next(states)
        raise KeyboardInterrupt

    monkeypatch.setattr(detector_class.backend, "train", wrapper)


@pytest.mark.parametrize(("steps", "chunks", "epochs"), [(10, 2, 2), (10, 1, 1), (5, 5, 2), (5, 2, 1), (20, 1, 2)])
def test_ctrl_c_keeps_the_last_finished_epoch(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch, steps: int, chunks: int, epochs: int
) -> None:
    monkeypatch.setattr("twinvae.network.training.CHUNK_STEPS", steps)  # an epoch has ten steps
    expected = detector_class(**SMALL | {"epochs": epochs}).fit(PLAIN)
    interrupted(monkeypatch, detector_class, chunks)
    with pytest.warns(UserWarning, match=f"training interrupted: kept the parameters of epoch {epochs} of 3"):
        detector = detector_class(**SMALL).fit(PLAIN)
    assert all((detector.parameters_[name] == array).all() for name, array in expected.parameters_.items())
    assert detector.history_ == expected.history_
    assert (detector.decision_function(SPIKE) == expected.decision_function(SPIKE)).all()
    assert detector.thresholds_ == expected.thresholds_


@pytest.mark.parametrize("chunks", [0, 1])
def test_ctrl_c_before_an_epoch_is_over_is_raised(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    monkeypatch.setattr("twinvae.network.training.CHUNK_STEPS", 5)
    interrupted(monkeypatch, detector_class, chunks)
    detector = detector_class(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(PLAIN)
    assert not hasattr(detector, "parameters_")


def test_ctrl_c_in_the_first_held_out_loss_does_not_pass_off_untrained_weights(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr("twinvae.network.training._loss", stop)
    with pytest.raises(KeyboardInterrupt):
        detector_class(**STOPPING).fit(PLAIN)


@pytest.mark.parametrize("scale", [1e10, 1e20, 1e30])
def test_a_training_that_overflows_says_so(detector_class: Any, scale: float) -> None:
    with pytest.raises(ValueError, match=r"training diverged|too large|overflows"):
        detector_class(**SMALL, learning_rate=1e30).fit(scale * PLAIN)


@pytest.mark.parametrize("scale", [1e20, 1e30])
def test_a_series_whose_squares_overflow_float32_is_refused_or_fitted_in_earnest(
    detector_class: Any, scale: float
) -> None:
    try:
        detector = detector_class(**SMALL).fit(scale * PLAIN)
    except ValueError:
        return
    assert np.isfinite(detector.history_["loss"]).all()
    assert np.isfinite(list(detector.thresholds_.values())).all()
    assert np.isfinite(detector.decision_scores_).all()


def test_a_series_whose_deviation_overflows_float64_is_refused(detector_class: Any) -> None:
    with pytest.raises(ValueError, match="too large"):
        detector_class(**SMALL, scaling="standard", dtype="float64").fit(1e200 * PLAIN)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_real_ctrl_c_keeps_a_model(name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a\n" + "\n".join(str(np.sin(t / 5)) for t in range(2000)))
    model = tmp_path / "m.safetensors"
    command = [sys.executable, "-m", "twinvae", "fit", str(path), "--model", str(model), "--epochs", "1000000"]
    with subprocess.Popen([*command, "--backend", name], stderr=subprocess.PIPE, text=True) as process:
        for _ in range(600):  # until the training has begun: the process has used some seconds of the processor
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            used = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            if int(used[11]) > 800:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "training interrupted: kept the parameters of epoch" in errors
    assert detector_of(name).load(model).config_.epochs == 1000000
