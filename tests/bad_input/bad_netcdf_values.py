"""netCDF files with bad values, bad packing and quantities that cannot be converted."""

import numpy as np
from bad_input.bad_netcdf_files import SECONDS, write
from bad_input.bad_netcdf_labels import add
from bad_input.bad_npy import FRAMES
from bad_input.kinds import refused, repaired

HOLES = np.where(FRAMES % 7 == 3, np.nan, FRAMES)
CODES = FRAMES.astype("i2")


def packed(folder, values=CODES, fill_value=None, **attrs):
    """A file of short integers, or of other values, with these attributes."""
    return write(folder, values, attrs={"units": "1"} | attrs, fill_value=fill_value)


@repaired()
def masked_values_stay_missing(folder):
    return packed(folder, np.where(np.isnan(HOLES), -1, CODES).astype("i2"), fill_value=-1), HOLES


@repaired()
def missing_value_is_missing(folder):
    return packed(folder, np.where(np.isnan(HOLES), -5, FRAMES).astype("f4"), missing_value=np.float32(-5)), HOLES


@repaired()
def several_missing_values(folder):
    values = np.where(np.isnan(HOLES), np.where(FRAMES > 50, -1, -2), CODES).astype("i2")
    return packed(folder, values, missing_value=np.array([-1, -2], "i2")), HOLES


@repaired()
def unwritten_values_are_missing(folder):
    return packed(folder, np.where(np.isnan(HOLES), 9.96921e36, FRAMES).astype("f4")), HOLES


@repaired()
def unwritten_integers_are_missing(folder):
    return packed(folder, np.where(np.isnan(HOLES), -32767, CODES).astype("i2")), HOLES


@repaired()
def undeclared_9999(folder):
    return write(folder, np.where(np.isnan(HOLES), -9999, FRAMES).astype("f4")), HOLES


@refused("movies", "holds -8888, which cannot be weather: .* declare it as _FillValue")
def undeclared_8888(folder):
    return write(folder, np.where(np.isnan(HOLES), -8888, FRAMES).astype("f4"))


@repaired()
def valid_range_is_kept(folder):
    limits = {"valid_min": np.float32(10), "valid_max": np.float32(90)}
    return packed(folder, FRAMES, **limits), np.where((FRAMES < 10) | (FRAMES > 90), np.nan, FRAMES)


@refused("movies", "valid_range must be two numbers")
def valid_range_of_three(folder):
    return packed(folder, valid_range=np.array([1, 2, 3], "i2"))


@refused("movies", "valid_range must be two numbers")
def valid_range_of_thousands(folder):
    return packed(folder, valid_range=np.arange(4000, dtype="i2"))


@refused("movies", "valid_min must be a number, found 'low\\\\n'")
def valid_min_of_words(folder):
    return packed(folder, valid_min="low\n")


@refused("movies", "valid_min must be a number, found nan")
def valid_min_of_nan(folder):
    return packed(folder, FRAMES, valid_min=np.float32("nan"))


@refused("movies", "no finite value")
def valid_range_upside_down(folder):
    return packed(folder, valid_range=np.array([90, 10], "i2"))


@refused("movies", "scale_factor must be finite and not 0, found 0.0")
def scale_of_zero(folder):
    return packed(folder, scale_factor=0.0)


@refused("movies", "scale_factor must be a number, found nan")
def scale_of_nan(folder):
    return packed(folder, scale_factor=np.nan)


@refused("movies", "add_offset must be finite")
def offset_of_infinity(folder):
    return packed(folder, add_offset=np.inf)


@refused("movies", "scale_factor must be a number, found '0.01'")
def scale_of_words(folder):
    return packed(folder, scale_factor="0.01")


@refused("movies", "scale_factor must be one number")
def scale_of_two(folder):
    return packed(folder, scale_factor=np.array([1.0, 2.0]))


@refused("movies", "infinite value")
def scale_that_overflows(folder):
    return packed(folder, FRAMES, scale_factor=1e308)


@refused("movies", r"holds 1e\+50, too large")
def scale_beyond_float32(folder):
    return packed(folder, scale_factor=1e50)


@refused("movies", "missing_value must be a number, found 'none'")
def missing_value_of_words(folder):
    return packed(folder, missing_value="none")


@repaired()
def missing_value_of_another_type(folder):
    return packed(folder, np.where(np.isnan(HOLES), -5, CODES).astype("i2"), missing_value=np.float64(-5)), HOLES


@repaired()
def missing_value_that_cannot_be_stored(folder):
    return packed(folder, missing_value=np.float64(1e30)), FRAMES


@repaired()
def missing_value_of_nan_in_integers(folder):
    return packed(folder, missing_value=np.float32("nan")), FRAMES


@repaired()
def unsigned_in_signed_bytes(folder):
    values = (CODES + 100).astype("u1").view("i1")
    return packed(folder, values, _Unsigned="true"), (CODES + 100).astype("f4")


@repaired()
def fill_of_unsigned_bytes(folder):
    values = np.where(np.isnan(HOLES), 255, CODES).astype("u1").view("i1")
    return packed(folder, values, fill_value=-1, _Unsigned="true"), HOLES


@refused("movies", "no finite value")
def all_frames_missing(folder):
    return packed(folder, np.full(FRAMES.shape, np.nan, "f4"))


@repaired()
def one_frame_missing_is_no_coverage(folder):
    frames = FRAMES.copy()
    frames[2] = np.nan
    return packed(folder, frames), frames


@refused("movies", r"holds an infinite value \(-inf\)")
def infinity(folder):
    frames = FRAMES.copy()
    frames[0, 0, 0] = -np.inf
    return packed(folder, frames)


@repaired()
def no_echo_of_minus_infinity(folder):
    frames = FRAMES.copy() / 2
    frames[0, 0, 0] = -np.inf
    return packed(folder, frames, units="dBZ"), np.where(np.isinf(frames), -32, frames)


@refused("movies", "values in mm/h must be between .* is the unit or the scale factor right|cannot be weather")
def scale_that_was_forgotten(folder):
    return write(folder, FRAMES * 1000)


@repaired()
def big_endian_integers(folder):
    return write(folder, CODES, attrs={}, datatype=np.dtype(">i2"), endian="big"), FRAMES


@repaired()
def scale_of_zero_with_an_offset_is_constant(folder):
    return packed(folder, scale_factor=0.0, add_offset=3.0), np.full(FRAMES.shape, 3.0)


@repaired()
def packed_integers(folder):
    return packed(folder, scale_factor=0.5, add_offset=3.0), FRAMES * 0.5 + 3


@repaired()
def int64_does_not_wrap(folder):
    return packed(folder, FRAMES.astype("i8") + 2**40), (FRAMES.astype("i8") + 2**40).astype("f4")


@refused("movies", "true/false")
def truth_written_by_xarray(folder):
    return packed(folder, (FRAMES > 3).astype("i1"), dtype="bool")


@refused("movies", "accumulation periods must be positive", units="mm/h")
def accumulation_over_no_time(folder):
    return write(folder, attrs={"units": "mm", "accumulation_minutes": 0.0})


@refused("movies", "accumulation_minutes must be a number, found nan", units="mm/h")
def accumulation_over_nan(folder):
    return write(folder, attrs={"units": "mm", "accumulation_minutes": np.nan})


@refused("movies", "accumulation_minutes must be a number, found 'five'", units="mm/h")
def accumulation_over_words(folder):
    return write(folder, attrs={"units": "mm", "accumulation_minutes": "five"})


@refused("movies", r"ends: bounds must have the shape \(5, 2\), found \(5,\)", units="mm/h")
def accumulation_over_bounds_of_a_wrong_shape(folder):
    path = write(folder, attrs={"units": "mm"}, time_attrs={"units": SECONDS, "bounds": "ends"})
    return add(path, "ends", np.arange(5.0), ("time",))


@refused("movies", "zr_a and zr_b must be two positive numbers", units="mm/h")
def reflectivity_of_an_impossible_relation(folder):
    return write(folder, attrs={"units": "dBZ", "zr_a": -1.0, "zr_b": "x"})
