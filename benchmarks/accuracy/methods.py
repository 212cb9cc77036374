"""Which methods are compared: twinvae in each backend, by default and in variants, and the baselines."""

import ast
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.method import Answer, Method
from benchmarks.errors import RunError
from benchmarks.machine import ROOT
from twinvae.config import DEFAULT_PRESET, resolve
from twinvae.detector.detector import load_detector
from twinvae.network.backend import BACKENDS, require_backend
from twinvae.process.notices import one_line

TWINVAE = "twinvae"
NAMES = (TWINVAE, *BASELINES)
PACKAGES = ("shared/twinvae", *(f"vae_{name}" for name in BACKENDS))


def chosen(names: Sequence[str] | None, backends: Sequence[str], variants: Sequence[str] = ()) -> list[Method]:
    """Returns the methods of these names, or all, and the variants of twinvae, which each backend has.

    A variant is what differs from the default settings: `kind=point`, `hidden_dim=128,latent_dim=32,beta=.5`.

    Raises:
        RunError: if a name, a setting or its value is unknown, or a backend is not installed.
    """
    for name in names or ():
        if name not in NAMES:
            raise RunError(f"unknown method {name!r}: choose from {', '.join(NAMES)}, or none")
    settings = [*([""] if names is None or TWINVAE in names else []), *variants]
    for name in backends if settings else ():
        try:
            require_backend(name)
        except ValueError as error:
            raise RunError(str(error)) from None
    ours = [
        _product(f"vae_{backend} {variant}".strip())._replace(
            run=partial(_detect, backend, given), code=sources_digest()
        )
        for variant, given in {variant: _settings(variant) for variant in settings}.items()
        for backend in backends
    ]
    return [*ours, *(method for name, method in BASELINES.items() if names is None or name in names)]


def methods_of(names: Iterable[str]) -> list[Method]:
    """Returns the methods that were measured under these names, our default first, for the tables of a file."""
    names = list(names)
    ours = [_product(name) for name in sorted(names, key=lambda name: " " in name) if name.startswith("vae_")]
    return [*ours, *(method for name, method in BASELINES.items() if name in names)]


def _product(name: str) -> Method:
    backend, _, variant = name.removeprefix("vae_").partition(" ")
    words = f"this project's VAEDetector, {variant or 'default settings'}; its own threshold and events"
    return Method(name, name, words, True, partial(_detect, backend, {}), backend)


def _settings(variant: str) -> dict[str, Any]:
    """The arguments of a detector that a variant names.

    Raises:
        RunError: if it is none.
    """
    given: dict[str, Any] = {}
    for setting in variant.split(",") if variant else ():
        name, equals, text = setting.partition("=")
        if not equals:
            raise RunError(f"variant {variant!r}: {setting!r} is not NAME=VALUE")
        try:
            given[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            given[name] = text  # a word
    overrides = {name: value for name, value in given.items() if name != "preset"}
    try:
        resolve(given.get("preset", DEFAULT_PRESET), overrides)
    except (TypeError, ValueError) as error:
        raise RunError(f"variant {variant!r}: {one_line(error)}") from None
    return given


@cache
def sources_digest() -> str:
    """A digest of the product's source files: a result of other code is not the same detector's."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:8]


def _detect(
    backend: str, settings: dict[str, Any], fitted: np.ndarray, values: np.ndarray, period: int, seed: int
) -> Answer:
    del period  # the detector is as a user has it: it finds its own window
    detector = load_detector(backend)(seed=seed, **settings).fit(fitted)
    found = detector.detect(values)
    events = [(event.start, event.end) for event in found.events]
    return Answer(np.asarray(found.scores), float(detector.threshold_), events)
