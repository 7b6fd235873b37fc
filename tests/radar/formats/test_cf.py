"""Dimensions and variables found by CF attributes, then by names."""

import pytest

from predjax.radar.formats import cf
from predjax.radar.formats.variables import find_variable

NUMBERED = "there are no coordinates of the pixels: rows and columns are numbered, row 0 on top"


def roles(there, name, **options):
    return tuple(cf.find_roles(there.dataset, name, "a.nc: rain", **options).values())


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
def test_by_names_in_any_order(there, names, expected):
    assert roles(there, there.add("rain", {name: i + 2 for i, name in enumerate(names)})) == expected


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
def test_attributes_of_the_coordinate_come_before_the_name(there, attrs, role):
    rain = there.add("rain", {"movie": 3})
    there.add("movie", {"movie": 3}, "f8", **attrs)
    assert roles(there, rain) == (role,)


def test_an_auxiliary_coordinate_identifies_a_dimension_without_a_name_that_is_known(there):
    rain = there.add("rain", {"a": 2, "b": 3, "case": 4})
    there.add("when", {"a": 2}, "i8", units="seconds since 1970-01-01")
    there.add("north", {"b": 3}, "f8", standard_name="projection_y_coordinate")
    # The start of each case does not make the cases times.
    there.add("begin", {"case": 4}, "i8", units="seconds since 1970-01-01")
    assert roles(there, rain) == ("time", "y", "movie")


def test_an_unknown_dimension_of_one_is_dropped_and_a_longer_one_is_an_error(there):
    assert roles(there, there.add("rain", {"height": 1, "y": 3, "x": 4})) == ("", "y", "x")
    snow = there.add("snow", {"level": 5, "y": 3, "x": 4})
    with pytest.raises(ValueError, match=r"a\.nc: rain: the dimension 'level' of size 5 is none of movie, time"):
        roles(there, snow)
    assert roles(there, snow, unknown="channel") == ("channel", "y", "x")
    with pytest.raises(ValueError, match="two of the dimensions lat, y, x look like y"):
        roles(there, there.add("hail", {"lat": 2, "y": 3, "x": 4}))


def when(there, name):
    return next(iter(cf.find_times(there.dataset, name, cf.find_roles(there.dataset, name, "a.nc: rain"))), None)


def test_the_time_of_single_frames_is_the_valid_time_never_the_start(there):
    rain = there.add("rain", {"y": 3, "x": 4})
    dates = {"units": "seconds since 1970-01-01"}
    assert when(there, rain) is None
    there.add("start_time", {}, "i8", **dates)
    there.add("forecast_time", {}, "i8", standard_name="forecast_reference_time", **dates)
    assert when(there, rain) is None
    there.add("created", {}, "i8", **dates)
    assert when(there, rain) is None
    there.add("valid_time", {}, "i8", **dates)
    assert when(there, rain) == "valid_time"
    there.add("end", {}, "i8", standard_name="time", **dates)
    assert when(there, rain) == "end"


def test_the_time_along_a_dimension(there):
    rain = there.add("rain", {"movie": 5, "frame": 2, "y": 3, "x": 4})
    there.add("time_bounds", {"frame": 2, "nv": 2}, units="seconds since 1970-01-01")
    there.add("valid_time", {}, "i8", units="seconds since 1970-01-01")
    assert when(there, rain) is None
    there.add("stamp", {"movie": 5, "frame": 2}, "i8", units="seconds since 1970-01-01")
    assert when(there, rain) == "stamp"
    there.add("frame", {"frame": 2}, "i8", units="1")
    assert when(there, rain) == "stamp"


def test_an_attribute_that_cannot_be_read_is_an_error_where_it_is_wanted(there):
    rain, error = there.add("rain", {"y": 3, "x": 4}, units="mm/h"), AttributeError("NetCDF: no such type")
    assert cf.attributes(there.dataset.variables[rain]) == {"units": "mm/h"}
    there.add("quality", {"q": 3}, table=error)
    assert find_variable(there.dataset, "", (), "a.nc")[0] == "rain"
    with pytest.raises(AttributeError, match="no such type"):
        cf.attributes(there.dataset.variables["quality"])


def test_rows_and_columns_called_i_and_j_are_told_by_their_order_or_their_coordinates(there):
    assert roles(there, there.add("rain", {"time": 2, "j": 3, "i": 4})) == ("time", "y", "x")
    there.add("rain", {"time": 2, "i": 3, "j": 4})
    with pytest.raises(ValueError, match=r"a\.nc: rain: nothing tells whether i or j are the rows: name"):
        roles(there, "rain")
    there.add("i", {"i": 3}, axis="Y")
    there.add("j", {"j": 4}, axis="X")
    assert roles(there, "rain") == ("time", "y", "x")


@pytest.mark.parametrize("units", ["degrees_north", "degree_N", "degreesN", ""])
def test_latitudes_and_longitudes_that_nothing_names_are_no_frames(there, units):
    maps = {"y": 3, "x": 4}
    there.add("rain", {"time": 2, **maps})
    names = ("a", "b") if units else ("XLAT", "lon")
    for name, unit in zip(names, (units, units.replace("north", "east").replace("N", "E"))):
        there.add(name, maps, **({"units": unit} if unit else {}))
    assert find_variable(there.dataset, "", (), "a.nc")[0] == "rain"
    remark = f"{names[0]} and {names[1]} of each pixel are left out: rows and columns are numbered, row 0 on top"
    assert cf.describe_places(there.dataset, "rain", {"time": "time", "y": "y", "x": "x"}) == [remark]
    for axis, size in maps.items():
        there.add(axis, {axis: size}, units="m")
    assert cf.describe_places(there.dataset, "rain", {"time": "time", "y": "y", "x": "x"}) == []


def test_a_latitude_along_a_dimension_of_another_name_is_its_coordinate(there):
    there.add("rain", {"time": 2, "y": 3, "x": 4})
    there.add("lat", {"y": 3})
    there.add("quality", {"y": 3})
    known = {"time": "time", "y": "y", "x": "x"}
    assert cf.find_coordinate(there.dataset, "rain", "y", "y") == "lat"
    assert cf.find_coordinate(there.dataset, "rain", "x", "x") is None
    assert cf.describe_places(there.dataset, "rain", known) == ["lat taken as the coordinate of y", NUMBERED]


def test_a_group_sees_the_coordinates_above_it(there):
    rain = there.add("dataset1/rain", {"dataset1/time": 2, "dataset1/y": 3, "x": 4})
    there.add("x", {"x": 4}, axis="X")
    assert cf.lookup(there.dataset, rain, "x") == "x" and cf.lookup(there.dataset, rain, "nothing") is None
    assert roles(there, rain) == ("time", "y", "x")


def test_coordinates_without_a_unit_are_said(there):
    rain = there.add("rain", {"time": 2, "y": 3, "x": 4})
    for axis, units in (("y", {"units": "m"}), ("x", {})):
        there.add(axis, {axis: {"y": 3, "x": 4}[axis]}, **units)
    said = ["the coordinates of the pixels have no unit: their size is not known"]
    assert cf.describe_places(there.dataset, rain, {"time": "time", "y": "y", "x": "x"}) == said


@pytest.mark.parametrize(
    ("dims", "remark"),
    [
        ({"time": 2, "member_id": 1, "y": 3, "x": 4}, "the dimension member_id of size 1 is left out"),
        ({"time": 2, "level": 1, "y": 3, "x": 4}, ""),  # a height, by its axis
        ({"band": 3, "y": 3, "x": 4}, "the 3 bands are taken as channels"),
        ({"band": 1, "y": 3, "x": 4}, ""),
        ({"channel": 3, "y": 3, "x": 4}, ""),
    ],
)
def test_what_is_taken_for_a_dimension_is_said(there, dims, remark):
    there.add("level", {"level": 1}, axis="Z")
    for axis in "yx":
        there.add(axis, {axis: dims[axis]}, units="m")
    rain = there.add("rain", dims)
    found = cf.describe_dimensions(there.dataset, rain, cf.find_roles(there.dataset, rain, "a.nc: rain"))
    assert found == ([remark] if remark else [])
