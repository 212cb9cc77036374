"""The JAX backend: the functions of `twinvae.network.backend.Backend`."""

from vae_jax.runtime import lanes
from vae_jax.score import bind, encode, statistics
from vae_jax.train import train, train_together

__all__ = ["bind", "encode", "lanes", "statistics", "train", "train_together"]
