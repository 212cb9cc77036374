"""What a model knows of the rates of its thresholds, kept in its file."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model.test_checkpoint import opened, refused, save_with_sum
from tests.stream.test_stream import model
from twinvae.model import file as model_file
from twinvae.model.model import Model
from twinvae.scoring.event_rate import EventRate, tails

SCORES = np.exp(np.random.default_rng(0).normal(size=(2, 3000)))
KNOWN = EventRate(1 / 2016, {"point": tuple(tails(each, 20) for each in SCORES), "causal": (tails(SCORES[0], 20),)})


def rated() -> Model:
    made = model()
    return replace(made, config=replace(made.config, false_events="1/week"), event_rate=KNOWN).at(2.0)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_file.as_bytes(rated()))
    return path


def test_a_file_gives_back_what_is_known_of_rates_and_how_far_thresholds_have_moved(saved: Path) -> None:
    loaded = model_file.read(saved)
    assert (loaded.event_rate, loaded.times) == (KNOWN, 2.0)
    assert loaded.threshold_of("point").expected == rated().threshold_of("point").expected
    assert model_file.as_bytes(loaded) == saved.read_bytes()


def test_a_file_without_it_is_read_as_before(saved: Path) -> None:
    tensors, metadata = opened(saved)
    settings = json.loads(metadata["settings"])
    del settings["event_rate"], settings["times"]
    save_with_sum(tensors, saved, metadata | {"settings": json.dumps(settings)})
    loaded = model_file.read(saved)
    assert (loaded.event_rate, loaded.times) == (None, 1.0)
    assert "begin 1/week false alarms" in loaded.threshold_of("point").in_words
    saved.write_bytes(model_file.as_bytes(model()))
    assert not {"event_rate", "times"} & json.loads(opened(saved)[1]["settings"]).keys()


def of_rate(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda settings: settings["event_rate"].update(changes)


def of_tails(*value: Any) -> Callable[[dict[str, Any]], Any]:
    return of_rate(tails={"point": list(value)})


BAD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no rate": of_rate(asked=0),
    "a rate in words": of_rate(asked="often"),
    "a rate that is not finite": of_rate(asked=float("inf")),
    "tails of no score": of_rate(tails={"beauty": [[[0.0, 30, 9.0, 100]]]}),
    "no tails": of_tails(),
    "no tail": of_tails([]),
    "a tail of words": of_tails([["high", 30, 9.0, 100]]),
    "half a tail": of_tails([[0.0, 30]]),
    "a number for a tail": of_tails(3),
    "half a peak": of_tails([[0.0, 30.5, 9.0, 100]]),
    "more peaks than steps": of_tails([[0.0, 300, 9.0, 100]]),
    "fewer peaks than name a rate": of_tails([[0.0, 3, 9.0, 100]]),
    "peaks that exceed nothing": of_tails([[0.0, 30, 0.0, 100]]),
    "a start that is not finite": of_tails([[float("nan"), 30, 9.0, 100]]),
    "starts that do not fall": of_tails([[0.0, 30, 9.0, 100], [1.0, 40, 9.0, 100]]),
    "peaks that do not rise": of_tails([[0.0, 30, 9.0, 100], [-1.0, 30, 9.0, 100]]),
    "a rate that was not asked for": lambda settings: settings["config"].update(false_events=""),
    "no times": lambda settings: settings.update(times=0.0),
    "times in words": lambda settings: settings.update(times="twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_record_is_refused(saved: Path, name: str) -> None:
    tensors, metadata = opened(saved)
    settings = json.loads(metadata["settings"])
    BAD[name](settings)
    save_with_sum(tensors, saved, metadata | {"settings": json.dumps(settings)})
    assert "damaged model" in refused(saved)
