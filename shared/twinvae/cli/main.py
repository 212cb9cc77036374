"""The command `twinvae`."""

import argparse
import contextlib
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args

from twinvae.cli import commands as run
from twinvae.cli.commands import complain
from twinvae.config import DEFAULT_PRESET, PRESETS, Config, resolve
from twinvae.data.datasets import DATASETS
from twinvae.data.download import DOWNLOADS
from twinvae.data.injection import ANOMALY_KINDS
from twinvae.data.signals import SIGNAL_KINDS
from twinvae.fleet.training import TOGETHER
from twinvae.network.backend import BACKENDS
from twinvae.stream.lines import LINE_FORMATS

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code: 0 fine, 1 failed, 2 wrong use, 130 interrupted.

    Without arguments, which is as a process of its own, what fails does not return but ends the process at once: JAX
    aborts a process that is cleaned up while a device still works on what nobody wants any more.
    """
    code = _run(arguments)
    if arguments is None and code:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: complain("warning", message)
        try:
            options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has gone: say nothing, also not while closing
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except KeyboardInterrupt as error:
            complain("error", error if error.args else "interrupted")
            return int(getattr(error, "exit_code", INTERRUPTED))
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            complain("error", f"{where}{error.strerror or error}")
            return FAILED
        except MemoryError:
            complain("error", "not enough memory: lower batch_size, hidden_dim or window, or fit on fewer rows")
            return FAILED
        except (ValueError, TypeError, RuntimeError) as error:  # RuntimeError: what a framework says of its device
            complain("error", error)
            return FAILED
    return 0


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
        commands, "demo", run.demo, "the tutorial, from data to pictures", "twinvae demo --backend both --out out"
    )
    demo.add_argument("--backend", choices=(*BACKENDS, "both"), help="default: the one installed, JAX first")
    demo.add_argument("--seed", type=_seed, default=0, metavar="N")
    demo.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures and summary.json")

    fit = _command(
        commands, "fit", run.fit, "fit a detector on a normal series and save it",
        "twinvae fit normal.csv --model model.safetensors",
    )  # fmt: skip
    fit.add_argument("file", type=Path, metavar="FILE", help="a CSV, Parquet or .npy file, one row per time step")
    fit.add_argument("--model", type=Path, required=True, metavar="FILE", help="where to save the model (.safetensors)")
    fit.add_argument("--train-rows", type=_count, metavar="N", help="fit on the first N rows only")

    score = _command(
        commands, "score", run.score, "score a series with a saved detector, of either backend",
        "twinvae score today.csv --model model.safetensors --out scores.csv",
    )  # fmt: skip
    score.add_argument("file", type=Path, metavar="FILE", help="a CSV, Parquet or .npy file, one row per time step")
    score.add_argument("--model", type=Path, required=True, metavar="FILE")
    score.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a .csv or .parquet file, or .npy for the scores alone"
    )
    score.add_argument(
        "--normal", action="store_true",
        help="the file holds no anomaly and was not fitted on: say how often it alarms, and how often was asked for",
    )  # fmt: skip
    score.add_argument("--missing", choices=_choices("missing"), help="default: as the model was fitted")
    score.add_argument("--device", choices=_choices("device"), help="where to compute")

    detect = _command(
        commands, "detect", run.detect, "fit on the normal part of a series, score all of it, draw it",
        "twinvae detect sensors.csv --train-rows 1000 --out out",
    )  # fmt: skip
    _add_detect(detect)

    fleet = _command(
        commands, "fleet", run.fleet, "fit and score many series, each with a detector of its own",
        "twinvae fleet sensors/ --train-rows 1000 --out out",
    )  # fmt: skip
    _add_fleet(fleet)

    for command in (fit, score, detect, fleet):
        command.add_argument("--backend", choices=BACKENDS, help="default: the one installed, JAX first")
        command.add_argument("--columns", type=_names, metavar="A,B", help="the columns to use; default: all but time")
        command.add_argument(
            "--time", metavar="COLUMN", help="the time stamps; default: timestamp, time, datetime, date"
        )
        command.add_argument("--labels", metavar="COLUMN", help="0/1 labels: never fitted on; they measure the scores")
    for command in (fit, detect, fleet):
        _add_hyperparameters(command)

    synthesize = _command(
        commands, "synthesize", run.synthesize, "make a series with labelled anomalies, to try a detector on",
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
    synthesize.add_argument(
        "--series", type=_count, metavar="N", help="so many different ones, each in a CSV of its own, for a fleet"
    )
    synthesize.add_argument("--anomalies", type=_count, metavar="N", help="default: 2 to 4, one of each kind at least")
    synthesize.add_argument("--magnitude", type=_number, default=1.0, metavar="X", help="size; default: 1")
    synthesize.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the CSV and its picture")

    fetch = _command(
        commands, "download", run.fetch, "fetch a public data set, held to its checksums", "twinvae download nab"
    )
    wanted = fetch.add_mutually_exclusive_group(required=True)
    wanted.add_argument("name", nargs="?", choices=tuple(DOWNLOADS), metavar="NAME", help=", ".join(DOWNLOADS))
    wanted.add_argument("--list", action="store_true", help="say what there is, with its licence")
    fetch.add_argument("--cache", type=Path, metavar="DIR", help="where to keep it; default: the user's cache")

    _add_watch(commands)
    _add_export(commands)

    _command(
        commands, "doctor", run.doctor, "what is installed, and whether it is fit for use", "twinvae doctor"
    ).add_argument("--backend", choices=BACKENDS, help="default: all that are installed")
    return parser


def _add_detect(detect: argparse.ArgumentParser) -> None:
    source = detect.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="a CSV, Parquet or .npy file, one row per time step"
    )
    source.add_argument("--dataset", choices=DATASETS, help="a public labelled series instead of a file")
    normal = detect.add_mutually_exclusive_group()
    normal.add_argument("--train-rows", type=_count, metavar="N", help="the first N rows are normal: fit on them")
    normal.add_argument("--train", type=Path, metavar="FILE2", help="fit on this file instead")
    detect.add_argument("--out", type=Path, required=True, metavar="DIR")
    detect.add_argument("--parquet", action="store_true", help="write scores.parquet even if FILE is a CSV")


def _add_fleet(fleet: argparse.ArgumentParser) -> None:
    fleet.add_argument(
        "input", type=Path, metavar="INPUT", help="a folder of CSV or Parquet files, or with --key one long table"
    )
    fleet.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables and models")
    fleet.add_argument("--train-rows", type=_count, metavar="N", help="the first N rows of each series are normal")
    fleet.add_argument("--key", metavar="COLUMN", help="tells the series of one long table apart")
    fleet.add_argument("--scores", action="store_true", help="write the score of every step: scores/NAME.parquet")
    fleet.add_argument(
        "--resume", action="store_true", help="go on where a run has ended: give the same options as before"
    )
    fleet.add_argument(
        "--leave-changed", action="store_true",
        help="with --resume: series whose files have changed or gone fail, the rest goes on",
    )  # fmt: skip
    fleet.add_argument(
        "--together", type=_count, default=TOGETHER, metavar="N",
        help=f"train at most N series in one batch; default: {TOGETHER}",
    )  # fmt: skip
    fleet.add_argument("--workers", type=_count, metavar="N", help="batches at a time at most; default: one a core")
    fleet.add_argument("--engine", choices=("local", "ray"), default="local", help="default: local")
    fleet.add_argument(
        "--address", metavar="ADDRESS", help="of a Ray cluster, HOST:PORT or auto; default: Ray on this machine"
    )


def _add_watch(commands: Any) -> None:
    watch = _command(
        commands, "watch", run.watch, "score points as they come, line by line, on standard input",
        "tail -n +1 -F sensors.csv | twinvae watch --model model.safetensors --state watch.state --replay",
    )  # fmt: skip
    watch.add_argument("--model", type=Path, required=True, metavar="FILE")
    watch.add_argument("--state", type=Path, metavar="FILE", help="where to keep what a restart needs to continue")
    watch.add_argument("--state-every", type=_count, default=10_000, metavar="N", help="points; default: 10000, or 1 s")
    watch.add_argument("--replay", action="store_true", help="the input begins anew: skip the lines the state has seen")
    watch.add_argument("--format", choices=LINE_FORMATS, default="auto", help="of the lines; default: by the first")
    watch.add_argument("--columns", type=_names, metavar="A,B", help="the model's channels, as the input names them")
    watch.add_argument("--time", metavar="COLUMN", help="the time stamps; default: timestamp, time, datetime, date")
    watch.add_argument("--missing", choices=_choices("missing"), help="default: as fitted; interpolate: the last value")


def _add_export(commands: Any) -> None:
    export = _command(
        commands, "export", run.export, "write the window scorer of a saved detector for other runtimes",
        "twinvae export --model model.safetensors --onnx model.onnx",
    )  # fmt: skip
    export.add_argument("--model", type=Path, required=True, metavar="FILE")
    export.add_argument("--onnx", type=_file(".onnx"), required=True, metavar="FILE", help="an ONNX file, .onnx")
    export.add_argument(
        "--backend", choices=BACKENDS, help="which the file is checked against; default: the one installed, JAX first"
    )


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


def _file(suffix: str) -> Any:
    def convert(text: str) -> Path:
        if Path(text).suffix.lower() != suffix:
            raise argparse.ArgumentTypeError(f"{text!r} does not end in {suffix}")
        return Path(text)

    return convert


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name")
    return names
