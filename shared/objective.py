"""The training objective, written once against the array API standard (see `shared.windows`)."""

from types import ModuleType
from typing import Any

from jaxtyping import Float


def divergence(
    mean: Float[Any, "batch latent"], log_variance: Float[Any, "batch latent"], xp: ModuleType
) -> Float[Any, " batch"]:
    """KL divergence of each posterior N(mean, exp(log_variance)) from N(0, 1), in nats.

    `sum(0.5 * (exp(log_variance) + mean**2 - 1 - log_variance))` over the latent dimensions: Kingma and Welling
    2014, appendix B.
    """
    return 0.5 * xp.sum(xp.exp(log_variance) + mean * mean - 1.0 - log_variance, axis=1)


def loss_terms(
    x: Float[Any, "batch feature"],
    x_hat: Float[Any, "batch feature"],
    mean: Float[Any, "batch latent"],
    log_variance: Float[Any, "batch latent"],
    weights: Float[Any, " batch"],
    xp: ModuleType,
) -> tuple[Float[Any, ""], Float[Any, ""]]:
    """The squared error and the KL divergence, each summed over the batch with the windows' weights.

    The loss is `squared error + beta * KL`, the negative evidence lower bound of a decoder with unit variance
    up to a constant and a factor 2 (which `beta = 2` matches), as in Higgins et al. 2017, equation 4.
    """
    error = x - x_hat
    squared = xp.sum(weights * xp.sum(error * error, axis=1))
    return squared, xp.sum(weights * divergence(mean, log_variance, xp))
