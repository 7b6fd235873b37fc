"""HDF5 files that refer to other files: by external links, virtual datasets and external storage.

The netCDF library cannot be told to leave other files alone. So the operating system is told: while that library opens
or reads a file, this process may open no other one. This is for a process without other threads.
"""

import contextlib
import math
import os
from collections.abc import Iterator

import netCDF4

try:
    import resource
except ImportError:  # not there on Windows
    resource = None  # type: ignore[assignment]

LINKS = "refers to other files, which --follow_links allows"


@contextlib.contextmanager
def open_at_most(count: int) -> Iterator[None]:
    """Let this process open at most so many more files at once while the block runs; not on Windows."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    first = os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free
    os.close(first)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first + count, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def check_inside(path: str, variable: netCDF4.Variable) -> None:
    """Refuse an array that is larger than its file: HDF5 would fill in what lies in files that it cannot open.

    Errors: ValueError.
    """
    if variable.chunking() == "contiguous" and variable.group().data_model.startswith("NETCDF4"):
        needed = math.prod(variable.shape) * getattr(variable.dtype, "itemsize", 1)
        if needed > os.path.getsize(path):
            raise ValueError(f"{path}: {variable.name} is not in the file, which {LINKS}")


def load_compressions() -> None:
    """Let the HDF5 library load the compressions that come with netCDF4, which are files as well."""
    with netCDF4.Dataset("compressions", "w", diskless=True) as file:
        for name in ("zstd", "bzip2", "blosc", "szip"):
            getattr(file, f"has_{name}_filter")()
