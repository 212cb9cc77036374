"""A calibration as a file holds it: settings that JSON can say, and named arrays."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from twinvae.config import MOST, DType
from twinvae.scoring.formulas import AVERAGED, Averaged, Calibration, durations_of
from twinvae.scoring.gap_errors import SHARES, STATISTICS
from twinvae.scoring.neighbours import MOST_WINDOWS, VIEWS, Bank, Memory, places

NAME = "calibration"  # that of every array begins with it
LATER: tuple[Averaged, ...] = ("trailing",)  # which the first releases that wrote this version of a file did not know

Arrays = dict[str, np.ndarray]


def record(calibration: Calibration) -> tuple[dict[str, Any], Arrays]:
    """The settings and the arrays of a calibration."""
    settings: dict[str, Any] = {
        "warm_up": calibration.warm_up.tolist(),
        "durations": calibration.durations,
        "peak": dict(calibration.peak),
    }
    arrays = {f"{NAME}.largest.{kind}": np.asarray(found, np.float64) for kind, found in calibration.largest.items()}
    arrays[f"{NAME}.variance"] = np.asarray(calibration.variance, np.float64)
    if calibration.memory is not None:
        settings |= {"fitted_steps": calibration.memory.length, "fitted_digest": calibration.memory.digest}
        for view, bank in calibration.memory.banks.items():
            arrays[f"{NAME}.{view}.values"] = np.ascontiguousarray(bank.values)
            arrays[f"{NAME}.{view}.starts"] = bank.starts
        if calibration.memory.rows is not None:
            arrays[f"{NAME}.shape.rows"] = calibration.memory.rows
    if calibration.excess is not None:
        arrays[f"{NAME}.excess"] = np.ascontiguousarray(calibration.excess, np.float64)
    return settings, arrays


def of_record(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Calibration:
    """The calibration of a record; `check` says whether it can be used."""
    kinds = [kind for kind in AVERAGED if kind not in LATER or f"{NAME}.largest.{kind}" in arrays]
    banks = {view: Bank(arrays[f"{NAME}.{view}.values"], arrays[f"{NAME}.{view}.starts"]) for view in VIEWS}
    return Calibration(
        warm_up=np.asarray(settings["warm_up"], np.float64),
        durations=tuple(settings["durations"]),
        largest={kind: arrays[f"{NAME}.largest.{kind}"] for kind in kinds},
        peak={kind: float(settings["peak"][kind]) for kind in kinds},
        variance=arrays[f"{NAME}.variance"],
        memory=Memory(banks, settings["fitted_steps"], settings["fitted_digest"], arrays.get(f"{NAME}.shape.rows")),
        excess=arrays.get(f"{NAME}.excess"),
    )


def of_earlier(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Calibration:
    """The calibration of a record of version 2, which compares no windows and averages the point error alone."""
    excess = arrays.get(f"{NAME}.excess")
    if excess is not None:
        excess = np.concatenate([excess, np.ones((len(VIEWS), excess.shape[1]))])
    return Calibration(
        warm_up=np.full(arrays[f"{NAME}.variance"].shape, float(settings["warm_up"])),  # of all channels together
        durations=tuple(settings["durations"]),
        largest={"multiscale": arrays[f"{NAME}.largest"]},
        peak={"multiscale": 1.0},
        variance=arrays[f"{NAME}.variance"],
        excess=excess,
    )


def check(calibration: Calibration, window: int, channels: int, dtype: DType) -> None:
    """Raises ValueError if a part is not of the right shape, or holds values that no fit should have made."""
    durations = calibration.durations
    if not durations or not all(type(duration) is int and 0 < duration <= MOST for duration in durations):
        raise ValueError(f"the durations {durations!r} are not whole numbers from 1 to {MOST}")
    for kind in calibration.largest:
        shape = len(durations_of(kind, durations)), columns(kind, channels)
        check_array(f"{NAME}.largest.{kind}", calibration.largest[kind], shape, above=0.0)
        if not 0 < calibration.peak[kind] < np.inf:
            raise ValueError(f"the peak of {kind} is not finite and above 0")
    check_array(f"{NAME}.variance", calibration.variance, (channels,), above=0.0)
    if calibration.excess is not None:
        check_array(f"{NAME}.excess", calibration.excess, (len(STATISTICS), SHARES), above=0.0)
    warm_up = calibration.warm_up
    if warm_up.shape != (channels,) or not ((warm_up >= 0) & (warm_up < np.inf)).all():
        raise ValueError("the score of the warm-up is not finite and at least 0")
    if calibration.memory is not None:
        _check_memory(calibration.memory, window, channels, dtype)


def columns(kind: Averaged, channels: int) -> int:
    """The columns of what an averaged score averages: one for each channel, or one for all."""
    return 1 if kind in ("neighbour", "residual") else channels


def _check_memory(memory: Memory, window: int, channels: int, dtype: DType) -> None:
    if type(memory.length) is not int or not window <= memory.length <= MOST:
        raise ValueError(f"the {memory.length!r} steps that it was fitted on are no number from {window} to {MOST}")
    if not isinstance(memory.digest, str) or re.fullmatch("[0-9a-f]{64}", memory.digest) is None:
        raise ValueError("the checksum of the series that it was fitted on is none")
    for view, (values, starts) in memory.banks.items():
        wanted = math.prod(map(len, places(view, window, channels)))
        if values.ndim != 2 or not 0 < len(values) <= MOST_WINDOWS or values.shape[1] != wanted:
            raise ValueError(
                f"{NAME}.{view}.values has shape {values.shape}, not up to {MOST_WINDOWS} windows of {wanted} values"
            )
        if values.dtype != dtype or np.isinf(values).any():
            raise ValueError(f"{NAME}.{view}.values are not finite values of {dtype}")
        if (
            starts.shape != values.shape[:1]
            or starts.dtype != np.int64
            or starts[0] < 0
            or (np.diff(starts) <= 0).any()
        ):
            raise ValueError(f"{NAME}.{view}.starts are not the steps at which these windows begin")
        if starts[-1] > memory.length - window:
            raise ValueError(f"{NAME}.{view}.starts go beyond the {memory.length} steps that it was fitted on")
    starts, rows = memory.banks["shape"].starts, memory.rows
    if rows is not None and (
        rows.shape != starts.shape
        or rows.dtype != np.int64
        or rows[0] < 0
        or (np.diff(rows) < 0).any()
        or (rows > starts).any()
    ):
        raise ValueError(f"{NAME}.shape.rows are not the rows at which these windows begin")


def check_array(name: str, array: np.ndarray, shape: tuple[int, ...], above: float) -> None:
    """Raises ValueError if an array is not of this shape, or holds values that are not finite and above a bound."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, not {shape}")
    if not (np.isfinite(array) & (array > above)).all():
        raise ValueError(f"{name} holds values that are not finite{' and above 0' if above == 0.0 else ''}")
