"""A fitted model: all that scoring needs, and how it was made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int8

from twinvae.config import Config, Kind, chosen_anew
from twinvae.files.out_of_core import by_rows
from twinvae.network.parameters import Parameters
from twinvae.scoring.event_rate import EventRate
from twinvae.scoring.expected_rate import Threshold
from twinvae.scoring.formulas import Calibration
from twinvae.scoring.kinds import SCORES
from twinvae.series.scaling import Scaler


@dataclass(frozen=True, eq=False)
class Model:
    """What `VAEDetector.fit` makes and what a file of `VAEDetector.save` holds.

    >>> import numpy as np
    >>> from vae_jax import VAEDetector
    >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
    >>> model = VAEDetector(window=24, epochs=5).fit(normal).model_
    >>> model.config.window, model.channels, sorted(model.parameters)[:2]
    (24, ('0',), ['decoder.bias', 'decoder.weight'])
    """

    preset: str
    overrides: Mapping[str, Any]  # the hyperparameters that were given, in place of the preset's
    seed: int
    config: Config
    channels: tuple[str, ...]
    parameters: Parameters
    scaler: Scaler
    thresholds: dict[str, float]  # of each kind of score, and of a single window
    calibration: Calibration
    times: float = 1.0  # the thresholds that the fit has set, but for what the margin says
    event_rate: EventRate | None = None  # if a rate of false events was asked for, of a release that keeps it

    def at(self, times: float, **rules: Any) -> Self:
        """The same model with so many times its thresholds, and other rules of events where some are named.

        Where a margin sets the thresholds, it is so many times itself; else `times` is.

        Raises:
            TypeError, ValueError: if a rule or the factor is not fit for use.
        """
        thresholds, chosen = {kind: times * value for kind, value in self.thresholds.items()}, chosen_anew(**rules)
        config, overrides = replace(self.config, **chosen), {**self.overrides, **chosen}
        if config.threshold in ("maximum", "fenced") and not config.false_events:
            config, times = replace(config, margin=times * config.margin), 1.0
        return replace(self, config=config, overrides=overrides, times=times * self.times, thresholds=thresholds)

    def threshold_of(self, kind: Kind) -> Threshold:
        """The threshold of a score, with what is known of it."""
        return Threshold(self.config, kind, self.thresholds[kind], self.times, self.event_rate)

    def alarms(self, scores: Float[np.ndarray, " time"], kind: Kind) -> Int8[np.ndarray, " time"]:
        """1 where a score of this kind is strictly above its threshold, else 0."""
        with np.errstate(over="ignore"):  # of a threshold that float32 cannot hold: nothing exceeds it
            alarms = by_rows(lambda part: (part > self.thresholds[kind]).astype(np.int8), scores)
        if SCORES[kind].only_past:  # no window ends at the first steps
            alarms[: self.config.window - 1] = 0
        return alarms
