"""The JAX backend: the functions of `shared.backend.Backend`."""

from vae_jax.score import bind, encode, prepare, statistics
from vae_jax.train import gradient, train

__all__ = ["bind", "encode", "gradient", "prepare", "statistics", "train"]
