"""Annotations checked at run time, the backends as fixtures, the tolerance, and the rule on skips."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
from jaxtyping import install_import_hook

import tests.helpers.typechecking  # noqa: F401  (the hook finds it as an attribute)
from tests.helpers.browser import NO_BROWSER, Browser, driven, has_browser
from tests.helpers.closeness import assert_all_close, assert_close, assert_close_in_range, rounding

install_import_hook(["twinvae", "vae_jax", "vae_torch"], "tests.helpers.typechecking.checked")  # before any is imported

# A shell starts what runs in the background with Ctrl-C ignored, and our processes would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["TWINVAE_CACHE"] = "off"  # nothing of the user's is used or written; tests of the cache name a folder


def pytest_configure(config: pytest.Config) -> None:
    """What JAX compiles is kept in pytest's folder, for all workers, their commands and the next run."""
    if not hasattr(config, "cache"):  # -p no:cacheprovider
        return
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(config.cache.mkdir("jax")),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**28),  # with a size it is locked, so nobody reads what is half written
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",  # XLA calls a program of this machine one that may not run here
    }


NO_GPU = "no GPU here"
NO_DATA = "no ../shared/data here"
BACKENDS = ("jax", "torch")
__all__ = ["assert_all_close", "assert_close", "assert_close_in_range", "rounding", "unchecked"]
ROOT = Path(__file__).parent.parent
PATH = os.pathsep.join([str(ROOT), str(ROOT / "shared")])  # for processes of their own


@contextmanager
def unchecked() -> Iterator[None]:
    """Switches the annotations' checks off: where thousands of calls would each pay, or where they hide our own."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(backend_name: str) -> Any:
    from twinvae.network.backend import load_backend

    return load_backend(backend_name)


def detector_of(name: str) -> Any:
    """The detector class of a backend."""
    if name == "jax":
        import vae_jax

        return vae_jax.VAEDetector
    import vae_torch

    return vae_torch.VAEDetector


@pytest.fixture
def detector_class(backend_name: str) -> Any:
    return detector_of(backend_name)


def in_a_fresh_process(code: str, **environment: str) -> str:
    """The output of the code, which must not fail."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": PATH} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The driver of one browser for all tests of a process."""
    if not has_browser():
        pytest.skip(NO_BROWSER)
    with driven(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def browser(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that opens pages from files; afterwards there must be no error on its console, and no request."""
    opened = Browser(chromium, tmp_path_factory.mktemp("saved"))
    yield opened
    assert opened.complaints() == []


# Skips. A test that cannot run here for another reason than a missing GPU, browser or data is a failure.


def _refused(longrepr: object) -> str | None:
    reason = str(longrepr[2] if isinstance(longrepr, tuple) else longrepr).removeprefix("Skipped: ")
    allowed = reason in (NO_GPU, NO_BROWSER, NO_DATA)
    return None if allowed else f"skipped, which only a missing GPU, browser or data may do: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and (message := _refused(report.longrepr)):
        report.outcome, report.longrepr = "failed", message
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.outcome == "skipped" and (message := _refused(report.longrepr)):
        report.outcome, report.longrepr = "failed", message
    return report
