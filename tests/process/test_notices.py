import threading
import warnings

import pytest

from twinvae.process.notices import collected, warn


def test_a_warning_is_raised_for_the_caller_unless_it_is_collected() -> None:
    with pytest.warns(UserWarning, match="first"):
        warn("first")
    with warnings.catch_warnings(), collected() as found:
        warnings.simplefilter("error")
        warn("second")
    assert found == ["second"]


def test_collects_what_its_own_thread_warns_of() -> None:
    lists: dict[str, list[str]] = {}
    together = threading.Barrier(2)

    def work(name: str) -> None:
        with collected() as found:
            together.wait(timeout=10)
            warn(name)
            together.wait(timeout=10)
        lists[name] = found

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lists == {"a": ["a"], "b": ["b"]}
