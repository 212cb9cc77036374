"""The random streams of a seed."""

import numpy as np

from twinvae.network.seeds import STREAMS, generator


def test_the_numbers_of_a_stream_are_those_that_saved_models_were_made_with() -> None:
    assert list(STREAMS) == ["initial", "shuffles", "noise", "draws"]
    for index, stream in enumerate(STREAMS):
        assert generator(7, stream).random(3).tolist() == np.random.default_rng([7, index]).random(3).tolist()


def test_streams_and_seeds_differ_and_start_anew() -> None:
    first = {(seed, stream): generator(seed, stream).random() for seed in (0, 1) for stream in STREAMS}
    assert len(set(first.values())) == 2 * len(STREAMS)
    assert generator(0, "noise").random() == first[0, "noise"]
