"""What is compared, and how each is driven: the table, and one small class per kind.

Importing this module imports no framework; making a subject imports its own and no other, so that a fresh process
can time the import.
"""

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar, Protocol

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Implementation:
    """One way to do the job. `difference` says how it is a different computation; None claims parity."""

    name: str
    label: str
    backend: str  # the framework in its process
    packages: tuple[str, ...]
    difference: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=lambda: NOTHING)  # of the detector's constructor


_JAX, _TORCH = ("jax", "flax", "optax"), ("torch", "array_api_compat")
_PYOD = "its loss has no KL term and a weight decay; windows standardised one by one; 14 steps an epoch, not 15"

IMPLEMENTATIONS: dict[str, Implementation] = {
    one.name: one
    for one in (
        Implementation(
            "tutorial", "tutorial's own loop", "torch", ("torch",),
            "the same model, loss and number of steps, but its own random numbers",
        ),
        Implementation(
            "pyod", "PyOD VAE, its defaults", "torch", ("torch", "pyod", "tqdm", "sklearn"),
            f"layers of 128, 64, 32 and latent 2, dropout; {_PYOD}",
        ),
        Implementation(
            "pyod-same-size", "PyOD VAE, our sizes", "torch", ("torch", "pyod", "tqdm", "sklearn"),
            f"our sizes, but {_PYOD}", {"same_size": True},
        ),
        Implementation("torch-eager", "vae_torch", "torch", _TORCH),
        Implementation("torch-compiled", "vae_torch, compile=True", "torch", _TORCH, arguments={"compile": True}),
        Implementation("jax-step", "JAX, one jitted step a call", "jax", _JAX),
        Implementation("jax-run", "vae_jax", "jax", _JAX),
    )
}  # fmt: skip
PRODUCT = ("torch-eager", "torch-compiled", "jax-run")


def unavailable(name: str) -> str | None:
    """Why an implementation cannot run here, or None if it can."""
    implementation = IMPLEMENTATIONS[name]
    missing = [package for package in implementation.packages if importlib.util.find_spec(package) is None]
    if missing:
        hint = " (pip install pyod tqdm)" if name.startswith("pyod") else f" (pip install 'twinvae[{missing[0]}]')"
        return f"{name} is not available: {', '.join(missing)} not installed{hint}"
    if name in PRODUCT:
        from twinvae.config import HYPERPARAMETERS

        unknown = [argument for argument in implementation.arguments if argument not in HYPERPARAMETERS]
        if unknown:
            return f"{name} is not available: this version of VAEDetector has no {unknown[0]}="
    return None


class Subject(Protocol):
    """A detector under test."""

    def fit(self, series: Any) -> None: ...

    def score(self, series: Any) -> Any: ...

    def events(self, series: Any) -> list[tuple[int, int]]: ...

    def final_loss(self) -> float | None: ...

    def window_scorer(self) -> Callable[[Any], Any]: ...


def subject(name: str, device: str = "cpu", **settings: Any) -> Subject:
    """A fresh detector; `settings` are hyperparameters of `twinvae.config.Config`."""
    if name == "tutorial":
        return Tutorial(device, **settings)
    if name.startswith("pyod"):
        return Pyod(device, **IMPLEMENTATIONS[name].arguments, **settings)
    return Product(name, device, **settings)


class Product:
    """A detector of this project, through its public class."""

    def __init__(self, name: str, device: str, **settings: Any) -> None:
        arguments = {"preset": "tutorial", "device": device} | settings
        if name == "jax-step":
            from twinvae.detector.detector import VAEDetector

            class StepDetector(VAEDetector):
                backend: ClassVar[Any] = step_backend()

            self.detector: Any = StepDetector(**arguments)
        elif name == "jax-run":
            import vae_jax

            self.detector = vae_jax.VAEDetector(**arguments)
        else:
            import vae_torch

            self.detector = vae_torch.VAEDetector(**arguments, **IMPLEMENTATIONS[name].arguments)

    def fit(self, series: Any) -> None:
        self.detector.fit(series)

    def score(self, series: Any) -> Any:
        return self.detector.decision_function(series)

    def events(self, series: Any) -> list[tuple[int, int]]:
        return [(event.start, event.end) for event in self.detector.events(series)]

    def final_loss(self) -> float | None:
        return float(self.detector.history_["loss"][-1])

    def window_scorer(self) -> Callable[[Any], Any]:
        scorer: Callable[[Any], Any] = self.detector.window_scorer()
        return scorer


class Tutorial:
    """The tutorial's functions, called as its script does."""

    def __init__(
        self, device: str, *, window: int = 50, epochs: int = 100, batch_size: int = 32, seed: int = 0
    ) -> None:
        from benchmarks.peers import tutorial

        self.tutorial: Any = tutorial
        self.device = "cuda" if device == "gpu" else "cpu"
        self.window, self.epochs, self.batch, self.seed = window, epochs, batch_size, seed
        self.loss: float | None = None
        self.threshold = 0.0

    def fit(self, series: Any) -> None:
        self.tutorial.torch.manual_seed(self.seed)
        self.model = self.tutorial.VAE(self.window)
        windows = self.tutorial.make_windows(series, self.window)
        self.loss = self.tutorial.train(self.model, windows, epochs=self.epochs, batch=self.batch, device=self.device)
        self.threshold = self.tutorial.MARGIN * float(self.score(series).max())

    def score(self, series: Any) -> Any:
        return (series - self.tutorial.reconstruct(self.model, series, self.window, self.device)) ** 2

    def events(self, series: Any) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = self.tutorial.find_events(self.score(series) > self.threshold)
        return found

    def final_loss(self) -> float | None:
        return self.loss

    def window_scorer(self) -> Callable[[Any], Any]:
        torch = self.tutorial.torch

        def score(window: Any) -> Any:
            with torch.no_grad():
                x = torch.tensor(window, dtype=torch.float32).to(self.device)
                return ((x - self.model.decode(self.model.encode(x)[0])) ** 2).mean().cpu().numpy()

        return score


class Pyod:
    """PyOD's detector of windows."""

    def __init__(
        self, device: str, *, window: int = 50, epochs: int = 100, batch_size: int = 32, same_size: bool = False
    ) -> None:
        from benchmarks.peers import pyod

        self.detector = pyod.Detector(
            window=window, epochs=epochs, batch=batch_size, device=device, same_size=same_size
        )

    def fit(self, series: Any) -> None:
        self.detector.fit(series)

    def score(self, series: Any) -> Any:
        return self.detector.decision_function(series)

    def events(self, series: Any) -> list[tuple[int, int]]:
        return self.detector.events(series)

    def final_loss(self) -> float | None:
        return None  # another loss, which it does not keep

    def window_scorer(self) -> Callable[[Any], Any]:
        return lambda window: self.detector.score_windows(window[None])


def step_backend() -> Any:
    """The JAX backend, but trained one compiled step at a time."""
    from benchmarks.peers import jax_step
    from vae_jax import backend

    functions = {name: getattr(backend, name) for name in backend.__all__}
    return SimpleNamespace(**functions | {"train": jax_step.train})


Train = Callable[[Any, Any, Any, Iterable[Any], Any], Iterator[Any]]


def trainer(name: str, device: str = "cpu", **settings: Any) -> tuple[Train, Any]:
    """The training function of an implementation that claims parity, and the configuration to give it."""
    from twinvae.config import resolve

    if name == "jax-step":
        return step_backend().train, resolve("tutorial", {"device": device} | settings)
    from twinvae.network.backend import load_backend

    implementation = IMPLEMENTATIONS[name]
    config = resolve("tutorial", {"device": device, **implementation.arguments} | settings)
    return load_backend(implementation.backend).train, config
