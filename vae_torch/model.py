"""The variational autoencoder as a PyTorch module, and its loss."""

from collections.abc import Callable

import array_api_compat.torch as xp
import torch
from jaxtyping import Float
from torch import Tensor, nn

from twinvae.network.net import Net
from twinvae.network.objective import filled, loss_terms, seen
from twinvae.network.parameters import Parameters

State = dict[str, Float[Tensor, "..."]]


class VAE(nn.Module):
    """features -> hidden (ReLU) -> mean and log-variance of the latent; latent -> hidden (ReLU) -> features.

    Kingma and Welling 2014, with a Gaussian posterior of diagonal covariance. Every product is in the full
    precision of its arguments (see `vae_torch.runtime`).
    """

    def __init__(self, features: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(features, hidden)
        self.posterior = nn.Linear(hidden, 2 * latent)
        self.decoder = nn.Linear(latent, hidden)
        self.output = nn.Linear(hidden, features)

    def encode(
        self, x: Float[Tensor, "batch feature"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log-variance of the posterior of each window."""
        mean, log_variance = self.posterior(torch.relu(self.encoder(x))).chunk(2, dim=-1)
        return mean, log_variance

    def decode(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch feature"]:
        """The reconstruction of each latent point."""
        reconstruction: Tensor = self.output(torch.relu(self.decoder(z)))
        return reconstruction

    def forward(
        self, x: Float[Tensor, "batch feature"], noise: Float[Tensor, "batch latent"]
    ) -> tuple[Float[Tensor, "batch feature"], Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Reconstruction from a draw of the posterior, and the posterior's mean and log-variance."""
        mean, log_variance = self.encode(x)
        return self.decode(sample(mean, log_variance, noise)), mean, log_variance


def sample(
    mean: Float[Tensor, "batch latent"],
    log_variance: Float[Tensor, "batch latent"],
    noise: Float[Tensor, "batch latent"] | Float[Tensor, " latent"],
) -> Float[Tensor, "batch latent"]:
    """The reparameterised draw: `mean + exp(log_variance / 2) * noise`."""
    return mean + torch.exp(0.5 * log_variance) * noise


def loss(
    net: Net,
    model: Callable[..., tuple[Tensor, Tensor, Tensor]],
    windows: Float[Tensor, "batch window channel"],
    weights: Float[Tensor, " batch"],
    noise: Float[Tensor, "batch latent"],
    beta: float | Float[Tensor, ""],
) -> tuple[Float[Tensor, ""], Float[Tensor, " term"]]:
    """The loss of one batch, and its terms: squared error and KL of each dimension, summed over the batch."""
    x = seen(windows, net, xp)[0].reshape(len(windows), -1)
    x, observed = filled(x, xp) if net.masked else (x, None)
    squared, divergence = loss_terms(x, *model(x, noise), weights, xp, observed)
    terms = torch.cat([squared.detach().reshape(1), divergence.detach()])
    return squared + beta * divergence.sum(), terms


def to_state(parameters: Parameters) -> State:
    """A copy of the parameters as PyTorch names and orients them, which is as we do, on the device that is set."""
    return {name: torch.tensor(array) for name, array in parameters.items()}


def from_state(state: State) -> Parameters:
    """The inverse of `to_state`: a copy on the host."""
    return {name: tensor.numpy(force=True).copy() for name, tensor in state.items()}


def abstract(net: Net) -> VAE:
    """The module with shapes in place of arrays: nothing is drawn or computed."""
    with torch.device("meta"):
        return VAE(net.features, net.hidden, net.latent)


def build(net: Net, state: State) -> VAE:
    """The module that holds these arrays."""
    model = abstract(net)
    model.load_state_dict(state, assign=True)
    return model
