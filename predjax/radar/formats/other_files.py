"""HDF5 files that refer to other files: by external links, virtual datasets and external storage.

The netCDF library cannot be told to leave other files alone. So the operating system is told: while that library opens
or reads a file, this process may open no other one. This is for a process without other threads.
"""

import contextlib
import functools
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import netCDF4
import numpy as np

from predjax.messages import warn_once

try:
    import resource
except ImportError:  # not there on Windows
    resource = None  # type: ignore[assignment]

LINKS = "refers to other files, which --follow_links allows"
_MOST_SEARCHED = 2**24  # bytes of a file; those that are made of others are small


@contextlib.contextmanager
def open_at_most(count: int) -> Iterator[None]:
    """Let this process open at most `count` more files at once in this block; no limit on Windows."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    first = os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free
    os.close(first)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first + count, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def read_part(path: str, array: Any, key: tuple, alone: bool) -> np.ndarray:
    """Read a part of an array of the netCDF library or h5py; with `alone`, from its own file only.

    Errors: ValueError, with `alone` the array is not in its own file.
    """
    if _is_elsewhere(path, array):
        name = f"{path}: {array.name.lstrip('/')} is not in the file"
        if alone:
            raise ValueError(f"{name}, which {LINKS}")
        warn_once(f"{name}; what its other files do not have, HDF5 reads as the fill value")
    with open_at_most(0) if alone else contextlib.nullcontext():
        return np.asarray(array[key or ...])


def _is_elsewhere(path: str, array: Any) -> bool:
    """Return whether the numbers of an array are in other files, as far as the library tells, or were never written."""
    if not isinstance(array, netCDF4.Variable):  # of h5py
        return bool(array.is_virtual or array.external)
    if array.chunking() != "contiguous" or not array.group().data_model.startswith("NETCDF4"):
        return False
    status = os.stat(path)
    needed = math.prod(array.shape) * getattr(array.dtype, "itemsize", 1)
    return needed > status.st_size or _refers_to_others(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _refers_to_others(path: str, size: int, changed: int) -> bool:
    """Return whether a small HDF5 file, last changed at `changed`, has virtual datasets or external storage."""
    if size > _MOST_SEARCHED:
        return False
    content = pathlib.Path(path).read_bytes()
    # HDF5 file format, IV.A.2.h and i: external storage has its names in a local heap, a virtual dataset in a global
    # one. Messages have the heap's address in 8 bytes after the numbers that are compared here.
    external = (content[at - 8 : at - 4] == b"\x01\0\0\0" for at in _find_addresses(content, b"HEAP"))
    virtual = (content[at - 2 : at] in (b"\x04\x03", b"\x05\x03") for at in _find_addresses(content, b"GCOL"))
    return any(external) or any(virtual)


def _find_addresses(content: bytes, mark: bytes) -> Iterator[int]:
    """Yield the positions in a file that hold the address of a block beginning with `mark`."""
    for block in _find_all(content, mark):
        yield from _find_all(content, block.to_bytes(8, "little"))


def _find_all(content: bytes, part: bytes) -> Iterator[int]:
    place = content.find(part)
    while place >= 0:
        yield place
        place = content.find(part, place + 1)


def load_compressions() -> None:
    """Make the HDF5 library load the compressions that come with netCDF4, before it may open no other file."""
    with netCDF4.Dataset("compressions", "w", diskless=True) as file:
        for name in ("zstd", "bzip2", "blosc", "szip"):
            getattr(file, f"has_{name}_filter")()
