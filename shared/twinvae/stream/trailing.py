"""What a stream scores by: averages of its last errors, as `formulas.trailing` has them of a series."""

import numpy as np
from jaxtyping import Float

from twinvae.config import Kind
from twinvae.model.model import Model
from twinvae.process.notices import warn
from twinvae.scoring.formulas import Calibration, durations_of
from twinvae.scoring.kinds import of_stream

EARLIER = "an earlier release has fitted this model: its stream scores each point alone (causal); fit it again for more"


def kind_of(model: Model) -> Kind:
    """The score of a stream of this model. Warns where an earlier release has fitted it and knew no averages."""
    kind = of_stream(model.config.kind)
    if kind in model.thresholds:
        return kind
    warn(EARLIER)
    return "causal"


class TrailingAverages:
    """The last errors of each channel, as many as the longest duration has steps, which each step averages anew: no sum
    is carried on, so no rounding of a huge error outlasts it.
    """

    def __init__(self, calibration: Calibration, draws: int) -> None:
        """Each latent draw, if there are some, has averages of its own: the score is the mean of theirs."""
        durations = durations_of("trailing", calibration.durations)
        self._longest = max(durations)
        ages = np.arange(self._longest)[::-1]
        self._counted = np.array([ages < duration for duration in durations], np.float64)  # duration, step
        self._weights = self._counted / np.array(durations)[:, None]
        self._draws, columns = draws, max(draws, 1)
        self._scale = np.tile(1.0 / np.asarray(calibration.largest["trailing"], np.float64), columns)
        self._equal = np.full(len(durations), 1 / len(durations))
        self._warm_up = np.tile(np.asarray(calibration.warm_up, np.float64), columns)
        self._errors = np.empty((2 * self._longest, len(self._warm_up)))  # each twice, so that the last are a slice
        self.clear()

    def clear(self) -> None:
        """Forgets all errors: those before the first are those of the warm-up."""
        self._errors[:] = self._warm_up
        self._row = 0  # that of the oldest error
        self._lacking = 0  # for how many steps more some error is not known

    def add(self, errors: Float[np.ndarray, "*draw channel"], *, gap: bool) -> Float[np.ndarray, " channel"]:
        """The score of each channel with its next error. With `gap` that of some is not known (NaN): nor is its score.

        What is not known is left out of the averages of the steps after it.
        """
        row, self._row = self._row, (self._row + 1) % self._longest
        self._errors[row] = self._errors[row + self._longest] = errors.reshape(-1)
        if gap:
            self._lacking = self._longest
        elif self._lacking:
            self._lacking -= 1
        return self.scores()

    def scores(self) -> Float[np.ndarray, " channel"]:
        """The score of each channel: the mean over the durations of (average error / largest in training)**2."""
        errors = self._errors[self._row : self._row + self._longest]
        if self._lacking:
            known = ~np.isnan(errors)
            sums = np.dot(self._counted, np.where(known, errors, 0.0))
            counts = np.dot(self._counted, known.astype(np.float64))
            shares = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        else:
            shares = np.dot(self._weights, errors)
        shares *= self._scale
        shares *= shares
        scores: np.ndarray = np.dot(self._equal, shares)
        return scores.reshape(self._draws, -1).mean(axis=0) if self._draws else scores

    @property
    def last(self) -> Float[np.ndarray, "step column"]:
        """A copy of the last errors, oldest first: all that `restore` needs."""
        return self._errors[self._row : self._row + self._longest].copy()

    def restore(self, last: Float[np.ndarray, "step column"]) -> None:
        """Continues where another has left its last errors."""
        self._row, unknown = 0, np.flatnonzero(np.isnan(last).any(axis=1))
        self._errors[: self._longest] = self._errors[self._longest :] = last
        self._lacking = int(unknown[-1]) + 1 if len(unknown) else 0
