"""Truncated classic netCDF files are found by their size."""

import netCDF4
import numpy as np
import pytest

from predjax.radar.formats.classic import check_classic_size

FORMATS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


def write(path, form, record, variables=1, dtype="f4", attrs=True):
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.createDimension("time", None if record else 3)
        file.createDimension("y", 5)
        file.createDimension("x", 7)
        file.createVariable("x", "f8", ("x",))[:] = np.arange(7)
        for number in range(variables):
            variable = file.createVariable(f"rain{number}", dtype, ("time", "y", "x"))
            variable[:] = np.ones((3, 5, 7))
            if attrs:
                variable.setncatts({"units": "mm/h", "range": np.array([1, 2, 3], "i2"), "level": 2.0})
        if attrs:
            file.title = "abc"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize(("variables", "dtype"), [(1, "f4"), (1, "i1"), (2, "i2"), (3, "i1"), (2, "f8")])
def test_a_whole_file_passes_and_any_loss_of_pixels_is_found(tmp_path, form, record, variables, dtype):
    path = tmp_path / "a.nc"
    write(path, form, record, variables, dtype, attrs=variables > 1)
    check_classic_size(str(path))
    content = path.read_bytes()
    # The last pixel ends at most three bytes of padding before the end.
    for length in (len(content) - 4, len(content) // 2, 200, 40, 8, 5):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"a\.nc: the (file is truncated: it has|netCDF header is damaged)"):
            check_classic_size(str(path))


def test_the_sizes_are_in_the_message(tmp_path):
    path = tmp_path / "a.nc"
    write(path, FORMATS[0], record=False)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=f"it has {size - 10} bytes, its header asks for {size}"):
        check_classic_size(str(path))


def test_a_file_without_records_yet_passes(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w", format=FORMATS[0]) as file:
        file.createDimension("time", None)
        file.createVariable("rain", "f4", ("time",))
    check_classic_size(str(tmp_path / "a.nc"))
