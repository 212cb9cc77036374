"""The variational autoencoder as a Flax NNX module, and its loss."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from twinvae.network.net import Net
from twinvae.network.objective import filled, loss_terms, seen
from twinvae.network.parameters import Parameters
from vae_jax._product import product

State = dict[str, dict[str, Float[Array | np.ndarray, "..."]]]  # layer -> kernel (inputs, outputs) and bias


class VAE(nnx.Module):
    """features -> hidden (ReLU) -> mean and log-variance of the latent; latent -> hidden (ReLU) -> features.

    Kingma and Welling 2014, with a Gaussian posterior of diagonal covariance. Every product is in the full
    precision of its arguments.
    """

    def __init__(self, features: int, hidden: int, latent: int, *, rngs: nnx.Rngs) -> None:
        def linear(inputs: int, outputs: int) -> nnx.Linear:
            return nnx.Linear(inputs, outputs, precision="highest", dot_general=product, rngs=rngs)

        self.encoder = linear(features, hidden)
        self.posterior = linear(hidden, 2 * latent)
        self.decoder = linear(latent, hidden)
        self.output = linear(hidden, features)

    def encode(
        self, x: Float[Array, "batch feature"]
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and log-variance of the posterior of each window."""
        mean, log_variance = jnp.split(self.posterior(nnx.relu(self.encoder(x))), 2, axis=-1)
        return mean, log_variance

    def decode(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch feature"]:
        """The reconstruction of each latent point."""
        reconstruction: Array = self.output(nnx.relu(self.decoder(z)))
        return reconstruction

    def __call__(
        self, x: Float[Array, "batch feature"], noise: Float[Array, "batch latent"]
    ) -> tuple[Float[Array, "batch feature"], Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Reconstruction from a draw of the posterior, and the posterior's mean and log-variance."""
        mean, log_variance = self.encode(x)
        return self.decode(sample(mean, log_variance, noise)), mean, log_variance


def sample(
    mean: Float[Array, "batch latent"],
    log_variance: Float[Array, "batch latent"],
    noise: Float[Array, "batch latent"] | Float[Array, " latent"],
) -> Float[Array, "batch latent"]:
    """The reparameterised draw: `mean + exp(log_variance / 2) * noise`."""
    return mean + jnp.exp(0.5 * log_variance) * noise


def loss(
    net: Net,
    model: Callable[..., tuple[Array, Array, Array]],
    windows: Float[Array, "batch window channel"],
    weights: Float[Array, " batch"],
    noise: Float[Array, "batch latent"],
    beta: float | Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, " term"]]:
    """The loss of one batch, and its terms: squared error and KL of each dimension, summed over the batch."""
    x = seen(windows, net, jnp)[0].reshape(len(windows), -1)
    x, observed = filled(x, jnp) if net.masked else (x, None)
    squared, divergence = loss_terms(x, *model(x, noise), weights, jnp, observed)
    terms = jnp.concatenate([squared.reshape(1), divergence])
    return squared + beta * divergence.sum(), terms


def to_state(parameters: Parameters) -> State:
    """The parameters as NNX names and orients them: kernels are transposed weights."""
    layers = dict.fromkeys(name.split(".")[0] for name in parameters)
    return {layer: {"kernel": parameters[f"{layer}.weight"].T, "bias": parameters[f"{layer}.bias"]} for layer in layers}


def from_state(state: State) -> Parameters:
    """The inverse of `to_state`, on the host."""
    result: Parameters = {}
    for layer, arrays in state.items():
        result[f"{layer}.weight"] = np.ascontiguousarray(np.asarray(arrays["kernel"]).T)
        result[f"{layer}.bias"] = np.array(arrays["bias"])
    return result


@functools.lru_cache(64)
def abstract(net: Net) -> VAE:
    """The module with shapes in place of arrays: nothing is drawn or computed."""
    model: VAE = nnx.eval_shape(lambda: VAE(net.features, net.hidden, net.latent, rngs=nnx.Rngs(0)))
    return model


def build(net: Net, state: State) -> VAE:
    """The module that holds these arrays. Inside `jax.jit` this costs nothing at run time."""
    graph, variables = nnx.split(abstract(net))
    nnx.replace_by_pure_dict(variables, state)
    model: VAE = nnx.merge(graph, variables)
    return model
