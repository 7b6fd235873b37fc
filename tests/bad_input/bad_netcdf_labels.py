"""netCDF files with bad dimensions, names, times and units."""

import netCDF4
import numpy as np
from bad_input.bad_netcdf_files import DIMS, SECONDS, write
from bad_input.bad_npy import FRAMES
from bad_input.bad_places import ESCAPES
from bad_input.kinds import refused, repaired

SCRIPT = "<script>alert(1)</script>"


def add(path, name, values, dims=DIMS, **attrs):
    """One more variable."""
    with netCDF4.Dataset(path, "a") as file:
        variable = file.createVariable(name, np.asarray(values).dtype, dims)
        variable.set_auto_maskandscale(False)
        variable.setncatts(attrs)
        variable[...] = values
    return path


@repaired()
def axes_in_another_order(folder):
    return write(folder, FRAMES.transpose(2, 0, 1), ("x", "time", "y")), FRAMES


@repaired()
def axes_with_other_names(folder):
    path = write(folder, FRAMES, ("time", "south_north", "west_east"))
    return path, FRAMES


@repaired()
def axes_known_by_attributes(folder):
    path = write(folder, FRAMES, ("time", "one", "two"))
    add(path, "one", np.arange(4.0), ("one",), axis="Y")
    return add(path, "two", np.arange(6.0), ("two",), axis="X"), FRAMES


@refused("movies", "no variable has the dimensions time, y and x; found rain \\(p, q, r\\)")
def axes_without_meaning(folder):
    return write(folder, FRAMES, ("p", "q", "r"))


@refused("movies", "two of the dimensions .* look like y|no variable")
def two_axes_of_one_meaning(folder):
    return write(folder, FRAMES[..., None], ("time", "y", "lat", "x"))


@refused("movies", "the dimension 'height' of size 5 is none of")
def an_axis_too_many(folder):
    return write(folder, FRAMES[None].repeat(5, 0), ("height", *DIMS))


@refused("movies", "several variables could be the frames: rain, snow")
def several_variables(folder):
    return add(write(folder), "snow", FRAMES)


@refused("movies", "there is no variable 'hail'", variable="hail")
def variable_that_is_not_there(folder):
    return write(folder)


@refused("movies", "there is no such forcing variable", forcings=("wind",))
def forcing_that_is_not_there(folder):
    return write(folder)


@refused("movies", "the frames are inside a group: there are radar/rain")
def frames_in_a_group(folder):
    with netCDF4.Dataset(folder / "a.nc", "w") as file:
        for dim, size in zip(DIMS, FRAMES.shape):
            file.createDimension(dim, size)
        file.createGroup("radar").createVariable("rain", "f4", DIMS)[:] = FRAMES
    return folder / "a.nc"


def _descends(movies):
    assert (np.diff(movies[0]["y"].values) < 0).all()
    np.testing.assert_array_equal(movies[0].frames.values[0, ..., 0], FRAMES)


@repaired()
def latitude_that_descends_loses_no_rows(folder):
    path = write(folder, FRAMES, ("time", "lat", "lon"))
    return add(path, "lat", np.arange(50.0, 46, -1), ("lat",), units="degrees_north"), _descends


@refused("movies", r"time: times must increase, but frame 1 is at 2020-01-01T00:10:00 and frame 2")
def times_that_go_back(folder):
    return write(folder, times=[0, 600, 300, 900, 1200])


@refused("movies", "time: times must increase, but frame 1")
def times_twice(folder):
    return write(folder, times=[0, 300, 300, 600, 900])


def _has_two_runs(movies):
    from predjax.radar.windows.runs import find_periods

    runs = [(period.start, period.stop) for period in find_periods(movies)]
    assert runs == [(0, 3), (3, 5)]


@repaired()
def times_with_a_gap_are_two_runs(folder):
    return write(folder, times=[0, 300, 600, 9000, 9300]), _has_two_runs


def _joined(movies):
    assert movies[0].sizes["time"] == 8
    np.testing.assert_array_equal(movies[0].frames.values[0, :5, ..., 0], FRAMES)


@repaired()
def times_in_two_files_are_those_of_the_first(folder):
    write(folder)
    write(folder, FRAMES + 100, name="b.nc", times=900 + 300 * np.arange(5))
    return folder, _joined


@refused("movies", "the calendar must be one of .* found '360_day'")
def calendar_of_360_days(folder):
    return write(folder, time_attrs={"units": SECONDS, "calendar": "360_day"})


@refused("movies", "the calendar must be one of .*, found 'maya")
def calendar_that_is_unknown(folder):
    return write(folder, time_attrs={"units": SECONDS, "calendar": "maya\n<b>"})


@refused("movies", "a time is missing")
def times_with_nan(folder):
    return write(folder, times=[0, np.nan, 600, 900, 1200])


@refused("movies", "a time is missing")
def times_with_infinity(folder):
    return write(folder, times=[0, 300, 600, 900, np.inf])


@refused("movies", "a time is missing")
def times_with_a_fill_value(folder):
    return write(folder, times=[0, 300, 600, 900, -1], time_attrs={"units": SECONDS, "missing_value": -1.0})


@refused("movies", "a time is missing|cannot be dates")
def times_never_written(folder):
    return write(folder, times=netCDF4.default_fillvals["f8"] * np.ones(5))


@refused("movies", "outside 1739-2261")
def times_beyond_all_dates(folder):
    return write(folder, times=1e17 + 1e6 * np.arange(5))


@refused("movies", "outside 1739-2261")
def times_of_integers_that_wrap_around(folder):
    return write(folder, times=2**63 - 10 + np.arange(5), time_type="i8")


@refused("movies", "cannot be dates")
def times_since_a_day_that_never_was(folder):
    return write(folder, time_attrs={"units": "seconds since 2020-13-77"})


@refused("movies", "cannot be dates")
def times_in_a_unit_that_is_none(folder):
    return write(folder, time_attrs={"units": "fortnights since 2020-01-01"})


@refused("movies", "cannot be dates")
def times_since_garbage(folder):
    return write(folder, time_attrs={"units": f"seconds since {ESCAPES}\n{'9' * 5000}"})


@refused("movies", "the calendar must be|cannot be dates")
def calendar_that_is_a_number(folder):
    return write(folder, time_attrs={"units": SECONDS, "calendar": 7})


@refused("movies", "time: the attribute missing_value must be a number, found 'none'")
def times_with_a_fill_value_of_words(folder):
    return write(folder, time_attrs={"units": SECONDS, "missing_value": "none"})


@refused("movies", "time: times must not be packed, found the attribute scale_factor")
def times_that_are_packed(folder):
    return write(folder, time_attrs={"units": SECONDS, "scale_factor": 2.0})


@refused("movies", "cannot be converted to mm/h", units="mm/h")
def unit_that_is_garbage(folder):
    return write(folder, attrs={"units": f"{ESCAPES}{SCRIPT}\n"})


def _shows_unit(movies):
    assert movies[0].frames.attrs["units"] == r"\x1b[31mred\x1b[0m\n<script>alert(1)</script>"


@repaired()
def unit_with_terminal_escapes(folder):
    return write(folder, attrs={"units": f"{ESCAPES}\n{SCRIPT}"}), _shows_unit


@repaired()
def unit_that_is_a_number(folder):
    return write(folder, attrs={"units": np.float32(3)}), FRAMES


@repaired()
def unit_that_is_a_list(folder):
    path = write(folder, attrs={})
    with netCDF4.Dataset(path, "a") as file:
        file["rain"].setncattr_string("units", ["mm", "h"])
    return path, FRAMES


@refused("movies", "several variables could be the frames: .*<script>")
def variables_named_like_markup(folder):
    return add(write(folder, variable="rain<script>alert(1)<script>"), "rain[31m", FRAMES)


@repaired()
def grid_mapping_that_is_not_there(folder):
    return write(folder, attrs={"units": "mm/h", "grid_mapping": f"{SCRIPT} : x"}), FRAMES


@refused("movies", "y: the attribute scale_factor must be a number, found 'much'")
def coordinate_with_a_scale_of_words(folder):
    path = write(folder, FRAMES)
    return add(path, "y", np.arange(4.0), ("y",), scale_factor="much")
