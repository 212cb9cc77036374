"""Hyperparameters: their checks, their presets."""

import inspect
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest

from twinvae.config import HYPERPARAMETERS, PRESETS, RULES, Config, check_kind, recorded, resolve
from twinvae.detector.detector import VAEDetector
from twinvae.detector.suitable import suitable

WHOLE = (
    "window",
    "hidden_dim",
    "latent_dim",
    "beta_warm_up",
    "epochs",
    "batch_size",
    "patience",
    "min_length",
    "draws",
    "merge_gap",
    "folds",
)
REAL = (
    "beta",
    "learning_rate",
    "margin",
    "search_margin",
    "mad_factor",
    "quantile",
    "false_alarm_rate",
    "validation_fraction",
    "least_height",
    "trim",
)
CHOICE = ("scaling", "centring", "missing", "kind", "threshold", "direction", "dtype", "device")
TEXT = ("false_events", "min_deviation", "at_least", "valid_range")


def made(**values: Any) -> Config:
    return Config(**values)


def test_every_field_is_tested_here() -> None:
    assert {*WHOLE, *REAL, *CHOICE, *TEXT, "compile"} == set(HYPERPARAMETERS)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [5.0, "5", True, math.nan, (5,)])
def test_a_count_that_is_not_a_whole_number_is_a_type_error(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a whole number"):
        made(**{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_a_count_below_its_least_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be at least"):
        made(**{name: -1})
    if name in ("beta_warm_up", "draws", "merge_gap", "folds"):
        assert getattr(made(**{name: 0}), name) == 0
    else:
        with pytest.raises(ValueError, match=f"^{name} must be at least 1"):
            made(**{name: 0})


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [10**12, 2**200, 10**5000], ids=["12", "60", "5000 digits"])
def test_a_count_that_could_never_be_computed_is_a_value_error(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be at most"):
        made(**{name: value})


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("value", ["0.5", True, None, (0.5,)])
def test_a_number_of_another_type_is_a_type_error(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a number"):
        made(**{name: value})


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, -math.inf])
def test_a_number_out_of_range_is_a_value_error(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        made(**{name: value})


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("beta", 0.0, -1e-9),
        ("learning_rate", 1e-12, 0.0),
        ("margin", 1e-12, 0.0),
        ("mad_factor", 1e-12, 0.0),
        ("quantile", 0.5, 0.0),
        ("quantile", 0.999999, 1.0),
        ("false_alarm_rate", 1e-9, 0.0),
        ("false_alarm_rate", 0.5, 1.0),
        ("validation_fraction", 0.0, 1.0),
        ("trim", 0.49, 0.5),
    ],
)
def test_bounds_are_where_they_are_said_to_be(name: str, allowed: float, refused: float) -> None:
    assert getattr(made(**{name: allowed}), name) == allowed
    with pytest.raises(ValueError, match=name):
        made(**{name: refused})


@pytest.mark.parametrize("value", [1, 0.0, "yes", (True,)])
def test_a_switch_is_true_or_false(value: object) -> None:
    with pytest.raises(TypeError, match=r"^compile must be True or False"):
        made(compile=value)


@pytest.mark.parametrize("name", CHOICE)
def test_a_choice_must_be_one_of_those_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be one of .*, got 'nonsense'"):
        made(**{name: "nonsense"})
    with pytest.raises(TypeError, match=f"^{name} must be one of"):
        made(**{name: 1})


@pytest.mark.parametrize("name", TEXT)
def test_what_is_written_as_text_is_read_or_refused(name: str) -> None:
    assert getattr(made(), name) == ""
    with pytest.raises(ValueError, match=f"^{name} must be .*, got 'nonsense'"):
        made(**{name: "nonsense"})
    with pytest.raises(TypeError, match=f"^{name} must be a text such as"):
        made(**{name: 1})


def test_rules_that_are_off_are_not_in_a_file_and_those_that_are_on_are() -> None:
    """Files are as they were before there were such rules, so that the release before reads them."""
    assert not {*RULES} - {"min_length"} & recorded(PRESETS["auto"]).keys()
    on = resolve("auto", {"direction": "up", "min_deviation": {"a": np.float32(0.5)}, "valid_range": (None, 3)})
    assert (on.min_deviation, on.valid_range) == ("a=0.5", ":3.0")
    assert Config(**recorded(on)) == on
    assert recorded(on).keys() >= {"direction", "min_deviation", "valid_range"}


def test_numpy_scalars_are_numbers() -> None:
    config = made(window=np.int64(5), beta=np.float32(0.5), learning_rate=np.float64(0.1))
    assert (config.window, config.beta) == (5, 0.5)
    assert made(beta=0).beta == 0


def test_numpy_s_true_is_no_number_as_true_is_none() -> None:
    with pytest.raises(TypeError, match="beta must be a number"):
        made(beta=np.True_)


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().window = 3  # type: ignore[misc]


def test_the_tutorial_s_preset_is_the_tutorial() -> None:
    expected: dict[str, Any] = {"window": 50, "hidden_dim": 32, "latent_dim": 10, "beta": 2.0, "learning_rate": 1e-3}
    expected |= {"epochs": 100, "batch_size": 32, "validation_fraction": 0.0, "scaling": "none", "dtype": "float32"}
    tutorial = resolve("tutorial", {})
    assert {name: getattr(tutorial, name) for name in expected} == expected


def test_the_standard_preset_is_scaled_and_trains_the_tutorial_s_model() -> None:
    differ = {f.name for f in fields(Config) if getattr(PRESETS["standard"], f.name) != getattr(Config(), f.name)}
    assert PRESETS["standard"].scaling == "standard"
    assert not differ & {"window", "hidden_dim", "latent_dim", "beta", "learning_rate", "epochs", "batch_size", "dtype"}


def test_overrides_replace_the_preset_s_values_and_none_does_not() -> None:
    config = resolve("standard", {"window": 7, "beta": None})
    assert (config.window, config.beta, config.scaling) == (7, 2.0, "standard")


def test_overrides_are_checked() -> None:
    with pytest.raises(ValueError, match="epochs"):
        resolve("tutorial", {"epochs": 0})


@pytest.mark.parametrize(("preset", "error"), [("nonsense", ValueError), (3, TypeError)])
def test_an_unknown_preset_is_refused(preset: Any, error: type[Exception]) -> None:
    detector = VAEDetector().set_params(preset=preset)
    with pytest.raises(error, match="preset"):
        detector.fit([1.0, 2.0])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of point, reconstruction, window, causal"):
        check_kind("nonsense")


def test_the_detector_s_arguments_are_the_hyperparameters_a_preset_and_a_seed() -> None:
    arguments = inspect.signature(VAEDetector.__init__).parameters
    assert tuple(arguments) == ("self", "preset", "seed", *HYPERPARAMETERS)
    assert all(arguments[name].kind is inspect.Parameter.KEYWORD_ONLY for name in arguments if name != "self")
    assert all(arguments[name].default is None for name in HYPERPARAMETERS)


# What suits a training series.

SINE = np.sin(2 * np.pi * np.arange(2000)[:, None] / 90)


def test_auto_takes_the_window_from_the_period_of_the_training_series() -> None:
    chosen = suitable(PRESETS["auto"], SINE, window=True, epochs=True)
    assert chosen.window == 90
    assert replace(chosen, window=64) == PRESETS["auto"]
    assert suitable(PRESETS["auto"], SINE[::3], window=True, epochs=True).window == 64, "not below the least"
    assert suitable(PRESETS["auto"], SINE[:200], window=True, epochs=True).window == 50, "a quarter of the series"
    assert suitable(PRESETS["auto"], np.hstack([SINE, SINE, SINE[::-1] ** 2]), window=True, epochs=True).window == 90
    assert suitable(PRESETS["auto"], SINE, window=False, epochs=True).window == 64
    assert suitable(PRESETS["auto"], SINE[:2], window=True, epochs=True).window == 1


def test_auto_trains_a_long_series_for_fewer_epochs() -> None:
    series = np.zeros((64 + 32 * 1024 - 1, 1))
    assert suitable(PRESETS["auto"], series, window=False, epochs=True).epochs == 16
    assert suitable(PRESETS["auto"], series, window=False, epochs=False).epochs == 100
    assert suitable(replace(PRESETS["auto"], batch_size=1), series, window=False, epochs=True).epochs == 1
