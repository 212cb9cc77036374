import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from twinvae.fleet.local_engine import AHEAD, cancelled, run_local
from twinvae.network.backend import Lane, load_backend
from twinvae.process.cores import usable_cores

TWO: list[Lane] = [nullcontext, nullcontext]


def test_every_task_has_its_result_once() -> None:
    found = dict(run_local(lambda task: task * task, range(50), TWO))
    assert found == {task: task * task for task in range(50)}


def test_an_exception_is_the_result_of_its_task_and_the_rest_goes_on() -> None:
    found = dict(run_local(lambda task: 12 // task, range(4), TWO))
    assert isinstance(found.pop(0), ZeroDivisionError)
    assert found == {1: 12, 2: 6, 3: 4}


def test_what_is_no_exception_does_not_leave_the_caller_waiting() -> None:
    class PanicError(BaseException):
        """As Polars has one."""

    def work(task: int) -> int:
        if task == 1:
            raise PanicError("lost")
        return task

    found = dict(run_local(work, range(3), TWO))
    assert (found[0], str(found[1]), found[2]) == (0, "PanicError: lost", 2)


def test_a_lane_that_cannot_be_entered_answers_with_the_reason() -> None:
    def lane() -> Any:
        raise RuntimeError("no such device")

    assert [str(result) for _, result in run_local(lambda task: task, range(3), [lane])] == ["no such device"] * 3


def test_takes_no_more_tasks_than_are_in_flight() -> None:
    taken = finished = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for task in range(20):
            taken += 1
            yield task

    for _ in run_local(lambda task: task, tasks(), TWO):
        assert taken - finished <= len(TWO) + AHEAD
        finished += 1
    assert finished == 20


def test_the_lanes_work_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    assert len(list(run_local(lambda task: both.wait(), range(8), TWO))) == 8
    assert not both.broken


def test_each_thread_enters_and_leaves_its_lane() -> None:
    seen: list[str] = []

    def lane(name: str) -> Lane:
        @contextmanager
        def enter() -> Iterator[None]:
            seen.append(f"{name} in")
            yield
            seen.append(f"{name} out")

        return enter

    list(run_local(lambda task: task, range(4), [lane("a"), lane("b")]))
    assert sorted(seen) == ["a in", "a out", "b in", "b out"]


def test_closing_early_cancels_the_work_in_flight_and_drops_the_rest() -> None:
    started = threading.Semaphore(0)
    ended: list[int] = []

    def work(task: int) -> int:
        if task > 0:
            started.release()
            while not cancelled():
                pass
        ended.append(task)
        return task

    results = run_local(work, range(100), TWO)
    assert next(results) == (0, 0)
    for _ in TWO:
        assert started.acquire(timeout=10)
    results.close()
    assert len(ended) == 1 + len(TWO)


def test_an_error_of_the_tasks_goes_up_and_ends_the_lanes() -> None:
    def tasks() -> Iterator[int]:
        yield 1
        raise OSError("the input is gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="gone"):
        list(run_local(lambda task: task, tasks(), TWO))
    assert threading.active_count() == before


def test_nothing_is_cancelled_outside_of_an_engine() -> None:
    assert not cancelled()


def test_a_backend_has_a_lane_for_each_core() -> None:
    import torch

    assert len(load_backend("jax").lanes("cpu")) == usable_cores()
    assert len(load_backend("torch").lanes("cpu")) == torch.get_num_threads()
