"""The PyTorch backend: the functions of `shared.backend.Backend`."""

from vae_torch.score import bind, encode, prepare, statistics
from vae_torch.train import gradient, train

__all__ = ["bind", "encode", "gradient", "prepare", "statistics", "train"]
