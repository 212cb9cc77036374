"""`twinvae synthesize`: makes a series with labelled anomalies, or many of them."""

import argparse
from pathlib import Path

from twinvae.cli.options import add_language, chosen_words, count, number, seed
from twinvae.cli.text import print_result
from twinvae.data.injection import ANOMALY_KINDS
from twinvae.data.signals import SIGNAL_KINDS
from twinvae.data.synthetic import generate, many, names_of_many, series_file, series_names, write_series
from twinvae.files.atomic import check_outputs, new_folder
from twinvae.series.series import Series
from twinvae.windowing.intervals import intervals


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("--kind", choices=ANOMALY_KINDS, nargs="+", required=True, help="of anomaly; several take turns")
    add("--signal", choices=SIGNAL_KINDS, default="periodic", help="default: periodic")
    add("--seed", type=seed, default=0, metavar="N")
    add("--length", type=count, default=5000, metavar="N", help="rows in all; default: 5000")
    add("--train-rows", type=count, default=2000, metavar="N", help="without one; default: 2000")
    add("--channels", type=count, default=1, metavar="N", help="default: 1")
    add("--series", type=count, metavar="N", help="so many different ones, each in a CSV of its own, for a fleet")
    add("--anomalies", type=count, metavar="N", help="default: 2 to 4, one of each kind at least")
    add("--magnitude", type=number, default=1.0, metavar="X", help="size; default: 1")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the CSV and its picture")
    add_language(parser)


def run(options: argparse.Namespace) -> None:
    """Writes the series, and prints where its anomalies are."""
    arguments = {
        "kinds": options.kind, "seed": options.seed, "signal": options.signal, "length": options.length,
        "train": options.train_rows, "channels": options.channels, "anomalies": options.anomalies,
        "magnitude": options.magnitude,
    }  # fmt: skip
    if options.series:
        with new_folder(options.out):
            check_outputs(options.out / f"{name}.csv" for name in names_of_many(options.series))
            for series in many(options.series, **arguments):
                write_series(options.out / f"{series.name}.csv", series)
        what = f"{options.series} series of {options.length} rows, the first {options.train_rows} normal"
        result = {"folder": str(options.out), "series": options.series, "rows": options.length}
        print_result(options, result | {"train_rows": options.train_rows}, f"{what}, in {options.out}")
        return
    from twinvae.plots.pictures import plot_series

    words = chosen_words(options)
    series = generate(**arguments)
    path = series_file(options.out, series)
    names, picture = series_names(series), path.with_suffix(".png")
    with new_folder(options.out):
        check_outputs([path, picture])
        write_series(path, series)
        plot_series(
            picture, Series(series.values, names), title=series.name, train_rows=options.train_rows,
            shaded=intervals(series.labels), shaded_as=words("anomaly"), words=words,
        )  # fmt: skip
    events = [
        event._asdict() | {"channels": [name for name, hit in zip(names, event.channels, strict=True) if hit]}
        for event in series.events
    ]
    lines = [f"[{e['start']}, {e['end']})  {e['kind']} in {', '.join(e['channels'])}" for e in events]
    where = f"{options.length} rows, the first {options.train_rows} normal, in {path}; picture in {picture}"
    made = {"file": str(path), "picture": str(picture), "rows": options.length, "train_rows": options.train_rows}
    print_result(options, made | {"events": events}, "\n".join([*lines, where]))
