"""SEVIR: events and the table of their times."""

import shutil

import h5py
import numpy as np
import pytest

from predjax.radar.readers import read_movies

pytestmark = pytest.mark.usefixtures("as_in_a_new_process")
NAME = "SEVIR_VIL_STORMEVENTS_2018_0101_0630.h5"
MINUTES = np.arange(-122, 123, 5)
ROWS = [  # the rows of other images and other files are there as well
    ("S2", 1, "vil", "2018-05-01 18:30:00"),
    ("S1", 0, "vil", "2018-01-02 20:00:00"),
    ("S1", 0, "vis", "2017-01-01 00:00:00"),
]


@pytest.fixture
def folder(tmp_path):
    """The folders of the archive with two events of 4 x 6 pixels, without the table."""
    path = tmp_path / "data" / "vil" / "2018"
    path.mkdir(parents=True)
    events = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 49)).astype("u1")
    events[:, 0, 0, :2] = 255, 254
    with h5py.File(path / NAME, "w") as file:
        file["vil"], file["id"] = events, np.array([b"S1", b"S2"])
    return tmp_path, path / NAME, events


def write_table(folder, rows=ROWS, minutes=MINUTES):
    lines = ["id,file_name,file_index,img_type,time_utc,minute_offsets,pct_missing"]
    offsets = ":".join(map(str, minutes))
    lines += [f"{name},{kind}/2018/{NAME},{number},{kind},{time},{offsets},0" for name, number, kind, time in rows]
    (folder / "CATALOG.csv").write_text("\n".join([*lines, "S9,vil/2019/x.h5,0,vil,2019-01-01 00:00:00,0,0"]))


def test_events_are_movies_with_the_times_of_the_table(folder):
    root, path, events = folder
    write_table(root)
    (movies,) = read_movies(path)
    truth = np.where(events == 255, np.nan, events.astype(float))
    np.testing.assert_array_equal(movies.frames.values[..., 0], np.moveaxis(truth, 3, 1))
    assert (movies.frames.attrs["units"], movies.attrs["step_seconds"]) == ("digital VIL", 300)
    starts = np.array(["2018-01-02T20:00", "2018-05-01T18:30"], "M8[m]")
    np.testing.assert_array_equal(movies.time.values, starts[:, None] + MINUTES.astype("m8[m]"))
    assert movies.attrs["remarks"] == [
        "SEVIR, by its description: vil is digital, 0 to 254; 255 is no coverage",
        "times of the events from CATALOG.csv",
        "there are no coordinates of the pixels: rows and columns are numbered, row 0 on top",
    ]


def test_without_the_table_frames_are_numbered_which_is_said(folder, tmp_path):
    _, path, _ = folder
    (movies,) = read_movies(shutil.move(path, tmp_path / "alone.h5"))
    assert movies.time.values[1].tolist() == list(range(49))
    assert movies.attrs["remarks"][1].startswith("no CATALOG.csv beside the file or above it: frames are numbered")


@pytest.mark.parametrize(
    "rows, minutes, message",
    [
        (ROWS[1:], MINUTES, r"event 1 is S2, but in .*CATALOG\.csv it is none: do they belong together\?"),
        ([("S3", 1, "vil", "2018-05-01"), *ROWS[1:]], MINUTES, r"event 1 is S2, but in .*CATALOG\.csv it is S3"),
        (ROWS, MINUTES[:25], r"CATALOG\.csv has for S1 25 minute_offsets, frames are 49"),
        ([("S1", 0, "vil", "at noon")], MINUTES, r"CATALOG\.csv: the times of S1 cannot be read \("),
    ],
)
def test_a_table_that_does_not_fit_is_refused(folder, rows, minutes, message):
    root, path, _ = folder
    write_table(root, rows, minutes)
    with pytest.raises(ValueError, match=message):
        read_movies(path)


def test_another_table_of_that_name_is_refused(folder):
    (folder[0] / "CATALOG.csv").write_text("id,time\nS1,2018-01-01\n")
    with pytest.raises(ValueError, match=r"CATALOG\.csv: the table of SEVIR's events has no column file_name"):
        read_movies(folder[1])


def test_vil_stays_digital_vil(folder):
    with pytest.raises(ValueError, match="the unit 'digital VIL' cannot be converted to mm/h"):
        read_movies(folder[1], units="mm/h")
    with pytest.raises(ValueError, match="there is no variable 'vis', only vil"):
        read_movies(folder[1], variable="vis")
