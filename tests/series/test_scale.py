"""Scales that a few values rule, and channels without a scale: what is said, and what is found all the same."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import NO_DATA, ROOT, detector_of
from twinvae.series.scaling import fit_scaler, measure, stand_in, standardise, wild_values, written

STEPS = np.arange(900)
SIGNAL = 20.0 + 5.0 * np.sin(STEPS * 2 * np.pi / 24) + 0.3 * np.random.default_rng(0).normal(size=900)
QUICK = {"window": 24, "hidden_dim": 16, "latent_dim": 4, "epochs": 10}
FAULTS = ROOT.parent / "shared" / "data" / "faults"


def spoilt(*values: float) -> np.ndarray:
    series = SIGNAL[:600].copy()
    series[[101, 333, 470, 512, 580][: len(values)]] = values
    return series


def fitted(detector_class: Any, series: np.ndarray, **settings: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector = detector_class(**QUICK | settings).fit(series)
    return detector, [str(one.message) for one in caught]


def spike() -> np.ndarray:
    series = SIGNAL.copy()
    series[700:706] += 12.0
    return series


# A few values that rule the scale.


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((-999.0,) * 3, r"3 of 600 values of column 0 \(-999\)"),
        ((9999.0,), r"1 of 600 values of column 0 \(9999\)"),
        ((-32768.0, -32768.0, 9999.0), r"3 of 600 values of column 0 \(-32768, 9999\)"),
        ((2.0**64 - 1,), r"1 of 600 values of column 0 \(1.8446744073709552e\+19\)"),
        ((1e4, 2e4, 3e4, 4e4), r"4 of 600 values of column 0 \(10000, 20000, 30000, \.\.\.\)"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_rule_a_scale_are_named(backend_name: str, values: Any, named: str, dtype: Any) -> None:
    series = spoilt(*values).astype(dtype)
    _, said = fitted(detector_of(backend_name), series, epochs=1)
    (line,) = (one for one in said if "rule its scale" in one)
    assert re.match(named, line)
    assert "--scaling robust" in line
    detector, said = fitted(detector_of(backend_name), series, epochs=1, scaling="robust")
    (line,) = (one for one in said if "left out of training" in one)
    assert re.match(named, line)
    assert detector.scaler_.scale[0] < 10.0


@pytest.mark.parametrize("values", [(-999.0,) * 3, (2.0**64 - 1,), (-32768.0, 9999.0)])
@pytest.mark.parametrize("settings", [{}, {"preset": "standard"}])
def test_robust_scaling_finds_the_spike_all_the_same(
    detector_class: Any, values: tuple[float, ...], settings: dict[str, Any]
) -> None:
    train = spoilt(*values)
    detector, said = fitted(detector_class, train, scaling="robust", **settings)
    assert [one for one in said if "left out of training" in one]
    assert detector.predict(spike())[700:706].any()
    assert not detector.predict(SIGNAL[600:]).any()
    assert detector.labels_[101], "what was left out is an alarm"
    if max(values) < 1e10:  # whose square is in float32's range
        assert (detector.decision_scores_ == detector.decision_function(train)).all()


def test_only_the_channel_that_has_them_is_named(detector_class: Any) -> None:
    series = np.stack([SIGNAL[:600], spoilt(-999.0), SIGNAL[:600] ** 2], axis=1)
    _, said = fitted(detector_class, series, epochs=1)
    (line,) = (one for one in said if "rule its scale" in one)
    assert "column 1 (-999)" in line


@pytest.mark.parametrize(
    "series",
    [
        SIGNAL[:600],
        spoilt(30.0, 31.0),  # an ordinary outlier
        spoilt(-5.0),
        np.where(STEPS % 20 == 0, 500.0, SIGNAL)[:600],  # a share of 5 %
        np.where(STEPS % 90 == 3, 1.0, 0.0)[:600],  # counts, nearly all 0
        np.exp(2 * np.random.default_rng(1).normal(size=600)),  # heavy tails
    ],
)
def test_what_a_channel_usually_does_is_not_called_wild(series: np.ndarray) -> None:
    assert wild_values(series[:, None], 0, measure(series[:, None])) is None


@pytest.mark.skipif(not FAULTS.exists(), reason=NO_DATA)
def test_the_file_with_a_sentinel_is_right(detector_class: Any) -> None:
    values = np.loadtxt(FAULTS / "37_sentinel.csv", delimiter=",", skiprows=1, usecols=1)
    _, said = fitted(detector_class, values[:800], epochs=1)
    assert any("3 of 800 values of column 0 (-999) rule its scale" in one for one in said)
    detector, _ = fitted(detector_class, values[:800], scaling="robust", window=48)
    assert any(event.start <= 405 and event.end > 400 for event in detector.events(values[800:]))


# No scale.


@pytest.mark.parametrize("unit", [1e-170, 1e-300, 1e-307])
def test_very_small_values_are_scaled(unit: float) -> None:
    plain, small = SIGNAL[:, None], unit * SIGNAL[:, None]
    for scaling in ("standard", "robust"):
        expected = standardise(plain, fit_scaler(plain, scaling), "float64")
        found = standardise(small, fit_scaler(small, scaling), "float64")
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("level", "unit"), [(1e10, 1e-3), (-1e10, 1e-3), (5e6, 1e-6), (1e15, 200.0)])
def test_small_differences_of_large_values_are_scaled(level: float, unit: float) -> None:
    series = level + unit * np.sin(STEPS / 7.0)[:, None]
    scaler = fit_scaler(series, "standard")
    expected = (series - level) / unit
    found = standardise(series, scaler, "float64")
    assert scaler.scale[0] == pytest.approx((series - level).std(), rel=1e-3)
    np.testing.assert_allclose(found * scaler.scale / unit, expected - expected.mean(), atol=0.01)


def test_a_long_sum_does_not_hide_small_differences() -> None:
    series = 1e10 + 1e-3 * np.random.default_rng(0).normal(size=(300_000, 1))
    scaled = standardise(series, fit_scaler(series, "standard"), "float64")
    assert scaled.std() == pytest.approx(1.0, rel=1e-3)
    assert abs(scaled.mean()) < 0.01


NOISE = {
    "float noise": 20.0 + 1e-13 * np.random.default_rng(0).normal(size=600),
    "a large level": 1e18 + 1000.0 * np.sin(STEPS[:600] / 5.0),
    "beyond an int64": 1.8446744073700022e19 + 3000.0 * np.sin(STEPS[:600] / 5.0),
    "tiny and constant": 1e-200 * (1.0 + 1e-15 * np.random.default_rng(0).normal(size=600)),
}


@pytest.mark.parametrize("name", NOISE)
@pytest.mark.parametrize("settings", [{}, {"scaling": "robust"}, {"preset": "tutorial", "dtype": "float64"}])
def test_what_float64_cannot_hold_is_said(detector_class: Any, name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"constant but for rounding errors: 0 \(by .* float64 holds steps of .*subtract"
    ):
        detector_class(**QUICK | settings).fit(NOISE[name])


def test_beside_other_channels_it_is_a_warning_and_constant(detector_class: Any) -> None:
    series = np.stack([SIGNAL[:600], NOISE["float noise"], 1e-300 * SIGNAL[:600]], axis=1)
    detector, said = fitted(detector_class, series, epochs=1)
    (line,) = (one for one in said if "rounding errors" in one)
    assert line.startswith("constant in the training series but for rounding errors: 1 (by 1e-13 about 20, ")
    assert detector.scaler_.scale[1] == 1.0
    assert 0.0 < detector.scaler_.scale[2] < 1e-298


@pytest.mark.parametrize("unit", [1e-300, 1e-40, 1e-20])
def test_an_anomaly_of_very_small_values_is_found(detector_class: Any, unit: float, tmp_path: Path) -> None:
    detector, _ = fitted(detector_class, unit * SIGNAL[:600])
    detector.save(tmp_path / "m")
    again = detector_class.load(tmp_path / "m")
    assert again.predict(unit * spike())[700:706].any()
    assert not again.predict(unit * SIGNAL[600:]).any()


WAVE = 20 + 5 * np.sin(np.arange(400) / 7)


def with_some(value: float, every: int = 9) -> np.ndarray:
    return np.where(np.arange(400) % every == 3, value, WAVE)


@pytest.mark.parametrize("value", [-200.0, -999.0, -9999.0, 999.0, 99999.0, 65535.0, -32768.0, 1e30])
def test_a_number_that_stands_for_missing_values_is_known_by_its_looks(value: float) -> None:
    assert stand_in(with_some(value)) == (value, 45)


@pytest.mark.parametrize("value", [0.0, -1.0, 85.0, 9999.0, 65535.0])
def test_a_few_numbers_apart_from_the_rest_are_named(value: float) -> None:
    assert stand_in(with_some(value, 100)) == (value, 4)


@pytest.mark.parametrize("value", [2.0**64 - 1, 123456789.25, -9999.99, 1e30, 0.1])
def test_a_number_is_written_so_that_it_is_found_again(value: float) -> None:
    assert float(written(value)) == value
    assert float(written(np.float32(value))) == np.float32(value)


@pytest.mark.parametrize(
    "values",
    [
        WAVE,
        np.where(np.arange(400) % 100 == 3, 3.0, 0.0),  # counts that are mostly 0
        np.where(np.arange(400) % 100 == 3, 0.0, WAVE - 12),  # comes near it
        np.where(np.arange(400) % 9 == 3, 0.0, WAVE),  # often
        with_some(-212.5),  # no number that programs write
        with_some(-9.0),
        with_some(100.0) * np.where(np.arange(400) % 2, 1, 9),  # the others vary as much
        np.where(np.arange(400) < 200, 0.0, 999.0),  # two states
        np.where(np.arange(400) == 7, -999.0, WAVE),  # once
        np.full(400, np.nan),
    ],
)
def test_what_is_far_off_but_may_be_a_value_is_none(values: np.ndarray) -> None:
    assert stand_in(values) is None
