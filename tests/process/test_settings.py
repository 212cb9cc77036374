"""Settings that are written as text: of channels, and so many of so many steps."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from twinvae.process.settings import (
    AtLeast,
    deviations,
    deviations_text,
    named,
    ranges,
    ranges_text,
)


@pytest.mark.parametrize(
    ("read", "text", "found"),
    [
        (deviations, "0.5", {"": 0.5}),
        (deviations, "a=0.5, b=2e3", {"a": 0.5, "b": 2000.0}),
        (deviations, "flow, in=0.5,b=2", {"flow, in": 0.5, "b": 2.0}),
        (deviations, "a=b=2", {"a=b": 2.0}),
        (deviations, "", {}),
        (ranges, "0:100", {"": (0.0, 100.0)}),
        (ranges, ":-5", {"": (-math.inf, -5.0)}),
        (ranges, "a=-5:5,b=0:", {"a": (-5.0, 5.0), "b": (0.0, math.inf)}),
        (AtLeast.read, "3-of-5", AtLeast(3, 5)),
        (AtLeast.read, "3 of 5", AtLeast(3, 5)),
        (AtLeast.read, "", AtLeast(1, 1)),
    ],
)
def test_it_is_read_as_it_is_meant(read: Callable[[str], Any], text: str, found: Any) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        *((deviations, text, "min_deviation must be like") for text in ("-1", "0", "nan", "a=", "a=1,a=2", "=1", ",")),
        (deviations, "a=1,5", "min_deviation is one for all channels or one for each"),
        *((ranges, text, "valid_range must be like") for text in ("5", "5:1", "1:1", ":", "nan:1", "a=1", "1:2:3")),
        *((AtLeast.read, text, "at_least must be like") for text in ("3", "0-of-5", "3-of-", "3-of-99999")),
        (AtLeast.read, "6-of-5", "6 of 5 steps"),
    ],
)
def test_what_makes_no_sense_is_refused_with_an_example(read: Callable[[str], Any], text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(text)


def test_numbers_of_channels_may_be_given_as_python_has_them() -> None:
    assert deviations_text(0.5) == "0.5"
    assert deviations(deviations_text({"a, b": 1, "c": 2})) == {"a, b": 1.0, "c": 2.0}
    assert ranges(ranges_text({"a": (0, None), "b": [-1, 1]})) == {"a": (0.0, math.inf), "b": (-1.0, 1.0)}
    for wrong in (True, [1, 2, 3], {"a": "much"}, object()):
        with pytest.raises(TypeError, match="min_deviation must be numbers"):
            deviations_text(wrong)
    with pytest.raises(TypeError, match="valid_range must be numbers"):
        ranges_text(5.0)


def test_a_channel_that_is_not_there_is_named_with_those_that_are() -> None:
    assert named({"b": 2.0}, ("a", "b"), 0.0, "min_deviation") == [0.0, 2.0]
    assert named({"": 2.0}, ("a", "b"), 0.0, "min_deviation") == [2.0, 2.0]
    with pytest.raises(ValueError, match="min_deviation names the channel c, the series has a, b"):
        named({"c": 2.0}, ("a", "b"), 0.0, "min_deviation")
