"""The two backends are written side by side: the same files, functions, order and parameters."""

import importlib
import inspect
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT
from twinvae.network.backend import Backend

FILES = ("backend", "doctor", "model", "runtime", "score", "train")
PROTOCOL = {name: function for name, function in vars(Backend).items() if not name.startswith("_")}
CALL = {"forward": "__call__"}  # what PyTorch calls the method that NNX gives Python's own name
ONLY_IN_JAX = {("VAE", "rngs")}  # NNX draws a layer's first values from a key that is passed in


def public(module: ModuleType) -> dict[str, Any]:
    """What a file defines for others, in the order of its definition; `_private` files and names may differ."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def parameters(function: Any) -> list[tuple[str, str, Any]]:
    """The name, kind and default of each parameter; of a class, those of its constructor."""
    called = vars(function).get("__init__", object.__init__) if inspect.isclass(function) else function
    return [(p.name, p.kind.name, p.default) for p in inspect.signature(called).parameters.values()]


def methods(cls: type) -> dict[str, Any]:
    own = {CALL.get(name, name): value for name, value in vars(cls).items() if inspect.isfunction(value)}
    return {name: value for name, value in own.items() if name == "__call__" or not name.startswith("_")}


def differences(jax: ModuleType, torch: ModuleType) -> list[str]:
    """In which public names, their order and their parameters two files differ."""
    one, other = public(jax), public(torch)
    if list(one) != list(other):
        return [f"names: {list(one)} and {list(other)}"]
    found = []
    for name, value in one.items():
        pairs = [(name, value, other[name])]
        if inspect.isclass(value):
            mine, theirs = methods(value), methods(other[name])
            if list(mine) != list(theirs):
                found.append(f"{name}: methods {list(mine)} and {list(theirs)}")
            pairs += [(f"{name}.{each}", mine[each], theirs[each]) for each in mine.keys() & theirs.keys()]
        for where, left, right in pairs:
            wanted = [p for p in parameters(left) if (where, p[0]) not in ONLY_IN_JAX]
            if wanted != parameters(right):
                found.append(f"{where}: {wanted} and {parameters(right)}")
    return found


def module_of(backend: str, file: str) -> ModuleType:
    return importlib.import_module(f"vae_{backend}.{file}")


def test_both_backends_have_the_same_files() -> None:
    for backend in ("jax", "torch"):
        files = {path.stem for path in (ROOT / f"vae_{backend}").glob("*.py") if not path.stem.startswith("_")}
        assert files == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_file_has_the_same_functions_in_both_backends(file: str) -> None:
    assert differences(module_of("jax", file), module_of("torch", file)) == []
    assert public(module_of("jax", file)) or file == "backend"  # which only gathers


def test_the_packages_export_the_same_names() -> None:
    names = [importlib.import_module(f"vae_{backend}").__all__ for backend in ("jax", "torch")]
    assert names[0] == names[1] == ["VAEDetector", "VAEFleet"]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_is_the_six_functions_of_the_protocol(backend: str) -> None:
    module = module_of(backend, "backend")
    assert sorted(module.__all__) == sorted(PROTOCOL)
    assert len(PROTOCOL) == 6
    for name, wanted in PROTOCOL.items():
        assert parameters(getattr(module, name)) == parameters(wanted)[1:], name


# The comparison can fail.


def train(net: Any, series: Any, *, device: Any = "auto") -> None: ...


def encode(net: Any, series: Any) -> None: ...


class Model:
    def decode(self, z: Any) -> None: ...


def tampered(*changed: tuple[str, Any]) -> ModuleType:
    """A file of a backend with some names defined otherwise, in this order."""
    module = ModuleType("tampered")
    for name, value in dict([("Model", Model), ("train", train), ("encode", encode), *changed]).items():
        copy: Any = type(name, (), dict(vars(value))) if inspect.isclass(value) else lambda: None
        if not inspect.isclass(value):
            copy.__signature__ = inspect.signature(value)
        copy.__module__ = "tampered"
        setattr(module, name, copy)
    return module


class Renamed:
    def decode(self, latent: Any) -> None: ...


class More:
    def decode(self, z: Any) -> None: ...

    def encode(self, x: Any) -> None: ...


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train", lambda net, values, *, device="auto": None),  # another name
        ("train", lambda series, net, *, device="auto": None),  # another order
        ("train", lambda net, series, device="auto": None),  # another kind
        ("train", lambda net, series, *, device="cpu": None),  # another default
        ("fold", lambda values: None),  # a function more
        ("Model", Renamed),
        ("Model", More),
    ],
)
def test_a_difference_is_found(name: str, value: Any) -> None:
    assert differences(tampered(), tampered()) == []
    assert len(differences(tampered(), tampered((name, value)))) == 1
    assert len(differences(tampered((name, value)), tampered())) == 1


def test_another_order_of_the_functions_is_found() -> None:
    other = ModuleType("tampered")
    for name, value in reversed(vars(tampered()).items()):
        setattr(other, name, value)
    assert differences(tampered(), other)
