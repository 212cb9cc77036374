"""Files of models that earlier releases have written: they are used as they are."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import assert_close_in_range, detector_of
from tests.model.test_checkpoint import opened, save_with_sum
from twinvae.model import file as model_file


def of_version_2(path: Path) -> None:
    """Makes of a file what the release before wrote: fewer scores, and no windows of the training series."""
    tensors, metadata = opened(path)
    settings = json.loads(metadata["settings"])
    known = settings.pop("calibration")
    settings |= {"warm_up": known["warm_up"][0], "durations": known["durations"]}
    settings["thresholds"] = {
        kind: limit for kind, limit in settings["thresholds"].items()
        if kind not in ("ensemble", "neighbour", "residual", "causal_multiscale", "trailing")
    }  # fmt: skip
    for name in ("folds", "false_events"):
        settings["config"].pop(name)
    rest = {name: tensor for name, tensor in tensors.items() if not name.startswith("calibration.")}
    rest["calibration.variance"] = tensors["calibration.variance"]
    rest["calibration.largest"] = tensors["calibration.largest.multiscale"]
    if "calibration.excess" in tensors:
        rest["calibration.excess"] = tensors["calibration.excess"][:5].copy()
    save_with_sum(rest, path, metadata | {"version": "2", "settings": json.dumps(settings)})


def test_a_model_of_version_2_scores_as_it_did_and_cannot_be_saved_again(backend_name: str, tmp_path: Path) -> None:
    path, wave = tmp_path / "model.safetensors", np.sin(np.arange(300) / 3.0)
    lost = wave.copy()
    lost[100:103] = np.nan
    fitted = detector_of(backend_name)(
        window=6, hidden_dim=8, latent_dim=3, epochs=3, kind="multiscale", missing="mask"
    ).fit(wave)  # fmt: skip
    fitted.save(path)
    of_version_2(path)
    read = detector_of(backend_name).load(path)
    for kind in ("multiscale", "point", "causal", "divergence"):
        assert (read.decision_function(lost, kind=kind) == fitted.decision_function(lost, kind=kind)).all()
    moved = wave.copy()
    moved[150] += 9
    assert [event.start for event in read.events(moved)] == [event.start for event in fitted.events(moved)]
    assert read.events(moved)[0].similar_row is None
    with pytest.warns(UserWarning, match=r"its stream scores each point alone \(causal\)") as said:
        stream = read.stream()
    assert len(said) == 1
    scores = [stream.update(x) for x in moved]
    assert_close_in_range(np.array(scores), read.decision_function(moved, kind="causal"), 1e-5)
    with pytest.raises(ValueError, match="without the score ensemble: fit it again"):
        read.decision_function(wave, kind="ensemble")
    with pytest.raises(ValueError, match=r"cannot be saved: an earlier release has fitted it.*: fit it again"):
        read.save(path)


def test_a_model_that_knows_no_averages_of_the_past_is_used_and_saved_as_it_was(tmp_path: Path) -> None:
    path, wave = tmp_path / "model.safetensors", np.sin(np.arange(300) / 3.0)
    fitted = detector_of("torch")(window=6, hidden_dim=8, latent_dim=3, epochs=3).fit(wave)
    fitted.save(path)
    tensors, metadata = opened(path)
    settings = json.loads(metadata["settings"])
    del tensors["calibration.largest.trailing"], settings["thresholds"]["trailing"]
    del settings["calibration"]["peak"]["trailing"]
    save_with_sum(tensors, path, metadata | {"settings": json.dumps(settings)})
    read = detector_of("torch").load(path)
    assert (read.decision_function(wave) == fitted.decision_function(wave)).all()
    with pytest.raises(ValueError, match="without the score trailing: fit it again"):
        read.events(wave, kind="trailing")
    with pytest.warns(UserWarning, match="an earlier release has fitted this model"):
        stream = read.stream()
    assert (stream.kind, stream.threshold) == ("causal", fitted.thresholds_["causal"])
    read.save(path)
    assert "calibration.largest.trailing" not in opened(path)[0]
    assert model_file.read(path).thresholds == read.thresholds_
