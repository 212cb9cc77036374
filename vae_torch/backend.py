"""The PyTorch backend: the functions of `twinvae.network.backend.Backend`."""

from vae_torch.runtime import lanes
from vae_torch.score import bind, encode, prepare, statistics
from vae_torch.train import gradient, train, train_together

__all__ = ["bind", "encode", "gradient", "lanes", "prepare", "statistics", "train", "train_together"]
