"""The command `twinvae`."""

import argparse
import importlib.metadata
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args

from shared.backend import BACKENDS, installed_backends, require_backend
from shared.config import DEFAULT_PRESET, HYPERPARAMETERS, PRESETS, Config, resolve
from shared.datasets import DATASETS, load_dataset
from shared.detector import VAEDetector, load_detector
from shared.download import DOWNLOADS, download
from shared.false_alarms import FalseAlarms
from shared.injection import ANOMALY_KINDS
from shared.output import as_json
from shared.scoring import mean_over_channels
from shared.series import are_numbers
from shared.signals import SIGNAL_KINDS
from shared.stream_lines import LINE_FORMATS
from shared.table import Table, read_table

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
MOST_EVENTS = 20  # printed; all are in events.json and in --json


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code: 0 fine, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _complain("warning", message)
        try:
            options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has gone: say nothing, also not while closing
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except KeyboardInterrupt:
            _complain("error", "interrupted")
            return INTERRUPTED
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _complain("error", f"{where}{error.strerror or error}")
            return FAILED
        except MemoryError:
            _complain("error", "not enough memory: lower batch_size, hidden_dim or window, or fit on fewer rows")
            return FAILED
        except (ValueError, TypeError, RuntimeError) as error:  # RuntimeError: what a framework says of its device
            _complain("error", error)
            return FAILED
    return 0


def _complain(what: str, message: object) -> None:
    print(f"twinvae: {what}: {' '.join(str(message).split())}", file=sys.stderr)


# What each command does.


def _demo(options: argparse.Namespace) -> None:
    from shared.demo import run_demo

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


def _fit(options: argparse.Namespace) -> None:
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


def _score(options: argparse.Namespace) -> None:
    from shared.detection import check_suffix, event_record, quality, write_scores

    check_suffix(options.out)
    _check_writable(options.out)
    detector = load_detector(_backend(options)).load(options.model, device=options.device, missing=options.missing)
    if options.columns is None and not are_numbers(detector.channels_):
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


def _detect(options: argparse.Namespace) -> None:
    from shared.detection import write_detection

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


def _synthesize(options: argparse.Namespace) -> None:
    from shared.events import intervals
    from shared.plots import plot_series
    from shared.synthetic import generate, series_names, write_series

    series = generate(
        options.kind, seed=options.seed, signal=options.signal, length=options.length, train=options.train_rows,
        channels=options.channels, anomalies=options.anomalies, magnitude=options.magnitude,
    )  # fmt: skip
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
    result = {"file": str(path), "picture": str(picture), "rows": options.length, "train_rows": options.train_rows}
    _print(options, result | {"events": events}, "\n".join([*lines, where]))


def _download(options: argparse.Namespace) -> None:
    if options.list:
        sets = {name: {"title": found.title, "licence": found.licence} for name, found in DOWNLOADS.items()}
        _print(
            options, sets, "\n".join(f"{name:6}{found['licence']:9}{found['title']}" for name, found in sets.items())
        )
        return
    folder = download(options.name, options.cache)
    _print(options, {"name": options.name, "folder": str(folder)}, f"{options.name} is in {folder}")


def _watch(options: argparse.Namespace) -> None:
    from shared.stream import Stream
    from shared.stream_lines import LineReader
    from shared.watch import Watch

    if options.replay and not options.state:
        raise ValueError("--replay is for --state FILE: it leaves out what the state has seen")
    if options.state:
        _check_writable(options.state)
    stream = Stream.load(options.model, missing=options.missing)
    reader = LineReader(stream.channels, form=options.format, columns=options.columns, time=options.time)
    watch = Watch(stream, reader, state=options.state, state_every=options.state_every, complain=_complain)
    seen = watch.run(sys.stdin.buffer, sys.stdout.buffer, replay=options.replay)
    if options.json:
        print(json.dumps(seen._asdict()), file=sys.stderr)
    else:
        still = ", one still open" if seen.open_event else ""
        counts = f"{seen.points} points, {seen.alarms} alarms, {seen.events} events{still}, {seen.bad_lines} bad lines"
        _complain("note", counts)
    if watch.interrupted:
        raise KeyboardInterrupt


def _doctor(options: argparse.Namespace) -> None:
    from shared.diagnosis import diagnose

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
    with tempfile.TemporaryFile(dir=path.parent):
        pass


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


# The grammar.


class _Parser(argparse.ArgumentParser):
    """Says in one line what was wrong."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(allow_abbrev=False, **arguments)

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="twinvae", description="Finds anomalies in time series with a variational autoencoder, in PyTorch or JAX."
    )
    parser.add_argument("--version", action="version", version=f"twinvae {importlib.metadata.version('twinvae')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    demo = _command(
        commands, "demo", _demo, "the tutorial, from data to pictures", "twinvae demo --backend both --out out"
    )
    demo.add_argument("--backend", choices=(*BACKENDS, "both"), help="default: the one installed, JAX first")
    demo.add_argument("--seed", type=_seed, default=0, metavar="N")
    demo.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures and summary.json")

    fit = _command(
        commands, "fit", _fit, "fit a detector on a normal series and save it",
        "twinvae fit normal.csv --model model.safetensors",
    )  # fmt: skip
    fit.add_argument("file", type=Path, metavar="FILE", help="a CSV or Parquet file, one row per time step")
    fit.add_argument("--model", type=Path, required=True, metavar="FILE", help="where to save the model (.safetensors)")
    fit.add_argument("--train-rows", type=_count, metavar="N", help="fit on the first N rows only")

    score = _command(
        commands, "score", _score, "score a series with a saved detector, of either backend",
        "twinvae score today.csv --model model.safetensors --out scores.csv",
    )  # fmt: skip
    score.add_argument("file", type=Path, metavar="FILE", help="a CSV or Parquet file, one row per time step")
    score.add_argument("--model", type=Path, required=True, metavar="FILE")
    score.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .csv or .parquet file")
    score.add_argument(
        "--normal", action="store_true",
        help="the file holds no anomaly and was not fitted on: say how often it alarms, and how often was asked for",
    )  # fmt: skip
    score.add_argument("--missing", choices=_choices("missing"), help="default: as the model was fitted")
    score.add_argument("--device", choices=_choices("device"), help="where to compute")

    detect = _command(
        commands, "detect", _detect, "fit on the normal part of a series, score all of it, draw it",
        "twinvae detect sensors.csv --train-rows 1000 --out out",
    )  # fmt: skip
    source = detect.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="a CSV or Parquet file, one row per time step"
    )
    source.add_argument("--dataset", choices=DATASETS, help="a public labelled series instead of a file")
    normal = detect.add_mutually_exclusive_group()
    normal.add_argument("--train-rows", type=_count, metavar="N", help="the first N rows are normal: fit on them")
    normal.add_argument("--train", type=Path, metavar="FILE2", help="fit on this file instead")
    detect.add_argument("--out", type=Path, required=True, metavar="DIR")
    detect.add_argument("--parquet", action="store_true", help="write scores.parquet even if FILE is a CSV")

    for command in (fit, score, detect):
        command.add_argument("--backend", choices=BACKENDS, help="default: the one installed, JAX first")
        command.add_argument("--columns", type=_names, metavar="A,B", help="the columns to use; default: all but time")
        command.add_argument(
            "--time", metavar="COLUMN", help="the time stamps; default: timestamp, time, datetime, date"
        )
        command.add_argument("--labels", metavar="COLUMN", help="0/1 labels: never fitted on; they measure the scores")
    for command in (fit, detect):
        _add_hyperparameters(command)

    synthesize = _command(
        commands, "synthesize", _synthesize, "make a series with labelled anomalies, to try a detector on",
        "twinvae synthesize --kind spike flatline --channels 4 --out out",
    )  # fmt: skip
    synthesize.add_argument(
        "--kind", choices=ANOMALY_KINDS, nargs="+", required=True, help="of anomaly; several take turns"
    )
    synthesize.add_argument("--signal", choices=SIGNAL_KINDS, default="periodic", help="default: periodic")
    synthesize.add_argument("--seed", type=_seed, default=0, metavar="N")
    synthesize.add_argument("--length", type=_count, default=5000, metavar="N", help="rows in all; default: 5000")
    synthesize.add_argument("--train-rows", type=_count, default=2000, metavar="N", help="without one; default: 2000")
    synthesize.add_argument("--channels", type=_count, default=1, metavar="N", help="default: 1")
    synthesize.add_argument("--anomalies", type=_count, metavar="N", help="default: 2 to 4, one of each kind at least")
    synthesize.add_argument("--magnitude", type=_number, default=1.0, metavar="X", help="size; default: 1")
    synthesize.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the CSV and its picture")

    fetch = _command(
        commands, "download", _download, "fetch a public data set, held to its checksums", "twinvae download nab"
    )
    wanted = fetch.add_mutually_exclusive_group(required=True)
    wanted.add_argument("name", nargs="?", choices=tuple(DOWNLOADS), metavar="NAME", help=", ".join(DOWNLOADS))
    wanted.add_argument("--list", action="store_true", help="say what there is, with its licence")
    fetch.add_argument("--cache", type=Path, metavar="DIR", help="where to keep it; default: the user's cache")

    _add_watch(commands)

    doctor = _command(commands, "doctor", _doctor, "what is installed, and whether it is fit for use", "twinvae doctor")
    doctor.add_argument("--backend", choices=BACKENDS, help="default: all that are installed")
    return parser


def _add_watch(commands: Any) -> None:
    watch = _command(
        commands, "watch", _watch, "score points as they come, line by line, on standard input",
        "tail -n +1 -F sensors.csv | twinvae watch --model model.safetensors --state watch.state",
    )  # fmt: skip
    watch.add_argument("--model", type=Path, required=True, metavar="FILE")
    watch.add_argument("--state", type=Path, metavar="FILE", help="where to keep what a restart needs to continue")
    watch.add_argument("--state-every", type=_count, default=10_000, metavar="N", help="points; default: 10000, or 1 s")
    watch.add_argument("--replay", action="store_true", help="the input begins anew: skip the lines the state has seen")
    watch.add_argument("--format", choices=LINE_FORMATS, default="auto", help="of the lines; default: by the first")
    watch.add_argument("--columns", type=_names, metavar="A,B", help="the model's channels, as the input names them")
    watch.add_argument("--time", metavar="COLUMN", help="the time stamps; default: timestamp, time, datetime, date")
    watch.add_argument("--missing", choices=_choices("missing"), help="interpolate holds the last value")


def _command(commands: Any, name: str, run: Any, summary: str, example: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=f"example: {example}"
    )
    command.add_argument("--json", action="store_true", help="print JSON for machines")
    command.set_defaults(run=run)
    return command


def _add_hyperparameters(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the detector", "each default comes from the preset")
    group.add_argument("--preset", choices=tuple(PRESETS), default=DEFAULT_PRESET, help=f"default: {DEFAULT_PRESET}")
    group.add_argument("--seed", type=_seed, default=0, metavar="N", help="of initial weights, shuffles and noise")
    for field in fields(Config):
        text = f"{field.metadata['help']} (auto: {_automatic(field.name)})".replace("%", "%%")
        flag = f"--{field.name.replace('_', '-')}"
        if field.type is bool:
            group.add_argument(flag, action="store_true", default=None, help=text)
        elif field.type in (int, float):
            group.add_argument(flag, type=_value(field.name, field.type), metavar="X", help=text)
        else:
            group.add_argument(flag, choices=_choices(field.name), help=text)


def _automatic(name: str) -> str:
    value = getattr(PRESETS[DEFAULT_PRESET], name)
    return {"window": f"the series' period, at least {value}", "epochs": f"{value}, fewer for a long series"}.get(
        name, str(value)
    )


def _choices(name: str) -> tuple[str, ...]:
    return get_args(next(field.type for field in fields(Config) if field.name == name))


def _value(name: str, kind: Any) -> Any:
    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from None
        try:
            resolve(DEFAULT_PRESET, {name: value})
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return convert


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _seed(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name")
    return names


if __name__ == "__main__":
    sys.exit(main())
