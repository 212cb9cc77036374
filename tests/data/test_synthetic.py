"""Series with labelled anomalies: what is changed is what is labelled, and nothing else."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import unchecked
from twinvae.data.injection import ANOMALY_KINDS, DURATIONS, MARGIN, AnomalyKind
from twinvae.data.signals import SIGNAL_KINDS, STEPS_A_DAY, SignalKind, autoregressive_noise, draw_signal
from twinvae.data.synthetic import SyntheticSeries, generate, many, noisy_sine, series_file, suite, write_series
from twinvae.metrics.ranking import average_precision
from twinvae.tables.table import read_table

cases = st.fixed_dictionaries(
    {
        "kinds": st.sampled_from(ANOMALY_KINDS) | st.lists(st.sampled_from(ANOMALY_KINDS), min_size=1, max_size=3),
        "seed": st.integers(0, 2**64 - 1),
        "signal": st.sampled_from(SIGNAL_KINDS),
        "length": st.integers(1700, 2000),
        "train": st.integers(0, 200),
        "channels": st.integers(1, 5),
        "anomalies": st.none() | st.integers(1, 4),
        "magnitude": st.sampled_from([0.5, 1.0, 2.0]),
    }
)


def same(one: SyntheticSeries, other: SyntheticSeries) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in ((one.values, other.values), (one.clean, other.clean), (one.labels, other.labels))
    )


def test_the_tutorials_series_is_the_tutorials() -> None:
    series = noisy_sine(7)
    noise = np.random.default_rng(7).normal(0.0, 0.1, 500)
    np.testing.assert_array_equal(series.normal, np.sin(np.linspace(0.0, 20.0 * np.pi, 500)) + noise)
    np.testing.assert_array_equal(np.flatnonzero(series.labels), np.arange(300, 320))
    np.testing.assert_allclose(series.anomalous - series.normal, 2.5 * series.labels, atol=1e-15)


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_what_differs_from_the_clean_series_is_what_the_events_say(case: dict[str, Any]) -> None:
    series = generate(**case)
    said = np.zeros(series.values.shape, dtype=bool)
    labelled = np.zeros(case["length"], dtype=np.int8)
    for event in series.events:
        span = slice(event.start, event.end)
        said[span] = event.channels
        assert event.channels.any()
        assert np.isnan(series.values[span, event.channels]).all() == (event.kind == "missing")
        if event.kind != "missing":
            labelled[span] = 1
    differs = series.values != series.clean
    assert not differs[~said].any()
    assert differs[said].mean() > 0.95  # of a heart at rest, a faster and a slower one look the same
    np.testing.assert_array_equal(series.labels, labelled)
    np.testing.assert_array_equal(series.missing, np.isnan(series.values))
    assert np.isfinite(series.clean).all()
    assert series.clean.std(axis=0).min() > 0


@pytest.mark.parametrize("kind", ["spike", "level-shift", "variance", "trend", "missing"])
@settings(max_examples=15, deadline=None)
@given(case=cases)
def test_additive_kinds_change_every_value_of_theirs(kind: AnomalyKind, case: dict[str, Any]) -> None:
    series = generate(**case | {"kinds": kind})
    for event in series.events:
        span = slice(event.start, event.end)
        assert (series.values[span] != series.clean[span]).all(axis=0).tolist() == event.channels.tolist()


@settings(max_examples=40, deadline=None)
@given(case=cases)
def test_events_follow_the_training_part_in_order_and_apart(case: dict[str, Any]) -> None:
    series = generate(**case)
    assert series.values.shape == series.clean.shape == (case["length"], case["channels"])
    assert series.train_rows == case["train"]
    np.testing.assert_array_equal(series.values[: case["train"]], series.clean[: case["train"]])
    turns = [case["kinds"]] if isinstance(case["kinds"], str) else case["kinds"]
    assert [event.kind for event in series.events] == [turns[i % len(turns)] for i in range(len(series.events))]
    assert len(series.events) == case["anomalies"] or case["anomalies"] is None
    assert series.events[0].start >= case["train"] + MARGIN
    assert series.events[-1].end <= case["length"] - MARGIN
    for event, following in pairwise(series.events):
        assert following.start - event.end >= MARGIN
    for event in series.events:
        least, most = DURATIONS[event.kind]
        assert least <= event.end - event.start <= most


@settings(max_examples=20, deadline=None)
@given(case=cases, other=st.sampled_from(ANOMALY_KINDS))
def test_a_seed_is_a_series_and_the_clean_one_depends_on_no_anomaly(case: dict[str, Any], other: AnomalyKind) -> None:
    series = generate(**case)
    assert same(series, generate(**case))
    changed = generate(**case | {"kinds": other, "train": 0, "anomalies": 1, "magnitude": 3.0})
    np.testing.assert_array_equal(series.clean, changed.clean)
    assert not np.array_equal(series.clean, generate(**case | {"seed": case["seed"] + 1}).clean)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), least=st.integers(1, 40), more=st.integers(0, 40))
def test_the_duration_is_as_asked_for(seed: int, least: int, more: int) -> None:
    series = generate("flatline", seed=seed, length=1000, train=100, duration=(least, least + more))
    assert all(least <= event.end - event.start <= least + more for event in series.events)


@pytest.mark.parametrize("signal", SIGNAL_KINDS)
def test_each_kind_does_what_its_name_says(signal: SignalKind) -> None:
    def changes(kind: AnomalyKind) -> list[tuple[np.ndarray, np.ndarray, float]]:
        found = []
        for seed in range(8):
            series = generate(kind, seed=seed, signal=signal)
            deviation = float(series.clean.std())
            for event in series.events:
                span = slice(event.start - 1, event.end)  # and the row before it
                found.append((series.values[span, 0], series.clean[span, 0], deviation))
        return found

    for values, clean, deviation in changes("spike"):
        added = np.abs(values - clean)[1:] / deviation
        assert 3.5 <= added[0] <= 6.0
        assert added[-1] == pytest.approx(added[0] / (2 if len(added) > 1 else 1))
    for values, clean, deviation in changes("level-shift"):
        added = (values - clean)[1:] / deviation
        assert 0.8 <= abs(added[0]) <= 2.0
        np.testing.assert_allclose(added, added[0], rtol=1e-9)
    for values, clean, deviation in changes("trend"):
        added = np.abs(values - clean)[1:] / deviation
        assert (np.diff(added) > 0).all()
        assert added[0] < 0.05
        assert 1.5 <= added[-1] <= 3.0
    for values, _, _ in changes("flatline"):
        assert (values == values[0]).all()
    louder = [np.diff(values).std() > np.diff(clean).std() for values, clean, _ in changes("variance")]
    assert 0.4 < np.mean(louder) < 1.0  # most are louder, some quieter
    for values, clean, deviation in changes("frequency"):
        assert np.abs(values - clean)[1:].max() > 0.3 * deviation
        steps, usual = np.abs(np.diff(values)), np.abs(np.diff(clean))
        assert max(steps[0], steps[-1]) < 3 * usual.max()  # joins the rest without a jump


def test_magnitude_scales_the_height() -> None:
    small, large = (generate("level-shift", seed=5, magnitude=magnitude) for magnitude in (1.0, 3.0))
    np.testing.assert_allclose(large.values - large.clean, 3.0 * (small.values - small.clean), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(SIGNAL_KINDS), seed=st.integers(0, 999))
def test_the_normal_part_stays_as_it_was(kind: SignalKind, seed: int) -> None:
    values = draw_signal(kind, 12000, 2, np.random.default_rng(seed)).values
    first, second = values[:6000], values[6000:]
    deviation = values.std(axis=0)
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < 0.2 * deviation).all()
    np.testing.assert_allclose(first.std(axis=0), second.std(axis=0), rtol=0.15)


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(SIGNAL_KINDS), seed=st.integers(0, 999))
def test_channels_are_correlated_and_differ(kind: SignalKind, seed: int) -> None:
    values = draw_signal(kind, 4000, 3, np.random.default_rng(seed)).values
    correlation = np.corrcoef(values.T)[np.triu_indices(3, 1)]
    assert (correlation > 0.2).all()
    assert (correlation < 0.999).all()


def test_the_noise_is_stationary_from_its_first_step() -> None:
    noise = autoregressive_noise(200, 4000, 0.8, np.random.default_rng(0))
    own = noise - noise.mean(axis=1, keepdims=True)  # without what the channels share
    np.testing.assert_allclose(own[[0, 1, 100, 199]].var(axis=1), 0.7, rtol=0.1)
    assert np.mean(own[1:] * own[:-1]) == pytest.approx(0.8 * 0.7, abs=0.02)
    pairs = np.array([autoregressive_noise(500, 2, 0.0, np.random.default_rng(seed)) for seed in range(20)])
    assert np.mean(pairs[..., 0] * pairs[..., 1]) == pytest.approx(0.3, abs=0.05)


def test_days_repeat_and_weekends_are_quiet() -> None:
    values = draw_signal("daily", 28 * STEPS_A_DAY, 1, np.random.default_rng(0)).values[:, 0]
    days = np.ptp(values.reshape(28, STEPS_A_DAY), axis=1)
    weekend = np.arange(28) % 7 >= 5
    assert days[weekend].max() < days[~weekend].min()


def test_the_suite_is_every_kind_in_every_signal_and_its_series_do_not_depend_on_their_order() -> None:
    series = list(suite(3))
    names = [one.name for one in series]
    assert len(set(names)) == len(names) == len(ANOMALY_KINDS) * len(SIGNAL_KINDS) * 2
    for one in series:
        assert 4000 <= len(one.values) <= 6000
        assert 0.34 < one.train_rows / len(one.values) < 0.41
        assert 2 <= len(one.events) <= 4
        assert 0 < one.labels.sum() < 0.4 * len(one.labels)
        assert one.missing.any() == ("missing" in one.name)
    assert all(same(one, again) for one, again in zip(series, suite(3), strict=True))
    assert not same(series[0], next(suite(4)))
    assert len({one.clean[0, 0] for one in series}) == len(series)


def test_in_the_suite_a_distance_from_the_mean_finds_spikes_and_does_not_find_contextual_anomalies() -> None:
    found: dict[str, list[float]] = {}
    for one in suite(0):
        normal = one.values[: one.train_rows]
        distance = np.nan_to_num(np.abs((one.values - normal.mean(axis=0)) / normal.std(axis=0)).max(axis=1))
        kind = next(kind for kind in ANOMALY_KINDS if f"-{kind}-" in one.name)
        found.setdefault(kind, []).append(average_precision(one.labels, distance))
    mean = {kind: np.mean(values) for kind, values in found.items()}
    assert mean["spike"] > 0.5
    assert mean["frequency"] < 0.2
    assert mean["variance"] < 0.3
    assert mean["flatline"] < 0.35


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kinds": "spke"}, "unknown kind of anomaly 'spke': choose one of spike, level-shift"),
        ({"kinds": []}, "no kind of anomaly: choose some of spike"),
        ({"signal": "sine"}, "unknown signal 'sine': choose one of periodic, daily"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"anomalies": 0}, "anomalies must be at least 1, got 0"),
        ({"train": -1}, "train must be at least 0, got -1"),
        ({"train": 1000}, "train is 1000 rows, the series has 1000: leave some"),
        ({"duration": (0, 5)}, "duration must be a least and a largest number of rows, at least 1, got (0, 5)"),
        ({"duration": (9, 5)}, "got (9, 5)"),
        ({"magnitude": 0.0}, "magnitude must be a finite number above 0, got 0.0"),
        ({"magnitude": float("nan")}, "magnitude must be a finite number above 0, got nan"),
        ({"magnitude": float("inf")}, "got inf"),
        (
            {"duration": (2000, 2000), "anomalies": 1},
            "1 anomalies of 2000 rows, 50 rows apart, need 2100 rows after the training part, and there are 600",
        ),
    ],
)
def test_bad_arguments_are_refused_in_one_line(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"kinds": "spike", "seed": 0, "length": 1000, "train": 400}
    with unchecked(), pytest.raises(ValueError, match=re.escape(message)) as failure:
        generate(**arguments | changed)
    assert "\n" not in str(failure.value)


def test_the_anomalies_that_just_fit_are_placed() -> None:
    series = generate("flatline", seed=0, length=1000, train=400, anomalies=1, duration=(500, 500))
    assert series.events[0][1:3] == (450, 950)
    with pytest.raises(ValueError, match="need 601 rows after the training part, and there are 600"):
        generate("flatline", seed=0, length=1000, train=400, anomalies=1, duration=(501, 501))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_written_series_reads_back(tmp_path: Path, channels: int) -> None:
    series = generate(("spike", "missing"), seed=1, length=900, train=300, channels=channels)
    path = series_file(tmp_path, series)
    write_series(path, series)
    first = np.flatnonzero(series.labels)[0]
    assert path.name == f"periodic-spike-missing-{channels}_tr_300_1st_{first}.csv"
    table = read_table(path)
    np.testing.assert_array_equal(table.values, series.values)
    np.testing.assert_array_equal(table.labels, series.labels)
    assert table.names == (("value",) if channels == 1 else ("channel_0", "channel_1", "channel_2"))
    only_gaps = generate("missing", seed=1, length=900, train=300)
    assert series_file(tmp_path, only_gaps).name == "periodic-missing-1_tr_300.csv"


@pytest.mark.parametrize("anomalies", [10**7, 10**18])
def test_more_anomalies_than_can_fit_are_refused_before_any_is_drawn(anomalies: int) -> None:
    with pytest.raises(ValueError, match=f"anomalies must be at most 60, .* got {anomalies}"):
        generate("spike", seed=0, anomalies=anomalies)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"length": 10**12}, "length must be at most"),
        ({"length": 10**9, "channels": 10**5}, "GiB of memory"),
        ({"channels": 10**6}, "channels must be at most"),
        ({"seed": 2**200}, "seed must be at most"),
    ],
)
def test_a_series_that_could_never_be_made_is_refused(sizes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        generate("spike", **{"seed": 0, "length": 500, "train": 100} | sizes)


def test_more_series_than_a_folder_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="series must be at most"):
        next(many(10**12, seed=0, kinds="spike"))
