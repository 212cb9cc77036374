"""What is raised before `fit`: an error that scikit-learn's tools know too, in a process that has loaded them."""

import sys
from typing import Any


class NotFittedError(ValueError, AttributeError):
    """The detector must be fitted first.

    >>> from twinvae import NotFittedError
    >>> from vae_jax import VAEDetector
    >>> try:
    ...     VAEDetector().predict([1.0, 2.0, 3.0])
    ... except NotFittedError as error:
    ...     print(error)
    this detector is not fitted: call fit first
    """

    def __reduce__(self) -> Any:
        return not_fitted, self.args  # another process may or may not have loaded scikit-learn


def not_fitted(message: str) -> NotFittedError:
    """The error to raise. It is scikit-learn's own `NotFittedError` as well if that is loaded.

    scikit-learn is not imported for it: who catches its error has imported it.
    """
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", None)
    if theirs is None:
        return NotFittedError(message)
    both = type(
        NotFittedError.__name__, (NotFittedError, theirs), {"__module__": __name__, "__doc__": NotFittedError.__doc__}
    )
    error: NotFittedError = both(message)
    return error
