"""What a framework compiled and what it found in its cache on disk, as it reports itself."""

import sys
import time
from dataclasses import dataclass
from typing import Any

from twinvae.files.cache import cache_folder


@dataclass
class Counts:
    """How many programs were compiled or fetched, and the hits and misses of the cache."""

    programs: int = 0
    hits: int = 0
    misses: int = 0

    def since(self, before: "Counts") -> "Counts":
        return Counts(
            self.programs - before.programs,
            self.hits - before.hits,
            self.misses - before.misses,
        )


class Watch:
    """Counts what is compiled from its construction on. For JAX it must be made before anything is compiled."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.jax = Counts()
        self.begin, self.packages = time.time(), _packages()
        if backend == "jax":
            from jax import monitoring

            monitoring.register_event_duration_secs_listener(self._duration)
            monitoring.register_event_listener(self._event)

    def now(self) -> Counts:
        if self.backend == "jax":
            return Counts(self.jax.programs, self.jax.hits, self.jax.misses)
        counts, packages = _torch(), _packages()
        counts.misses += len(packages.keys() - self.packages.keys())
        # A package that is used is touched.
        counts.hits += sum(packages.get(name, 0.0) >= self.begin for name in self.packages)
        counts.programs += len(packages.keys() - self.packages.keys())
        return counts

    def _duration(self, event: str, duration_secs: float, **_: Any) -> None:
        del duration_secs
        self.jax.programs += event == "/jax/core/compile/backend_compile_duration"

    def _event(self, event: str, **_: Any) -> None:
        self.jax.hits += event == "/jax/compilation_cache/cache_hits"
        self.jax.misses += event == "/jax/compilation_cache/cache_misses"


def _torch() -> Counts:
    if "torch._dynamo.utils" not in sys.modules:  # nothing can have been compiled, and importing it takes a second
        return Counts()
    from torch._dynamo.utils import counters

    inductor, autograd = counters["inductor"], counters["aot_autograd"]
    return Counts(
        counters["stats"]["unique_graphs"],
        inductor["fxgraph_cache_hit"] + autograd["autograd_cache_hit"],
        inductor["fxgraph_cache_miss"],
    )


def _packages() -> dict[str, float]:
    """The programs of whole chunks that lie in twinvae's cache folder, and when each was last used."""
    folder = cache_folder()
    return {} if folder is None else {path.name: path.stat().st_mtime for path in (folder / "torch").glob("*.pt2")}
