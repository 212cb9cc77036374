"""Public data sets: each form is read as its authors mean it, and bad files are said in one line."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.conftest import NO_DATA, ROOT
from twinvae.data.datasets import DATASETS, BadFile, Dataset, load_dataset, read_datasets
from twinvae.data.formats import NAB_WINDOWS
from twinvae.data.synthetic import suite

TSB = ROOT.parent / "shared" / "data" / "nab"
SENSORS = ("Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Temperature", "Thermocouple", "Voltage",
           "Volume Flow RateRMS")  # fmt: skip


def only(path: str | Path) -> Dataset:
    (found,) = read_datasets(path)
    assert isinstance(found, Dataset)
    return found


def refused(path: str | Path) -> str:
    """What is said of a file or name that cannot be read."""
    with pytest.raises(ValueError, match=r".") as raised:
        read_datasets(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def tsb(folder: Path, *, name: str = "001_X_id_1_Sensor_tr_3_1st_4.csv", text: str = "") -> Path:
    return write(folder / name, text or "left,right,Label\n1,10,0\n2,20,0\n3,,0\n4,40,1\n5,50,0\n")


def skab(folder: Path, *, rows: int = 500, anomaly: str = "1.0") -> Path:
    lines = [";".join(("datetime", *SENSORS, "anomaly", "changepoint"))]
    for row in range(rows):
        stamp = datetime(2020, 3, 9) + timedelta(seconds=row // 2)  # twice the same, as its clock does
        mark = anomaly if 450 <= row < 460 else "0.0"
        lines.append(
            ";".join((str(stamp), *(str(row + channel) for channel in range(8)), mark, str(float(row == 450))))
        )
    return write(folder / "data" / "valve1" / "0.csv", "\r\n".join(lines) + "\r\n")


def nab(folder: Path, *, rows: int = 100, windows: Any = (("2014-04-01 01:30:00", "2014-04-01 01:33:00"),)) -> Path:
    stamps = [datetime(2014, 4, 1) + timedelta(minutes=row) for row in range(rows)]
    text = "timestamp,value\n" + "".join(f"{stamp},{row}\n" for row, stamp in enumerate(stamps))
    write(folder / NAB_WINDOWS, json.dumps({"group/a.csv": [list(window) for window in windows]}))
    return write(folder / "data" / "group" / "a.csv", text)


# Forms.


def test_tsb_ad_names_the_training_rows_in_the_file_name_and_the_labels_last(tmp_path: Path) -> None:
    found = only(tsb(tmp_path))
    np.testing.assert_array_equal(found.values, [[1, 10], [2, 20], [3, np.nan], [4, 40], [5, 50]])
    assert found.labels.tolist() == [0, 0, 0, 1, 0]
    assert found.labels.dtype == np.int8
    assert (found.train_rows, found.unlabelled_fit, found.channels) == (3, False, ("left", "right"))
    assert (found.name, found.source, found.times) == ("001_X_id_1_Sensor_tr_3_1st_4", "TSB-AD", None)


def test_the_training_rows_may_stand_at_the_end_of_a_name(tmp_path: Path) -> None:
    assert only(tsb(tmp_path, name="motor_tr_3.csv")).train_rows == 3  # as `twinvae synthesize` names a series of gaps


def test_the_real_files_of_tsb_ad_are_read_and_other_files_passed_over() -> None:
    if not TSB.is_dir():
        pytest.skip(NO_DATA)
    found = list(read_datasets(str(TSB)))
    assert len(found) == len(list(TSB.glob("*_tr_*.csv")))
    for dataset in found:
        assert isinstance(dataset, Dataset)
        first = int(dataset.name.rpartition("_1st_")[2])
        assert dataset.labels.argmax() in (first, first - 1)  # counted from 0 or 1: the names differ
        assert dataset.values.shape == (len(dataset.labels), 1)


def test_skab_has_eight_channels_and_its_first_400_rows_train(tmp_path: Path) -> None:
    found = only(skab(tmp_path).parents[2])
    assert found.channels == SENSORS
    assert found.values.shape == (500, 8)
    assert (found.name, found.train_rows, found.source) == ("valve1/0", 400, "SKAB")
    assert np.flatnonzero(found.labels).tolist() == list(range(450, 460))
    assert found.times is not None
    assert found.times[2] == "2020-03-09 00:00:01"


def test_skab_s_recording_without_labels_is_left_out_with_the_reason(tmp_path: Path) -> None:
    skab(tmp_path)
    write(tmp_path / "data" / "anomaly-free" / "anomaly-free.csv", ";".join(("datetime", *SENSORS)) + "\n")
    left_out, read = read_datasets(tmp_path)
    assert isinstance(left_out, BadFile)
    assert left_out.name == "anomaly-free/anomaly-free"
    assert "no column anomaly" in left_out.message
    assert isinstance(read, Dataset)


def test_nab_s_windows_label_by_time_both_ends_included(tmp_path: Path) -> None:
    path = nab(tmp_path)
    for place in (tmp_path, tmp_path / "data", path.parent, path):
        found = only(place)
        assert np.flatnonzero(found.labels).tolist() == [90, 91, 92, 93]
        assert (found.name, found.train_rows, found.channels) == ("group/a", 15, ("value",))


@pytest.mark.parametrize(("rows", "train_rows"), [(99, 14), (5000, 750), (9000, 750)])
def test_nab_s_probationary_period_is_15_per_cent_of_at_most_5000_rows(
    tmp_path: Path, rows: int, train_rows: int
) -> None:
    found = only(nab(tmp_path, rows=rows, windows=()))
    assert (found.train_rows, int(found.labels.sum())) == (train_rows, 0)


@pytest.mark.parametrize(("minute", "train_rows"), [(14, 14), (15, 15), (0, 0)])
def test_a_label_within_nab_s_probationary_period_ends_the_training_part(
    tmp_path: Path, minute: int, train_rows: int
) -> None:
    stamp = f"2014-04-01 00:{minute:02}:00.000000"
    found = only(nab(tmp_path, windows=((stamp, stamp),)))
    assert (found.train_rows, found.unlabelled_fit) == (train_rows, train_rows == 0)
    assert np.flatnonzero(found.labels).tolist() == [minute]


def test_nab_s_clock_may_go_back(tmp_path: Path) -> None:
    path = nab(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join((*lines, *lines[91:93])) + "\n")
    assert np.flatnonzero(only(path).labels).tolist() == [90, 91, 92, 93, 100, 101]


def test_the_ucr_archive_counts_from_1_and_includes_the_end(tmp_path: Path) -> None:
    column = write(tmp_path / "001_UCR_Anomaly_X_3_5_6.txt", "".join(f" {value}.5e0 \n" for value in range(8)))
    row = write(tmp_path / "002_UCR_Anomaly_X_3_5_6.txt", "  ".join(f"{value}.5" for value in range(8)))
    for path in (column, row):
        found = only(path)
        assert found.values[:, 0].tolist() == [value + 0.5 for value in range(8)]
        assert found.labels.tolist() == [0, 0, 0, 0, 1, 1, 0, 0]
        assert (found.train_rows, found.channels, found.times) == (3, ("value",), None)


def test_a_shipped_series_has_a_name() -> None:
    pressure = only("ucr-135")
    assert (pressure.values.shape, pressure.train_rows, pressure.unlabelled_fit) == ((7501, 1), 1200, False)
    assert np.flatnonzero(pressure.labels).tolist() == list(range(4187, 4199))


def test_the_synthetic_suite_is_a_data_set() -> None:
    found = list(read_datasets("synthetic"))
    made = list(suite(0))
    assert len(found) == len(made) == len({dataset.name for dataset in found}) == 56
    for dataset, series in zip(found, made, strict=True):
        assert isinstance(dataset, Dataset)
        np.testing.assert_array_equal(dataset.values, series.values)
        assert (dataset.labels == series.labels).all()
        assert not dataset.labels[: dataset.train_rows].any()
        assert (dataset.train_rows, dataset.unlabelled_fit) == (series.train_rows, False)
        assert len(dataset.channels) == dataset.values.shape[1]
    assert any(np.isnan(dataset[1]).any() for dataset in found), "gaps stay"


def test_a_data_set_is_a_table() -> None:
    dataset = load_dataset("ucr-135")
    table = dataset.table
    assert table.names == dataset.channels
    assert (table.values == dataset.values).all()
    assert table.stamp(3) == "3"


# What is bad.


def test_a_bad_series_of_a_folder_is_reported_and_the_rest_go_on(tmp_path: Path) -> None:
    tsb(tmp_path, name="b_tr_3_.csv")
    tsb(tmp_path, name="a_tr_9_.csv")
    tsb(tmp_path, name="c_tr_1_.csv", text="Data,Label\n1,0\nx,1\n")
    write(tmp_path / "d_tr_1_.csv", b"\xff\xfe\x00")
    write(tmp_path / "results.csv", "file,VUS\na,0.5\n")
    write(tmp_path / "LICENSE.txt", "MIT")
    found = list(read_datasets(tmp_path))
    assert [type(item) for item in found] == [BadFile, Dataset, BadFile, BadFile]
    assert "first 9 rows are for training, the file has 5" in found[0][1]
    assert "row 1, column Data: 'x' is not a number" in found[2][1]
    assert "UTF-8" in found[3][1]
    assert [item[0].rpartition("/")[2] for item in found] == ["a_tr_9_", "b_tr_3_", "c_tr_1_", "d_tr_1_"]


BAD: dict[str, tuple[str, str, str]] = {
    "label of 2": ("a_tr_1_.csv", "Data,Label\n1,0\n2,2\n", "row 1, column Label: a label must be 0 or 1, got 2"),
    "label missing": ("a_tr_1_.csv", "Data,Label\n1,0\n2,\n", "row 1, column Label: a label must be 0 or 1"),
    "no Label": ("a_tr_1_.csv", "Data,label\n1,0\n", "the last column is 'label': it must be Label"),
    "Label not last": ("a_tr_1_.csv", "Label,Data\n0,1\n", "the last column is 'Data'"),
    "no _tr_N": ("a.csv", "Data,Label\n1,0\n", "no _tr_N: it must"),
    "only Label": ("a_tr_1_.csv", "Label\n0\n", "no column of values"),
    "empty": ("a_tr_1_.csv", "", "the file is empty"),
    "header only": ("a_tr_1_.csv", "Data,Label\n", "no rows of data"),
    "too much training": ("a_tr_3_.csv", "Data,Label\n1,0\n2,1\n", "first 3 rows are for training, the file has 2"),
    "no form": ("a.csv", "x,y\n1,2\n", "not a labelled series of TSB-AD, NAB, SKAB or the UCR anomaly archive"),
    "not a series": ("a.md", "x", "not a labelled series"),
    "UCR cell": ("a_1_2_2.txt", "1\n2\nx\n", "row 2, column value: 'x' is not a number"),
    "UCR label": ("a_1_2_4.txt", "1\n2\n3\n", "the name labels 2 to 4, the file has 3 values"),
    "UCR label from 0": ("a_1_0_2.txt", "1\n2\n3\n", "the name labels 0 to 2"),
    "UCR label backwards": ("a_1_3_2.txt", "1\n2\n3\n", "the name labels 3 to 2"),
    "UCR training": ("a_4_1_2.txt", "1\n2\n3\n", "first 4 rows are for training, the file has 3"),
    "UCR empty": ("a_1_2_3.txt", " \n", "the file is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    file, text, message = BAD[name]
    said = refused(write(tmp_path / file, text))
    assert message in said
    assert file in said


def test_skab_s_bad_cells_are_named(tmp_path: Path) -> None:
    assert "row 450, column anomaly: a label must be 0 or 1, got 3" in refused(skab(tmp_path, anomaly="3"))
    assert "row 450, column anomaly: 'maybe' is not a number" in refused(skab(tmp_path, anomaly="maybe"))
    assert "first 400 rows are for training, the file has 399" in refused(skab(tmp_path, rows=399))


def test_nab_s_labels_that_fit_no_row_are_refused(tmp_path: Path) -> None:
    outside = ("2015-04-01 00:00:00", "2015-04-01 01:00:00")
    assert "no row lies in the label from 2015-04-01 00:00:00" in refused(nab(tmp_path, windows=(outside,)))
    assert "soon" in refused(nab(tmp_path, windows=(("soon", "later"),)))


def test_nab_s_labels_that_name_a_missing_series_are_reported(tmp_path: Path) -> None:
    nab(tmp_path)
    write(tmp_path / NAB_WINDOWS, json.dumps({"group/a.csv": [], "group/b.csv": [], "absent/c.csv": []}))
    read, missing = read_datasets(tmp_path)
    assert isinstance(read, Dataset)
    assert isinstance(missing, BadFile)
    assert missing.name == "group/b"
    assert "names it, but there is no such file" in missing.message


def test_a_series_that_nab_s_labels_do_not_name_is_reported(tmp_path: Path) -> None:
    path = nab(tmp_path)
    write(tmp_path / NAB_WINDOWS, "{}")
    assert "does not name it" in refused(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"group/a.csv": [["2014-04-01"]]}', '{"group/a.csv": 3}', b"\xff"])
def test_nab_s_label_file_may_be_damaged(tmp_path: Path, text: str | bytes) -> None:
    path = nab(tmp_path)
    write(tmp_path / NAB_WINDOWS, text)
    assert "combined_windows.json" in refused(path)
    (bad,) = read_datasets(tmp_path)
    assert isinstance(bad, BadFile)


def test_what_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    assert "no such file or folder, and the known names are ucr-135, nab, skab, synthetic" in refused("nosuch")
    assert "no labelled series of" in refused(tmp_path)
    with pytest.raises(ValueError, match=r"choose one of ucr-135$"):
        load_dataset("nosuch")
    assert DATASETS == ("ucr-135",)


def test_stamps_out_of_order_are_refused_where_they_must_be_in_order(tmp_path: Path) -> None:
    from twinvae.tables.table import read_table

    path = skab(tmp_path)
    with pytest.raises(ValueError, match="row 1 has the same time stamp"):
        read_table(path, columns=["Pressure"])
    assert isinstance(read_table(path, columns=["Pressure"], in_order=False).index, pl.Series)
    path.write_text(path.read_text().replace("2020-03-09 00:00:07", "soon", 1))
    with pytest.raises(ValueError, match="row 14, column datetime: 'soon' is not a time stamp"):
        read_table(path, columns=["Pressure"], in_order=False)
