"""The file of a fitted detector: whole, or refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.conftest import BACKENDS, detector_of, unchecked
from tests.stream.test_stream import model
from twinvae.config import KINDS
from twinvae.detector.not_fitted import NotFittedError
from twinvae.model import file as model_file

SMALL = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 2, "batch_size": 8}
SERIES = np.random.default_rng(0).normal(size=(60, 2))
Tensors = dict[str, np.ndarray]
Settings = dict[str, Any]


@pytest.fixture(scope="module")
def fitted() -> Any:
    return detector_of("jax")(**SMALL, preset="standard", seed=3, dtype="float64").fit(SERIES)


@pytest.fixture
def saved(fitted: Any, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    return path


def opened(path: Path) -> tuple[Tensors, dict[str, str]]:
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name).copy() for name in file.keys()}, dict(file.metadata())  # noqa: SIM118


def save_with_sum(tensors: Tensors, path: Path, metadata: dict[str, str]) -> None:
    """Writes a file with the right checksum, whatever it holds."""
    save_file(tensors, path, metadata | {"sum": model_file.content_sum(metadata, tensors)})


def refused(path: Path) -> str:
    """Asserts that loading is a ValueError of one line that names the file, and returns it."""
    with pytest.raises(ValueError, match=r"model\.safetensors: ") as raised:
        detector_of("jax").load(path)
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("reader", BACKENDS)
def test_a_loaded_detector_is_the_saved_one(fitted: Any, saved: Path, reader: str) -> None:
    loaded = detector_of(reader).load(saved)
    assert loaded.get_params() == fitted.get_params()
    for name in ("config_", "channels_", "thresholds_", "threshold_"):
        assert getattr(loaded, name) == getattr(fitted, name)
    assert (loaded.scaler_.shift == fitted.scaler_.shift).all()
    assert (loaded.scaler_.scale == fitted.scaler_.scale).all()
    assert loaded.parameters_.keys() == fitted.parameters_.keys()
    for name, array in fitted.parameters_.items():
        assert (loaded.parameters_[name] == array).all()
        assert loaded.parameters_[name].dtype == array.dtype


def test_a_loaded_detector_scores_to_the_last_bit_alike_and_can_be_saved_again(
    backend_name: str, tmp_path: Path
) -> None:
    detector = detector_of(backend_name)(**SMALL).fit(SERIES)
    detector.save(tmp_path / "one.safetensors")
    loaded = detector_of(backend_name).load(tmp_path / "one.safetensors")
    for kind in KINDS:
        expected = detector.decision_function(SERIES, kind=kind)
        assert (loaded.decision_function(SERIES, kind=kind) == expected).all()
        assert (loaded.predict(SERIES, kind=kind) == detector.predict(SERIES, kind=kind)).all()
    loaded.save(tmp_path / "two.safetensors")
    one, two = opened(tmp_path / "one.safetensors"), opened(tmp_path / "two.safetensors")
    assert one[1] == two[1]
    assert all((one[0][name] == array).all() for name, array in two[0].items())


def test_a_loaded_detector_fits_again_as_the_saved_one(fitted: Any, saved: Path) -> None:
    again = detector_of("jax").load(saved).fit(SERIES)
    assert all((again.parameters_[name] == array).all() for name, array in fitted.parameters_.items())


def test_numpy_arguments_are_saved(tmp_path: Path) -> None:
    detector = detector_of("jax")(**SMALL).set_params(window=np.int64(5), beta=np.float32(0.5), seed=np.int64(3))
    with unchecked():
        detector.fit(SERIES).save(tmp_path / "model.safetensors")
    loaded = detector_of("jax").load(tmp_path / "model.safetensors")
    assert (loaded.window, loaded.beta, loaded.seed) == (5, 0.5, 3)


def test_the_device_is_not_saved(tmp_path: Path) -> None:
    detector_of("jax")(**SMALL, device="cpu").fit(SERIES).save(tmp_path / "model.safetensors")
    loaded = detector_of("torch").load(tmp_path / "model.safetensors")
    assert (loaded.device, loaded.config_.device) == (None, "auto")
    assert detector_of("torch").load(tmp_path / "model.safetensors", device="cpu").config_.device == "cpu"


def test_an_unfitted_detector_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="not fitted"):
        detector_of("jax")().save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_the_file_holds_no_code(saved: Path) -> None:
    tensors, metadata = opened(saved)
    assert set(metadata) == {"format", "version", "settings", "sum"}
    assert {name.split(".")[0] for name in tensors} == {"calibration", "model", "scaler"}


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved: Path, share: float) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    assert "not a whole safetensors file" in refused(saved)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 20])
def test_a_file_cut_within_its_header_is_refused(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    refused(saved)


def test_a_file_cut_by_one_byte_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-1])
    refused(saved)


@pytest.mark.parametrize(
    "content", [b"garbage", b"\n\n\n" * 50, bytes(1000), b"\x80\x04\x95" + bytes(20), b"a,b\n1,2\n" * 50]
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    refused(tmp_path / "model.safetensors")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_another_s_safetensors_file_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"weight": np.zeros(3)}, tmp_path / "model.safetensors", metadata)
    assert "not a model of twinvae" in refused(tmp_path / "model.safetensors")


@pytest.mark.parametrize("version", ["1", "4", "x", None])
def test_another_version_is_refused(saved: Path, version: str | None) -> None:
    tensors, metadata = opened(saved)
    del metadata["version"]
    save_with_sum(tensors, saved, metadata | ({} if version is None else {"version": version}))
    assert f"reads version {model_file.VERSION}" in refused(saved)


# The checksum.


def test_no_flipped_bit_is_loaded(tmp_path: Path) -> None:
    """1,500 bits of the header, and 1,500 of the tensors."""
    path, whole = tmp_path / "model.safetensors", model_file.as_bytes(model(2))
    header, generator = 8 * (8 + int.from_bytes(whole[:8], "little")), np.random.default_rng(0)
    places = [generator.choice(part, 1500, replace=False) for part in (header, np.arange(header, 8 * len(whole)))]
    with unchecked():
        for place in np.concatenate(places).tolist():
            changed = bytearray(whole)
            changed[place // 8] ^= 1 << place % 8
            path.write_bytes(changed)
            with pytest.raises(ValueError, match=r"^\S*model\.safetensors: [^\n]*$"):
                model_file.read(path)


def test_the_same_model_is_the_same_file_and_its_sum_is_checked_after_other_hands(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    assert model_file.as_bytes(model(2)) == model_file.as_bytes(model(2))
    path.write_bytes(model_file.as_bytes(model(2)))
    tensors, metadata = opened(path)
    save_file(tensors, path, metadata)  # another order of the metadata is no damage
    model_file.read(path)
    save_file(tensors | {"model.decoder.bias": tensors["model.decoder.bias"] + 1}, path, metadata)
    assert "damaged model: not the checksum" in refused(path)


def test_an_old_file_without_a_checksum_is_read_with_one_note(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_file.as_bytes(model(2)))
    tensors, metadata = opened(path)
    del metadata["sum"]
    save_file(tensors, path, metadata)
    with pytest.warns(UserWarning, match="has no checksum") as said:
        found = model_file.read(path)
    assert len(said) == 1
    assert model_file.as_bytes(found) == model_file.as_bytes(model(2))


def dropped(name: str) -> Callable[[Tensors], Any]:
    return lambda tensors: tensors.pop(name)


def put(name: str, array: np.ndarray) -> Callable[[Tensors], Any]:
    return lambda tensors: tensors.update({name: array})


BAD_TENSORS: dict[str, tuple[Callable[[Tensors], Any], str]] = {
    "missing": (dropped("model.encoder.bias"), "encoder.bias is missing"),
    "unknown": (put("model.extra", np.zeros(3)), "extra is not one of the model's"),
    "misshapen": (put("model.encoder.bias", np.zeros(5)), "encoder.bias has shape"),
    "transposed": (put("model.encoder.weight", np.zeros((10, 4))), "encoder.weight has shape"),
    "NaN": (put("model.encoder.bias", np.full(4, np.nan)), "encoder.bias holds values that are not finite"),
    "infinite": (put("model.encoder.bias", np.full(4, np.inf)), "encoder.bias holds values that are not finite"),
    "another dtype": (put("model.encoder.bias", np.zeros(4, np.float32)), "encoder.bias"),
    "integers": (put("model.encoder.bias", np.zeros(4, np.int64)), "encoder.bias"),
    "no variance": (dropped("calibration.variance"), "calibration.variance"),
    "misshapen variance": (put("calibration.variance", np.ones(3)), "calibration.variance has shape (3,), not (2,)"),
    "zero variance": (put("calibration.variance", np.zeros(2)), "calibration.variance holds values that are not"),
    "NaN variance": (put("calibration.variance", np.full(2, np.nan)), "calibration.variance holds values that are not"),
    "misshapen largest": (put("calibration.largest.residual", np.ones((4, 2))), "largest.residual has shape"),
    "zero largest": (put("calibration.largest.multiscale", np.zeros((4, 2))), "largest.multiscale holds values that"),
    "no bank": (dropped("calibration.shape.values"), "calibration.shape.values"),
    "a bank of other windows": (put("calibration.shape.values", np.zeros((20, 11))), "shape.values has shape (20, 11)"),
    "an empty bank": (put("calibration.residual.values", np.zeros((0, 10))), "residual.values has shape (0, 10)"),
    "an infinite bank": (put("calibration.residual.values", np.full((20, 10), np.inf)), "are not finite values"),
    "a bank of another dtype": (put("calibration.shape.values", np.zeros((20, 10), "int64")), "shape.values are not"),
    "places of other windows": (put("calibration.shape.starts", np.arange(3)), "shape.starts are not the steps"),
    "places in disorder": (put("calibration.residual.starts", np.arange(19, -1, -1)), "residual.starts are not"),
    "rows of other windows": (put("calibration.shape.rows", np.arange(3)), "shape.rows are not the rows"),
    "rows beyond the steps": (put("calibration.shape.rows", np.arange(1, 21)), "shape.rows are not the rows"),
    "no shift": (dropped("scaler.shift"), "scaler.shift"),
    "no scale": (dropped("scaler.scale"), "scaler.scale"),
    "misshapen scale": (put("scaler.scale", np.ones(3)), "scaler.scale has shape"),
    "NaN scale": (put("scaler.scale", np.full(2, np.nan)), "scaler.scale holds values that are not finite"),
    "zero scale": (put("scaler.scale", np.zeros(2)), "scaler.scale"),
    "negative scale": (put("scaler.scale", np.full(2, -1.0)), "scaler.scale"),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_bad_tensors_are_refused_by_name(saved: Path, name: str) -> None:
    change, message = BAD_TENSORS[name]
    tensors, metadata = opened(saved)
    change(tensors)
    save_with_sum(tensors, saved, metadata)
    assert message in refused(saved)


def without(key: str) -> Callable[[Settings], Any]:
    return lambda settings: settings.pop(key)


def setting(key: str, value: Any) -> Callable[[Settings], Any]:
    return lambda settings: settings.update({key: value})


def calibrated(key: str, *value: Any) -> Callable[[Settings], Any]:
    """Puts a value into the settings of the calibration, or takes it out."""
    change = setting(key, *value) if value else without(key)
    return lambda settings: change(settings["calibration"])


BAD_SETTINGS: dict[str, Callable[[Settings], Any]] = {
    **{f"no {key}": without(key) for key in ("preset", "overrides", "seed", "config", "channels", "thresholds")},
    "no warm-up": calibrated("warm_up"),
    "no durations": calibrated("durations"),
    "no duration": calibrated("durations", []),
    "another number of durations": calibrated("durations", [1, 16]),
    "a duration of nothing": calibrated("durations", [0, 16, 64, 256]),
    "another config": setting("config", [1, 2]),
    "an unknown field": lambda settings: settings["config"].update(nonsense=1),
    "a bad window": lambda settings: settings["config"].update(window=-5),
    "another window": lambda settings: settings["config"].update(window=6),
    "a window in words": lambda settings: settings["config"].update(window="five"),
    "another number of channels": setting("channels", ["a"]),
    "a number for channels": setting("channels", 2),
    "channels that are no names": setting("channels", [1, 2]),
    "no threshold of a kind": lambda settings: settings["thresholds"].pop("causal"),
    "no threshold of a new kind": lambda settings: settings["thresholds"].pop("divergence"),
    "a threshold in words": lambda settings: settings["thresholds"].update(causal="high"),
    "a threshold that is not finite": lambda settings: settings["thresholds"].update(causal=float("nan")),
    "a list of thresholds": setting("thresholds", [1.0]),
    "a warm-up that is not finite": calibrated("warm_up", float("inf")),
    "an unknown override": setting("overrides", {"nonsense": 1}),
    "a list of overrides": setting("overrides", ["window"]),
    "a bad override": setting("overrides", {"window": -1}),
    "an unknown preset": setting("preset", "nonsense"),
    "a bad seed": setting("seed", "zero"),
    "more draws than could be computed": lambda settings: settings["config"].update(draws=10**8),
    "an absurd duration": calibrated("durations", [1, 16, 64, 10**30]),
    "no peak of a kind": calibrated("peak", {}),
    "a peak of nothing": lambda settings: settings["calibration"]["peak"].update(ensemble=0, neighbour=0.0),
    "no checksum of the fitted series": calibrated("fitted_digest", "abc"),
    "a fitted series shorter than a window": calibrated("fitted_steps", 3),
    "a fitted series shorter than the bank says": calibrated("fitted_steps", 10),
    "an absurd seed": setting("seed", 2**200),
    "a negative seed": setting("seed", -1),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings_are_refused(saved: Path, name: str) -> None:
    tensors, metadata = opened(saved)
    settings = json.loads(metadata["settings"])
    BAD_SETTINGS[name](settings)
    save_with_sum(tensors, saved, metadata | {"settings": json.dumps(settings)})
    assert "damaged model" in refused(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"text"', "{}"])
def test_settings_that_are_no_object_are_refused(saved: Path, text: str) -> None:
    tensors, metadata = opened(saved)
    save_with_sum(tensors, saved, metadata | {"settings": text})
    with unchecked():
        refused(saved)


def test_missing_settings_are_refused(saved: Path) -> None:
    tensors, metadata = opened(saved)
    del metadata["settings"]
    save_with_sum(tensors, saved, metadata)
    assert "settings" in refused(saved)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        detector_of("jax").load(tmp_path / "nowhere.safetensors")


def test_a_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"device|directory"):
        detector_of("jax").load(tmp_path)


def test_the_old_model_stays_if_the_disk_is_full(fitted: Any, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("twinvae.files.atomic.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fitted.save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
