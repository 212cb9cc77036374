"""`twinvae demo`: the tutorial from data to pictures, in one backend or in both."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twinvae.cli.options import add_language, chosen_backend, chosen_words, seed
from twinvae.data.synthetic import LabelledSeries, noisy_sine
from twinvae.detector.detection import Detection
from twinvae.detector.detector import VAEDetector, load_detector
from twinvae.files.atomic import check_outputs, new_folder, write_text
from twinvae.metrics.ranking import average_precision, roc_auc
from twinvae.network.backend import BACKENDS, require_backend
from twinvae.plots import pictures as plots
from twinvae.plots.words import Words
from twinvae.windowing.intervals import intervals

PARTS = ("import", "compile", "train", "score")
FILES = ("signal.png", "latent.png", "reconstruction_train.png", "reconstruction_test.png", "score.png", "summary.json")


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("--backend", choices=(*BACKENDS, "both"), help="default: the one installed, JAX first")
    add("--seed", type=seed, default=0, metavar="N")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures and summary.json")
    add_language(parser)


def run(options: argparse.Namespace) -> None:
    """Runs the tutorial, and prints what each backend took and found."""
    backends = BACKENDS if options.backend == "both" else (chosen_backend(options),)
    for name in backends:
        require_backend(name)
    summary = run_demo(backends, options.seed, options.out, chosen_words(options))
    if options.json:
        print(json.dumps(summary, indent=2))
        return
    heads = "".join(f"{part:>8} " for part in PARTS)
    print(f"{'backend':8}{heads}{'loss':>7} {'ROC AUC':>8} {'AP':>6}  events")
    for name, made in summary["backends"].items():
        seconds = "".join(f"{made['seconds'][part]:7.3f} s" for part in PARTS)
        events = ", ".join(f"[{start}, {end})" for start, end in made["events"]) or "none"
        print(
            f"{name:8}{seconds} {made['loss']:7.3f} {made['roc_auc']:8.4f} {made['average_precision']:6.3f}  {events}"
        )
    print("injected anomaly:", ", ".join(f"[{start}, {end})" for start, end in summary["injected"]))
    parity = summary["parity"]
    if parity is not None:
        print(
            f"trained apart in float64, the scores differ by {parity['max_score_difference']:.1e} of their range, "
            f"the labels {'are equal' if parity['labels_equal'] else 'DIFFER'}"
        )
        print(f"trained apart in float32, by {parity['max_score_difference_float32']:.1e} of their range")
    print(f"pictures and summary.json are in {options.out}")


def run_demo(backends: Sequence[str], seed: int, out: Path, words: Words) -> dict[str, Any]:
    """Trains each backend on the tutorial's series, draws the pictures, and returns what `summary.json` holds.

    The pictures show the first backend. An OSError says that the folder cannot be written.
    """
    with new_folder(out):
        check_outputs(out / name for name in FILES)
        series = noisy_sine(seed)
        done = {name: _run(name, seed, series) for name in backends}
        fitted = [detector for detector, _ in done.values()]
        _draw(fitted[0], backends[0], series, out, words)
        summary = {
            "backends": {name: made for name, (_, made) in done.items()},
            "injected": [list(span) for span in intervals(series.labels)],
            "parity": _parity(fitted, seed, series) if len(fitted) == 2 else None,
            "seed": seed,
        }
        write_text(out / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def _run(name: str, seed: int, series: LabelledSeries) -> tuple[VAEDetector, dict[str, Any]]:
    """The second detector that a backend fits, and what it found. Compiling is what the first took longer."""
    begin = time.perf_counter()
    detector_class = load_detector(name)
    seconds = {"import": time.perf_counter() - begin}
    laps = []
    for _ in range(2):
        begin = time.perf_counter()
        detector = detector_class(preset="tutorial", seed=seed).fit(series.normal)
        middle = time.perf_counter()
        found = detector.detect(series.anomalous)
        scores = found.scores
        laps.append((middle - begin, time.perf_counter() - middle))
    seconds |= {"compile": max(0.0, sum(laps[0]) - sum(laps[1])), "train": laps[1][0], "score": laps[1][1]}
    made = {
        "events": _spans(found),
        "roc_auc": roc_auc(series.labels, scores),
        "average_precision": average_precision(series.labels, scores),
        "loss": detector.history_["loss"][-1],
        "seconds": seconds,
    }
    return detector, made


def _parity(fitted: Sequence[VAEDetector], seed: int, series: LabelledSeries) -> dict[str, Any]:
    """How far two backends differ, as a share of the range of the scores.

    Trained in float64 they are the same; in float32, rounding sets separate runs apart.
    """
    exact = [type(detector)(preset="tutorial", seed=seed, dtype="float64").fit(series.normal) for detector in fitted]
    a, b, exact_a, exact_b = (detector.detect(series.anomalous) for detector in (*fitted, *exact))
    places = [[(event.start, event.end, event.peak) for event in found.events] for found in (exact_a, exact_b)]
    return {
        "max_score_difference": _difference(exact_a, exact_b),
        "labels_equal": bool((exact_a.labels == exact_b.labels).all()),
        "events_equal": places[0] == places[1],
        "max_score_difference_float32": _difference(a, b),
    }


def _difference(a: Detection, b: Detection) -> float:
    first, second = a.scores.astype(np.float64), b.scores.astype(np.float64)
    return float(np.abs(first - second).max() / np.ptp(first))


def _spans(found: Detection) -> list[tuple[int, int]]:
    return [(event.start, event.end) for event in found.events]


def _draw(detector: VAEDetector, name: str, series: LabelledSeries, out: Path, words: Words) -> None:
    injected: dict[str, Any] = {"shaded": intervals(series.labels), "shaded_as": words("injected anomaly")}
    normal, found = detector.detect(series.normal), detector.detect(series.anomalous)
    title = words("Noisy sine with an injected anomaly")
    plots.plot_series(out / "signal.png", found.series, title=title, **injected, words=words)
    hit = plots.windows_with(series.labels, detector.config_.window)
    plots.plot_latent(
        out / "latent.png", normal.latent, found.latent[hit],
        title=words("Latent means by PCA ({backend})", backend=name),
        labels=(words("normal windows"), words("windows with the anomaly")), words=words,
    )  # fmt: skip
    plots.plot_series(
        out / "reconstruction_train.png", normal.series,
        title=words("Training series and its reconstruction ({backend})", backend=name),
        reconstruction=normal.expected, words=words,
    )  # fmt: skip
    plots.plot_series(
        out / "reconstruction_test.png", found.series,
        title=words("Series with the anomaly and its reconstruction ({backend})", backend=name),
        reconstruction=found.expected, **injected, words=words,
    )  # fmt: skip
    plots.plot_score(
        out / "score.png", found.series, found.scores, detector.threshold_,
        title=words("Anomaly score, {kind} ({backend})", kind=detector.config_.kind, backend=name),
        ylabel=words(found.axis), shaded=_spans(found), shaded_as=words("detected event"), words=words,
    )  # fmt: skip
