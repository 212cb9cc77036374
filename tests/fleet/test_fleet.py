"""A fleet: each member is the detector fitted alone, whoever it is trained with and in how many threads."""

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import vae_jax.train
from tests.conftest import detector_of, in_a_fresh_process, unchecked
from tests.helpers.closeness import assert_close
from tests.helpers.waves import SMALL, waves
from twinvae.detector.detector import VAEDetector
from twinvae.detector.not_fitted import NotFittedError

LENGTHS = (110, 90, 111, 90, 128)  # padded to one, so JAX compiles once


@pytest.fixture(autouse=True)
def without_checks_of_annotations() -> Iterator[None]:
    """Whole trainings by the dozen would pay for them; one test keeps them."""
    with unchecked():
        yield


def fleet_of(name: str, **arguments: Any) -> Any:
    return importlib.import_module(f"vae_{name}").VAEFleet(**arguments)


@pytest.fixture
def fleet_class(backend_name: str) -> Callable[..., Any]:
    return lambda **arguments: fleet_of(backend_name, **arguments)


def assert_same_detector(actual: VAEDetector, reference: VAEDetector, tolerance: float) -> None:
    assert actual.config_ == reference.config_
    for name, array in reference.parameters_.items():
        assert_close(actual.parameters_[name], array, tolerance, name)
    assert actual.history_.keys() == reference.history_.keys()
    for (name, values), found in zip(reference.history_.items(), actual.history_.values(), strict=True):
        assert_close(found, values, tolerance, name)
    assert_close(list(actual.thresholds_.values()), list(reference.thresholds_.values()), tolerance)
    assert_close(actual.decision_scores_, reference.decision_scores_, tolerance)
    np.testing.assert_array_equal(actual.labels_, reference.labels_)


@pytest.mark.parametrize(
    "arguments",
    [
        {"preset": "tutorial"},
        pytest.param({"preset": "standard", "beta_warm_up": 2, "batch_size": 7}, marks=pytest.mark.slow),
        {"preset": "standard", "kind": "causal", "draws": 2, "trim": 0.1, "centring": "window"},
        {"preset": "auto", "window": 10},
        pytest.param({"preset": "auto", "window": None}, marks=pytest.mark.slow),
        pytest.param(
            {"preset": "standard", "validation_fraction": 0.2, "patience": 1, "epochs": 6}, marks=pytest.mark.slow
        ),
    ],
    ids=lambda arguments: "-".join(map(str, arguments.values())),
)
def test_each_member_is_the_detector_fitted_alone(backend_name: str, arguments: dict[str, Any]) -> None:
    given = SMALL | {"seed": 5, "dtype": "float64"} | arguments
    series = waves(*LENGTHS)
    if given["preset"] == "auto":
        series["s2"][40:44] = np.nan  # another program, with masks
        given["missing"] = "mask"
    fleet = fleet_of(backend_name, **given).fit(series, together=3)
    assert list(fleet) == list(series)
    for name, values in series.items():
        alone = detector_of(backend_name)(**given).fit(values)
        assert_same_detector(fleet[name], alone, 1e-10)


def test_a_member_has_the_bits_of_the_detector_fitted_alone_in_jax() -> None:
    series = waves(110, 90, 170, channels=2)
    fleet = fleet_of("jax", preset="standard", **SMALL).fit(series)
    for name, values in series.items():
        assert_same_detector(fleet[name], detector_of("jax")(preset="standard", **SMALL).fit(values), 0.0)


def test_all_members_in_one_step_as_on_a_gpu_are_the_same_training(monkeypatch: pytest.MonkeyPatch) -> None:
    given = SMALL | {"preset": "tutorial", "dtype": "float64"}
    series = waves(*LENGTHS[:3])
    one_by_one = fleet_of("jax", **given).fit(series)
    monkeypatch.setattr(vae_jax.train, "_on_cpu", lambda: False)
    at_once = fleet_of("jax", **given).fit(series)
    for name in series:
        assert_same_detector(at_once[name], one_by_one[name], 1e-10)


def test_neither_workers_nor_order_change_a_bit(fleet_class: Any) -> None:
    series = waves(*LENGTHS)
    fleets = [fleet_class(**SMALL).fit(series, workers=workers, together=2) for workers in (1, 3)]
    for name in series:
        assert_same_detector(fleets[0][name], fleets[1][name], 0.0)


def test_series_of_different_channels_and_windows_are_fine(fleet_class: Any) -> None:
    series = waves(100, 120) | {"wide": waves(120, channels=3)["s0"]}
    fleet = fleet_class(**SMALL).fit(series)
    assert {name: len(member.channels_) for name, member in fleet.items()} == {"s0": 1, "s1": 1, "wide": 3}


# What fails is named, the rest is trained.


def test_a_series_that_fails_its_checks_is_reported_and_the_rest_is_trained(fleet_class: Any) -> None:
    series = waves(100, 120) | {"short": np.ones(4), "flat": np.ones(50), "words": np.array(["a"] * 50), "gone": None}
    with pytest.warns(UserWarning, match="4 of 6 series failed: see failures_; short: the series has 4 time steps"):
        fleet = fleet_class(**SMALL).fit(series)
    assert list(fleet) == ["s0", "s1"]
    assert list(fleet.failures_) == ["short", "flat", "words", "gone"]
    assert "constant" in fleet.failures_["flat"]
    assert "numbers" in fleet.failures_["words"]
    with pytest.raises(KeyError, match="no detector for 'flat': it failed: the training series is constant"):
        fleet["flat"]
    with pytest.raises(KeyError, match="no detector for 'other': it was not fitted"):
        fleet["other"]


def test_a_series_that_vanishes_between_planning_and_training_fails_alone(fleet_class: Any) -> None:
    class Vanishing(Mapping[str, np.ndarray]):
        def __init__(self, series: dict[str, np.ndarray]) -> None:
            self.series, self.asked = series, 0

        def __getitem__(self, name: str) -> np.ndarray:
            self.asked += name == "s1"
            if name == "s1" and self.asked > 1:
                raise FileNotFoundError(2, "No such file or directory", "s1.csv")
            return self.series[name]

        def __iter__(self) -> Iterator[str]:
            return iter(self.series)

        def __len__(self) -> int:
            return len(self.series)

    with pytest.warns(UserWarning, match=r"1 of 3 series failed.*s1.csv"):
        fleet = fleet_class(**SMALL).fit(Vanishing(waves(100, 100, 100)))
    assert list(fleet) == ["s0", "s2"]


def test_whatever_a_mapping_raises_is_about_one_series(fleet_class: Any) -> None:
    class Reader(dict[str, np.ndarray]):
        def __getitem__(self, name: str) -> np.ndarray:
            if name == "s1":
                raise KeyError("value")
            return super().__getitem__(name)

    series = Reader(waves(100, 100, 100))
    with pytest.warns(UserWarning, match="1 of 3 series failed"):
        fleet = fleet_class(**SMALL).fit(series)
    assert list(fleet.failures_) == ["s1"]
    assert list(fleet.predict({name: waves(100)["s0"] for name in fleet})) == ["s0", "s2"]


def test_series_without_memory_for_a_batch_are_tried_alone(
    backend: Any, fleet_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = backend.train_together

    def scarce(net: Any, parameters: Any, series: np.ndarray, *others: Any) -> Any:
        if len(series) > 1:
            raise MemoryError
        return whole(net, parameters, series, *others)

    monkeypatch.setattr(backend, "train_together", scarce)
    assert len(fleet_class(**SMALL).fit(waves(100, 100, 120))) == 3


def test_a_training_that_diverges_is_that_of_one_member(fleet_class: Any) -> None:
    series = waves(100, 100)
    series["s1"] *= 1e18
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="1 of 2 series failed.*s1: training diverged"):
        fleet = fleet_class(**SMALL | {"preset": "tutorial"}).fit(series)
    assert list(fleet) == ["s0"]


def test_if_all_fail_that_is_an_error(fleet_class: Any) -> None:
    with pytest.raises(ValueError, match="none of 2 series can be fitted; the first, a: the series has 3 time steps"):
        fleet_class(**SMALL).fit({"a": np.ones(3), "b": np.ones(2)})


def test_warnings_are_kept_with_their_series(fleet_class: Any) -> None:
    series = waves(100, 100, channels=2)
    series["s1"][:, 1] = 3.0
    with pytest.warns(UserWarning, match="1 of 2 series have warnings: see warnings_; s1: constant in the training"):
        fleet = fleet_class(**SMALL).fit(series)
    assert list(fleet.warnings_) == ["s1"]


@pytest.mark.parametrize(
    ("series", "error", "message"),
    [
        ({}, ValueError, "there are no series"),
        (np.ones(9), ValueError, r"an array of shape \(series, time\)"),
        ({1: np.ones(50)}, TypeError, "names of the series must be text"),
        (pd.DataFrame({"a": np.ones(50)}), TypeError, "a data frame is one series: give a mapping"),
    ],
)
def test_what_is_no_fleet_is_refused(series: Any, error: type[Exception], message: str, fleet_class: Any) -> None:
    with pytest.raises(error, match=message):
        fleet_class(**SMALL).fit(series)


def test_arguments_are_checked_before_any_work(fleet_class: Any) -> None:
    series = waves(100)
    with pytest.raises(ValueError, match="window"):
        fleet_class(window=0).fit(series)
    with pytest.raises(ValueError, match="together must be a whole number of at least 1, got 0"):
        fleet_class(**SMALL).fit(series, together=0)
    with pytest.raises(ValueError, match="workers must be a whole number of at least 1, got 0"):
        fleet_class(**SMALL).fit(series, workers=0)
    with pytest.raises(NotFittedError, match="this fleet is not fitted"):
        fleet_class(**SMALL).predict(series)
    with pytest.raises(ValueError, match="kind must be one of"):
        fleet_class(**SMALL).fit(series).predict(series, kind="nonsense")


# Scoring.


def test_scores_labels_and_events_are_those_of_the_members(fleet_class: Any) -> None:
    series = waves(100, 120, 90)
    fleet = fleet_class(**SMALL).fit(series)
    series["s1"][50:53] += 9.0
    scores, labels, events = fleet.decision_function(series), fleet.predict(series), fleet.events(series)
    assert list(scores) == list(labels) == list(events) == list(series)
    for name, values in series.items():
        np.testing.assert_array_equal(scores[name], fleet[name].decision_function(values))
        np.testing.assert_array_equal(labels[name], fleet[name].predict(values))
        assert events[name] == fleet[name].events(values)
    assert len(events["s1"]) == 1
    np.testing.assert_array_equal(fleet.decision_function(series, kind="causal")["s0"],
                                  fleet["s0"].decision_function(series["s0"], kind="causal"))  # fmt: skip


def test_an_array_in_is_an_array_out(fleet_class: Any) -> None:
    array = np.stack([values[:, 0] for values in waves(80, 80, 80).values()])
    array[1] = 2.0
    with pytest.warns(UserWarning, match="1 of 3 series failed"):
        fleet = fleet_class(**SMALL).fit(array)
    assert list(fleet) == ["0", "2"]
    with pytest.warns(UserWarning, match="1 of 3 series have no result; 1: the training series is constant"):
        scores = fleet.decision_function(array)
    assert scores.shape == (3, 80)
    assert np.isnan(scores[1]).all()
    np.testing.assert_array_equal(scores[2], fleet["2"].decision_function(array[2]))
    with pytest.warns(UserWarning, match="no result"):
        labels = fleet.predict(array)
    assert labels.dtype == np.int8
    assert not labels[1].any()


def test_only_the_series_that_are_there_are_scored(fleet_class: Any) -> None:
    series = waves(100, 120, 90)
    fleet = fleet_class(**SMALL).fit(series)
    assert list(fleet.predict({"s2": series["s2"]})) == ["s2"]
    with pytest.warns(UserWarning, match="2 of 3 series have no result; new: it was not fitted"):
        found = fleet.predict({"new": series["s0"], "s0": series["s0"], "s1": np.ones((3, 1))})
    assert list(found) == ["s0"]


def test_a_fleet_says_what_it_was_given(fleet_class: Any) -> None:
    fleet = fleet_class(window=10, seed=3)
    assert repr(fleet) == "VAEFleet(seed=3, window=10)"
    assert fleet.get_params()["window"] == 10
    assert fleet
    assert fleet.set_params(**SMALL).fit(waves(100, 100)) is fleet
    assert len(fleet) == 2


# Files.


def test_a_fleet_comes_back_from_its_folder_in_either_backend(backend_name: str, tmp_path: Path) -> None:
    series = waves(100, 120, 90) | {"a/b ü": waves(80)["s0"], "flat": np.ones(50)}
    with pytest.warns(UserWarning, match="1 of 5 series failed"):
        fleet = fleet_of(backend_name, **SMALL, seed=2, preset="standard").fit(series)
    fleet.save(tmp_path / "fleet")
    del series["flat"]
    scores = fleet.decision_function(series)
    for name in ("jax", "torch"):
        loaded = importlib.import_module(f"vae_{name}").VAEFleet.load(tmp_path / "fleet")
        assert loaded.get_params() == fleet.get_params()
        assert sorted(loaded) == sorted(fleet)
        assert loaded.failures_ == fleet.failures_
        assert loaded["a/b ü"].thresholds_ == fleet["a/b ü"].thresholds_
        for key, found in loaded.decision_function(series).items():
            assert_close(found, scores[key], 1e-5)


def test_saving_again_replaces_the_fleet(tmp_path: Path) -> None:
    fleet_of("jax", **SMALL).fit(waves(100, 100)).save(tmp_path)
    again = fleet_of("jax", **SMALL).fit({"new": waves(100)["s0"]})
    again.save(tmp_path)
    loaded = importlib.import_module("vae_jax").VAEFleet.load(tmp_path)
    assert list(loaded) == ["new"]
    loaded.save(tmp_path / "copy")  # members of a folder, read one at a time
    assert [path.name for path in (tmp_path / "copy" / "models").iterdir()] == ["new.safetensors"]
    loaded.save(tmp_path)  # its own folder
    assert loaded["new"].thresholds_ == again["new"].thresholds_
    (tmp_path / "fleet.json").unlink()
    with pytest.raises(ValueError, match=r"holds no whole fleet: there is no fleet\.json"):
        importlib.import_module("vae_jax").VAEFleet.load(tmp_path)


def test_saving_leaves_alone_what_is_no_fleet(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.pt").touch()
    with pytest.raises(ValueError, match="models is in the way"):
        fleet_of("jax", **SMALL).fit(waves(100)).save(tmp_path)
    assert (tmp_path / "models" / "mine.pt").exists()


def test_a_fleet_is_saved_with_the_arguments_it_was_fitted_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = fleet_of("jax", **SMALL | {"window": np.int64(10), "device": "cpu"}).fit(waves(100))
    fleet.set_params(window=32)
    monkeypatch.chdir(tmp_path)
    fleet.save("fleet")
    loaded = importlib.import_module("vae_jax").VAEFleet.load("fleet", device="cpu")
    assert (loaded.window, loaded.device) == (10, "cpu")
    monkeypatch.chdir("/")
    assert "s0" in loaded
    assert "s1" not in loaded
    assert loaded["s0"].config_.window == 10


# The process.


def test_the_process_is_left_as_it_was() -> None:
    import torch

    before = torch.get_num_threads()
    with warnings.catch_warnings():
        fleet_of("torch", **SMALL).fit(waves(100, 100))
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_several_cpu_devices_are_used_and_change_no_bit() -> None:
    code = """
import jax, numpy as np
{setting}
from vae_jax import VAEFleet
from vae_jax.runtime import lanes
series = {{str(k): np.sin(np.arange(100 + k) / 3) for k in range(8)}}
fleet = VAEFleet(preset="standard", window=10, epochs=2).fit(series)
seen = set()
for lane in lanes("auto"):
    with lane():
        seen |= jax.numpy.zeros(1).devices()
print(len(seen), [fleet[name].threshold_.hex() for name in fleet])
"""
    one = in_a_fresh_process(code.format(setting="jax.devices()"))  # already initialised
    four = in_a_fresh_process(code.format(setting="jax.config.update('jax_num_cpu_devices', 4)"))
    assert (one[0], four[0]) == ("1", "4")
    assert one[1:] == four[1:]
