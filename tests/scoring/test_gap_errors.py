"""Errors beside gaps are held against those of gaps cut into the training series: a gap is no anomaly."""

import pickle
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.conftest import BACKENDS, detector_of, unchecked
from twinvae.config import KINDS
from twinvae.model import file as model_file
from twinvae.scoring.gap_errors import SHARES, STATISTICS, known_shares, length_with_gaps, with_gaps

WINDOW, TRAINED = 24, 600
SIZES = {"window": WINDOW, "hidden_dim": 24, "latent_dim": 6, "epochs": 40, "batch_size": 32, "learning_rate": 3e-3}


def clean(length: int, channels: int, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    generator, time = np.random.default_rng(seed), np.arange(length)[:, None]
    waves = np.sin(2 * np.pi * (time / 24 + np.arange(channels) / 5)) + 0.3 * np.sin(2 * np.pi * time / 12)
    return waves + noise * generator.normal(size=(length, channels))


def with_outage(series: np.ndarray, begin: int, length: int, channel: int | None = None) -> np.ndarray:
    lost = series.copy()
    lost[begin : begin + length, slice(None) if channel is None else channel] = np.nan
    return lost


@pytest.fixture(scope="module", params=[(name, channels) for name in BACKENDS for channels in (1, 3)], ids=str)
def fitted(request: pytest.FixtureRequest) -> Any:
    name, channels = request.param
    return detector_of(name)(**SIZES).fit(clean(TRAINED, channels))


@pytest.mark.filterwarnings("ignore:.*missing values", "ignore:.*no value within")
@pytest.mark.parametrize("kind", ["multiscale", "point", "window", "causal"])
def test_a_gap_in_a_clean_series_is_no_event(fitted: Any, kind: Any) -> None:
    series = clean(900, len(fitted.channels_), seed=1)
    places = [(200, 60, None), (333, 24, 0), (401, 90, None), (517, 30, None)]
    assert fitted.events(series, kind=kind) == []
    unaware = pickle.loads(pickle.dumps(fitted))
    unaware.model_ = replace(fitted.model_, calibration=fitted.calibration_._replace(excess=None))
    before = 0
    for place in places:
        lost = with_outage(series, *place)
        assert fitted.events(lost, kind=kind) == []
        before += len(unaware.events(lost, kind=kind))
    if kind in ("multiscale", "window") and len(fitted.channels_) == 3:
        assert before > 0, "a gap would alarm"


@pytest.mark.filterwarnings("ignore:.*missing values", "ignore:.*no value within")
def test_an_anomaly_beside_a_gap_is_an_event(fitted: Any) -> None:
    lost = with_outage(clean(900, len(fitted.channels_), seed=1), 300, 60)
    for begin in (292, 364, 380):
        spoilt = lost.copy()
        spoilt[begin : begin + 4, 0] += 3.0
        assert any(event.start < begin + 4 and event.end > begin for event in fitted.events(spoilt))


def test_excess_falls_with_the_share_and_is_in_the_file(fitted: Any, tmp_path: Any) -> None:
    known = fitted.calibration_.excess
    assert known.shape == (len(STATISTICS), SHARES)
    assert (known >= 1).all()
    assert (np.diff(known, axis=1) <= 0).all()
    fitted.save(tmp_path / "m.safetensors")
    read = model_file.read(tmp_path / "m.safetensors").calibration.excess
    assert read is not None
    assert np.array_equal(read, known)
    old = replace(fitted.model_, calibration=fitted.calibration_._replace(excess=None))
    (tmp_path / "old.safetensors").write_bytes(model_file.as_bytes(old))
    assert model_file.read(tmp_path / "old.safetensors").calibration.excess is None
    wrong = replace(fitted.model_, calibration=fitted.calibration_._replace(excess=known[:, 1:]))
    with pytest.raises(ValueError, match="excess has shape"):
        model_file.as_bytes(wrong)


def test_both_backends_find_the_same_excess_and_scores() -> None:
    series, lost = clean(200, 2), with_outage(clean(300, 2, seed=1), 100, 40)
    chosen = SIZES | {"epochs": 2, "dtype": "float64", "missing": "mask"}
    one, other = (detector_of(name)(**chosen).fit(series) for name in BACKENDS)
    np.testing.assert_allclose(other.calibration_.excess, one.calibration_.excess, rtol=1e-9)
    for kind in KINDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # steps without a value near
            scores = [detector.decision_function(lost, kind=kind) for detector in (one, other)]
        np.testing.assert_allclose(scores[1], scores[0], rtol=1e-8, atol=1e-12)


def test_gaps_are_cut_at_all_shares_and_no_window_holds_both_halves() -> None:
    for channels in (1, 3):
        with unchecked():
            cut = with_gaps(clean(TRAINED, channels), WINDOW)
            assert len(cut) == length_with_gaps(TRAINED, WINDOW)
        assert len(cut) == 2 * TRAINED + WINDOW
        assert np.isnan(cut[TRAINED : TRAINED + WINDOW]).all()
        shares = known_shares("causal", cut, WINDOW)
        for share in range(SHARES):
            assert ((shares >= share / SHARES) & (shares < (share + 1) / SHARES)).any()


def test_a_step_that_all_windows_know_whole_is_known_exactly() -> None:
    series = with_outage(clean(400, 3), 200, 1, 0)
    for statistic in STATISTICS:
        shares = known_shares(statistic, series, WINDOW)
        assert (shares[: 200 - 2 * WINDOW] == 1).all()
        assert (shares[201 + WINDOW :] == 1).all()
        assert (shares[200 - WINDOW // 2] < 1).all()
