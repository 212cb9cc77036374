"""The code of the tutorial. The pages en.md and ja.md take these cells by name: see pages.py."""

# %% setup
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from figures import Figures
from flax import nnx

import vae_jax.model
import vae_torch.model

draw = Figures("en")  # the language of the words in the pictures: "en" or "ja"


def compare(one, other, tolerance=1e-5):
    """Prints whether two arrays are the same, but for rounding."""
    difference = np.abs(np.asarray(one) - np.asarray(other)).max()
    print(f"the same to {tolerance:g}: {difference < tolerance}")


# %% series
from twinvae.data.synthetic import noisy_sine

series = noisy_sine(seed=0)
normal, anomalous = series.normal, series.anomalous
changed = np.flatnonzero(series.labels)
print("steps:", len(normal))
print("changed: from", changed[0], "to", changed[-1])
draw.series(normal, anomalous, series.labels)

# %% windows-torch
WINDOW = 50
x_torch = torch.tensor(normal, dtype=torch.float32).unfold(0, WINDOW, 1)
print(tuple(x_torch.shape))

# %% windows-jax
starts = jnp.arange(len(normal) - WINDOW + 1)
x_jax = jnp.asarray(normal, dtype=jnp.float32)[starts[:, None] + jnp.arange(WINDOW)]
print(x_jax.shape)
compare(x_torch, x_jax)

# %% windows-picture
draw.windows(normal, WINDOW)

# %% network
from twinvae.config import resolve
from twinvae.network.net import Net
from twinvae.network.parameters import draw as initial_parameters

config = resolve("tutorial", {})
net = Net.of(config, channels=1)
parameters = initial_parameters(net, seed=0)
for name, array in parameters.items():
    print(f"{name:16} {array.shape}")
print("numbers in all:", sum(array.size for array in parameters.values()))

# %% encoder-torch
model_torch = vae_torch.model.build(net, vae_torch.model.to_state(parameters))
hidden = torch.relu(model_torch.encoder(x_torch))
mean_torch, log_variance_torch = model_torch.posterior(hidden).chunk(2, dim=-1)
print(tuple(mean_torch.shape), tuple(log_variance_torch.shape))

# %% encoder-jax
model_jax = vae_jax.model.build(net, vae_jax.model.to_state(parameters))
hidden = nnx.relu(model_jax.encoder(x_jax))
mean_jax, log_variance_jax = jnp.split(model_jax.posterior(hidden), 2, axis=-1)
compare(mean_torch.detach(), mean_jax)

# %% sample-torch
noise = np.random.default_rng(0).standard_normal((len(x_torch), config.latent_dim), dtype=np.float32)
z_torch = mean_torch + torch.exp(0.5 * log_variance_torch) * torch.tensor(noise)
print(tuple(z_torch.shape))

# %% sample-jax
z_jax = mean_jax + jnp.exp(0.5 * log_variance_jax) * jnp.asarray(noise)
compare(z_torch.detach(), z_jax)

# %% decoder-torch
drawn_torch = model_torch.output(torch.relu(model_torch.decoder(z_torch)))
print(tuple(drawn_torch.shape))

# %% decoder-jax
drawn_jax = model_jax.output(nnx.relu(model_jax.decoder(z_jax)))
compare(drawn_torch.detach(), drawn_jax)


# %% loss-torch
def loss_torch(model, x, noise, beta=2.0):
    drawn, mean, log_variance = model(x, noise)
    squared_error = ((x - drawn) ** 2).sum()
    kl = 0.5 * (torch.exp(log_variance) + mean**2 - 1 - log_variance).sum()
    return (squared_error + beta * kl) / len(x)


before_torch = loss_torch(model_torch, x_torch, torch.tensor(noise))
print(f"loss of a window: {before_torch.item():.3f}")


# %% loss-jax
def loss_jax(model, x, noise, beta=2.0):
    drawn, mean, log_variance = model(x, noise)
    squared_error = ((x - drawn) ** 2).sum()
    kl = 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum()
    return (squared_error + beta * kl) / len(x)


before_jax = loss_jax(model_jax, x_jax, jnp.asarray(noise))
print(f"loss of a window: {before_jax:.3f}")

# %% step-torch
adam_torch = torch.optim.Adam(model_torch.parameters(), lr=1e-3)
before_torch.backward()
adam_torch.step()
after_torch = loss_torch(model_torch, x_torch, torch.tensor(noise))
print(f"loss of a window: {after_torch.item():.3f}")

# %% step-jax
adam_jax = nnx.Optimizer(model_jax, optax.adam(1e-3), wrt=nnx.Param)
gradient = nnx.jit(nnx.grad(loss_jax))(model_jax, x_jax, jnp.asarray(noise))
adam_jax.update(model_jax, gradient)
after_jax = loss_jax(model_jax, x_jax, jnp.asarray(noise))
print(f"loss of a window: {after_jax:.3f}")


# %% fit-torch
def show_training(detector):
    history = detector.history_
    for epoch in (1, 10, 100):
        loss, error, kl = (history[name][epoch - 1] for name in ("loss", "reconstruction", "kl"))
        print(f"epoch {epoch:3}: loss {loss:5.2f} = squared error {error:5.2f} + 2 x KL {kl:4.2f}")


detector_torch = vae_torch.VAEDetector(preset="tutorial", seed=0).fit(normal)
show_training(detector_torch)

# %% fit-jax
detector_jax = vae_jax.VAEDetector(preset="tutorial", seed=0).fit(normal)
show_training(detector_jax)

# %% training-picture
draw.training(detector_torch.history_)

# %% float64
exact_torch = vae_torch.VAEDetector(preset="tutorial", seed=0, dtype="float64").fit(normal)
exact_jax = vae_jax.VAEDetector(preset="tutorial", seed=0, dtype="float64").fit(normal)
compare(exact_torch.decision_function(anomalous), exact_jax.decision_function(anomalous), tolerance=1e-10)


# %% latent-torch
def principal_plane(points):
    """The two directions in which the points vary most, and each one's share of the variance."""
    _, sizes, directions = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    return directions[:2].T, (sizes**2 / (sizes**2).sum())[:2]


latent_torch = detector_torch.latent(normal)
plane, shares = principal_plane(latent_torch)
on_plane = (latent_torch - latent_torch.mean(axis=0)) @ plane
print(latent_torch.shape, "on the plane:", on_plane.shape)
print("shares of the variance:", [f"{share:.0%}" for share in shares])

# %% latent-jax
latent_jax = detector_jax.latent(normal)
print("shares of the variance:", [f"{share:.0%}" for share in principal_plane(latent_jax)[1]])

# %% latent-picture
holds_spike = np.convolve(series.labels, np.ones(WINDOW), "valid") > 0
print("windows that hold a changed step:", holds_spike.sum())
draw.latent(latent_torch, detector_torch.latent(anomalous)[holds_spike])

# %% reconstruction-torch
trained_torch = vae_torch.model.build(net, vae_torch.model.to_state(detector_torch.parameters_))
windows = torch.tensor(anomalous, dtype=torch.float32).unfold(0, WINDOW, 1)
with torch.no_grad():
    drawn = trained_torch.decode(trained_torch.encode(windows)[0]).numpy()

total, covered = np.zeros(len(anomalous)), np.zeros(len(anomalous))
for start, window in enumerate(drawn):
    total[start : start + WINDOW] += window
    covered[start : start + WINDOW] += 1
by_hand = total / covered

expected_torch = detector_torch.reconstruct(anomalous)[:, 0]  # the only channel
compare(by_hand, expected_torch)

# %% reconstruction-jax
expected_jax = detector_jax.reconstruct(anomalous)[:, 0]
compare(expected_torch, expected_jax, tolerance=0.1)  # trained apart in float32

# %% reconstruction-picture
drawn_normal = detector_torch.reconstruct(normal)[:, 0]
draw.reconstruction(normal, drawn_normal, anomalous, expected_torch, series.labels)

# %% score-torch
score_normal = (normal - drawn_normal) ** 2
score = (anomalous - expected_torch) ** 2
whole = slice(WINDOW - 1, len(normal) - WINDOW + 1)  # the steps that 50 windows cover
threshold = 6 * score_normal[whole].max()
print(f"threshold: {threshold:.2f}, of the detector: {detector_torch.threshold_:.2f}")
print(f"highest score of the series with the spike: {score.max():.1f}")
for event in detector_torch.events(anomalous):
    print(f"event: [{event.start}, {event.end})")

# %% score-jax
for event in detector_jax.events(anomalous):
    print(f"event: [{event.start}, {event.end})")

# %% score-picture
draw.score(score, threshold, series.labels)

# %% last-window
short = np.zeros(len(normal), dtype=int)
for start in range(len(normal) - WINDOW):  # one too few: + 1 is missing
    short[start : start + WINDOW] += 1
print("windows:", len(normal) - WINDOW, "in place of", len(x_torch))
print("windows that cover the last step:", short[-1])

late = normal.copy()
late[-1] += 2.5
print("events:", [(event.start, event.end) for event in detector_torch.events(late)])

# %% kl
mean, log_variance = 0.5, -1.0
z = mean + np.exp(0.5 * log_variance) * np.random.default_rng(0).standard_normal(1_000_000)
log_posterior = -0.5 * (log_variance + (z - mean) ** 2 / np.exp(log_variance))
log_prior = -0.5 * z**2
without_half = np.exp(log_variance) + mean**2 - 1 - log_variance
print(f"KL by a million draws: {(log_posterior - log_prior).mean():.3f}")
print(f"formula with the half: {0.5 * without_half:.3f}, without: {without_half:.3f}")

# %% beta
for beta in (1.0, 2.0, 4.0):
    detector = vae_torch.VAEDetector(preset="tutorial", seed=0, beta=beta).fit(normal)
    error, kl = detector.history_["reconstruction"][-1], detector.history_["kl"][-1]
    print(f"beta {beta:g}: squared error {error:.2f}, KL {kl:.2f}")

# %% noisy-torch
one = x_torch[200:201]
mean_torch, log_variance_torch = trained_torch.encode(one)


def score_torch(noise):
    """The mean squared error of one window, drawn from one draw of the latent."""
    z = vae_torch.model.sample(mean_torch, log_variance_torch, noise)
    return ((one - trained_torch.decode(z)) ** 2).mean().item()


torch.manual_seed(0)
scores_torch = [score_torch(torch.randn(1, 10)) for _ in range(1000)]
print(f"without noise {score_torch(torch.zeros(1, 10)):.3f}")
print(f"with noise {min(scores_torch):.3f} to {max(scores_torch):.3f}")

# %% noisy-jax
trained_jax = vae_jax.model.build(net, vae_jax.model.to_state(detector_jax.parameters_))
mean_jax, log_variance_jax = trained_jax.encode(x_jax[200:201])


@jax.jit
@jax.vmap
def score_jax(noise):
    z = vae_jax.model.sample(mean_jax, log_variance_jax, noise)
    return ((x_jax[200:201] - trained_jax.decode(z)) ** 2).mean()


noise = jax.random.normal(jax.random.key(0), (1000, 1, 10))
scores_jax = score_jax(noise)
print(f"without noise {score_jax(0 * noise[:1])[0]:.3f}")
print(f"with noise {scores_jax.min():.3f} to {scores_jax.max():.3f}")

# %% noisy-picture
draw.draws(scores_torch, score_torch(torch.zeros(1, 10)))

# %% threshold
unseen = [detector_torch.decision_function(noisy_sine(seed).normal) for seed in range(1, 21)]
three_sigma = sum((scores > scores.mean() + 3 * scores.std()).any() for scores in unseen)
print("3 sigma of each series' own scores:", three_sigma, "of 20 normal series alarm")
for margin in (1, 2, 6):
    alarming = sum((scores > margin * threshold / 6).any() for scores in unseen)
    print(margin, "times the largest training score:", alarming, "of 20 normal series alarm")

# %% long-anomaly
long = normal.copy()
long[300 : 300 + 60] += 2.5
scores = detector_torch.decision_function(long)
own = scores.mean() + 3 * scores.std()
for name, limit in (("3 sigma of its own scores", own), ("from the training scores", threshold)):
    print(f"{name}: {limit:.2f}, exceeded by {(scores[300:360] > limit).sum()} of 60 anomalous steps")

# %% real
from twinvae.data.datasets import load_dataset

dataset = load_dataset("ucr-135")
pressure, labels = dataset.values[:, 0], dataset.labels
labelled = np.flatnonzero(labels)
print("steps:", len(pressure), "normal at the start:", dataset.train_rows)
print(f"label: [{labelled[0]}, {labelled[-1] + 1}), {len(labelled)} steps")
print(f"values: {pressure.min():.0f} to {pressure.max():.0f}")

# %% real-tutorial
textbook = vae_torch.VAEDetector(preset="tutorial", seed=0, scaling="standard").fit(pressure[:1200])
print("events:", [(event.start, event.end) for event in textbook.events(pressure)])

# %% real-torch
real_torch = vae_torch.VAEDetector(seed=0).fit(pressure[:1200])
print("window:", real_torch.config_.window, "steps")
for event in real_torch.events(pressure):
    print(f"event: [{event.start}, {event.end}), {event.score / real_torch.threshold_:.1f} times the threshold")

# %% real-jax
real_jax = vae_jax.VAEDetector(seed=0).fit(pressure[:1200])
for event in real_jax.events(pressure):
    print(f"event: [{event.start}, {event.end}), {event.score / real_jax.threshold_:.1f} times the threshold")

# %% real-picture
found = real_torch.detect(pressure)
draw.detection(dataset, found)

# %% why-picture
draw.why(found)
