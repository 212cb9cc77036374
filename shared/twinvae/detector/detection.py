"""What a fitted model says of a series: scores, labels, events, and what the model expected."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int, Int8

from twinvae.config import RULES, Config
from twinvae.detector.asked import asked_events
from twinvae.detector.labels import labels_of
from twinvae.detector.scored import Scored
from twinvae.files.out_of_core import by_rows, kept
from twinvae.scoring import rules as alarm_rules
from twinvae.scoring.events import Event, find_events, with_expectation
from twinvae.scoring.expected_rate import ExpectedEvents
from twinvae.scoring.false_alarms import FalseAlarms, asked_rate, false_alarms
from twinvae.scoring.kinds import SCORES, averages_over_time
from twinvae.scoring.neighbours import most_similar
from twinvae.scoring.rules import Kept
from twinvae.scoring.severity import MOST_UNUSUAL, Stretch, nearest_to_events, severity
from twinvae.windowing.intervals import intervals

JUDGE_ALONE = frozenset(RULES) - {"valid_range"}  # the rules that change no score
# What a detection has computed that is the same whatever its threshold is, and what those rules are.
WITHOUT_THRESHOLDS = frozenset({
    "scaled", "too_large", "outside", "contributions", "scores", "expected", "latent", "usual",
    "gap_warnings", "warnings", "_left_out", "_standardised", "_distances_of_shapes", "_own_starts", "_statistics",
    "_net", "_similar",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Detection(Scored):
    """One series and what a fitted model says of it: see `Scored`, and the events that the rules have kept.

    >>> import numpy as np
    >>> from vae_jax import VAEDetector
    >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
    >>> found = VAEDetector(window=24, epochs=5).fit(normal).detect(normal + 5.0 * (np.arange(500) == 250))
    >>> found.scores.shape, found.expected.shape, bool(found.labels[250])
    ((500,), (500, 1), True)
    """

    ignored: tuple[tuple[int, int], ...] = field(default=(), kw_only=True)  # steps [start, end) that have no event

    def at(self, times: float, **rules: Any) -> Self:
        """The same detection with so many times its threshold, and that of every other score, and with other rules of
        events where some are named: `direction`, `min_deviation`, `min_length`, `at_least`. The series is not scored
        again: what does not depend on them is shared.

        Raises:
            TypeError, ValueError: if a rule or the factor is not fit for use.

        >>> import numpy as np
        >>> from vae_jax import VAEDetector
        >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
        >>> found = VAEDetector(window=24, epochs=5).fit(normal).detect(normal + 5.0 * (np.arange(500) == 250))
        >>> [len(found.at(times).events) for times in (1.0, 1e9)], found.at(2.0).threshold == 2.0 * found.threshold
        ([1, 0], True)
        """
        if unknown := rules.keys() - JUDGE_ALONE:
            raise TypeError(f"{min(unknown)} cannot be chosen again once a series is scored")
        other = self._at(times, rules)
        vars(other).update((name, value) for name, value in vars(self).items() if name in WITHOUT_THRESHOLDS)
        return other

    def _at(self, times: float, rules: Mapping[str, Any]) -> Self:
        return replace(self, model=self.model.at(times, **rules))

    def to_html(self, title: str = "series", *, train_rows: int = 0, language: str = "en") -> str:
        """A page to look at: one file of HTML, which needs no other and no network.

        It shows the events and why each is one, the series with what was expected of it, other thresholds, and has
        labels to mark. `train_rows` says how many of the first rows were fitted on; `language` is "en" or "ja".

        Raises:
            ValueError: if there are no words of that language.

        >>> import numpy as np
        >>> from vae_jax import VAEDetector
        >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
        >>> found = VAEDetector(window=24, epochs=5).fit(normal).detect(normal + 5.0 * (np.arange(500) == 250))
        >>> found.to_html("pump").startswith("<!doctype html>")
        True
        """
        from twinvae.detector.shown import shown
        from twinvae.pages.detection import detection_page
        from twinvae.plots.words import LANGUAGES

        if language not in LANGUAGES:
            raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}")
        return detection_page(shown(self, title=title, train_rows=train_rows), LANGUAGES[language])

    @property
    def absent(self) -> list[int]:
        """After which rows the time stamps say that some are absent."""
        return []

    def rows_at(self, steps: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The rows at some steps of the windows, which go on where rows are absent; or the next rows after them."""
        return steps

    @property
    def basis(self) -> str:
        """What the events rest on, how many false alarms to expect, what would change it, and which were left out."""
        parts = [self._rests_on, self._nearness, alarm_rules.in_words(self.dropped)]
        return "; ".join(part for part in parts if part)

    @property
    def _rests_on(self) -> str:
        return self.model.threshold_of(self.kind).in_words

    @property
    def expected_false_events(self) -> ExpectedEvents:
        """How many false events to expect of the threshold, how sure that is, and the option that makes it so.

        >>> import numpy as np
        >>> from vae_jax import VAEDetector
        >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
        >>> found = VAEDetector(window=24, epochs=5).fit(normal).detect(normal)
        >>> found.expected_false_events.words, found.at(2.0).expected_false_events.option
        ('about 0.5 in 10,000 normal rows to begin a false alarm', '--margin 6')
        """
        return self.model.threshold_of(self.kind).expected

    @property
    def highest(self) -> float | None:
        """The highest score, as a share of the threshold; None if no score is known, or the threshold is 0."""
        if not self.threshold > 0 or np.isnan(self.scores).all():
            return None
        return float(np.nanmax(self.scores)) / self.threshold

    @property
    def _nearness(self) -> str:
        """Without any event: how near the highest score comes to the threshold."""
        share = self.highest
        if share is None or share > 1 or self.labels.any():
            return ""
        config = self.model.config
        unreachable = self.is_all_own and config.threshold == "maximum" and config.margin >= 1
        own = ", which no row can exceed, since all of them were fitted on" if unreachable else ""
        return f"the highest score is {share:.2g} of the threshold{own}"

    @cached_property
    def alarms(self) -> Int8[np.ndarray, " time"]:
        """1 where the score is strictly above the threshold, or a value outside its valid range; else 0."""
        return self._and_outside(self._above(self.scores))

    def _above(self, scores: Float[np.ndarray, " time"]) -> Int8[np.ndarray, " time"]:
        """1 where a score is strictly above the threshold, else 0."""
        return self.model.alarms(scores, self.kind)

    @property
    def labels(self) -> Int8[np.ndarray, " time"]:
        """1 where an event covers the time step, else 0."""
        return self._kept.labels

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many events each rule has dropped; those that have dropped none are not named."""
        return self._kept.dropped

    @cached_property
    def events(self) -> list[Event]:
        """The anomalies as intervals of time steps, with their peaks, each channel's share, and why."""
        found, why = self._events(self.labels), self._kept.reasons
        return [replace(event, why=why[event.start] or None) for event in found] if why else found

    @cached_property
    def _kept(self) -> Kept:
        """What the rules leave of the events that are found."""
        config, rules = self.model.config, self.rules
        if not rules.are_on and not self.ignored:
            return Kept(self._found(config), {}, {})
        found = self._and_outside(self._found(replace(config, min_length=1)))
        for start, end in intervals(found, merge_gap=config.merge_gap):
            found[start:end] = 1
        events = find_events(found, self.contributions, self.model.channels)
        deviations = [np.nan] * len(events)
        if events and rules.compares_values:
            known = with_expectation(events, self.model.channels, self.series.values, self.expected)
            deviations = [np.nan if one.value is None else one.value - (one.expected or 0.0) for one in known]
        return alarm_rules.kept(
            rules, events, deviations, self.alarms, self.model.channels, outside=self.outside, ignored=self.ignored
        )

    def _found(self, config: Config) -> Int8[np.ndarray, " time"]:
        """1 where an event covers the time step, before the rules and but for values outside their valid range."""
        model = replace(self.model, config=config)
        return labels_of(
            model, self.kind, self._inside(self.scores), self.scaled, lambda: self._statistics, self.too_large
        )

    def _inside(self, scores: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """The scores, 0 where a value is outside its valid range: such a peak would hide its neighbours."""
        if self.outside is None:
            return scores
        return by_rows(lambda part, out: np.where(out.any(axis=1), part.dtype.type(0), part), scores, self.outside)

    def _and_outside(self, labels: Int8[np.ndarray, " time"]) -> Int8[np.ndarray, " time"]:
        """The labels, and 1 where a value is outside its valid range."""
        if self.outside is None:
            return labels
        return by_rows(lambda part, out: np.maximum(part, out.any(axis=1)), labels, self.outside)

    @cached_property
    def most_unusual(self) -> list[Stretch]:
        """The five most unusual stretches, the highest first: events, or what comes nearest to one.

        Fewer in a short series: what an anomaly may have raised around it is no stretch of its own.
        """
        spans = [(event.start, event.end) for event in self.events]
        nearest = nearest_to_events(self.scores, [*spans, *self.ignored], MOST_UNUSUAL - len(spans), self.smear)
        others = self._events(nearest)
        stretches = [
            Stretch(event, severity(event.score, self.threshold), index < len(spans))
            for index, event in enumerate([*self.events, *others])
        ]
        return sorted(stretches, key=lambda stretch: -stretch.event.score)[:MOST_UNUSUAL]

    def _events(self, labels: Int8[np.ndarray, " time"]) -> list[Event]:
        """What is known of the stretches with these labels."""
        names = self.model.channels
        found = find_events(labels, self.contributions, names)
        if found and self.explained:
            found = with_expectation(found, names, self.series.values, self.expected)
            found = [self._with_similar(event) for event in found]
        if not self.series.on_pandas:
            return found
        stamp = self.series.index
        return [
            replace(e, start_time=stamp[e.start], last_time=stamp[e.end - 1], peak_time=stamp[e.peak]) for e in found
        ]

    @cached_property
    def _similar(self) -> dict[int, tuple[int, float, Float[np.ndarray, "step channel"]]]:
        """What is known by now of the training window that is most like the one at a step."""
        return {}

    def _with_similar(self, event: Event) -> Event:
        """The event with the training window that is most like the window around its peak."""
        window, memory = self.model.config.window, self.model.calibration.memory
        if memory is None:  # a model of an earlier release
            return event
        start = min(max(event.peak - window // 2, 0), len(self.scaled) - window)
        if start not in self._similar:  # at another threshold
            own = self._own_starts is not None
            self._similar[start] = most_similar(self.scaled, start, window, memory, own=own)
        row, distance, drawing = self._similar[start]
        if np.isnan(distance):
            return event
        shift, scale = self.model.scaler
        return replace(
            event, similar_row=row, similar_distance=distance, similar_start=start, similar=drawing * scale + shift
        )

    @cached_property
    def false_alarms(self) -> FalseAlarms:
        """How many alarms and events there are if the series is normal, beside the rate that was asked for.

        As in calibration, the first and the last window are left out where that leaves half of the series.
        """
        judged = SCORES[self.kind].counted(len(self.scores), self.model.config.window)
        known = by_rows(lambda part: ~np.isnan(part), self.scores[judged])
        alarms, config = kept(self.alarms[judged], known) == 1, self.model.config
        rule, events = self.model.threshold_of(self.kind), len(intervals(self.labels[judged]))
        asked = asked_events(config, self.series) if rule.is_rated and rule.keeps_rate else None
        scores = kept(self.scores[judged], known)
        never_kept = averages_over_time(self.kind) or not rule.keeps_rate
        rate = None if never_kept else asked_rate(config)
        return false_alarms(scores, alarms, rate, events, None if asked is None else 1e4 * asked)
