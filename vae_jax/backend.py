"""The JAX backend: the functions of `twinvae.network.backend.Backend`."""

from vae_jax.runtime import lanes
from vae_jax.score import bind, encode, prepare, statistics
from vae_jax.train import gradient, train, train_together

__all__ = ["bind", "encode", "gradient", "lanes", "prepare", "statistics", "train", "train_together"]
