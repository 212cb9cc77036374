"""What must hold before a series is fitted or scored, what is decided from a training series, and its scaled form."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from twinvae.config import Config, check_channels
from twinvae.detector.arguments import Estimator
from twinvae.detector.asked import event_rate
from twinvae.detector.left_out import only_valid, without_wild
from twinvae.detector.suitable import WINDOWS_IN_SERIES, suitable
from twinvae.files.out_of_core import TimeByChannel, by_rows, first_row, has_missing, number, pieces
from twinvae.model.model import Model
from twinvae.network.memory import check_memory
from twinvae.network.net import Net
from twinvae.network.training import held_out_steps
from twinvae.process.notices import warn
from twinvae.scoring.kinds import averages_over_time
from twinvae.scoring.overflow import without
from twinvae.scoring.rules import Rules
from twinvae.scoring.threshold import NOT_KEPT, check_enough
from twinvae.series.holes import kept
from twinvae.series.scaling import Scaler, Spread, fit_scaler, measure, standardise
from twinvae.series.series import Series, are_numbers
from twinvae.windowing.geometry import count, fully_covered


@dataclass(frozen=True, eq=False)
class Prepared:
    """A training series that has passed its checks, and what was decided from it."""

    scaled: TimeByChannel
    channels: tuple[str, ...]
    scaler: Scaler
    config: Config  # with the window, the epochs and the learning rate that suit the series
    net: Net
    rows: Int[np.ndarray, " row"] | None = None  # the steps that the series had rows for, if absent ones were filled in
    whole: Series | None = None  # the series with the values left out, if some were or rules judge its events
    rate: float | None = None  # the false events a step that were asked for, if any were


def prepare(arguments: Estimator, series: Series) -> Prepared:
    """Checks a training series, decides what suits it, and scales it.

    Warns of gaps, of constant channels, and of channels whose scale a few wild values rule. With `scaling="robust"`
    those values are left out of training and of calibration, as if they were missing.

    Raises:
        TypeError, ValueError: if an argument or the series is not fit for use.
    """
    config = arguments.resolved()
    length, channels = series.values.shape
    check_channels(channels)
    shortest = replace(config, window=min(config.window, max(2, length // WINDOWS_IN_SERIES)))  # that "auto" may choose
    check_memory(Net.of(shortest, channels), shortest, count(length, shortest.window))
    if config.threshold in ("quantile", "pot") and averages_over_time(config.kind):
        warn(
            f'threshold="{config.threshold}" names {NOT_KEPT} (kind="{config.kind}"): take kind="point" '
            '(--kind point), or ask for events, such as false_events="1/week" (--false-alarms 1/week)'
        )
    rules = Rules.of(config, series.names)
    given = to_use(series, config, rules)
    for message in (*gap_warnings(series, arguments.missing), *hole_warnings(series, config.missing)):
        warn(message)
    valid = only_valid(given, config, rules)
    raw, names = valid.values, valid.names
    whole = valid.interpolated().values if has_missing(raw) else raw
    if arguments.preset == "auto":
        config = suitable(
            config, whole, window=arguments.window is None, epochs=arguments.epochs is None,
            learning_rate=arguments.learning_rate is None,
        )  # fmt: skip
    check_length(len(raw), config.window, "lower window (--window), or fit on more rows")
    check_windows(len(raw), config.window)
    check_memory(Net.of(config, channels), config, count(len(raw), config.window))
    check_constant(whole, names)
    check_enough(int((1 - config.trim) * least_scores(raw, config)), config)
    head = raw[: len(raw) - held_out_steps(len(raw), config)]
    for channel, name in enumerate(names):
        if first_row(np.isfinite, head[:, channel]) is None:
            raise ValueError(f"column {name} has no values in the part that is trained on: leave it out")
    spread = measure(head)
    check_spread(spread, names)
    scaler = fit_scaler(head, config.scaling, spread)
    used = without_wild(valid, head, spread, config)
    scaled = scaled_series(used.values, scaler, config)
    net = Net.of(config, len(names), masked=has_missing(scaled))
    rows = None if given.grid is None else given.grid.place
    rate = event_rate(config, series, len(scaled))
    is_whole = used is given and not rules.ask_more_than_length
    return Prepared(scaled, names, scaler, config, net, rows, None if is_whole else given, rate)


def to_use(series: Series, config: Config, rules: Rules) -> Series:
    """A series that has passed its checks, with its missing values treated as the configuration says.

    Where its time stamps say that rows are absent, missing values stand for them, unless those are refused. No missing
    value is interpolated from one outside its valid range.

    Raises:
        ValueError: if a value is infinite, or missing where that is refused.
    """
    on_grid = series if config.missing == "error" else series.on_grid()
    if on_grid is not series:
        series.checked("mask")  # whose messages count the rows of the series
    outside = rules.outside(on_grid.values) if config.missing == "interpolate" else None
    if outside is None:
        return on_grid.checked(config.missing)
    on_grid.checked("mask")  # refuses infinite values
    filled = replace(on_grid, values=without(on_grid.values, outside)).interpolated()
    return replace(filled, values=by_rows(np.where, outside, on_grid.values, filled.values))


def to_score(series: Series, model: Model) -> Series:
    """Checks a series that a fitted model is to score, and treats its missing values as the model was told to.

    Raises:
        ValueError: if it is not fit for use, shorter than a window, or has other channels than the fitted one.
    """
    channels = model.channels
    if len(series.names) != len(channels):
        raise ValueError(f"the series has {len(series.names)} channels, the detector was fitted on {len(channels)}")
    checked = to_use(series, model.config, Rules.of(model.config, channels))
    check_names(checked.names, channels)
    check_length(
        len(checked), model.config.window, "score more rows at once, those before them perhaps, or fit a model of a "
        "shorter window",
    )  # fmt: skip
    return checked


def check_names(names: tuple[str, ...], channels: tuple[str, ...]) -> None:
    """Raises ValueError if the columns of a data frame are not those of the fitted one, in order."""
    if len(channels) > 1 and names != channels and not (are_numbers(names) or are_numbers(channels)):
        raise ValueError(
            f"the series has the columns {', '.join(names)}, the detector was fitted on {', '.join(channels)}"
        )


def check_length(length: int, window: int, advice: str) -> None:
    """Raises ValueError if the series is shorter than a window."""
    if length < window:
        steps = "1 time step (1 sample)" if length == 1 else f"{length} time steps"
        raise ValueError(f"the series has {steps}, fewer than the window of {window}: {advice}")


def check_windows(length: int, window: int) -> None:
    """Warns where all windows of a training series share steps: that says little of how normal ones differ."""
    if length < 2 * window:
        number = count(length, window)
        which = "there is one window" if number == 1 else f"all {number} windows share steps"
        warn(
            f"{which} in {length} training rows (window {window}): that says little of how normal ones differ, so "
            f"normal rows may alarm: fit on {2 * window} rows or more, or take a window of at most "
            f"{max(1, length // 2)} (--window)"
        )


def gap_warnings(series: Series, asked: str | None) -> tuple[str, ...]:
    """One warning that missing values are left out, unless that was asked for by name."""
    values = series.values
    row = first_row(np.isnan, values) if asked is None else None
    if row is None:
        return ()
    column, missing = int(np.argmax(np.isnan(values[row]))), number(np.isnan, values)
    return (
        f"{missing} missing values ({missing / values.size:.1%}) are left out, the first at row {row}, column "
        f'{series.names[column]}: missing="mask" says that this is meant, "error" refuses them',
    )


def hole_warnings(series: Series, missing: str) -> tuple[str, ...]:
    """One line that says where the time stamps have no row, and what is done about it."""
    holes = series.holes
    if holes is None:
        return ()
    first, places = int(holes.after[0]), len(holes.after)
    longest = int(holes.after[np.argmax(holes.absent)])
    if not holes.fill:
        return (
            f"no row for {holes.longest} after row {longest} ({series.stamp(longest)}), {holes.times:.3g} times the "
            "usual step, and steps that vary: windows go across as if nothing was absent; cut the series there, or "
            "bring it to even steps",
        )
    absent = f"{holes.absent.sum()} rows are absent at {places} {'places' if places > 1 else 'place'}, the first after "
    absent += f"row {first} ({series.stamp(first)})"
    if missing == "error":
        return (f'{absent}: windows go across as if they were not; see missing="mask" (--missing mask)',)
    part = int(kept(holes, len(series)).sum())
    shortened = f", each long hole shortened to {kept(holes, len(series)).max()}" if part < holes.absent.sum() else ""
    return (
        f"{absent}: filled in as missing values{shortened}; to take the rows as they stand, leave the time stamps out "
        "(--time none, or give the values alone)",
    )


def least_scores(series: TimeByChannel, config: Config) -> int:
    """The smallest number of training scores that any kind of score will have.

    Raises:
        ValueError: if it has none.
    """
    observed = by_rows(lambda part: ~np.isnan(part).all(axis=1), series)
    inner = fully_covered(len(series), config.window)
    least = min(number(np.asarray, observed[config.window - 1 :]), number(np.asarray, observed[inner]))
    if not least:
        raise ValueError(
            f"the training series has no values away from its ends, where no window of {config.window} is whole: train "
            "on a longer series"
        )
    return least


def check_constant(series: TimeByChannel, names: tuple[str, ...]) -> None:
    """Warns of constant channels; raises ValueError if all of them are."""
    constant = np.ones(series.shape[1], bool)
    for rows in pieces(series):
        constant &= (series[rows] == series[0]).all(axis=0)
        if not constant.any():
            return
    if constant.all():
        raise ValueError(f"the training series is constant ({series[0, 0]:g}): there is nothing to learn")
    which = ", ".join(name for name, flat in zip(names, constant, strict=True) if flat)
    warn(f"constant in the training series: {which}; any change there counts in raw units")


def check_spread(spread: Spread, names: tuple[str, ...]) -> None:
    """Warns of channels that vary by rounding errors alone; raises ValueError if that leaves no other."""
    noise = spread.flat & (spread.deviation > 0)
    if not noise.any():
        return
    which = ", ".join(
        f"{names[c]} (by {spread.deviation[c]:.2g} about {spread.mean[c]:.6g}, where float64 holds steps of "
        f"{np.spacing(spread.largest[c]):.2g})"
        for c in np.flatnonzero(noise)
    )
    remedy = "if that is a signal, subtract a constant from it before it is written"
    if spread.flat.all():
        raise ValueError(
            f"the training series is constant but for rounding errors: {which}: there is nothing to learn; {remedy}"
        )
    warn(
        f"constant in the training series but for rounding errors: {which}; any change there counts in raw units; "
        f"{remedy}"
    )


def scaled_series(series: TimeByChannel, scaler: Scaler, config: Config) -> TimeByChannel:
    """Scales a training series for the network.

    Raises:
        ValueError: if a value is too large for the model's precision.
    """
    with np.errstate(over="ignore"):
        scaled = standardise(series, scaler, config.dtype)
    masked = config.missing == "mask"
    row = first_row(lambda new, old: ~(np.isfinite(new) | np.isnan(old) & masked), scaled, series)
    if row is not None:
        advice = "mark it as missing (NaN, an empty cell)"
        if config.dtype == "float32":
            advice += ', or fit with dtype="float64" (--dtype float64)'
        if config.scaling == "none":
            advice += ' or scaling="standard" (--scaling standard)'
        raise ValueError(f"the value at row {row} is too large for {config.dtype}: {advice}")
    return scaled
