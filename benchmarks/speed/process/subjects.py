"""How each implementation is driven: one small class for each kind, all with the methods of `Subject`.

Importing this module imports no framework. Making a subject imports its own framework and no other, so that a fresh
process can time the import.
"""

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol

from benchmarks.speed.implementations import IMPLEMENTATIONS


class Subject(Protocol):
    """A detector that is measured."""

    def fit(self, series: Any) -> None: ...

    def score(self, series: Any) -> Any: ...

    def events(self, series: Any) -> list[tuple[int, int]]: ...

    def final_loss(self) -> float | None: ...

    def window_scorer(self) -> Callable[[Any], Any]: ...


def subject(name: str, device: str = "cpu", **settings: Any) -> Subject:
    """Returns a new detector. `settings` are hyperparameters of `twinvae.config.Config`."""
    if name == "tutorial":
        return Tutorial(device, **settings)
    if name.startswith("pyod"):
        return Pyod(device, **IMPLEMENTATIONS[name].arguments, **settings)
    return Product(name, device, **settings)


class Product:
    """A detector of this project, driven by its public class."""

    def __init__(self, name: str, device: str, **settings: Any) -> None:
        arguments = {"preset": "tutorial", "device": device} | settings
        name = IMPLEMENTATIONS[name].same_as or name
        if IMPLEMENTATIONS[name].peer:
            from twinvae.detector.detector import VAEDetector

            class StepDetector(VAEDetector):
                backend: ClassVar[Any] = step_backend(name)

            self.detector: Any = StepDetector(**arguments)
        elif name == "jax-run":
            import vae_jax

            self.detector = vae_jax.VAEDetector(**arguments)
        else:
            import vae_torch

            self.detector = vae_torch.VAEDetector(**arguments, **IMPLEMENTATIONS[name].arguments)

    def fit(self, series: Any) -> None:
        self.detector.fit(series)

    @property
    def model_(self) -> Any:
        return self.detector.model_

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
    """PyOD's detector, which scores windows."""

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
        return None  # its loss is another one, and it does not keep it

    def window_scorer(self) -> Callable[[Any], Any]:
        return lambda window: self.detector.score_windows(window[None])


def step_backend(name: str) -> Any:
    """Returns the product's backend with the `train` of this peer."""
    backend: Any
    if IMPLEMENTATIONS[name].peer == "jax_step":
        from benchmarks.peers import jax_step
        from vae_jax import backend

        train: Any = jax_step.train
    else:
        from benchmarks.peers import torch_steps
        from vae_torch import backend

        train = torch_steps.trainer(IMPLEMENTATIONS[name].mode)
    functions = {function: getattr(backend, function) for function in backend.__all__}
    return SimpleNamespace(**functions | {"train": train})


Train = Callable[[Any, Any, Any, Iterable[Any], Any], Iterator[Any]]


def trainer(name: str, device: str = "cpu", **settings: Any) -> tuple[Train, Any]:
    """Returns the training function of an implementation that claims parity, and the configuration to call it with."""
    from twinvae.config import resolve

    name = IMPLEMENTATIONS[name].same_as or name
    if IMPLEMENTATIONS[name].peer:
        return step_backend(name).train, resolve("tutorial", {"device": device} | settings)
    from twinvae.network.backend import load_backend

    implementation = IMPLEMENTATIONS[name]
    config = resolve("tutorial", {"device": device, **implementation.arguments} | settings)
    return load_backend(implementation.backend).train, config
