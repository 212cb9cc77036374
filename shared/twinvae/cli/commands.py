"""What each command of `twinvae` does, given its options."""

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twinvae.config import HYPERPARAMETERS
from twinvae.data.datasets import load_dataset
from twinvae.data.download import DOWNLOADS, download
from twinvae.detector.detector import VAEDetector, load_detector
from twinvae.files.atomic import as_json
from twinvae.network.backend import BACKENDS, installed_backends, require_backend
from twinvae.scoring.false_alarms import FalseAlarms
from twinvae.scoring.statistics import mean_over_channels
from twinvae.series.conversion import are_numbers
from twinvae.tables.table import Table, read_table

MOST_EVENTS = 20  # printed; all are in events.json and in --json


def demo(options: argparse.Namespace) -> None:
    """The tutorial, in one backend or both."""
    from twinvae.cli.demo import run_demo

    backends = BACKENDS if options.backend == "both" else (_backend(options),)
    for name in backends:
        require_backend(name)
    summary = run_demo(backends, options.seed, options.out)
    if options.json:
        print(json.dumps(summary, indent=2))
        return
    heads = "".join(f"{part:>8} " for part in ("import", "compile", "train", "score"))
    print(f"{'backend':8}{heads}{'loss':>7} {'ROC AUC':>8} {'AP':>6}  events")
    for name, run in summary["backends"].items():
        seconds = "".join(f"{run['seconds'][part]:7.3f} s" for part in ("import", "compile", "train", "score"))
        events = ", ".join(f"[{start}, {end})" for start, end in run["events"]) or "none"
        print(f"{name:8}{seconds} {run['loss']:7.3f} {run['roc_auc']:8.4f} {run['average_precision']:6.3f}  {events}")
    print("injected anomaly:", ", ".join(f"[{start}, {end})" for start, end in summary["injected"]))
    parity = summary["parity"]
    if parity is not None:
        print(
            f"trained apart in float64, the scores differ by {parity['max_score_difference']:.1e} of their range, "
            f"the labels {'are equal' if parity['labels_equal'] else 'DIFFER'}"
        )
        print(f"trained apart in float32, by {parity['max_score_difference_float32']:.1e} of their range")
    print(f"pictures and summary.json are in {options.out}")


def fit(options: argparse.Namespace) -> None:
    """Fits a detector and saves it."""
    _check_writable(options.model)
    detector = _detector(options)
    table = _read(options.file, options).rows(slice(options.train_rows))
    detector.fit(table.frame())
    detector.save(options.model)
    result = {
        "model": str(options.model),
        "rows": len(table),
        "loss": detector.history_["loss"][-1],
        "thresholds": detector.thresholds_,
    }
    _print(
        options,
        result,
        f"fitted on {len(table)} rows of {', '.join(table.names)}: loss {result['loss']:.4g}, "
        f"threshold {detector.threshold_:.4g} ({detector.config_.kind}); model in {options.model}",
    )


def score(options: argparse.Namespace) -> None:
    """Scores a file with a saved model."""
    from twinvae.detector.detection import event_record, quality
    from twinvae.detector.score_files import check_suffix, write_scores

    check_suffix(options.out)
    _check_writable(options.out)
    detector = load_detector(_backend(options)).load(options.model, device=options.device, missing=options.missing)
    if options.columns is None and not are_numbers(detector.channels_) and options.file.suffix.lower() != ".npy":
        options.columns = detector.channels_
    table = _read(options.file, options)
    frame = table.frame()
    parts = detector.contributions(frame)
    write_scores(options.out, table, detector, parts)
    events = [event_record(event, table) for event in detector.events_of(parts, series=frame)]
    measured = quality(table, mean_over_channels(parts))
    result = {"rows": len(parts), "threshold": detector.threshold_, "events": events, "scores": str(options.out)}
    text = f"{_events_text(events)}{_quality_text(measured)}"
    if options.normal:
        alarms = detector.false_alarms(frame)
        result["false_alarms"] = alarms._asdict()
        text += _false_alarms_text(alarms)
    _print(options, result | measured, f"{text}scores of {len(parts)} rows in {options.out}")


def detect(options: argparse.Namespace) -> None:
    """Fits on the normal rows, scores all, writes everything."""
    from twinvae.detector.detection import write_detection

    detector = _detector(options)
    table, normal, train_rows, name = _series_to_detect(options)
    existed = options.out.exists()
    options.out.mkdir(parents=True, exist_ok=True)
    _check_writable(options.out / "model.safetensors")
    try:
        detector.fit(normal.frame())
    except (ValueError, TypeError):
        if not existed:
            options.out.rmdir()
        raise
    suffix = ".parquet" if options.parquet or (options.file and options.file.suffix.lower() == ".parquet") else ".csv"
    summary = write_detection(options.out, table, detector, train_rows=train_rows, name=name, scores_suffix=suffix)
    _print(
        options,
        summary,
        f"{_events_text(summary['events'])}{_quality_text(summary)}"
        f"scores, events.json, pictures and model are in {options.out}",
    )


def fleet(options: argparse.Namespace) -> None:
    """Fits and scores many series, each with a detector of its own."""
    from twinvae.cli.fleet_command import run_fleet, summary_record, summary_text

    tables = run_fleet(options, _backend(options), complain)
    _print(options, summary_record(tables, options.out), summary_text(tables, options.out))
    if not tables.summary["ok"]:
        sys.stdout.flush()
        raise ValueError(
            f"none of the {tables.summary['series']} series could be done: see {options.out}/fleet.parquet"
        )


def _series_to_detect(options: argparse.Namespace) -> tuple[Table, Table, int, str]:
    """The series to score, the one to fit on, how many first rows of the first that is, and the name."""
    if options.dataset:
        dataset = load_dataset(options.dataset)
        table, train_rows, name = dataset.table, options.train_rows or dataset.train_rows, dataset.source
    else:
        table, train_rows, name = _read(options.file, options), options.train_rows or 0, options.file.name
    if train_rows > len(table):
        raise ValueError(f"--train-rows is {train_rows}, the file has {len(table)} rows")
    if options.train:
        return table, read_table(options.train, columns=table.names, time=options.time), 0, name
    if not train_rows:
        warnings.warn("fitted on the whole file: its anomalies count as normal; see --train-rows", stacklevel=1)
    return table, table.rows(slice(train_rows or None)), train_rows, name


def synthesize(options: argparse.Namespace) -> None:
    """Makes a series with labelled anomalies."""
    from twinvae.data.synthetic import generate, many, series_names, write_series
    from twinvae.plots.pictures import plot_series
    from twinvae.windowing.intervals import intervals

    arguments = {
        "kinds": options.kind, "seed": options.seed, "signal": options.signal, "length": options.length,
        "train": options.train_rows, "channels": options.channels, "anomalies": options.anomalies,
        "magnitude": options.magnitude,
    }  # fmt: skip
    if options.series:
        for series in many(options.series, **arguments):
            options.out.mkdir(parents=True, exist_ok=True)
            write_series(options.out, series, series.name)
        text = (
            f"{options.series} series of {options.length} rows, the first {options.train_rows} normal, in {options.out}"
        )
        result = {"folder": str(options.out), "series": options.series, "rows": options.length}
        _print(options, result | {"train_rows": options.train_rows}, text)
        return
    series = generate(**arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    path = write_series(options.out, series)
    names, picture = series_names(series), path.with_suffix(".png")
    plot_series(
        picture, series.values, names, None, title=series.name, train_rows=options.train_rows,
        shaded=intervals(series.labels), shaded_as="anomaly",
    )  # fmt: skip
    events = [
        event._asdict() | {"channels": [name for name, hit in zip(names, event.channels, strict=True) if hit]}
        for event in series.events
    ]
    lines = [f"[{e['start']}, {e['end']})  {e['kind']} in {', '.join(e['channels'])}" for e in events]
    where = f"{options.length} rows, the first {options.train_rows} normal, in {path}; picture in {picture}"
    made = {"file": str(path), "picture": str(picture), "rows": options.length, "train_rows": options.train_rows}
    _print(options, made | {"events": events}, "\n".join([*lines, where]))


def fetch(options: argparse.Namespace) -> None:
    """Fetches a public data set."""
    if options.list:
        sets = {name: {"title": found.title, "licence": found.licence} for name, found in DOWNLOADS.items()}
        _print(
            options, sets, "\n".join(f"{name:6}{found['licence']:9}{found['title']}" for name, found in sets.items())
        )
        return
    folder = download(options.name, options.cache)
    _print(options, {"name": options.name, "folder": str(folder)}, f"{options.name} is in {folder}")


def watch(options: argparse.Namespace) -> None:
    """Scores points from standard input."""
    from twinvae.stream.lines import LineReader
    from twinvae.stream.stream import Stream
    from twinvae.stream.watch import Watch

    if options.replay and not options.state:
        raise ValueError("--replay is for --state FILE: it leaves out what the state has seen")
    if options.state:
        _check_writable(options.state)
    stream = Stream.load(options.model, missing=options.missing)
    reader = LineReader(stream.channels, form=options.format, columns=options.columns, time=options.time)
    watch = Watch(stream, reader, state=options.state, state_every=options.state_every, complain=complain)
    seen = watch.run(sys.stdin.buffer, sys.stdout.buffer, replay=options.replay)
    if options.json:
        print(json.dumps(seen._asdict()), file=sys.stderr)
    else:
        still = ", one still open" if seen.open_event else ""
        unknown = f"{seen.without_score} without a score, " if seen.without_score else ""
        counts = f"{seen.points} points, {unknown}{seen.alarms} alarms, {seen.events} events{still}"
        complain("note", f"{counts}, {seen.bad_lines} bad lines")
    if watch.interrupted:
        raise KeyboardInterrupt


def export(options: argparse.Namespace) -> None:
    """Writes the window scorer of a saved detector for other runtimes."""
    _check_writable(options.onnx)
    backend = _backend(options)
    checked = load_detector(backend).load(options.model).export_onnx(options.onnx)
    size = options.onnx.stat().st_size
    written = {"file": str(options.onnx), "bytes": size} | checked._asdict()
    _print(
        options,
        {"model": str(options.model), "checked_with": backend, "onnx": written},
        f"{options.onnx}: {size} bytes; on {checked.windows} windows its scores are those of vae_{backend} to "
        f"{checked.difference:.1e}",
    )


def doctor(options: argparse.Namespace) -> None:
    """What is installed, and whether it is fit for use."""
    from twinvae.cli.doctor import diagnose

    report = diagnose((options.backend,) if options.backend else BACKENDS)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for section, values in report.items():
            if isinstance(values, dict):
                print(section)
                for key, value in values.items():
                    print(f"  {key:22} {value}")
    if report["problems"]:
        raise ValueError("; ".join(report["problems"]))
    if not options.json:
        print("fit for use")


# Shared steps.


def complain(what: str, message: object) -> None:
    """A line on stderr."""
    print(f"twinvae: {what}: {' '.join(str(message).split())}", file=sys.stderr)


def _backend(options: argparse.Namespace) -> str:
    """The chosen backend, or the first that is installed."""
    if options.backend:
        require_backend(options.backend)
        chosen: str = options.backend
        return chosen
    if not installed_backends():
        raise ValueError("no backend is installed: pip install 'twinvae[jax]' or pip install 'twinvae[torch]'")
    return installed_backends()[0]


def _detector(options: argparse.Namespace) -> VAEDetector:
    given = {name: getattr(options, name) for name in HYPERPARAMETERS}
    return load_detector(_backend(options))(preset=options.preset, seed=options.seed, **given)


def _read(path: Path, options: argparse.Namespace) -> Table:
    table = read_table(path, columns=options.columns, time=options.time, labels=options.labels)
    if table.labels is not None and options.labels is None:
        warnings.warn(f"{path}: took a column of 0 and 1 as labels, not as a channel; see --columns", stacklevel=1)
    return table


def _check_writable(path: Path) -> None:
    """Raises OSError before the work, not after it, if there will be no place for its result."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        error.filename = str(path)  # the user's file, not the temporary one
        raise


def _events_text(events: Sequence[dict[str, Any]]) -> str:
    if not events:
        return "no events\n"
    rows = [("rows", "first", "last", "peak", "score", "channels")]
    for event in events[:MOST_EVENTS]:
        channels = ", ".join(f"{name} {share:.0%}" for name, share in list(event["channels"].items())[:3])
        rows.append(
            (
                f"[{event['start']}, {event['end']})",
                event["start_time"],
                event["last_time"],
                event["peak_time"],
                f"{event['score']:.4g}",
                channels,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    more = len(events) - MOST_EVENTS
    return "\n".join(lines) + "\n" + (f"and {more} more events\n" if more > 0 else "")


def _quality_text(measured: Mapping[str, Any]) -> str:
    if "roc_auc" not in measured:
        return ""
    return f"ROC AUC {measured['roc_auc']:.4f}, average precision {measured['average_precision']:.3f}\n"


def _false_alarms_text(rate: FalseAlarms) -> str:
    asked = "asked for: no rate" if rate.asked is None else f"asked for {rate.asked:.3g} of the steps"
    return (
        f"false alarms: {asked}, found {rate.found:.3g} (95 % interval {_tiny(rate.low)} to {_tiny(rate.high)}): "
        f"{rate.alarms} of {rate.steps} steps in {rate.runs} runs\n"
    )


def _tiny(rate: float) -> str:
    return "0" if rate < 1e-9 else f"{rate:.2g}"


def _print(options: argparse.Namespace, result: dict[str, Any], text: str) -> None:
    print(as_json(result).rstrip() if options.json else text)
