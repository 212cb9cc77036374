"""The window scorer as an ONNX file: scaling, model and threshold in one graph, with no framework needed to write it.

The file is the same whichever backend fitted the model. It needs an ONNX Runtime of 2022 or newer (operators of
version 17, file format 8).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from twinvae.files.atomic import replacing
from twinvae.model.export_check import NOT_SCORED, Checked, Labelled, Program, Score, check
from twinvae.model.model import Model
from twinvae.network.net import Net
from twinvae.network.objective import REFILLS
from twinvae.network.parameters import shapes
from twinvae.scoring.calibration import SINGLE_WINDOW

if TYPE_CHECKING:
    from onnx import ModelProto

FORMAT_VERSION = 1  # of the inputs, outputs and metadata
OPERATORS, FILE_FORMAT = 17, 8
INPUT_TEXT = "Raw windows of the series, (n, window, channel), in its own units; NaN is a missing value;"
SCORE_TEXT = "Mean squared error of each scaled window, (n,); NaN where there is no score."
LABEL_TEXT = "1: score above the threshold; 0: not; -1: refused (a value is missing, infinite or too large)."


def export_onnx(path: Path, model: Model, score: Score) -> Checked:
    """Writes the ONNX file, and keeps it if ONNX Runtime computes with it what `score`, the detector's scorer, does.

    Raises:
        ValueError: if the name does not end in .onnx, onnx or onnxruntime is not installed, or the scores differ.
        RuntimeError: if ONNX Runtime cannot run it.
        OSError: if the file cannot be written; an old file of that name stays.
    """
    if path.suffix.lower() != ".onnx":
        raise ValueError(f"{path}: the name of an ONNX file ends in .onnx")
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        lacks = f"{error.name or 'onnxruntime'}, which is not installed"
        raise ValueError(f"an ONNX file needs {lacks}: pip install 'twinvae[onnx]'") from None
    content = onnx_model(model).SerializeToString(deterministic=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        try:
            return check(_load(temporary), model, score)
        except ArithmeticError as error:
            raise ValueError(f"{path}: not kept, since it does not compute what the detector does: {error}") from None


def _load(path: Path) -> Program:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # its pool and the framework's would wait for each other
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise RuntimeError(f"ONNX Runtime {onnxruntime.__version__} cannot read the ONNX file: {error}") from error

    def run(windows: Float64[np.ndarray, "n window channel"]) -> Labelled:
        try:
            return Labelled(*session.run(["score", "label"], {"windows": windows}))
        except Exception as error:
            raise RuntimeError(f"ONNX Runtime {onnxruntime.__version__} cannot run the ONNX file: {error}") from error

    return run


def onnx_model(model: Model) -> "ModelProto":
    """The window scorer of a detector as an ONNX model.

    Input: `windows`, float64 of shape (n, window, channel), raw. Outputs: `score`, float64 (n,), and `label`, int8
    (n,): what they are stands in `export_check.py`. The metadata say which channels in which order, the window,
    the threshold, the dtype, and how missing values count.
    """
    import onnx

    config, channels = model.config, len(model.channels)
    made = onnx.parser.parse_model(
        f'<ir_version: {FILE_FORMAT}, opset_import: ["" : {OPERATORS}], producer_name: "twinvae">\n'
        f"window_scorer (double[n, {config.window}, {channels}] windows) => (double[n] score, int8[n] label) {{\n"
        + "\n".join(_graph(model))
        + "\n}"
    )
    made.graph.initializer.extend(onnx.numpy_helper.from_array(a, name) for name, a in _constants(model).items())
    onnx.helper.set_model_props(
        made,
        {
            "format": "twinvae window scorer",
            "format_version": str(FORMAT_VERSION),
            "channels": json.dumps(model.channels),
            "window": str(config.window),
            "threshold": repr(model.thresholds[SINGLE_WINDOW]),
        }
        | {name: getattr(config, name) for name in ("dtype", "scaling", "centring", "missing")},
    )
    made.graph.input[0].doc_string = f"{INPUT_TEXT} channels: {', '.join(model.channels)}"
    made.graph.output[0].doc_string, made.graph.output[1].doc_string = SCORE_TEXT, LABEL_TEXT
    onnx.checker.check_model(made, full_check=True)
    return made


def _constants(model: Model) -> dict[str, np.ndarray]:
    config = model.config
    names = shapes(Net.of(config, len(model.channels)))  # a file that was saved and read has them in another order
    parameters = {name: model.parameters[name] for name in names}
    for part in ("weight", "bias"):  # the second half is the log-variance, which a score does not need
        parameters[f"posterior.{part}"] = parameters[f"posterior.{part}"][: config.latent_dim]
    constants = {name.replace(".", "_"): np.ascontiguousarray(array) for name, array in parameters.items()} | {
        # One value for each of a flat window: ONNX Runtime takes ten times as long to repeat that of one channel.
        "shift": np.tile(np.asarray(model.scaler.shift, np.float64), config.window),
        "scale": np.tile(np.asarray(model.scaler.scale, np.float64), config.window),
        "threshold": np.array(model.thresholds[SINGLE_WINDOW], np.float64),
        "largest_finite": np.array(np.finfo(np.float64).max),
        "nan": np.array(np.nan),
        "window_shape": np.array([0, config.window, len(model.channels)]),  # 0: as many as there are
        "not_scored": np.array(NOT_SCORED, np.int32),
    }
    if config.missing == "mask":  # a constant that nothing uses is a warning of ONNX Runtime
        constants |= {"zero": np.array(0.0, config.dtype), "last_axis": np.array([-1])}
        if config.centring == "window":
            constants |= {"one": np.array(1.0, config.dtype), "time_axis": np.array([1])}
    return constants


def _graph(model: Model) -> Sequence[str]:
    """The nodes, as `VAEDetector.window_scorer` computes: scaled in float64, then rounded once to the model's dtype."""
    config = model.config
    masked, dtype = config.missing == "mask", {"float32": 1, "float64": 11}[config.dtype]
    lines = [
        "windows_flat = Flatten <axis = 1> (windows)",
        "shifted = Sub (windows_flat, shift)",
        "ratio = Div (shifted, scale)",
        f"scaled = Cast <to = {dtype}> (ratio)",
    ]
    if masked:
        lines += [
            "scaled_missing = IsNaN (scaled)",
            "scaled_known = Not (scaled_missing)",
            f"scaled_held = Cast <to = {dtype}> (scaled_known)",
        ]
    lines += ["x = Identity (scaled)"] if config.centring == "none" else _centred(masked)
    if masked:
        lines += _refilled(dtype)
    lines += [
        *_reconstruction("refilled" if masked else "x", "x_hat"),
        "error = Sub (x, x_hat)",
        "squared = Mul (error, error)",
    ]
    # ONNX Runtime adds up value by value: behind an outlier the small ones of a long window would be lost. So it does
    # this in float64, over channels and then over time.
    if masked:
        lines += [
            "squared_known = Where (known, squared, zero)",
            "addends = Cast <to = 11> (squared_known)",
            "addends_of_steps = Reshape (addends, window_shape)",
            "sum_of_step = ReduceSum <keepdims = 0> (addends_of_steps, last_axis)",
            "sum = ReduceSum <keepdims = 0> (sum_of_step, last_axis)",
            "held = Cast <to = 11> (known)",
            "values = ReduceSum <keepdims = 0> (held, last_axis)",
            "computed = Div (sum, values)",
        ]
    else:
        lines += [
            "addends = Cast <to = 11> (squared)",
            "addends_of_steps = Reshape (addends, window_shape)",
            "mean_of_step = ReduceMean <axes = [-1], keepdims = 0> (addends_of_steps)",
            "computed = ReduceMean <axes = [-1], keepdims = 0> (mean_of_step)",
        ]
    # Score and label, and what becomes of a window that the detector refuses.
    lines += [
        "magnitude = Abs (computed)",
        "finite = LessOrEqual (magnitude, largest_finite)",  # neither NaN nor infinite
        "score = Where (finite, computed, nan)",
        "above = Greater (computed, threshold)",
        "zero_or_one = Cast <to = 6> (above)",
    ]
    if masked:  # a window without values is no fault: its score is NaN and its label 0
        lines += [
            "held_values = ReduceSum <keepdims = 0> (scaled_held, last_axis)",
            "empty = Equal (held_values, zero)",
            "judged = Or (finite, empty)",
        ]
    else:
        lines += ["judged = Identity (finite)"]
    return [*lines, "verdict = Where (judged, zero_or_one, not_scored)", "label = Cast <to = 3> (verdict)"]


def _centred(masked: bool) -> list[str]:
    """`twinvae.windowing.slide.centred`."""
    lines = ["scaled_steps = Reshape (scaled, window_shape)"]
    if masked:
        lines += [
            "zero_filled = Where (scaled_known, scaled, zero)",
            "zero_filled_steps = Reshape (zero_filled, window_shape)",
            "held_steps = Reshape (scaled_held, window_shape)",
            "level_sum = ReduceSum <keepdims = 1> (zero_filled_steps, time_axis)",
            "level_values = ReduceSum <keepdims = 1> (held_steps, time_axis)",
            "divisor = Max (level_values, one)",
            "level = Div (level_sum, divisor)",
        ]
    else:
        lines += ["level = ReduceMean <axes = [1], keepdims = 1> (scaled_steps)"]
    return [*lines, "centred_steps = Sub (scaled_steps, level)", "x = Flatten <axis = 1> (centred_steps)"]


def _refilled(dtype: int) -> list[str]:
    """`twinvae.network.objective.refilled`, skipped where no window has a gap: it takes most of the time."""
    rounds, values = ["filled_0 = Where (known, x, zero)"], "filled_0"
    for number in range(1, REFILLS + 1):
        rounds += _reconstruction(values, f"drawn_{number}")
        rounds += [f"filled_{number} = Where (known, {values}, drawn_{number})"]
        values = f"filled_{number}"
    return [
        "missing = IsNaN (x)",
        "known = Not (missing)",
        f"gaps = Cast <to = {dtype}> (missing)",
        "gap_count = ReduceSum <keepdims = 0> (gaps)",
        "has_gaps = Greater (gap_count, zero)",
        f"refilled = If (has_gaps) <then_branch = refill () => ({values}) {{\n" + "\n".join(rounds) + "\n},",
        "else_branch = keep () => (as_it_is) {\nas_it_is = Identity (x)\n}>",
    ]


def _reconstruction(x: str, x_hat: str) -> list[str]:
    """The model at the posterior mean."""
    return [
        f"{x_hat}_encoder = Gemm <transB = 1> ({x}, encoder_weight, encoder_bias)",
        f"{x_hat}_encoded = Relu ({x_hat}_encoder)",
        f"{x_hat}_latent = Gemm <transB = 1> ({x_hat}_encoded, posterior_weight, posterior_bias)",
        f"{x_hat}_decoder = Gemm <transB = 1> ({x_hat}_latent, decoder_weight, decoder_bias)",
        f"{x_hat}_decoded = Relu ({x_hat}_decoder)",
        f"{x_hat} = Gemm <transB = 1> ({x_hat}_decoded, output_weight, output_bias)",
    ]
