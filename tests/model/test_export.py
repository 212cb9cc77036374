"""The exported window scorer: it computes what the detector does, and a file that does not is not kept."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT, detector_of, in_a_fresh_process
from tests.helpers.closeness import assert_close, rounding
from twinvae.cli import main as cli
from twinvae.detector.detector import VAEDetector
from twinvae.detector.not_fitted import NotFittedError
from twinvae.model.export_check import Labelled, Program, check

SMALL: dict[str, Any] = {"preset": "standard", "window": 6, "hidden_dim": 4, "latent_dim": 2, "epochs": 2}
TIME = np.arange(120)
SERIES = np.stack([20 + 3 * np.sin(TIME / 3), np.cos(TIME / 4), TIME % 5 * 0.1], axis=1)
SERIES += 0.05 * np.random.default_rng(0).normal(size=SERIES.shape)
CASES: list[tuple[int, dict[str, Any]]] = [
    (1, {"dtype": "float32", "missing": "mask"}),
    (3, {"dtype": "float64", "missing": "mask", "centring": "window"}),
    (3, {"dtype": "float32", "centring": "window"}),
    (1, {"dtype": "float64"}),
]


@pytest.fixture(scope="module")
def fit() -> Callable[..., Any]:
    """Fits with PyTorch, once for the same settings."""
    fitted: dict[str, Any] = {}

    def fitted_with(channels: int = 3, **settings: Any) -> Any:
        key = repr((channels, settings))
        if key not in fitted:
            fitted[key] = detector_of("torch")(**SMALL | settings).fit(SERIES[:, :channels])
        return fitted[key]

    return fitted_with


def onnx_program(path: Path) -> Program:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # beside the threads of two frameworks
    session = onnxruntime.InferenceSession(path, options)
    return lambda windows: Labelled(*session.run(["score", "label"], {"windows": windows}))


def exported(detector: VAEDetector, folder: Path) -> Program:
    path = folder / "model.onnx"
    detector.export_onnx(path)
    return onnx_program(path)


@pytest.mark.parametrize(("channels", "settings"), CASES)
def test_an_exported_program_scores_as_the_detector_does(
    fit: Callable[..., Any], channels: int, settings: dict[str, Any], tmp_path: Path
) -> None:
    detector = fit(channels, **settings)
    run = exported(detector, tmp_path)
    windows = np.lib.stride_tricks.sliding_window_view(SERIES[:, :channels], 6, axis=0).swapaxes(1, 2).copy()
    windows[50:60, 2] += 30.0
    if "missing" in settings:
        windows[5:70, 3, 0] = np.nan
    threshold = detector.thresholds_["single_window"]
    for part in (windows, windows[:1], windows[50:57]):
        scores, labels = run(part)
        assert scores.dtype == np.float64
        assert labels.dtype == np.int8
        expected = detector.window_scorer()(part)
        assert_close(scores, expected, rounding(settings["dtype"]))
        assert (labels == (expected > threshold)).all()
    assert labels.all()
    assert not run(windows)[1].all()


def test_what_the_detector_refuses_has_no_score_and_alone_has_the_label_of_it(
    fit: Callable[..., Any], tmp_path: Path
) -> None:
    plain, masked = fit(3), fit(3, missing="mask")
    windows = SERIES[None, :6].repeat(6, axis=0)
    windows[1:5, 2, 1] = np.nan, np.inf, -np.inf, 1e300
    windows[5] = np.nan
    for detector, labels in ((plain, [0, -1, -1, -1, -1, -1]), (masked, [0, 0, -1, -1, -1, 0])):
        found = exported(detector, tmp_path)(windows)
        assert found.labels.tolist() == labels
        known = [True, detector is masked, False, False, False, False]
        assert np.isfinite(found.scores).tolist() == known
        assert_close(found.scores[known], detector.window_scorer()(windows[known]), rounding("float32"))


def test_only_a_score_above_the_threshold_is_an_anomaly(fit: Callable[..., Any], tmp_path: Path) -> None:
    detector = detector_of("torch").load(saved(fit(3), tmp_path))
    window = SERIES[None, 10:16]
    score = exported(detector, tmp_path)(window).scores[0]
    for threshold, label in ((score, 0), (np.nextafter(score, 0.0), 1), (np.nextafter(score, 9.0), 0)):
        detector.thresholds_["single_window"] = float(threshold)
        assert exported(detector, tmp_path)(window).labels == label


def saved(detector: VAEDetector, folder: Path) -> Path:
    path = folder / "model.safetensors"
    detector.save(path)
    return path


def test_a_file_does_not_depend_on_the_backend_and_says_what_it_is(fit: Callable[..., Any], tmp_path: Path) -> None:
    import onnx

    detector = fit(3, missing="mask")
    other = detector_of("jax").load(saved(detector, tmp_path))
    for name, one in (("torch", detector), ("jax", other)):
        checked = one.export_onnx(tmp_path / f"{name}.onnx")
        assert checked.windows > 100
        assert 0.0 < checked.difference < rounding("float32")
    assert (tmp_path / "torch.onnx").read_bytes() == (tmp_path / "jax.onnx").read_bytes()
    model = onnx.load(tmp_path / "jax.onnx")
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(about["channels"]) == list(detector.channels_)
    assert float(about["threshold"]) == detector.thresholds_["single_window"]
    assert (about["window"], about["dtype"], about["missing"]) == ("6", "float32", "mask")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    assert all(value.doc_string for value in (*model.graph.input, *model.graph.output))


def test_a_batch_may_be_empty(fit: Callable[..., Any], tmp_path: Path) -> None:
    for settings in ({}, {"missing": "mask"}):
        scores, labels = exported(fit(3, **settings), tmp_path)(np.zeros((0, 6, 3)))
        assert scores.shape == labels.shape == (0,)


# The check can fail.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", ["encoder", "output"])
def test_a_file_that_scores_otherwise_is_not_kept(
    fit: Callable[..., Any], layer: str, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = detector_of("torch").load(saved(fit(3, dtype=dtype), tmp_path))
    right = detector.window_scorer()
    bias = detector.parameters_[f"{layer}.bias"].copy()
    bias[np.abs(bias).argmax()] *= 1.001
    monkeypatch.setitem(detector.parameters_, f"{layer}.bias", bias)
    monkeypatch.setattr(detector, "window_scorer", lambda: right)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"model\.onnx: not kept.*in the detector"):
        exported(detector, tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_an_old_file_stays_where_the_new_one_is_not_kept(fit: Callable[..., Any], tmp_path: Path) -> None:
    detector = detector_of("torch").load(saved(fit(3), tmp_path))
    exported(detector, tmp_path)
    old = (tmp_path / "model.onnx").read_bytes()
    right = detector.window_scorer()
    detector.window_scorer = lambda: lambda windows: 2.0 * right(windows)
    with pytest.raises(ValueError, match="not kept"):
        detector.export_onnx(tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == old


def faults(run: Program, limit: float) -> dict[str, Program]:
    """Programs that go wrong in one way each; `limit` is the threshold."""
    return {
        "labels turned round": lambda x: Labelled(run(x).scores, 1 - run(x).labels),
        "a larger threshold": lambda x: Labelled(run(x).scores, (run(x).scores > 1.001 * limit).astype(np.int8)),
        "a smaller threshold": lambda x: Labelled(run(x).scores, (run(x).scores > 0.999 * limit).astype(np.int8)),
        "gaps filled with 0": lambda x: run(np.nan_to_num(x, posinf=np.inf, neginf=-np.inf)),
        "infinite values taken": lambda x: run(np.nan_to_num(x, nan=np.nan, posinf=9.0, neginf=9.0)),
        "refused without a word": lambda x: Labelled(run(x).scores, np.maximum(run(x).labels, 0)),
        "the first window for all": lambda x: Labelled(*(part[:1].repeat(len(x)) for part in run(x))),
        "windows mixed up": lambda x: Labelled(*(np.roll(part, 1) for part in run(x))),
        "channels in another order": lambda x: run(x[:, :, ::-1]),
        "time turned round": lambda x: run(x[:, ::-1]),
        "scores in half precision": lambda x: Labelled(run(x).scores.astype(np.float16).astype(float), run(x).labels),
        "too few": lambda x: Labelled(run(x).scores[:1], run(x).labels[:1]),
    }


@pytest.mark.parametrize("fault", faults(lambda x: Labelled(x, x), 0.0))
def test_the_check_finds(fit: Callable[..., Any], fault: str, tmp_path: Path) -> None:
    detector = fit(3, missing="mask")
    run, checkpoint, score = exported(detector, tmp_path), detector.model_, detector.window_scorer()
    check(run, checkpoint, score)
    wrong = faults(run, detector.thresholds_["single_window"])[fault]
    with np.errstate(over="ignore"), pytest.raises(ArithmeticError):
        check(wrong, checkpoint, score)


def test_the_check_finds_a_scaling_that_is_rounded_to_float32(tmp_path: Path) -> None:
    detector = detector_of("torch")(**SMALL).fit(SERIES + 1e5)
    run = exported(detector, tmp_path)
    with np.errstate(over="ignore"), pytest.raises(ArithmeticError, match="in the detector"):
        check(
            lambda windows: run(windows.astype(np.float32).astype(np.float64)),
            detector.model_,
            detector.window_scorer(),
        )


# Without twinvae, and what is imported.


def pages_code(of: str) -> list[str]:
    """The examples in the pages that hold these words."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
    return [block for block in blocks if of in block]


ODD = ('a, "b" \u6e29\u5ea6', "a b", "a-b")  # of which NumPy's own reader of CSV makes a_b twice


def test_the_pages_code_scores_without_twinvae(fit: Callable[..., Any], tmp_path: Path) -> None:
    detector = fit(3, missing="mask")
    detector = detector_of("torch").load(saved(detector, tmp_path))
    detector.model_ = replace(detector.model_, channels=ODD)
    detector.export_onnx(tmp_path / "model.onnx")
    values = SERIES.copy()
    values[80:82, 1] += 50.0
    rows = [",".join(f"{value:.17g}" for value in row) for row in values]
    rows[20] = f"{values[20, 0]:.17g},,{values[20, 2]:.17g}"
    values[20, 1] = np.nan
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in ODD)
    (tmp_path / "sensors.csv").write_text("\n".join([quoted, *rows]), encoding="utf-8")
    windows = np.lib.stride_tricks.sliding_window_view(values, 6, axis=0).swapaxes(1, 2)
    expected = detector.window_scorer()(windows)
    codes = pages_code("import onnxruntime")
    assert codes
    blocked = ("twinvae", "vae_jax", "vae_torch", "torch", "jax", "onnx")
    for code in codes:
        printed = in_a_fresh_process(
            f"import sys, os; sys.modules.update(dict.fromkeys({blocked})); os.chdir({str(tmp_path)!r})\n"
            + code
            + "\nassert label.tolist() == (score > float(about['threshold'])).tolist()\nprint(score.tolist())"
        )
        assert_close(json.loads(printed.splitlines()[-1]), expected, rounding("float32"))
        found = [int(number) for number in re.findall(r"\d+", printed.splitlines()[0].split("[")[1])]
        assert found == np.flatnonzero(expected > detector.thresholds_["single_window"]).tolist()
        assert found


def test_onnx_is_imported_only_to_export_and_needs_no_framework(fit: Callable[..., Any], tmp_path: Path) -> None:
    path = saved(fit(3), tmp_path)
    in_a_fresh_process(
        f"""
import sys
from pathlib import Path
from twinvae.model import file as model_file
from twinvae.cli import main as cli
from twinvae.detector import detector
from twinvae.model import onnx_export
assert not [name for name in ("onnx", "onnxruntime") if name in sys.modules]
onnx_export.onnx_model(model_file.read(Path({str(path)!r})))
loaded = [name for name in ("jax", "torch", "vae_jax", "vae_torch") if name in sys.modules]
assert not loaded, loaded
assert "onnx" in sys.modules
"""
    )


# The command.


def failure(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line on stderr of an export that fails with exit code 1."""
    assert cli.main(["export", "--backend", "torch", *map(str, arguments)]) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    return line


def test_the_command_writes_a_file_and_says_what_was_checked(
    fit: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, onnx = saved(fit(3), tmp_path), tmp_path / "m.onnx"
    arguments = ["export", "--model", model, "--onnx", onnx, "--backend", "torch", "--json"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["checked_with"] == "torch"
    assert report["onnx"]["file"] == str(onnx)
    assert report["onnx"]["bytes"] == onnx.stat().st_size
    assert report["onnx"]["difference"] < rounding("float32")
    assert cli.main([str(argument) for argument in arguments[:-1]]) == 0
    assert re.fullmatch(
        r".*m\.onnx: \d+ bytes; on \d+ windows its scores are those of vae_torch to \S+\n", capsys.readouterr().out
    )


def test_what_cannot_be_exported_is_said_in_one_line(
    fit: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, onnx = saved(fit(3), tmp_path), tmp_path / "m.onnx"
    with pytest.raises(SystemExit):
        cli.main(["export", "--model", str(model)])
    assert "required: --onnx" in capsys.readouterr().err
    missing = tmp_path / "no.safetensors"
    assert f"{missing}: No such file" in failure(capsys, "--model", missing, "--onnx", onnx)
    nowhere = tmp_path / "no" / "m.onnx"
    assert f"{nowhere}: No such file" in failure(capsys, "--model", model, "--onnx", nowhere)
    for package in ("onnx", "onnxruntime"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            line = failure(capsys, "--model", model, "--onnx", onnx)
        assert f"an ONNX file needs {package}, which is not installed: pip install 'twinvae[onnx]'" in line
    assert sorted(tmp_path.iterdir()) == [model]


def test_a_file_of_another_name_is_refused_so_that_no_model_is_overwritten(
    fit: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved(fit(3), tmp_path)
    content = model.read_bytes()
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", "--model", str(model), "--onnx", str(model)])
    assert stop.value.code == 2
    assert "does not end in .onnx" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"ends in \.onnx"):
        fit(3).export_onnx(model)
    assert model.read_bytes() == content


def test_a_detector_that_is_not_fitted_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        exported(detector_of("torch")(), tmp_path)
