"""netCDF-4 files that are damaged, or ask for too much."""

import zlib

import netCDF4
import numpy as np
from bad_input.bad_npy import FRAMES, write_bytes
from bad_input.kinds import refused, repaired

SECONDS = "seconds since 2020-01-01"
DIMS = ("time", "y", "x")


def write(
    folder,
    values=FRAMES,
    dims=DIMS,
    *,
    name="a.nc",
    variable="rain",
    times=None,
    time_attrs=None,
    time_type="f8",
    attrs=None,
    form="NETCDF4",
    **options,
):
    """A file with one variable, with its attributes as they are given, and with times 300 s apart."""
    values = np.asarray(values)
    with netCDF4.Dataset(folder / name, "w", format=form) as file:
        file.set_auto_maskandscale(False)
        for dim, size in zip(dims, values.shape):
            file.createDimension(dim, size)
        one = file.createVariable(variable, options.pop("datatype", values.dtype), dims, **options)
        one.set_auto_maskandscale(False)
        one.setncatts({"units": "mm/h"} if attrs is None else attrs)
        one[...] = values
        if "time" in dims and times is not False:
            count = values.shape[dims.index("time")]
            time = file.createVariable("time", time_type, ("time",))
            time.setncatts({"units": SECONDS} if time_attrs is None else time_attrs)
            time[:] = 300 * np.arange(count) if times is None else times
    return folder / name


def damaged(folder, position, count=40, **options):
    """A file with some bytes replaced."""
    path = write(folder, **options)
    content = bytearray(path.read_bytes())
    start = int(position * len(content)) if isinstance(position, float) else position
    content[start : start + count] = b"\xa5" * count
    return write_bytes(folder, bytes(content), path.name)


@refused("movies", "the file is empty")
def netcdf_empty_file(folder):
    return write_bytes(folder, b"", "a.nc")


@refused("movies", "not a netCDF file .*<!DOCT")
def netcdf_of_html(folder):
    return write_bytes(folder, b"<!DOCTYPE html><html>404 not found</html>", "a.nc")


@refused("movies", "not a netCDF file .*GRIB")
def netcdf_that_is_grib(folder):
    return write_bytes(folder, b"GRIB\0\0\0\2" + bytes(100), "a.nc")


@refused("movies", "not a netCDF file")
def netcdf_that_is_compressed(folder):
    return write_bytes(folder, b"\x1f\x8b\x08\0" + bytes(100), "a.nc")


@refused("movies", "truncated or damaged")
def netcdf_of_the_signature_alone(folder):
    return write_bytes(folder, b"\x89HDF\r\n\x1a\n", "a.nc")


@refused("movies", "truncated or damaged")
def netcdf_truncated(folder):
    content = write(folder).read_bytes()
    return write_bytes(folder, content[: len(content) // 2], "a.nc")


@refused("movies", "truncated or damaged")
def netcdf_with_a_damaged_superblock(folder):
    return damaged(folder, 8)


@refused("movies", "frame 3 cannot be read")
def netcdf_with_a_damaged_chunk(folder):
    frames = np.random.default_rng(0).random((5, 30, 30), np.float32)
    path = write(folder, frames, compression="zlib", shuffle=False, chunksizes=(1, 30, 30))
    content = bytearray(path.read_bytes())
    place = content.index(zlib.compress(frames[3].tobytes(), 4)[:200])
    content[place + 20 : place + 40] = b"\xff" * 20
    return write_bytes(folder, bytes(content), "a.nc")


@refused("movies", "checksum|cannot be read|fletcher")
def netcdf_with_a_wrong_checksum(folder):
    path = write(folder, fletcher32=True, chunksizes=(1, 4, 6))
    content = bytearray(path.read_bytes())
    content[content.index(FRAMES[3].tobytes()) + 8] ^= 1
    return write_bytes(folder, bytes(content), "a.nc")


@refused("movies", "no variable has the dimensions")
def netcdf_without_variables(folder):
    netCDF4.Dataset(folder / "a.nc", "w").close()
    return folder / "a.nc"


def declare(folder, sizes, form="NETCDF4"):
    """A file whose frames have these sizes, and were never written."""
    with netCDF4.Dataset(folder / "a.nc", "w", format=form) as file:
        for dim, size in zip(DIMS, sizes):
            file.createDimension(dim, size)
        file.createVariable("rain", "f4", DIMS, chunksizes=(1, 4, 4)).units = "mm/h"
    return folder / "a.nc"


@refused("movies", "1152921504606846976 frames", huge=True)
def netcdf_of_2_to_the_60_frames(folder):
    return declare(folder, (2**60, 4, 4))


@refused("movies", r"frames of 1152921504606846976 x 4 pixels", huge=True)
def netcdf_of_2_to_the_60_rows(folder):
    return declare(folder, (4, 2**60, 4))


@refused("movies", r"frames of 4294967296 x 4294967296 pixels", huge=True)
def netcdf_of_2_to_the_32_rows_and_columns(folder):
    return declare(folder, (1, 2**32, 2**32))


@refused("movies", r"no finite value")
def netcdf_never_written(folder):
    return declare(folder, (5, 4, 6))


@refused("movies", "there are no frames|0 frames|empty|size 0")
def netcdf_of_zero_frames(folder):
    return write(folder, np.zeros((0, 4, 6), "f4"))


@refused("movies", "there are no frames|empty|size 0")
def netcdf_of_zero_rows(folder):
    return write(folder, np.zeros((5, 0, 6), "f4"))


@refused("movies", "true/false|found records")
def netcdf_of_compounds(folder):
    kind = np.dtype([("re", "f4"), ("im", "f4")])
    with netCDF4.Dataset(folder / "a.nc", "w") as file:
        for dim, size in zip(DIMS, FRAMES.shape):
            file.createDimension(dim, size)
        file.createVariable("rain", file.createCompoundType(kind, "c"), DIMS)[:] = np.zeros(FRAMES.shape, kind)
    return folder / "a.nc"


@refused("movies", "Python objects or text")
def netcdf_of_ragged_arrays(folder):
    with netCDF4.Dataset(folder / "a.nc", "w") as file:
        for dim, size in zip(DIMS, FRAMES.shape):
            file.createDimension(dim, size)
        file.createVariable("rain", file.createVLType("f4", "v"), DIMS)
    return folder / "a.nc"


@refused("movies", "Python objects or text|found text")
def netcdf_of_words(folder):
    return write(folder, np.full(FRAMES.shape, "a"), datatype=str)


@refused("movies", "found text")
def netcdf_of_characters(folder):
    return write(folder, np.full(FRAMES.shape, "a", "S1"))


@repaired()
def netcdf_of_enumerated_values(folder):
    with netCDF4.Dataset(folder / "a.nc", "w") as file:
        file.set_auto_maskandscale(False)
        kind = file.createEnumType("u1", "rainy", {f"class {n}": n for n in range(120)})
        for dim, size in zip(DIMS, FRAMES.shape):
            file.createDimension(dim, size)
        file.createVariable("rain", kind, DIMS, fill_value=119)[:] = FRAMES.astype("u1")
    return folder / "a.nc", np.where(FRAMES == 119, np.nan, FRAMES)
