"""The PyTorch backend: the functions of `twinvae.network.backend.Backend`."""

from vae_torch.runtime import lanes
from vae_torch.score import bind, encode, statistics
from vae_torch.train import train, train_together

__all__ = ["bind", "encode", "lanes", "statistics", "train", "train_together"]
