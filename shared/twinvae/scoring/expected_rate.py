"""How many false events to expect of a threshold: measured for some scores, read from tails where a rate was asked for.

`docs/thresholds.md` has what was counted. The numbers here are those of the half of the series on which things are
chosen, made to fall with the threshold; those of the other half stand beside them there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from twinvae.config import Config, Kind
from twinvae.process.settings import Rate
from twinvae.scoring.event_rate import FARTHEST, EventRate, how_sure
from twinvae.scoring.kinds import averages_over_time
from twinvae.scoring.threshold import NOT_KEPT

MARGIN = 3.0  # at which a threshold was measured as it is, and at so many times it:
TIMES = (0.25, 0.354, 0.5, 0.707, 1.0, 1.41, 2.0, 2.83, 4.0, 5.66, 8.0, 11.3, 16.0)
SEARCH = "search"
MEASURED: Mapping[str, Sequence[float]] = {  # false events in 10,000 normal steps, as far as there were a few
    "ensemble": (14.0, 4.7, 1.6, 0.54, 0.48, 0.43, 0.25, 0.25, 0.25, 0.16),
    "multiscale": (22.0, 5.3, 1.3, 0.59, 0.43, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25),
    "causal": (33.0, 7.1, 2.5, 1.5, 1.0, 0.43, 0.43, 0.38, 0.22),
    "trailing": (28.0, 7.5, 3.9, 2.1, 1.6, 1.3, 1.3, 1.2, 1.2, 0.86, 0.65, 0.65, 0.48),
    SEARCH: (34.0, 18.0, 6.0, 1.7, 1.0),  # the last: 10 in 113,555 without the synthetic series, 0.6 with them
}
UNKNOWN = "an unknown number in 10,000 normal rows to begin a false alarm"


class ExpectedEvents(NamedTuple):
    """The false events that a threshold lets normal rows begin.

    `sure` is "measured", "at least" or "at most" (beyond what was measured), "unknown", or says within which factor a
    rate is kept that was asked for.
    """

    rate: float | None  # in 10,000 time steps
    sure: str
    words: str  # what to expect, for the end of a sentence
    option: str | None = None  # of the command, that makes the threshold so

    def among(self, rows: int) -> str:
        """How many false alarms so many normal rows begin."""
        if self.rate is None:
            return "an unknown number of false alarms"
        return f"{about(self.sure)} {roughly(self.rate * rows / 1e4)} false alarms"


@dataclass(frozen=True)
class Threshold:
    """The threshold of a score, and the rule that has set it."""

    config: Config
    kind: Kind
    value: float
    times: float = 1.0  # what the rule has set
    known: EventRate | None = None  # of a fit that was asked for a rate of false events, and keeps it

    @property
    def expected(self) -> ExpectedEvents:
        """How many false events to expect of it, and the option that makes it so."""
        if self.is_rated:
            return self._by_rate
        margin = self._margin
        option = None if margin is None or self.config.false_events else f"--margin {_exactly(margin)}"
        if margin is None or self.kind not in MEASURED:
            return ExpectedEvents(None, "unknown", UNKNOWN, option)
        return measured(self.kind, margin / MARGIN)._replace(option=option)

    @property
    def in_words(self) -> str:
        """What it is, how many false alarms to expect of it, and what would change it."""
        expected, threshold = self.expected.words, f"the threshold {self.value:.4g}"
        if self.is_rated and self.keeps_rate:
            return (
                f"{threshold} lets normal rows like those fitted on begin {self.config.false_events} false alarms, "
                "within a factor of 3 to 10; another rate changes that"
            )
        rule, change = self._rule
        return f"{threshold} is {rule}; expect {expected}; {change}"

    @property
    def keeps_rate(self) -> bool:
        """Whether it is the threshold that its rule has set, which may name a rate."""
        return f"{self.times:.9g}" == "1"

    @property
    def is_rated(self) -> bool:
        """Whether a rate of false events has set it; one that was asked for may be too rare for a score's tail."""
        return bool(self.config.false_events) and (self.known is None or self.kind in self.known.tails)

    @property
    def _margin(self) -> float | None:
        """So many times the largest score; None if another rule decides."""
        return self.times * self.config.margin if self.config.threshold in ("maximum", "fenced") else None

    @property
    def _rule(self) -> tuple[str, str]:
        """What it is, and what would change it."""
        config, margin = self.config, self._margin
        if self.is_rated:
            return f"{self.times:.4g} times the one for {config.false_events} false alarms", "another rate changes that"
        if margin is not None:
            aside = ", outliers aside" if config.threshold == "fenced" else ""
            return f"{margin:g} times the largest score fitted on{aside}", "a lower margin finds more"
        rule, change = {
            "quantile": (f"the {config.quantile:g} quantile of the scores fitted on", "another quantile changes that"),
            "robust": (
                f"{config.mad_factor:g} robust deviations above the median score fitted on", "mad_factor changes that",
            ),
            "pot": (
                f"what {config.false_alarm_rate:g} of normal steps should exceed", "false_alarm_rate changes that",
            ),
        }[config.threshold]  # fmt: skip
        if config.threshold in ("quantile", "pot") and averages_over_time(self.kind):
            rule = NOT_KEPT
        return rule if self.keeps_rate else f"{self.times:.4g} times {rule}", change

    @property
    def _by_rate(self) -> ExpectedEvents:
        """What the tails of the scores fitted on say; without them, what was asked for."""
        known, text = self.known, "".join(self.config.false_events.split())
        asked = Rate.of(text)
        assert asked is not None
        if known is None and not self.keeps_rate:
            return ExpectedEvents(None, "unknown", UNKNOWN)
        if known is None:  # of an earlier release
            a_step, sure = asked.a_step(None), "within a factor of 3 to 10"
        elif self.keeps_rate:
            a_step, sure = known.asked, how_sure(known.steps(self.kind), known.asked)
        else:
            a_step, sure = _by_tails(known, self.kind, self.value)
            text = Rate.scaled(text, a_step / known.asked)
        option = f"--false-alarms {text}" if about(sure) == "about" else None
        return ExpectedEvents(None if a_step is None else 1e4 * a_step, sure, _of_rows(text, sure), option)


def _by_tails(known: EventRate, kind: Kind, value: float) -> tuple[float, str]:
    """The false events a step that a threshold lets begin, and how sure that is."""
    rate, steps = known.rate(kind, value), known.steps(kind)
    if known.is_below(kind, value):
        return rate, "at least"
    return (rate, how_sure(steps, rate)) if rate * steps >= FARTHEST else (FARTHEST / steps, "at most")


def measured(name: str, times: float) -> ExpectedEvents:
    """What was measured of a score, or of a search, at so many times its threshold; between, by logarithms."""
    rates = MEASURED[name]
    known = TIMES[: len(rates)]
    rate = float(np.exp(np.interp(np.log(times), np.log(known), np.log(rates))))
    sure = "at least" if times < known[0] else "at most" if times > known[-1] else "measured"
    words = f"{about(sure)} {roughly(rate)} in 10,000 normal rows to begin a false alarm"
    return ExpectedEvents(rate, sure, words)


def _of_rows(text: str, sure: str) -> str:
    within = "" if about(sure) == sure else f", {sure}"
    return f"normal rows like those fitted on to begin {about(sure)} {text} false alarms{within}"


def _exactly(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def about(sure: str) -> str:
    """The word before a number that is known like this."""
    return sure if sure in ("at least", "at most") else "about"


def roughly(rate: float) -> str:
    """A number to one digit that counts: the events that were counted say no more."""
    return f"{Decimal(f'{rate:.1g}'):f}"
