"""A process that was forked: it computes, or it says why it cannot; it never waits for threads that it has not."""

import pytest

from tests.conftest import in_a_fresh_process

# Enough work for several threads in PyTorch. A child that waits for ever is killed by its alarm.
FORKS = """
import os, signal, warnings
import numpy as np
from twinvae.config import Config
from twinvae.network.backend import load_backend
from twinvae.network.net import Net
from twinvae.network.parameters import draw

warnings.simplefilter("ignore")  # JAX warns of every fork
backend, config = load_backend(NAME), Config(window=64, hidden_dim=64)
net = Net.of(config, 1)
windows = np.random.default_rng(0).normal(size=(4096, 64, 1)).astype("float32")

def compute():
    return backend.bind(net, draw(net, 0), "cpu")(windows)

def in_a_child(known=None):
    child = os.fork()
    if not child:
        signal.alarm(60)
        try:
            found = compute() if known is None else known(windows)
            print(repr(found[:3].tolist()), flush=True)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("waited for ever", flush=True)

in_a_child()
print(repr(compute()[:3].tolist()), flush=True)
in_a_child()
in_a_child(backend.bind(net, draw(net, 0), "cpu"))
"""


def forked(backend: str) -> list[str]:
    return in_a_fresh_process(FORKS.replace("NAME", repr(backend))).splitlines()


@pytest.mark.slow
def test_pytorch_computes_the_same_in_every_forked_process() -> None:
    before, parent, after, scorer = forked("torch")
    assert before == parent == after == scorer


def test_jax_computes_in_a_process_forked_before_it_was_used_and_refuses_in_one_line_after() -> None:
    before, parent, after, scorer = forked("jax")
    assert before == parent
    assert after == scorer
    assert after.startswith("RuntimeError: the backend JAX does not survive a fork")
    assert "'spawn'" in after
