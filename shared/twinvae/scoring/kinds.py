"""The kinds of score: the one table of them, and how a score is computed for a series.

A new kind of score is a function in `formulas`, a row in `SCORES`, and its name in `twinvae.config.Kind`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

from twinvae.config import Kind, Scaling
from twinvae.files.out_of_core import TimeByChannel, by_rows, has_missing, kept
from twinvae.network.backend import Statistic
from twinvae.scoring import formulas
from twinvae.scoring.formulas import (
    ENSEMBLE,
    Averaged,
    Calibration,
    Formula,
    Statistics,
    average,
    averaged,
    durations_of,
    known_mean,
)
from twinvae.scoring.gap_errors import evened
from twinvae.scoring.neighbours import View, own_starts, with_distances
from twinvae.series.gaps import interpolate, neighbours
from twinvae.windowing.geometry import fully_covered

Name = TypeVar("Name")


@dataclass(frozen=True)
class Score:
    """A kind of score. The table in the docs is made of `help` and `suits`."""

    kind: Kind
    statistics: tuple[Statistic, ...]  # what a backend computes for it
    of: Formula
    help: str  # the score at time t
    suits: str  # what to take it for
    unit: str = "squared error"
    only_past: bool = False  # whether it looks at nothing after t
    averages: tuple[Averaged, ...] = ()  # of errors over the durations of the calibration, of which it is made
    views: tuple[View, ...] = ()  # of a window that are compared with those of training windows

    @property
    def averaged(self) -> bool:
        """Whether it averages errors over the durations of the calibration."""
        return bool(self.averages)

    @property
    def ends_by_steps(self) -> bool:
        """Whether the errors of single steps say where its events end, since they know what comes after it."""
        return self.averaged and not self.only_past

    def axis(self, scaling: Scaling) -> str:
        """What the axis of a picture says: the unit of the score of a series with this scaling."""
        of_errors = self.unit == "squared error" and scaling == "standard"
        return f"{self.unit} (training deviations)" if of_errors else self.unit

    def counted(self, length: int, window: int) -> slice:
        """The steps of a series that calibration counts: away from the ends, where fewer windows cover a step."""
        return slice(window - 1, length) if self.only_past else fully_covered(length, window)

    def smear(self, window: int, calibration: Calibration) -> int:
        """How many steps away from an anomaly the score may still be raised: by the windows and averages it is in."""
        windows = 2 if "residual" in self.views else 1  # windows of what the windows have made of a step
        averages = (max(durations_of(kind, calibration.durations)) for kind in self.averages)
        return windows * window + max(averages, default=0)


_TABLE = (
    Score(
        "point", ("point",), formulas.point,
        "the squared error at t, averaged over all windows that cover t",
        "exact places",
    ),
    Score(
        "reconstruction", ("reconstruction",), formulas.reconstruction,
        "the squared difference of the value and the average drawing (the expected value in pictures)",
        "short spikes, one clean event",
    ),
    Score(
        "window", ("window",), formulas.window,
        "the mean squared error of whole windows, averaged over those that cover t",
        "long or contextual anomalies",
    ),
    Score(
        "causal", ("causal",), formulas.causal,
        "the squared error of the newest point of the window that ends at t: knows no future",
        "live data",
        only_past=True,
    ),
    Score(
        "trailing", ("causal",), formulas.trailing,
        "the `causal` error averaged over the last 1, 16 and 64 steps up to t, each average over its largest in "
        "training; the mean of the squares: knows no future",
        "live data, anomalies of unknown length",
        unit="(error / largest training error)²",
        only_past=True,
        averages=("trailing",),
    ),
    Score(
        "multiscale", ("point",), formulas.multiscale,
        "the `point` error averaged over 1, 16, 64 and 256 steps around t, each average over its largest in training; "
        "the mean of the squares",
        "anomalies of unknown length",
        unit="(error / largest training error)²",
        averages=("multiscale",),
    ),
    Score(
        "causal_multiscale", ("causal",), formulas.causal_multiscale,
        "the `causal` error averaged over 1, 16, 64 and 256 steps around t, each average over its largest in training; "
        "the mean of the squares",
        "joins and jumps that look familiar once their end is known",
        unit="(error / largest training error)²",
        averages=("causal_multiscale",),
    ),
    Score(
        "neighbour", (), formulas.neighbour,
        "how far the shape of the windows that cover t is from the nearest training window, whatever their level and "
        "height; averaged as `multiscale`",
        "a beat or a cycle of another form",
        unit="(distance / largest in training)⁴",
        averages=("neighbour",),
        views=("shape",),
    ),
    Score(
        "residual", ("reconstruction",), formulas.residual,
        "how far what the network leaves of the windows that cover t is from what it left of any training window; "
        "averaged as `multiscale`",
        "series that are drawn with errors which are normal for them",
        unit="(distance / largest in training)⁴",
        averages=("residual",),
        views=("residual",),
    ),
    Score(
        "ensemble", ("point", "causal", "reconstruction"), formulas.ensemble,
        "the geometric mean of `multiscale`, `causal_multiscale` and `residual`, raised by the fourth root of "
        "1 + `neighbour`, each over its largest in training",
        "anomalies of unknown kind and length: the default",
        unit="share of the largest in training",
        averages=ENSEMBLE,
        views=("residual", "shape"),
    ),
    Score(
        "probability", ("point",), formulas.probability,
        "the reconstruction probability (An and Cho 2015) as a negative logarithm: half the `point` error over each "
        "channel's mean squared error in training",
        "channels of unequal noise: a small error of a quiet one counts",
        unit="nats per value",
    ),
    Score(
        "divergence", ("divergence",), formulas.divergence,
        "the mean KL divergence of the windows that cover t: how far the latent space goes to describe them",
        "series that are drawn well even where they are unusual",
        unit="nats",
    ),
)  # fmt: skip
SCORES: dict[Kind, Score] = {score.kind: score for score in _TABLE}


def averages_over_time(kind: Kind) -> bool:
    """Whether a score looks at many steps at once: then normal data have few independent ones, and keep no rate of
    steps (`docs/thresholds.md`)."""
    return SCORES[kind].averaged or kind in ("window", "divergence")


def of_stream(kind: Kind) -> Kind:
    """The score of a stream whose model scores series by this kind: averages of the past in the place of averages."""
    return "trailing" if SCORES[kind].averaged else "causal"


def known_kinds(calibration: Calibration) -> tuple[Kind, ...]:
    """The kinds of score that a calibration has what it takes for; those of earlier releases know fewer."""
    return tuple(
        score.kind for score in _TABLE
        if calibration.largest.keys() >= set(score.averages) and (calibration.memory is not None or not score.views)
    )  # fmt: skip


def statistics_of(*kinds: Kind) -> tuple[Statistic, ...]:
    """The statistics that scores of these kinds are made of, each once."""
    return _each(name for kind in kinds for name in SCORES[kind].statistics)


def contributions(
    kind: Kind, series: TimeByChannel, statistics: Mapping[str, np.ndarray], window: int, calibration: Calibration
) -> TimeByChannel:
    """Computes the score of each channel at each time step; the mean over the channels is the score of the step.

    `statistics` holds the results of `series_statistics` of the names `SCORES[kind].statistics`, `series` is scaled.
    Distances from training windows (`SCORES[kind].views`) are computed unless they are among the statistics.
    """
    return contributions_of(SCORES[kind], series, statistics, window, calibration)


def contributions_of(
    score: Score, series: TimeByChannel, statistics: Mapping[str, np.ndarray], window: int, calibration: Calibration
) -> TimeByChannel:
    """The contributions to any score, one of the table or not.

    Means are over the values that are not missing (NaN in `series`; divergence: a window counts by how many it has). A
    missing value gets the score of its neighbours, interpolated in time (causal: the last one before it). It is NaN
    where no window that the score is made of holds a value of the channel: further than W - 1 steps from any (causal:
    after the last one). Errors count less where windows have few values (`calibration.excess`).
    """
    ((_, result),) = contributions_of_each([score], series, statistics, window, calibration)
    return result


def contributions_of_each(
    scores: Sequence[Score],
    series: TimeByChannel,
    statistics: Mapping[str, np.ndarray],
    window: int,
    calibration: Calibration,
) -> Iterator[tuple[Kind, TimeByChannel]]:
    """The contributions to each of several scores; what they share is computed once."""
    gaps, used = has_missing(series), statistics
    views = _each(view for score in scores for view in score.views if view not in statistics)
    if calibration.memory is not None and views:
        origin = own_starts(calibration.memory, series, window)
        used = with_distances(views, series, statistics, window, calibration.memory, origin)
    excess = calibration.excess if gaps else None
    if excess is not None:
        names = _each(name for score in scores for name in (*score.statistics, *score.views))
        errors = [name for name in names if name != "reconstruction"]  # that is no error
        used = {**used, **{name: evened(name, used[name], series, window, excess) for name in errors}}
    kinds = _each(kind for score in scores for kind in score.averages)
    used = {**used, **{average(kind): averaged(kind, used, series, window, calibration) for kind in kinds}}
    for score in scores:
        result = score.of(used, series, window, calibration)
        if excess is not None and score.kind == "reconstruction":
            result = evened("reconstruction", result, series, window, excess)
        if gaps:
            result = by_rows(np.copy, result) if any(result is one for one in used.values()) else result
            _fill_gaps(result, by_rows(lambda part: ~np.isnan(part), series), window, only_past=score.only_past)
        yield score.kind, result


def _each(names: Iterable[Name]) -> tuple[Name, ...]:
    """The names in their order, each once."""
    return tuple(dict.fromkeys(names))


def _fill_gaps(
    scores: TimeByChannel, observed: Bool[np.ndarray, "time channel"], window: int, *, only_past: bool
) -> None:
    """Puts scores where a value is missing, and NaN where none is near; in place."""
    length, channel = len(scores), np.arange(scores.shape[1])
    if only_past:  # the steps before the first window ends are known in every series
        for rows, last, _ in neighbours(by_rows(lambda part: ~np.isnan(part), scores)):
            scores[rows] = scores[last, channel]
    else:
        interpolate(scores, observed)
    for rows, last, first in neighbours(observed):
        step = np.arange(rows.start, rows.stop)[:, None]
        far = (last < 0) | (step - last >= window)
        if only_past:
            far &= step >= window - 1
        else:
            far &= (first == length) | (first - step >= window)
        scores[rows][far] = np.nan


def unaveraged(
    series: TimeByChannel, statistics: Statistics, window: int, calibration: Calibration
) -> Float[np.ndarray, " time"]:
    """The multiscale score from the error of each step alone, its shortest duration, with 0 where it is not known."""
    shortest = calibration._replace(
        durations=calibration.durations[:1], largest={"multiscale": calibration.largest["multiscale"][:1]}
    )
    scores = mean_over_channels(contributions("multiscale", series, statistics, window, shortest))
    return by_rows(lambda part: np.nan_to_num(part, nan=0.0), scores)


def mean_over_channels(contributions: TimeByChannel) -> Float[np.ndarray, " time"]:
    """The score: the mean over the channels whose part is known (not NaN); NaN where none is.

    Of one channel it is a view.
    """
    return contributions[:, 0] if contributions.shape[1] == 1 else by_rows(known_mean, contributions)


def known_only(scores: Float[np.ndarray, " time"]) -> Float[np.ndarray, " n"]:
    """The scores that are not NaN."""
    return kept(scores, by_rows(lambda part: ~np.isnan(part), scores)) if has_missing(scores) else scores
