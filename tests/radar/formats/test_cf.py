"""Dimensions and variables found by CF attributes, then by names."""

import netCDF4
import numpy as np
import pytest

from predjax.radar.formats import cf


@pytest.fixture
def dataset(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        yield file


def add(group, name, dims, dtype="f4", **attrs):
    for dim, size in dims.items():
        if not any(dim in one.dimensions for one in (group, group.parent) if one is not None):
            group.createDimension(dim, size)
    variable = group.createVariable(name, dtype, tuple(dims))
    variable.setncatts(attrs)
    return variable


def roles(variable, **options):
    return tuple(cf.find_roles(variable, "a.nc: rain", **options).values())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("time", "y", "x"), ("time", "y", "x")),
        (("longitude", "latitude", "valid_time"), ("x", "y", "time")),
        (("event", "t", "lat", "lon"), ("movie", "time", "y", "x")),
        (("Path", "Time", "projection_y_coordinate", "projection_x_coordinate"), ("movie", "time", "y", "x")),
        (("sample", "rows", "cols", "frame", "channel"), ("movie", "y", "x", "time", "channel")),
    ],
)
def test_by_names_in_any_order(dataset, names, expected):
    assert roles(add(dataset, "rain", {name: i + 2 for i, name in enumerate(names)})) == expected


@pytest.mark.parametrize(
    ("attrs", "role"),
    [
        ({"axis": "T"}, "time"),
        ({"axis": "Y"}, "y"),
        ({"standard_name": "projection_x_coordinate"}, "x"),
        ({"standard_name": "grid_latitude"}, "y"),
        ({"units": "degrees_east"}, "x"),
        ({"units": "hours since 2000-01-01"}, "time"),
    ],
)
def test_attributes_of_the_coordinate_come_before_the_name(dataset, attrs, role):
    rain = add(dataset, "rain", {"movie": 3})
    add(dataset, "movie", {"movie": 3}, "f8", **attrs)
    assert roles(rain) == (role,)


def test_an_auxiliary_coordinate_identifies_a_dimension_without_a_name_that_is_known(dataset):
    rain = add(dataset, "rain", {"a": 2, "b": 3, "case": 4})
    add(dataset, "when", {"a": 2}, "i8", units="seconds since 1970-01-01")
    add(dataset, "north", {"b": 3}, "f8", standard_name="projection_y_coordinate")
    # The start of each case does not make the cases times.
    add(dataset, "begin", {"case": 4}, "i8", units="seconds since 1970-01-01")
    assert roles(rain) == ("time", "y", "movie")


def test_an_unknown_dimension_of_one_is_dropped_and_a_longer_one_is_an_error(dataset):
    assert roles(add(dataset, "rain", {"height": 1, "y": 3, "x": 4})) == ("", "y", "x")
    snow = add(dataset, "snow", {"level": 5, "y": 3, "x": 4})
    with pytest.raises(ValueError, match=r"a\.nc: rain: the dimension 'level' of size 5 is none of movie, time"):
        roles(snow)
    assert roles(snow, unknown="channel") == ("channel", "y", "x")
    with pytest.raises(ValueError, match="two of the dimensions lat, y, x look like y"):
        roles(add(dataset, "hail", {"lat": 2, "y": 3, "x": 4}))


def find(dataset, wanted="", ignored=()):
    return cf.path_of(cf.find_variable(dataset, wanted, ignored, "a.nc"))


def test_the_only_map_is_the_variable_and_coordinates_and_bounds_are_none(dataset):
    add(dataset, "rain", {"time": 2, "y": 3, "x": 4}, coordinates="lat lon")
    for name in ("lat", "lon"):
        add(dataset, name, {"y": 3, "x": 4})
    add(dataset, "longitudes", {"y": 3, "x": 4}, standard_name="longitude")
    add(dataset, "x", {"x": 4}, bounds="x_bounds")
    add(dataset, "x_bounds", {"x": 4, "nv": 2})
    assert find(dataset) == "rain"


def test_of_several_the_one_with_a_radar_name(dataset):
    add(dataset, "quality", {"time": 2, "y": 3, "x": 4}, standard_name="rainfall_rate status_flag")
    add(dataset, "height", {"y": 3, "x": 4}, standard_name="surface_altitude")
    with pytest.raises(ValueError, match=r"a\.nc: several variables .*: quality, height; choose one with --variable"):
        find(dataset)
    add(dataset, "rain", {"time": 2, "y": 3, "x": 4}, standard_name="rainfall_rate")
    assert find(dataset) == "rain" and find(dataset, "quality") == "quality"
    add(dataset, "dbz", {"time": 2, "y": 3, "x": 4}, standard_name="equivalent_reflectivity_factor")
    with pytest.raises(ValueError, match="quality, height, rain, dbz"):
        find(dataset)
    assert find(dataset, ignored=("dbz",)) == "rain"
    with pytest.raises(ValueError, match="no variable 'snow'; there are quality, height, rain, dbz"):
        find(dataset, "snow")


def test_groups_are_named_and_read_when_asked_for(dataset):
    dataset.createDimension("x", 4)
    group = dataset.createGroup("dataset1")
    add(group, "rain", {"time": 2, "y": 3, "x": 4})
    with pytest.raises(ValueError, match=r"inside a group: there are dataset1/rain; choose with --variable"):
        find(dataset)
    assert find(dataset, "dataset1/rain") == find(dataset, "/dataset1/rain") == "dataset1/rain"
    add(dataset, "x", {"x": 4}, axis="X")
    assert cf.lookup(group, "x").axis == "X" and cf.lookup(group, "nothing") is None


def test_without_a_map_the_message_lists_what_there_is(dataset):
    add(dataset, "rain", {"a": 2, "b": 3})
    add(dataset, "level", {"b": 3})
    with pytest.raises(ValueError, match=r"no variable has the dimensions time, y and x; found rain \(a, b\)"):
        find(dataset)


def when(variable):
    found = cf.find_time(variable, cf.find_roles(variable, "a.nc: rain"))
    return None if found is None else found.name


def test_the_time_of_single_frames_is_the_valid_time_never_the_start(dataset):
    rain = add(dataset, "rain", {"y": 3, "x": 4})
    dates = {"units": "seconds since 1970-01-01"}
    assert when(rain) is None
    add(dataset, "start_time", {}, "i8", **dates)
    add(dataset, "forecast_time", {}, "i8", standard_name="forecast_reference_time", **dates)
    assert when(rain) is None
    add(dataset, "created", {}, "i8", **dates)
    assert when(rain) is None
    add(dataset, "valid_time", {}, "i8", **dates)
    assert when(rain) == "valid_time"
    add(dataset, "end", {}, "i8", standard_name="time", **dates)
    assert when(rain) == "end"


def test_the_time_along_a_dimension(dataset):
    rain = add(dataset, "rain", {"movie": 5, "frame": 2, "y": 3, "x": 4})
    add(dataset, "time_bounds", {"frame": 2, "nv": 2}, units="seconds since 1970-01-01")
    add(dataset, "valid_time", {}, "i8", units="seconds since 1970-01-01")
    assert when(rain) is None
    add(dataset, "stamp", {"movie": 5, "frame": 2}, "i8", units="seconds since 1970-01-01")
    assert when(rain) == "stamp"
    add(dataset, "frame", {"frame": 2}, "i8", units="1")
    assert when(rain) == "stamp"


def test_attributes_are_plain_values(dataset):
    rain = add(dataset, "rain", {"y": 3, "x": 4}, units="mm/h", range=np.array([1, 2]))
    assert cf.attributes(rain)["units"] == "mm/h" and cf.attributes(rain)["range"].tolist() == [1, 2]
