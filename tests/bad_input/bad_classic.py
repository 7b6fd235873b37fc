"""Bad classic netCDF files (netCDF-3)."""

import os
import struct

import netCDF4
import numpy as np
from bad_input.bad_netcdf_files import DIMS, write
from bad_input.bad_npy import FRAMES, write_bytes
from bad_input.kinds import refused, repaired

CLASSIC = "NETCDF3_CLASSIC"
NAME = struct.pack(">I", 1)


def start(records=0, dims=(), version=1):
    """The head of a classic file, until the list of dimensions `(name, size)`."""
    text = b"CDF" + bytes([version]) + struct.pack(">III", records, 10 if dims else 0, len(dims))
    for name, size in dims:
        text += struct.pack(">I", len(name)) + name.ljust(-(-len(name) // 4) * 4, b"\0") + struct.pack(">I", size)
    return text


@refused("movies", "the file is truncated")
def classic_truncated(folder):
    path = write(folder, form=CLASSIC)
    os.truncate(path, path.stat().st_size - 200)
    return path


@refused("movies", "header is damaged or cut off")
def classic_cut_in_its_header(folder):
    path = write(folder, form=CLASSIC)
    os.truncate(path, 60)
    return path


@refused("movies", "header is damaged or cut off")
def classic_signature_alone(folder):
    return write_bytes(folder, b"CDF\x01", "a.nc")


@refused("movies", "not a netCDF file")
def classic_of_version_9(folder):
    return write_bytes(folder, b"CDF\x09" + bytes(40), "a.nc")


@refused("movies", "header is damaged or cut off")
def classic_of_4_billion_dimensions(folder):
    return write_bytes(folder, start()[:8] + struct.pack(">II", 10, 2**32 - 1), "a.nc")


@refused("movies", "header is damaged or cut off")
def classic_name_of_4_gigabytes(folder):
    return write_bytes(folder, start()[:8] + struct.pack(">III", 10, 1, 2**32 - 1), "a.nc")


@refused("movies", "header is damaged or cut off")
def classic_name_of_2_to_the_63_bytes(folder):
    content = b"CDF\x05" + struct.pack(">QIQQ", 0, 10, 1, 2**63 - 8) + bytes(64)
    return write_bytes(folder, content, "a.nc")


@refused("movies", "the file is truncated|header is damaged", huge=True)
def classic_frames_of_2_to_the_64_pixels(folder):
    path = write(folder, form=CLASSIC)
    content = path.read_bytes()
    for size in FRAMES.shape[1:]:
        content = content.replace(NAME + b"yx"[size == 6 :][:1] + b"\0\0\0" + struct.pack(">I", size),
                                  NAME + b"yx"[size == 6 :][:1] + b"\0\0\0" + struct.pack(">I", 2**32 - 1))  # fmt: skip
    return write_bytes(folder, content, "a.nc")


@refused("movies", "header is damaged|truncated or damaged")
def classic_variable_of_an_unknown_type(folder):
    path = write(folder, form=CLASSIC)
    content = bytearray(path.read_bytes())
    place = content.index(b"mm/h") + 4  # the type follows the only attribute of the variable
    content[place : place + 4] = struct.pack(">I", 77)
    return write_bytes(folder, bytes(content), "a.nc")


@refused("movies", "found text")
def classic_of_characters(folder):
    return write(folder, np.full(FRAMES.shape, "a", "S1"), form=CLASSIC)


@refused("movies", "no variable has the dimensions")
def classic_without_anything(folder):
    return write_bytes(folder, start() + bytes(16), "a.nc")


@repaired()
def classic_unwritten_frames_are_missing(folder):
    frames = FRAMES.copy()
    frames[2] = 9.96921e36
    return write(folder, frames, form=CLASSIC), np.where(frames > 1e36, np.nan, frames)


@repaired()
def classic_declared_fill_is_missing(folder):
    frames = FRAMES.astype("i2")
    path = write(folder, frames, form=CLASSIC, fill_value=7)
    return path, np.where(frames == 7, np.nan, frames)


@refused("movies", r"several variables could be the frames: rain, s\\x1b\\nw|damaged")
def classic_variable_named_with_escapes(folder):
    with netCDF4.Dataset(write(folder, form=CLASSIC), "a") as file:
        file.createVariable("snow", "f4", DIMS)[:] = FRAMES
    content = (folder / "a.nc").read_bytes()
    return write_bytes(folder, content.replace(b"snow", b"s\x1b\nw"), "a.nc")
