"""The random streams of a seed, by name: each use of randomness has a generator of its own.

So both backends draw the same numbers, and a change of how many one stream gives leaves the others as they are.
"""

from typing import Literal, get_args

import numpy as np

Stream = Literal["initial", "shuffles", "noise", "draws"]  # initial parameters; of training; latent draws of a score
STREAMS: tuple[Stream, ...] = get_args(Stream)  # their order is part of what a seed means: add at the end


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """A new generator at the start of a seed's stream."""
    return np.random.default_rng([seed, STREAMS.index(stream)])
