"""Metrics of scores and of alarms: held to TSB-AD's numbers, to scikit-learn's, and to slow, obvious oracles."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from tests.conftest import NO_DATA
from twinvae.metrics import alarms as alarm_metrics
from twinvae.metrics.ranking import average_precision, roc_auc
from twinvae.metrics.vus import vus
from twinvae.tables.table import read_table
from twinvae.windowing.period import autocorrelation, period

DATA = Path(__file__).parents[3] / "shared" / "data"
REFERENCE = DATA / "vus_reference.json"
EXACT = 1e-6  # the reference file has six decimals

LABELS = hnp.arrays(np.int8, st.integers(2, 40), elements=st.integers(0, 1)).filter(lambda x: 0 < x.sum() < len(x))


@st.composite
def labels_and_scores(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    labels = draw(LABELS)
    levels = draw(st.sampled_from([2, 7, 1000]))  # few levels make ties
    scores = draw(hnp.arrays(np.int64, len(labels), elements=st.integers(0, levels)))
    return labels, scores.astype(np.float64)


@st.composite
def labels_and_alarms(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    labels = draw(LABELS)
    return labels, draw(hnp.arrays(np.int8, len(labels), elements=st.integers(0, 1)))


# The volume under the surface.


def slow_vus(labels: np.ndarray, scores: np.ndarray, buffer: int, thresholds: int) -> tuple[float, float]:
    """The definition, step by step: one buffer, one threshold, one segment at a time."""
    n = len(labels)
    order = sorted(scores.tolist(), reverse=True)
    levels = [order[int(i)] for i in np.linspace(0, n - 1, thresholds)]
    events, start = [], 0
    for step in range(n + 1):
        here = step < n and labels[step] == 1
        if here and (step == 0 or labels[step - 1] == 0):
            start = step
        if not here and step > 0 and labels[step - 1] == 1:
            events.append((start, step - 1))
    areas = []
    for b in range(buffer + 1):
        half = b // 2
        soft = [float(label) for label in labels]
        for first, last in events:
            for d in range(1, half + 1):
                for step in (first - d, last + d):
                    if 0 <= step < n:
                        soft[step] += (1 - d / b) ** 0.5
        soft = [min(1.0, value) for value in soft]
        segments: list[list[int]] = []
        for first, last in events:
            if segments and segments[-1][1] >= first - half:
                segments[-1][1] = last + half
            else:
                segments.append([first - half, last + half])
        recalls, fall_outs, precisions = [0.0], [0.0], []
        for level in levels:
            alarm = [score >= level for score in scores]
            true = sum(value for value, rings in zip(soft, alarm, strict=True) if rings)
            positive = sum(
                1 if label else value * rings for label, value, rings in zip(labels, soft, alarm, strict=True)
            )
            positive = (labels.sum() + positive) / 2
            found = [any(alarm[max(first, 0) : last + 1]) for first, last in segments]
            recalls.append(min(true / positive, 1.0) * sum(found) / len(found))
            fall_outs.append((sum(alarm) - true) / (n - positive))
            precisions.append(true / sum(alarm))
        pr = sum((recalls[i + 1] - recalls[i]) * precisions[i] for i in range(thresholds))
        recalls.append(1.0)
        fall_outs.append(1.0)
        roc = sum((fall_outs[i + 1] - fall_outs[i]) * (recalls[i + 1] + recalls[i]) / 2 for i in range(thresholds + 1))
        areas.append((pr, roc))
    return float(np.mean([pr for pr, _ in areas])), float(np.mean([roc for _, roc in areas]))


@given(labels_and_scores(), st.integers(0, 12), st.integers(2, 20))
def test_vus_is_its_definition(case: tuple[np.ndarray, np.ndarray], buffer: int, thresholds: int) -> None:
    labels, scores = case
    assert vus(labels, scores, buffer, thresholds) == pytest.approx(slow_vus(*case, buffer, thresholds), abs=1e-12)


@pytest.mark.skipif(not REFERENCE.exists(), reason=NO_DATA)
def test_metrics_are_those_of_tsb_ad() -> None:
    for case in json.loads(REFERENCE.read_text()):
        if "labels" in case:
            labels, scores = np.array(case["labels"]), np.array(case["scores"])
        else:
            table = read_table(DATA / "nab" / case["file"])
            assert table.labels is not None
            labels, values = table.labels, table.values[:, 0]
            found = re.search(r"_tr_(\d+)_", case["file"])
            assert found is not None
            normal = values[: int(found[1])]
            scores = np.abs(values - normal.mean()) / normal.std()
            scores = ((scores - scores.min()) / (scores.max() - scores.min())).round(6)
            assert period(values) == case["window"]
        found_vus = vus(labels, scores, case["window"])
        assert found_vus == pytest.approx((case["vus_pr"], case["vus_roc"]), abs=EXACT)
        assert average_precision(labels, scores) == pytest.approx(case["auc_pr"], abs=EXACT)


def test_vus_of_scores_that_are_the_labels_is_nearly_1_and_falls_as_the_alarm_moves_away() -> None:
    labels = np.zeros(1000, dtype=np.int8)
    labels[400:450] = 1
    found = [vus(labels, np.roll(labels, by).astype(float), 20).pr for by in (0, 10, 50, 100)]
    assert found[0] > 0.95
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.2


def test_vus_takes_a_constant_score() -> None:
    labels = np.array([0, 1, 1, 0, 0, 0, 0, 0], dtype=np.int8)
    assert vus(labels, np.ones(8), 0) == pytest.approx((0.25, 0.5))


# The period.


@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e3, 1e3)), st.integers(0, 80))
def test_autocorrelation_is_its_definition(series: np.ndarray, lags: int) -> None:
    centred = series - series.mean()
    sums = [float((centred[: len(series) - k] * centred[k:]).sum()) for k in range(min(lags + 1, len(series)))]
    if sums[0] > 1e-9:
        np.testing.assert_allclose(autocorrelation(series, lags), np.array(sums) / sums[0], atol=1e-9)


@pytest.mark.parametrize("steps", [7, 24, 100, 250])
def test_the_period_of_a_sine_is_its_own(steps: int) -> None:
    assert period(np.sin(2 * np.pi * np.arange(20 * steps) / steps)) == steps


@pytest.mark.parametrize("series", [np.full(500, 0.1), np.arange(500.0), np.zeros(1), np.sin(np.arange(3.0))])
def test_a_series_without_a_period_gives_125(series: np.ndarray) -> None:
    assert period(series) == 125


@pytest.mark.parametrize("steps", [4, 350])
def test_a_period_out_of_range_gives_125_or_a_multiple(steps: int) -> None:
    found = period(np.sin(2 * np.pi * np.arange(20 * steps) / steps))
    assert found == 125 or found % steps == 0


@pytest.mark.parametrize("series", [np.array([]), np.array([1.0, np.nan, 2.0])])
def test_the_period_of_nothing_is_refused(series: np.ndarray) -> None:
    with pytest.raises(ValueError, match="fill the gaps"):
        period(series)


# Alarms.


def slow_range_recall(labels: np.ndarray, alarms: np.ndarray, existence: float) -> float:
    """Tatbul et al. by sets: every event a set of steps, every alarm too."""

    def runs(values: np.ndarray) -> list[set[int]]:
        found: list[set[int]] = []
        for step in np.flatnonzero(values).tolist():
            if found and step - 1 in found[-1]:
                found[-1].add(step)
            else:
                found.append({step})
        return found

    total = 0.0
    for event in runs(labels):
        touching = [alarm for alarm in runs(alarms) if alarm & event]
        overlap = sum(len(alarm & event) for alarm in touching) / len(event)
        total += existence * bool(touching) + (1 - existence) * overlap / (len(touching) or 1)
    return total / len(runs(labels)) if runs(labels) else 0.0


@given(labels_and_alarms(), st.floats(0.0, 1.0))
def test_range_metrics_are_their_definition(case: tuple[np.ndarray, np.ndarray], existence: float) -> None:
    labels, alarms = case
    expected = slow_range_recall(labels, alarms, existence)
    assert alarm_metrics.range_recall(labels, alarms, existence) == pytest.approx(expected)
    assert alarm_metrics.range_precision(labels, alarms) == pytest.approx(slow_range_recall(alarms, labels, 0.0))


@given(LABELS)
def test_alarms_that_are_the_labels_are_perfect(labels: np.ndarray) -> None:
    assert alarm_metrics.alarm_quality(labels, labels) == (1.0, 1.0, 1.0, 0.0, 0.0, 1.0)


@given(LABELS)
def test_no_alarm_finds_nothing(labels: np.ndarray) -> None:
    assert alarm_metrics.alarm_quality(labels, np.zeros_like(labels)) == (0.0, 0.0, 0.0, None, 0.0, 0.0)


def test_alarms_counted_by_hand() -> None:
    labels, alarms = np.zeros((2, 1000), dtype=np.int8)
    labels[100:110] = labels[300:320] = labels[600:604] = 1
    alarms[104:106] = alarms[107] = 1  # found late, in two pieces
    alarms[310:330] = 1  # found late, too long
    alarms[800:803] = alarms[900] = 1  # false
    assert alarm_metrics.event_recall(labels, alarms) == pytest.approx(2 / 3)
    assert alarm_metrics.detection_delay(labels, alarms) == 7.0  # of 4 and 10
    assert alarm_metrics.false_alarm_rate(labels, alarms) == 20.0
    assert alarm_metrics.range_recall(labels, alarms, 0.2) == pytest.approx(
        ((0.2 + 0.8 * 0.3 / 2) + (0.2 + 0.8 * 0.5) + 0) / 3
    )
    assert alarm_metrics.range_precision(labels, alarms) == pytest.approx((1 + 1 + 0.5 + 0 + 0) / 5)
    adjusted = alarms.copy()
    adjusted[100:110] = adjusted[300:320] = 1
    assert alarm_metrics.point_adjusted_f1(labels, alarms) == pytest.approx(f1_score(labels, adjusted))


def test_point_adjustment_flatters_a_random_score() -> None:
    labels = np.zeros(10_000, dtype=np.int8)
    labels[2000:3000] = labels[7000:8000] = 1
    alarms = (np.random.default_rng(0).random(10_000) < 0.01).astype(np.int8)
    assert alarm_metrics.point_adjusted_f1(labels, alarms) > 0.9
    assert f1_score(labels, alarms) < 0.05


# What no metric is defined for.

RANKING: tuple[Callable[..., Any], ...] = (roc_auc, average_precision, lambda labels, scores: vus(labels, scores, 5))
SCORES = np.array([0.1, 0.2, 0.3, 0.4])
ALARMS = tuple(getattr(alarm_metrics, f"{name}") for name in (
    "alarm_quality", "range_recall", "range_precision", "event_recall", "detection_delay", "false_alarm_rate",
    "point_adjusted_f1",
))  # fmt: skip


@pytest.mark.parametrize("metric", [*RANKING, *ALARMS])
@pytest.mark.parametrize(
    ("labels", "words"),
    [([0, 1, 0], "3 labels and 4 scores"), ([0] * 4, "mark no step"), ([1] * 4, "mark every step")],
)
def test_labels_that_cannot_be_used_are_refused(metric: Callable[..., Any], labels: list[int], words: str) -> None:
    given_scores = SCORES if metric in RANKING else (SCORES > 0.2).astype(np.int8)
    with pytest.raises(ValueError, match=words):
        metric(np.array(labels), given_scores)


@pytest.mark.parametrize("metric", RANKING)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(metric: Callable[..., Any], value: float) -> None:
    with pytest.raises(ValueError, match="score at step 2 is"):
        metric(np.array([0, 1, 0, 0]), np.array([0.1, 0.2, value, 0.4]))


def test_a_negative_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match="buffer is -1"):
        vus(np.array([0, 1, 0, 0]), SCORES, -1)


def test_a_curve_of_one_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 thresholds"):
        vus(np.array([0, 1, 0, 0]), SCORES, 5, thresholds=1)
