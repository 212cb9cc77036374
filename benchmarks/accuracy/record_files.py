"""The form of a results file: what is said of a run, then its records, one on each line."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.errors import RunError
from twinvae.files.atomic import write_text

Run = TypeVar("Run")


def write_run(path: Path, form: str, schema: int, run: Any, **more: Any) -> None:
    """Writes a run, a dataclass with `records`, and `more` beside its fields. It is there as a whole or not at all."""
    facts = {"format": form, "schema": schema} | {name: value for name, value in vars(run).items() if name != "records"}
    lines = [json.dumps(asdict(record)) for record in run.records]
    text = json.dumps(facts | more, indent=1)[:-2]
    write_text(path, text + ',\n "records": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n")


def read_run(path: Path, form: str, schema: int, make: Callable[[dict[str, Any]], Run]) -> Run:
    """Reads a results file of this form; `make` makes the run of its content.

    Raises:
        RunError: if it is none of this form.
        OSError: if it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content["format"], content["schema"]) != (form, schema):
            raise RunError(f"{path}: results in the form {content['schema']}, not {schema}: measure them anew")
        return make(content)
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{path}: not a file of {form}") from None
