"""The shape of the network and how it reads its windows: all that a compiled program depends on."""

from dataclasses import dataclass
from typing import Self

from twinvae.config import Config, DType


@dataclass(frozen=True)
class Net:
    """The sizes of a network, its precision, and what it does to a window before it reads it.

    It can be hashed: a backend compiles one program for each `Net` (and, for training, each beta and learning rate).
    """

    window: int  # time steps in a window
    channels: int
    hidden: int  # units of each of the two hidden layers
    latent: int
    dtype: DType
    centred: bool  # each channel of a window loses its mean
    masked: bool  # NaN is a missing value that is left out; a program without masks is faster and refuses none

    @classmethod
    def of(cls, config: Config, channels: int, *, masked: bool = False) -> Self:
        """The network that a configuration describes, for series of this many channels.

        `masked` says that the series at hand has missing values. They are left out only with `missing="mask"`: every
        other setting has filled or refused them before a network sees the series.
        """
        return cls(
            config.window, channels, config.hidden_dim, config.latent_dim, config.dtype,
            centred=config.centring == "window", masked=masked and config.missing == "mask",
        )  # fmt: skip

    @property
    def features(self) -> int:
        """The number of values in a window, which the network takes as one vector."""
        return self.window * self.channels
