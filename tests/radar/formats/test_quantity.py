"""The unit of values: what files state, what a user states, and what is taken for it."""

import pytest

from predjax.radar.formats.quantity import AS_STATED, UnitOptions, plan_conversion

REFLECTIVITY = "equivalent_reflectivity_factor"


def plan(attrs, name="rain", **options):
    return plan_conversion(attrs, {}, UnitOptions(**options), f"a.nc: {name}")


@pytest.mark.parametrize(
    "attrs", [{"unit": "mm h-1"}, {"Units": "mm h-1"}, {"units": "1", "unit": "mm/hr"}, {"UNIT": "mm/h"}]
)
def test_the_unit_stands_in_units_or_unit(attrs):
    found = plan(attrs)
    assert (found.units, found.factor, found.quantity) == ("mm/h", 1.0, "rain")
    assert len(found.remarks) == ("units" not in map(str.lower, attrs) or "unit" in attrs)


@pytest.mark.parametrize("stated", [{}, {"units": "1"}, {"units": "unknown"}, {"units": "dB"}])
def test_a_user_states_the_unit_of_values_without_a_known_one(stated):
    found = plan(stated, source_units="kg m-2 s-1")
    assert (found.units, found.factor, found.quantity) == ("mm/h", 3600.0, "rain")
    assert found.remarks[0].endswith("values are taken as kg m-2 s-1, as --source_units says")
    assert plan(stated, source_units="dBZ", units="mm/h").to == "mm/h"
    assert plan({"standard_name": "unknown"} | stated, source_units="m/s").factor == 3.6e6


def test_a_user_cannot_state_another_unit_than_the_file():
    with pytest.raises(ValueError, match=r"a\.nc: rain: the unit is mm/h, not mm as --source_units says"):
        plan({"units": "mm/h"}, source_units="mm")
    assert plan({"units": "mm h-1"}, source_units="kg m-2 h-1").remarks == ()


@pytest.mark.parametrize("unit", ["mm/h", "dBZ"])
def test_values_without_a_unit_are_taken_to_be_in_the_wanted_one(unit):
    for attrs in ({}, {"units": "1"}):
        found = plan(attrs, units=unit)
        assert (found.units, found.to, found.factor) == (unit, "", 1.0) and "as --units says" in found.remarks[0]
    with pytest.raises(ValueError, match=r"the unit 'dB' cannot be converted to .*; --source_units states"):
        plan({"units": "dB"}, units=unit)


def test_a_name_of_another_quantity_is_not_taken_to_be_in_the_wanted_unit():
    for attrs, unit, meant in (
        ({"standard_name": REFLECTIVITY}, "mm/h", "dBZ"),
        ({"long_name": "accumulated rain"}, "mm/h", "mm"),
        ({"standard_name": "rainfall_rate"}, "dBZ", "mm/h"),
    ):
        with pytest.raises(
            ValueError, match=f"rain: no unit is stated, and .* is not in {unit}: .*--source_units {meant}"
        ):
            plan(attrs, units=unit)
        assert plan(attrs, source_units=meant).units in ("mm/h", "dBZ")


def test_values_without_a_unit_and_of_an_unknown_one_are_kept_with_a_line():
    assert plan({}).units == "1" and plan({"units": "K"}).remarks == ()
    named = {"standard_name": REFLECTIVITY}
    for attrs in ({"units": "dB"} | named, named, {}, {"units": "1"}):
        (remark,) = plan(attrs).remarks
        assert remark.endswith("values are kept as they are; --source_units would state their unit")


def test_a_period_is_of_sums():
    assert plan({"units": "mm/h"}, accumulation_period="1h").remarks == (
        "the values are in mm/h, no sums: --accumulation_period is not used",
    )
    with pytest.raises(ValueError, match="--accumulation_period 1h is of sums, but the unit is '': --source_units mm"):
        plan({}, accumulation_period="1h")
    assert plan({}, accumulation_period="1h", source_units="mm").accumulation and not AS_STATED.source_units


def test_other_quantities_keep_their_units():
    assert plan({"units": "m s-1", "standard_name": "eastward_wind"}).units == "m/s"
    assert plan({"units": "m"}).units == "m" and plan({"units": "K"}).units == "K"
    with pytest.raises(ValueError, match=r"the unit 'm s-1' cannot be converted to dBZ$"):
        plan({"units": "m s-1"}, units="dBZ")


@pytest.mark.parametrize(
    ("attrs", "said"),
    [
        ({}, "values in mm/h without a standard name are taken as rain"),
        ({"standard_name": "water_evaporation_flux"}, "values in mm/h with the standard name 'water_evaporation_flux'"),
        ({"standard_name": "rainfall_rate"}, ""),
        ({"long_name": "Precipitation rate"}, ""),
    ],
)
def test_a_unit_of_rain_without_its_name_is_taken_as_rain_with_a_line(attrs, said):
    found = plan({"units": "mm/h"} | attrs, "v")
    assert found.quantity == "rain" and said in "".join(found.remarks) and len(found.remarks) == bool(said)
    assert not plan({"units": "mm/h"}).remarks
