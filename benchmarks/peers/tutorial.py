"""The tutorial: find an anomaly in a noisy sine with a VAE, as a beginner's script in plain PyTorch would.

It stands alone (NumPy and PyTorch; matplotlib and scikit-learn for the pictures), so that it is a fair picture of
what a reader would have without this project. It differs from its source in two points: it keeps the last window,
and it adds the score with a threshold.

    python -m benchmarks.peers.tutorial --out pictures
    python -m benchmarks.peers.tutorial --no-plots
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

WINDOW = 50
HIDDEN = 32
LATENT = 10
BATCH = 32
EPOCHS = 100
LEARNING_RATE = 1e-3
MARGIN = 6.0  # the threshold is this many times the largest score of the normal series


class VAE(nn.Module):
    def __init__(self, window: int = WINDOW, hidden: int = HIDDEN, latent: int = LATENT) -> None:
        super().__init__()
        self.encoder = nn.Linear(window, hidden)
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Linear(latent, hidden)
        self.output = nn.Linear(hidden, window)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.encoder(x))
        return self.mean(h), self.log_variance(h)

    def decode(self, z: Tensor) -> Tensor:
        reconstruction: Tensor = self.output(torch.relu(self.decoder(z)))
        return reconstruction

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encode(x)
        noise = torch.randn_like(mean)
        z = mean + torch.exp(0.5 * log_variance) * noise
        return self.decode(z), mean, log_variance


def loss_function(reconstruction: Tensor, x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    squared_error = torch.nn.functional.mse_loss(reconstruction, x, reduction="sum")
    divergence = -torch.sum(1 + log_variance - mean**2 - torch.exp(log_variance))
    return squared_error + divergence


def make_series(seed: int = 0, length: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Returns a noisy sine, and a copy of it with a bump at points 300 to 319."""
    x = np.linspace(0, 20 * np.pi, length)
    normal = np.sin(x) + np.random.default_rng(seed).normal(0, 0.1, length)
    anomalous = normal.copy()
    anomalous[300:320] += 2.5
    return normal, anomalous


def make_windows(series: np.ndarray, window: int = WINDOW) -> Tensor:
    rows = [series[i : i + window] for i in range(len(series) - window + 1)]
    return torch.tensor(np.array(rows), dtype=torch.float32)


def train(
    model: VAE,
    windows: Tensor,
    *,
    epochs: int = EPOCHS,
    batch: int = BATCH,
    device: str = "cpu",
    verbose: bool = False,
) -> float:
    """Trains with the tutorial's loop and returns the mean loss of a window in the last epoch."""
    model.to(device)
    loader = DataLoader(TensorDataset(windows), batch_size=batch, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    model.train()
    mean_loss = float("nan")
    for epoch in range(epochs):
        total = 0.0
        for (rows,) in loader:
            x = rows.to(device)
            optimizer.zero_grad()
            reconstruction, mean, log_variance = model(x)
            loss = loss_function(reconstruction, x, mean, log_variance)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item()
        mean_loss = total / len(windows)
        if verbose and (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1}: loss {mean_loss:.4f}")
    return mean_loss


def reconstruct(model: VAE, series: np.ndarray, window: int = WINDOW, device: str = "cpu") -> np.ndarray:
    """Returns at each point the mean of the reconstructions of all windows that cover it."""
    model.eval()
    with torch.no_grad():
        mean, _ = model.encode(make_windows(series, window).to(device))
        pieces = model.decode(mean).cpu().numpy()
    total = np.zeros(len(series))
    covered = np.zeros(len(series))
    for i, piece in enumerate(pieces):
        total[i : i + window] += piece
        covered[i : i + window] += 1
    return total / covered


def find_events(labels: np.ndarray, merge_gap: int = 20) -> list[tuple[int, int]]:
    """Returns [start, end) of each run of anomalous points; runs that are at most `merge_gap` apart become one."""
    events: list[tuple[int, int]] = []
    for t in np.flatnonzero(labels).tolist():
        if events and t - events[-1][1] <= merge_gap:
            events[-1] = (events[-1][0], t + 1)
        else:
            events.append((t, t + 1))
    return events


class Result(NamedTuple):
    model: VAE
    loss: float
    train_reconstruction: np.ndarray
    test_reconstruction: np.ndarray
    scores: np.ndarray
    threshold: float
    events: list[tuple[int, int]]


def run(normal: np.ndarray, anomalous: np.ndarray, *, seed: int = 0, verbose: bool = False) -> Result:
    """Trains on the normal series and scores the anomalous one: everything but the pictures."""
    torch.manual_seed(seed)
    model = VAE()
    loss = train(model, make_windows(normal), verbose=verbose)
    train_reconstruction = reconstruct(model, normal)
    test_reconstruction = reconstruct(model, anomalous)
    threshold = MARGIN * float(((normal - train_reconstruction) ** 2).max())
    scores = (anomalous - test_reconstruction) ** 2
    events = find_events(scores > threshold)
    return Result(model, loss, train_reconstruction, test_reconstruction, scores, threshold, events)


def draw_pictures(out: Path, normal: np.ndarray, anomalous: np.ndarray, result: Result) -> None:
    import matplotlib as mpl

    mpl.use("Agg")  # files, no windows
    import matplotlib.pyplot as plt
    from sklearn.decomposition import PCA

    out.mkdir(parents=True, exist_ok=True)

    plt.figure(figsize=(12, 4))
    plt.plot(anomalous, label="with anomaly")
    plt.plot(normal, label="normal")
    plt.axvspan(300, 320, color="red", alpha=0.2, label="injected anomaly")
    _finish(out / "signal.png", "time (steps)", "value")

    with torch.no_grad():
        latent_normal = result.model.encode(make_windows(normal))[0].numpy()
        latent_anomalous = result.model.encode(make_windows(anomalous))[0].numpy()
    pca = PCA(n_components=2).fit(np.concatenate([latent_normal, latent_anomalous]))
    plt.figure(figsize=(6, 6))
    for latent, marker, label in ((latent_normal, "o", "normal"), (latent_anomalous, "x", "with anomaly")):
        points = pca.transform(latent)
        plt.scatter(points[:, 0], points[:, 1], s=10, marker=marker, label=label)
    _finish(out / "latent.png", "first principal component", "second principal component")

    for name, series, reconstruction in (
        ("reconstruction_train.png", normal, result.train_reconstruction),
        ("reconstruction_test.png", anomalous, result.test_reconstruction),
    ):
        plt.figure(figsize=(12, 4))
        plt.plot(series, label="original")
        plt.plot(reconstruction, label="reconstruction")
        _finish(out / name, "time (steps)", "value")

    plt.figure(figsize=(12, 4))
    plt.plot(result.scores, label="squared error")
    plt.axhline(result.threshold, color="black", linestyle="--", label="threshold")
    for start, end in result.events:
        plt.axvspan(start, end, color="red", alpha=0.2)
    _finish(out / "score.png", "time (steps)", "score")


def _finish(path: Path, xlabel: str, ylabel: str) -> None:
    import matplotlib.pyplot as plt

    plt.xlabel(xlabel)
    plt.ylabel(ylabel)
    plt.legend()
    plt.tight_layout()
    plt.savefig(path)
    plt.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.tutorial", description="the tutorial's script")
    parser.add_argument("--out", type=Path, default=Path("tutorial"), help="directory of the pictures")
    parser.add_argument("--no-plots", action="store_true", help="stop when the scores are in hand")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    normal, anomalous = make_series(arguments.seed)
    result = run(normal, anomalous, seed=arguments.seed, verbose=True)
    print(f"threshold {result.threshold:.4f}; events {result.events}")
    if not arguments.no_plots:
        draw_pictures(arguments.out, normal, anomalous, result)
        print(f"wrote five pictures to {arguments.out}")


if __name__ == "__main__":
    main()
