"""The time of a stream's next point and of a line from a pipe: what the cases `stream` and `watch` measure."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.speed.process.measurement import Measurement, limit_threads
from benchmarks.speed.process.scoring import windows_verified
from benchmarks.speed.process.workloads import SEED, long_series

VERIFIED = 1000  # points of a pipe
WARM = 500  # points that are not counted: the processor's caches, and the stream's own warming up
TOLERANCE = 1e-5  # of the largest score: float32 in another order of sums


def stream(m: Measurement) -> None:
    """Measures the seconds of each point. A peer without a stream scores the window that ends at the point."""
    import numpy as np

    for window, channels in m.options["sizes"] if m.name == "numpy" else m.options["sizes"][:1]:
        series = long_series(WARM + m.options["samples"])[:, None].repeat(channels, axis=1)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            _write_model(path, window, channels)
            score, points, verified = _scorer(m, path, series, window)
        if not verified:
            return
        samples, scores = [], []
        for point in points:
            before = time.perf_counter()
            value = score(point)
            samples.append(round(time.perf_counter() - before, 9))
            scores.append(value)
        if m.name == "numpy":
            error = _error(np.array(scores), series, window)
            if not error <= TOLERANCE:
                m.refuse(f"differs from the oracle by {error:.2g} of the largest score")
                return
            m.notes.setdefault("verified", {})[f"{window}x{channels}"] = error
        m.add("point", "s", samples[WARM:], window=window, channels=channels)
    loaded = [name for name in ("jax", "torch") if name in sys.modules]
    if m.name == "numpy" and loaded:
        m.refuse(f"{loaded[0]} is in the process of a stream")


def watch(m: Measurement) -> None:
    """Measures the seconds a point of `twinvae watch` between two pipes, from its first result to its last."""
    import numpy as np

    points = m.options["points"]
    values = long_series(points).round(6).tolist()
    texts = {
        "csv": "time,value\n" + "".join(f"{at},{value}\n" for at, value in enumerate(values)),
        "jsonl": "".join(f'{{"time": {at}, "value": {value}}}\n' for at, value in enumerate(values)),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        _write_model(path, *m.options["size"])
        few = values[: min(VERIFIED, points)]
        for form, text in texts.items():
            error = _error(_watched_scores(path, text, len(few)), np.array(few)[:, None], m.options["size"][0])
            if not error <= TOLERANCE:
                m.refuse(f"{form}: differs from the oracle by {error:.2g} of the largest score")
                return
            m.notes.setdefault("verified", {})[form] = error
            m.add("point", "s", [_watched(path, text.encode(), points) for _ in range(m.options["runs"])], lines=form)


def _watched_scores(model: Path, text: str, points: int) -> Any:
    """The scores of the first points, as `twinvae watch` writes them."""
    import numpy as np

    header = text.startswith("time")
    lines = "".join(text.splitlines(keepends=True)[: points + header])
    command = [sys.executable, "-m", "twinvae", "watch", "--model", str(model)]
    done = subprocess.run(command, cwd=machine.ROOT, input=lines, capture_output=True, text=True, check=True)
    return np.array([json.loads(line)["score"] for line in done.stdout.splitlines()], dtype=float)


def _watched(model: Path, text: bytes, points: int) -> float:
    """The seconds for a point, once the process has started."""
    command = [sys.executable, "-m", "twinvae", "watch", "--model", str(model)]
    with subprocess.Popen(
        command, cwd=machine.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sending = threading.Thread(target=_send, args=(process.stdin, text))
        sending.start()
        last = process.stdout.read(2**16)
        begin, first = time.perf_counter(), last.count(b"\n")
        lines = first
        while part := process.stdout.read(2**16):
            last, lines = last[-200:] + part, lines + part.count(b"\n")
        seconds = time.perf_counter() - begin
        sending.join()
    if process.returncode or lines != points or json.loads(last.splitlines()[-1])["index"] != points - 1:
        raise RuntimeError(f"watch ended with {process.returncode} after {lines} of {points} lines")
    return seconds / (lines - first)


def _send(pipe: Any, text: bytes) -> None:
    with pipe:
        view = memoryview(text)
        while view:
            view = view[pipe.write(view[: 2**16]) :]


def _write_model(path: Path, window: int, channels: int) -> None:
    """Writes a model of the default preset that nobody has trained. It takes the same time as a trained one."""
    import numpy as np

    from twinvae.config import DEFAULT_PRESET, resolve
    from twinvae.files.atomic import write_bytes
    from twinvae.model import file as model_file
    from twinvae.model.model import Model
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.scoring.calibration import THRESHOLDS
    from twinvae.series.scaling import Scaler

    config = resolve(DEFAULT_PRESET, {"window": window})
    one = np.ones(channels)
    saved = Model(
        DEFAULT_PRESET, {"window": window}, SEED, config, tuple(map(str, range(channels))),
        draw(Net.of(config, channels), SEED), Scaler(0 * one, one),
        dict.fromkeys(THRESHOLDS, 1e9), _calibration(window, channels),
    )  # fmt: skip
    write_bytes(path, model_file.as_bytes(saved))


def _calibration(window: int, channels: int) -> Any:
    """That of no fit: errors are divided by 1."""
    import numpy as np

    from twinvae.config import DEFAULT_PRESET, resolve
    from twinvae.model.calibration_record import columns
    from twinvae.scoring.calibration import DURATIONS
    from twinvae.scoring.formulas import AVERAGED, Calibration, durations_of
    from twinvae.scoring.neighbours import VIEWS, Memory, bank_of, digest

    one, flat = np.ones(channels), np.zeros((window, channels), resolve(DEFAULT_PRESET, {}).dtype)
    return Calibration(
        0 * one, DURATIONS,
        {kind: np.ones((len(durations_of(kind, DURATIONS)), columns(kind, channels))) for kind in AVERAGED},
        dict.fromkeys(AVERAGED, 1.0), one,
        Memory({view: bank_of(view, flat, window) for view in VIEWS}, window, digest(flat)),
    )  # fmt: skip


def _scorer(m: Measurement, path: Path, series: Any, window: int) -> tuple[Callable[[Any], Any], Any, bool]:
    """The function that is timed, what it is called with in turn, and whether that may be timed.

    Single windows are compared with the oracle before, points of a stream when all have their scores.
    """
    import numpy as np

    if m.name == "numpy":
        from twinvae.stream.stream import Stream

        one = series.shape[1] == 1
        return Stream.load(path).update, series[:, 0].tolist() if one else series.tolist(), True
    from benchmarks.speed.implementations import IMPLEMENTATIONS
    from twinvae.detector.detector import load_detector

    detector = load_detector(IMPLEMENTATIONS[m.name].backend)
    if m.name != "jax-run":
        limit_threads(m)
    windows = [series[at : at + window] for at in range(len(series) - window + 1)]
    device: Any = m.device
    loaded = detector.load(path, device=device)
    scorer = loaded.window_scorer()
    return scorer, windows, windows_verified(m, loaded, scorer, np.stack(windows[:VERIFIED]))


def _error(scores: Any, series: Any, window: int) -> float:
    """The largest difference from the oracle's scores of a stream, relative to the largest of these."""
    import numpy as np

    from tests.oracle import reference
    from twinvae.config import DEFAULT_PRESET, resolve
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw

    parameters = draw(Net.of(resolve(DEFAULT_PRESET, {"window": window}), series.shape[1]), SEED)
    calibration = _calibration(window, series.shape[1])
    expected = reference.scores(series, parameters, window, "trailing", calibration).mean(axis=1)
    known = slice(window - 1, None)
    return float(np.abs(scores[known] - expected[known]).max() / expected[known].max())
