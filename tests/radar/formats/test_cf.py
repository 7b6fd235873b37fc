"""Dimensions and variables found by CF attributes, then by names."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats import cf
from predjax.radar.formats.netcdf import build_dataset


class Variables(dict):
    """The variables of a Dataset that grows."""

    @property
    def dataset(self):
        return build_dataset(self, {}, "a.nc")


@pytest.fixture
def there():
    return Variables()


def add(there, name, dims, dtype="f4", **attrs):
    there[name] = xr.Variable(tuple(dims), np.zeros(tuple(dims.values()), dtype), attrs)
    return name


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
    assert roles(there, add(there, "rain", {name: i + 2 for i, name in enumerate(names)})) == expected


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
    rain = add(there, "rain", {"movie": 3})
    add(there, "movie", {"movie": 3}, "f8", **attrs)
    assert roles(there, rain) == (role,)


def test_an_auxiliary_coordinate_identifies_a_dimension_without_a_name_that_is_known(there):
    rain = add(there, "rain", {"a": 2, "b": 3, "case": 4})
    add(there, "when", {"a": 2}, "i8", units="seconds since 1970-01-01")
    add(there, "north", {"b": 3}, "f8", standard_name="projection_y_coordinate")
    # The start of each case does not make the cases times.
    add(there, "begin", {"case": 4}, "i8", units="seconds since 1970-01-01")
    assert roles(there, rain) == ("time", "y", "movie")


def test_an_unknown_dimension_of_one_is_dropped_and_a_longer_one_is_an_error(there):
    assert roles(there, add(there, "rain", {"height": 1, "y": 3, "x": 4})) == ("", "y", "x")
    snow = add(there, "snow", {"level": 5, "y": 3, "x": 4})
    with pytest.raises(ValueError, match=r"a\.nc: rain: the dimension 'level' of size 5 is none of movie, time"):
        roles(there, snow)
    assert roles(there, snow, unknown="channel") == ("channel", "y", "x")
    with pytest.raises(ValueError, match="two of the dimensions lat, y, x look like y"):
        roles(there, add(there, "hail", {"lat": 2, "y": 3, "x": 4}))


def find(there, wanted="", ignored=()):
    return cf.find_variable(there.dataset, wanted, ignored, "a.nc")


def test_the_only_map_is_the_variable_and_coordinates_and_bounds_are_none(there):
    add(there, "rain", {"time": 2, "y": 3, "x": 4}, coordinates="lat lon")
    for name in ("lat", "lon"):
        add(there, name, {"y": 3, "x": 4})
    add(there, "longitudes", {"y": 3, "x": 4}, standard_name="longitude")
    add(there, "x", {"x": 4}, bounds="x_bounds")
    add(there, "x_bounds", {"x": 4, "nv": 2})
    assert find(there) == "rain"


def test_of_several_the_one_with_a_radar_name(there):
    add(there, "quality", {"time": 2, "y": 3, "x": 4}, standard_name="rainfall_rate status_flag")
    add(there, "height", {"y": 3, "x": 4}, standard_name="surface_altitude")
    with pytest.raises(ValueError, match=r"a\.nc: several variables .*: quality, height; choose one with --variable"):
        find(there)
    add(there, "rain", {"time": 2, "y": 3, "x": 4}, standard_name="rainfall_rate")
    assert find(there) == "rain" and find(there, "quality") == "quality"
    add(there, "dbz", {"time": 2, "y": 3, "x": 4}, standard_name="equivalent_reflectivity_factor")
    with pytest.raises(ValueError, match="quality, height, rain, dbz"):
        find(there)
    assert find(there, ignored=("dbz",)) == "rain"
    with pytest.raises(ValueError, match="no variable 'snow'; there are quality, height, rain, dbz"):
        find(there, "snow")


def test_products_of_members_are_not_the_members(there):
    name = {"standard_name": "rainfall_rate"}
    add(there, "mean", {"time": 2, "y": 3, "x": 4}, **name, cell_methods="realization: mean")
    assert find(there) == "mean"  # alone
    add(there, "rain", {"realization": 2, "time": 2, "y": 3, "x": 4}, **name)
    add(there, "percentile", {"level": 3, "time": 2, "y": 3, "x": 4}, **name)
    assert find(there) == "rain"


def test_groups_are_named_and_read_when_asked_for(there):
    rain = add(there, "dataset1/rain", {"dataset1/time": 2, "dataset1/y": 3, "x": 4})
    with pytest.raises(ValueError, match=r"inside a group: there are dataset1/rain; choose with --variable"):
        find(there)
    assert find(there, "dataset1/rain") == find(there, "/dataset1/rain") == "dataset1/rain"
    add(there, "x", {"x": 4}, axis="X")
    assert cf.lookup(there.dataset, rain, "x") == "x" and cf.lookup(there.dataset, rain, "nothing") is None
    assert roles(there, rain) == ("time", "y", "x")


def test_without_a_map_the_message_lists_what_there_is(there):
    add(there, "rain", {"a": 2, "b": 3})
    add(there, "level", {"b": 3})
    with pytest.raises(ValueError, match=r"no variable has the dimensions time, y and x; found rain \(a, b\)"):
        find(there)


def when(there, name):
    return next(iter(cf.find_times(there.dataset, name, cf.find_roles(there.dataset, name, "a.nc: rain"))), None)


def test_the_time_of_single_frames_is_the_valid_time_never_the_start(there):
    rain = add(there, "rain", {"y": 3, "x": 4})
    dates = {"units": "seconds since 1970-01-01"}
    assert when(there, rain) is None
    add(there, "start_time", {}, "i8", **dates)
    add(there, "forecast_time", {}, "i8", standard_name="forecast_reference_time", **dates)
    assert when(there, rain) is None
    add(there, "created", {}, "i8", **dates)
    assert when(there, rain) is None
    add(there, "valid_time", {}, "i8", **dates)
    assert when(there, rain) == "valid_time"
    add(there, "end", {}, "i8", standard_name="time", **dates)
    assert when(there, rain) == "end"


def test_the_time_along_a_dimension(there):
    rain = add(there, "rain", {"movie": 5, "frame": 2, "y": 3, "x": 4})
    add(there, "time_bounds", {"frame": 2, "nv": 2}, units="seconds since 1970-01-01")
    add(there, "valid_time", {}, "i8", units="seconds since 1970-01-01")
    assert when(there, rain) is None
    add(there, "stamp", {"movie": 5, "frame": 2}, "i8", units="seconds since 1970-01-01")
    assert when(there, rain) == "stamp"
    add(there, "frame", {"frame": 2}, "i8", units="1")
    assert when(there, rain) == "stamp"


def test_an_attribute_that_cannot_be_read_is_an_error_where_it_is_wanted(there):
    rain, error = add(there, "rain", {"y": 3, "x": 4}, units="mm/h"), AttributeError("NetCDF: no such type")
    assert cf.attributes(there.dataset.variables[rain]) == {"units": "mm/h"}
    add(there, "quality", {"q": 3}, table=error)
    assert find(there) == "rain"
    with pytest.raises(AttributeError, match="no such type"):
        cf.attributes(there.dataset.variables["quality"])


def test_rows_and_columns_called_i_and_j_are_told_by_their_order_or_their_coordinates(there):
    assert roles(there, add(there, "rain", {"time": 2, "j": 3, "i": 4})) == ("time", "y", "x")
    add(there, "rain", {"time": 2, "i": 3, "j": 4})
    with pytest.raises(ValueError, match=r"a\.nc: rain: nothing tells whether i or j are the rows: name"):
        roles(there, "rain")
    add(there, "i", {"i": 3}, axis="Y")
    add(there, "j", {"j": 4}, axis="X")
    assert roles(there, "rain") == ("time", "y", "x")


@pytest.mark.parametrize("units", ["degrees_north", "degree_N", "degreesN", ""])
def test_latitudes_and_longitudes_that_nothing_names_are_no_frames(there, units):
    maps = {"y": 3, "x": 4}
    add(there, "rain", {"time": 2, **maps})
    names = ("a", "b") if units else ("XLAT", "lon")
    for name, unit in zip(names, (units, units.replace("north", "east").replace("N", "E"))):
        add(there, name, maps, **({"units": unit} if unit else {}))
    assert cf.find_variable(there.dataset, "", (), "a.nc") == "rain"
    remark = f"{names[0]} and {names[1]} of each pixel are left out: rows and columns are numbered"
    assert cf.describe_dimensions(there.dataset, "rain", {"time": "time", "y": "y", "x": "x"}) == [remark]
    add(there, "y", {"y": 3}, units="m")
    assert cf.describe_dimensions(there.dataset, "rain", {"time": "time", "y": "y", "x": "x"}) == []


def test_a_latitude_along_a_dimension_of_another_name_is_its_coordinate(there):
    add(there, "rain", {"time": 2, "y": 3, "x": 4})
    add(there, "lat", {"y": 3})
    add(there, "quality", {"y": 3})
    known = {"time": "time", "y": "y", "x": "x"}
    assert cf.find_coordinate(there.dataset, "rain", "y", "y") == "lat"
    assert cf.find_coordinate(there.dataset, "rain", "x", "x") is None
    assert cf.describe_dimensions(there.dataset, "rain", known) == ["lat taken as the coordinate of y"]
