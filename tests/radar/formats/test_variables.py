"""The variable that holds the frames: the only one there is, the one with a radar's name, or the one that is named."""

import pytest

from predjax.radar.formats.variables import find_variable


def find(there, wanted="", ignored=()):
    return find_variable(there.dataset, wanted, ignored, "a.nc")[0]


def test_the_only_map_is_the_variable_and_coordinates_and_bounds_are_none(there):
    there.add("rain", {"time": 2, "y": 3, "x": 4}, coordinates="lat lon")
    for name in ("lat", "lon"):
        there.add(name, {"y": 3, "x": 4})
    there.add("longitudes", {"y": 3, "x": 4}, standard_name="longitude")
    there.add("x", {"x": 4}, bounds="x_bounds")
    there.add("x_bounds", {"x": 4, "nv": 2})
    assert find(there) == "rain"


def test_of_several_the_one_with_a_radar_name(there):
    there.add("quality", {"time": 2, "y": 3, "x": 4}, standard_name="rainfall_rate status_flag")
    there.add("height", {"y": 3, "x": 4}, standard_name="surface_altitude")
    with pytest.raises(ValueError, match=r"a\.nc: several variables .*: quality, height; choose one with --variable"):
        find(there)
    there.add("rain", {"time": 2, "y": 3, "x": 4}, standard_name="rainfall_rate")
    assert find(there) == "rain" and find(there, "quality") == "quality"
    there.add("dbz", {"time": 2, "y": 3, "x": 4}, standard_name="equivalent_reflectivity_factor")
    with pytest.raises(ValueError, match="quality, height, rain, dbz"):
        find(there)
    assert find(there, ignored=("dbz",)) == "rain"
    with pytest.raises(ValueError, match="no variable 'snow'; there are quality, height, rain, dbz"):
        find(there, "snow")


def test_products_of_members_are_not_the_members(there):
    name = {"standard_name": "rainfall_rate"}
    there.add("mean", {"time": 2, "y": 3, "x": 4}, **name, cell_methods="realization: mean")
    assert find(there) == "mean"  # alone
    there.add("rain", {"realization": 2, "time": 2, "y": 3, "x": 4}, **name)
    there.add("percentile", {"level": 3, "time": 2, "y": 3, "x": 4}, **name)
    assert find(there) == "rain"


def test_groups_are_named_and_read_when_asked_for(there):
    there.add("dataset1/rain", {"dataset1/time": 2, "dataset1/y": 3, "x": 4})
    with pytest.raises(ValueError, match=r"inside a group: there are dataset1/rain; choose with --variable"):
        find(there)
    assert find(there, "dataset1/rain") == find(there, "/dataset1/rain") == "dataset1/rain"


def test_without_a_map_the_message_lists_what_there_is(there):
    there.add("rain", {"a": 2, "b": 3})
    there.add("level", {"b": 3})
    with pytest.raises(ValueError, match=r"no variable has the dimensions time, y and x; found rain \(a, b\)"):
        find(there)


def test_a_choice_among_several_is_said(there):
    there.add("quality", {"time": 2, "y": 3, "x": 4})
    assert find_variable(there.dataset, "", (), "a.nc") == ("quality", [])
    there.add("rain", {"time": 2, "y": 3, "x": 4}, standard_name="rainfall_rate")
    said = ["rain is taken of quality, rain; --variable chooses another"]
    assert find_variable(there.dataset, "", (), "a.nc") == ("rain", said)
    assert find_variable(there.dataset, "quality", (), "a.nc") == ("quality", [])
