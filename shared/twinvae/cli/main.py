"""The command `twinvae`: which commands there are, what goes wrong, and exit codes."""

import argparse
import atexit
import contextlib
import errno
import gc
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from twinvae.cli.text import any_encoding, complain
from twinvae.files.cache import cache_folder
from twinvae.process.notices import one_line, printable

SCORING = ("score", "feedback", "watch", "export")  # with a model that is fitted
FAILED, WRONG_USE, FAULT, INTERRUPTED, TERMINATED = 1, 2, 70, 130, 143

# Each is a file of this folder, imported only when it is asked for: what it does, and an example.
COMMANDS = {
    "demo": ("the tutorial, from data to pictures", "twinvae demo --backend both --out out"),
    "fit": ("fit a detector on a normal series and save it", "twinvae fit normal.csv --model model.safetensors"),
    "score": (
        "score a series with a saved detector, of either backend",
        "twinvae score today.csv --model model.safetensors --out scores.csv",
    ),
    "detect": (
        "fit on the normal part of a series, score all of it, draw it",
        "twinvae detect sensors.csv --train-rows 1000 --out out",
    ),
    "report": ("write a detection anew, by the model in its folder, in another language say", "twinvae report out"),
    "fleet": (
        "fit and score many series, each with a detector of its own",
        "twinvae fleet sensors/ --train-rows 1000 --out out",
    ),
    "synthesize": (
        "make a series with labelled anomalies, to try a detector on",
        "twinvae synthesize --kind spike flatline --channels 4 --out out",
    ),
    "download": ("fetch a public data set, held to its checksums", "twinvae download nab"),
    "feedback": (
        "move the threshold of a model until what was marked in a report is right",
        "twinvae feedback out/model.safetensors labels.json",
    ),
    "watch": (
        "score points as they come, line by line, on standard input",
        "tail -n +1 -F sensors.csv | twinvae watch --model model.safetensors --state watch.state --replay",
    ),
    "export": (
        "write the window scorer of a saved detector for other runtimes",
        "twinvae export --model model.safetensors --onnx model.onnx",
    ),
    "doctor": ("what is installed, and whether it is fit for use", "twinvae doctor"),
}

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # a file that cannot be written is named by its error

# What PyTorch, JAX and ONNX Runtime say, as a RuntimeError, of the machine rather than of the call.
NO_MEMORY = re.compile(r"(?i)out of memory|(not enough|allocate) memory|resource_exhausted")
MACHINE = re.compile(r"(?i)cuda|cudnn|cublas|nvidia|\bgpu\b|backend|onnx runtime")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    The codes are 0 (done), 1 (failed, for a reason that the user or the machine can change), 2 (wrong use), 70 (a fault
    of twinvae), 130 (interrupted) and 143 (ended by SIGTERM). An error is one line on stderr. With `--traceback`, or
    where the environment variable TWINVAE_TRACEBACK is set to 1, the traceback stands before it.

    Without arguments, which is as a process of its own, the command does not return but ends the process at once: JAX
    aborts a process that is cleaned up while a device still works on what nobody wants any more, and to take a
    framework apart module by module takes a third of a second.
    """
    if arguments is not None:
        return _run(arguments)
    gc.set_threshold(100_000)  # an import makes many objects that stay: to look through them again and again took 0.2 s
    _keep_compiled_programs()
    code = _run(sys.argv[1:])
    if not code:
        atexit._run_exitfuncs()  # what a coverage tool or a framework still has to write
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _keep_compiled_programs() -> None:
    """Has this process, and those that it starts, keep what JAX compiles in the user's cache folder, if there is one.

    An import of the library changes no such setting; the command is a process of our own. What the user has set stays.
    """
    if "--no-cache" in sys.argv[1:]:
        os.environ["TWINVAE_CACHE"] = "off"
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):  # of a folder that cannot be made: then nothing is kept
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = {
            "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
            "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**28),  # bytes; what was not used for longest goes first
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        for name, value in settings.items():
            os.environ.setdefault(name, value)
        if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":  # what JAX sets for itself and for its children
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # XLA calls a program of this machine one that may not run here


def _run(arguments: Sequence[str]) -> int:
    if sys.stderr is None:  # what is said must not go elsewhere
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        complain("error", "standard output is closed: send it to a file or to /dev/null")
        return FAILED
    with any_encoding(), warnings.catch_warnings():
        _show_each_warning_once()
        try:
            with _sigterm_interrupts():
                options = _parser(arguments).parse_args(arguments)
                options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has gone: say nothing, also not while closing
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except KeyboardInterrupt as error:
            complain("error", error if error.args else "interrupted")
            return int(getattr(error, "exit_code", INTERRUPTED))
        except Exception as error:
            if "--traceback" in arguments or os.environ.get("TWINVAE_TRACEBACK", "0") not in ("", "0"):
                traceback.print_exception(error)
            message, code = _explained(error, next(iter(arguments), ""))
            complain("error", message)
            return code
    return 0


class TerminatedError(KeyboardInterrupt):
    """SIGTERM."""

    exit_code = TERMINATED


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """What a service manager or a batch system sends ends a command as Ctrl-C does, with nothing half-written."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends it, should a framework swallow the error
        raise TerminatedError("ended by SIGTERM")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _explained(error: Exception, command: str) -> tuple[str, int]:
    """What to say of an error, and the exit code. Whatever is not raised for people is a fault of twinvae."""
    if isinstance(error, OSError):
        place = error.filename or ("standard output" if error.errno in FULL else None)
        return f"{f'{place}: ' if place else ''}{error.strerror or error}", FAILED
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and NO_MEMORY.search(str(error))):
        said = f" ({error})" if str(error) else ""
        advice = (
            "score fewer rows at once"
            if command in SCORING
            else "lower batch_size, hidden_dim or window, or fit on fewer rows"
        )
        return f"not enough memory: {advice}{said}", FAILED
    if isinstance(error, ValueError | Warning):
        return str(error), FAILED
    if isinstance(error, ImportError) and not (error.name or "twinvae").startswith(("twinvae", "vae_")):
        return f"{error}: see twinvae doctor", FAILED
    if isinstance(error, RuntimeError) and MACHINE.search(str(error)):
        return str(error), FAILED
    kind = type(error).__name__ + (f": {error}" if str(error) else "")
    return (
        f"this is a fault of twinvae, not of your input: {kind} (in {_place(error)}): please report "
        "it with what --traceback shows"
    ), FAULT


def _place(error: Exception) -> str:
    """The last line of ours that an error has passed."""
    passed = [(frame.f_globals.get("__name__", ""), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    module, line = [place for place in passed if place[0].split(".")[0] in ("twinvae", "vae_jax", "vae_torch")][-1]
    return f"{module.rpartition('.')[2]}.py, line {line}"


def _show_each_warning_once() -> None:
    said = set()

    def show(message: object, *_: object, **__: object) -> None:
        if str(message) not in said:
            said.add(str(message))
            complain("warning", message)

    warnings.showwarning = show


class _Parser(argparse.ArgumentParser):
    """Says in one line what was wrong."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(allow_abbrev=False, **arguments)

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:  # argparse passes over what it cannot print
            file.write(message)
        else:
            super()._print_message(message, file)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        if not status:  # --help and --version: what they could not print is an error
            sys.stdout.flush()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.prog}: error: {printable(one_line(message))} (see {self.prog} --help)\n")


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="twinvae", description="Finds anomalies in time series with a variational autoencoder, in PyTorch or JAX."
    )
    version = f"twinvae {import_module('importlib.metadata').version('twinvae')}" if "--version" in arguments else ""
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, (summary, example) in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=f"example: {example}"
        )
        if name not in arguments:
            continue
        command.add_argument("--json", action="store_true", help="print JSON for machines")
        command.add_argument("--traceback", action="store_true", help="show where an error was raised")
        command.add_argument("--no-cache", action="store_true", help="keep no compiled program for the next run")
        file = import_module(f"twinvae.cli.{name}")
        file.options(command)
        command.set_defaults(run=file.run)
    return parser
