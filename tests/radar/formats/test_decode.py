"""Stored numbers to values: the CF rules, exactly, and what must not pass silently."""

import dataclasses

import netCDF4
import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats.decode import Decoder, read_packing

RNG = np.random.default_rng(0)


def decode(stored, quantity="", **attrs):
    packing = read_packing(stored.dtype, attrs, "a.nc: rain")
    return Decoder(**{**packing.__dict__, "quantity": quantity})(stored, "a.nc: rain")


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"])
@pytest.mark.parametrize(("scale", "offset"), [(0.3, 0.0), (0.5, -32.0), (0.0018, 0.7), (1 / 3, 1e3)])
def test_unpacking_equals_xarrays_rounded_once(dtype, scale, offset):
    stored = RNG.integers(0, 120, (3, 40)).astype(dtype)
    attrs = {"scale_factor": scale, "add_offset": offset, "_FillValue": stored.dtype.type(7)}
    variable = xr.Variable(("y", "x"), stored, attrs)
    expected = xr.decode_cf(xr.Dataset({"v": variable})).v.values.astype("f8")
    if stored.dtype.itemsize < 4 or stored.dtype.kind == "i":
        np.testing.assert_array_equal(decode(stored, **attrs), expected.astype("f4"))
    else:
        np.testing.assert_allclose(decode(stored, **attrs), expected, rtol=1e-6)
    by_formula = np.where(stored == 7, np.nan, stored.astype("f8") * scale + offset).astype("f4")
    np.testing.assert_array_equal(decode(stored, **attrs), by_formula)
    assert decode(stored, **attrs).dtype == np.dtype("f4")


@pytest.mark.parametrize("dtype", ["i2", "u2", "u1", "i1"])
def test_small_integers_by_table_equal_the_arithmetic(dtype):
    every = np.iinfo(dtype)
    stored = np.arange(every.min, every.max + 1).astype(dtype)
    decoder = Decoder(
        np.dtype(dtype).str, 0.5, -32.0, (every.max,), (every.min + 3, np.inf), to="mm/h", quantity="reflectivity"
    )
    stored = stored[np.abs(stored * 0.5 - 42) <= 78]
    table = decoder(stored, "")
    arithmetic = dataclasses.replace(decoder, dtype="<i4")(stored.astype("i4"), "")
    np.testing.assert_array_equal(table, arithmetic)
    assert np.isfinite(table[:-1]).sum() > 90


def test_fill_values_and_missing_values_are_missing():
    stored = np.array([0, 1, 2, 3, 4], "i2")
    np.testing.assert_array_equal(decode(stored, _FillValue=np.int16(1)), [0, np.nan, 2, 3, 4])
    np.testing.assert_array_equal(
        decode(stored, _FillValue=np.int16(1), missing_value=np.array([3, 4], "i2")), [0, np.nan, 2, np.nan, np.nan]
    )
    # Declared as double for a float variable: compared as the float that was stored.
    stored = np.array([-9999.9, 1], "f4")
    np.testing.assert_array_equal(decode(stored, missing_value=-9999.9), [np.nan, 1])
    np.testing.assert_array_equal(decode(np.array([np.nan, 1], "f4"), _FillValue=np.float32(np.nan)), [np.nan, 1])


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4", "u2"])
def test_what_was_never_written_is_missing(dtype):
    stored = np.array([netCDF4.default_fillvals[dtype], 1], dtype)
    np.testing.assert_array_equal(decode(stored), [np.nan, 1])


def test_an_unwritten_real_is_missing_beside_a_declared_fill_value():
    np.testing.assert_array_equal(decode(np.array([9.96921e36, -1, 2], "f4"), _FillValue=-1.0), [np.nan, np.nan, 2])


def test_the_valid_range_bounds_stored_numbers_of_the_same_type():
    stored = np.array([0, 10, 20, 30], "i2")
    packing = {"scale_factor": 0.1, "add_offset": 5.0}
    expected = np.array([np.nan, 6, 7, np.nan], "f4")
    np.testing.assert_array_equal(decode(stored, valid_range=np.array([10, 20], "i2"), **packing), expected)
    np.testing.assert_array_equal(decode(stored, valid_min=np.int16(10), valid_max=np.int16(20), **packing), expected)
    # Limits of the unpacked type bound the values.
    np.testing.assert_array_equal(decode(stored, valid_range=np.array([5.5, 7.5]), **packing), expected)
    np.testing.assert_array_equal(decode(stored, valid_max=np.int16(20), **packing)[[0, 3]], np.float32([5, np.nan]))
    real = np.array([-1, 0, 5, 11], "f4")
    np.testing.assert_array_equal(decode(real, valid_min=0.0, valid_max=10.0), [np.nan, 0, 5, np.nan])


def test_signed_numbers_may_stand_for_unsigned_ones():
    stored = np.array([0, 127, -128, -1], "i1")
    values = decode(stored, _Unsigned="true", _FillValue=np.int8(-1), scale_factor=0.5)
    np.testing.assert_array_equal(values, [0, 63.5, 64, np.nan])


@pytest.mark.parametrize(
    ("quantity", "value"), [("rain", -1000), ("rain", -8888), ("reflectivity", -9000), ("reflectivity", 999)]
)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4"])
def test_a_fill_value_that_was_not_declared_is_refused_and_declared_is_missing(quantity, value, dtype):
    stored = np.array([[3, 1], [value, 2]], dtype)
    with pytest.raises(ValueError, match=rf"a\.nc: rain: holds {value}, .* declare it as _FillValue"):
        decode(stored, quantity)
    np.testing.assert_array_equal(decode(stored, quantity, _FillValue=stored.dtype.type(value)), [[3, 1], [np.nan, 2]])
    np.testing.assert_array_equal(decode(stored), stored)


def test_no_echo_as_minus_infinity_is_the_dry_value_and_other_infinities_are_refused():
    np.testing.assert_array_equal(decode(np.array([-np.inf, 20], "f4"), "reflectivity"), [-32, 20])
    for quantity, value in (("reflectivity", np.inf), ("rain", np.inf), ("rain", -np.inf), ("", -np.inf)):
        with pytest.raises(ValueError, match="infinite"):
            decode(np.array([value, 1], "f4"), quantity)


def test_conversion_is_double_precision_rounded_once():
    stored = np.arange(0, 200).astype("u1")
    decoder = Decoder("|u1", 0.5, -32.0, to="mm/h", zr_a=223.0, zr_b=1.53)
    expected = (10 ** ((stored * 0.5 - 32.0) / 10) / 223.0) ** (1 / 1.53)
    np.testing.assert_array_equal(decoder(stored, ""), expected.astype("f4"))
    back = Decoder("<f8", to="dBZ", zr_a=223.0, zr_b=1.53)(expected, "")
    np.testing.assert_allclose(back, stored * 0.5 - 32.0, rtol=6e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "attrs", "rule"),
    [
        ("c16", {}, "complex numbers"),
        ("?", {}, "true/false"),
        ("i1", {"dtype": "bool"}, "true/false"),
        ("O", {}, "Python objects or text"),
        ("i2", {"scale_factor": "0.1"}, "scale_factor must be a number, found '0.1'"),
        ("i2", {"scale_factor": np.array([1.0, 2.0])}, "scale_factor must be one number"),
        ("i2", {"valid_range": np.array([1, 2, 3])}, "valid_range must be two numbers"),
    ],
)
def test_what_cannot_be_decoded_is_refused(dtype, attrs, rule):
    with pytest.raises(ValueError, match=f"a.nc: {rule}|a.nc: .*{rule}"):
        read_packing(np.dtype(dtype), attrs, "a.nc")


def test_a_single_number_keeps_its_shape():
    assert decode(np.array(3, "i2"), scale_factor=2.0) == 6 and decode(np.array(3, "i2")).shape == ()
