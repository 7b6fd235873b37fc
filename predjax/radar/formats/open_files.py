"""The netCDF files, PGM images and Zarr stores that are open: a few at a time, however many a data set has."""

import collections
import os
import pathlib
from typing import Any

import netCDF4

from predjax.radar.formats.classic import check_classic_size
from predjax.radar.formats.in_memory import InMemory
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.pgm_image import GZIP, PgmFile, open_pgm
from predjax.radar.formats.zarr import ZarrStore, is_zarr, open_zarr

PGM_SUFFIXES = (".pgm", ".pgm.gz")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_CLASSIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")


class OpenFiles:
    """Keeps the files used last open, at most `limit` of them; use it and what it returns under NETCDF_LOCK.

    While a file is open, HDF5 lets nobody change it in place; replacing it by another file works.
    """

    def __init__(self, limit: int = 16):
        self._limit = limit
        self._files: collections.OrderedDict[tuple, Any] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._files)

    def dataset(self, path: str) -> Any:
        """The open `netCDF4.Dataset` at `path`, with all automatic decoding off; or what reads like one.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: it is no file of these formats, or not a whole one.
        """
        if isinstance(path, InMemory):
            return path.store
        with NETCDF_LOCK:
            status = os.stat(path)
            # A file that was replaced since it was opened is another file.
            key = (path, status.st_ino, status.st_mtime_ns, status.st_size)
            if key not in self._files:
                for old in [old for old in self._files if old[0] == path]:
                    self._files.pop(old).close()
                while len(self._files) >= self._limit:
                    self._files.popitem(last=False)[1].close()
                self._files[key] = _open(path)
            self._files.move_to_end(key)
            return self._files[key]

    def close(self) -> None:
        """Closes all of them."""
        with NETCDF_LOCK:
            while self._files:
                self._files.popitem()[1].close()


# Shared by all movies of the process, so that the limit on open files is one, too.
OPEN_FILES = OpenFiles()


def _open(path: str) -> netCDF4.Dataset | PgmFile | ZarrStore:
    if is_zarr(path):
        return open_zarr(path)
    with open(path, "rb") as file:
        start = file.read(2)
    gzipped = start == GZIP and path.lower().endswith(".gz")
    return open_pgm(path) if start == b"P5" or gzipped or path.lower().endswith(PGM_SUFFIXES) else open_netcdf(path)


def open_netcdf(path: str) -> netCDF4.Dataset:
    """Opens a netCDF file for reading with masks, scaling and text conversion off.

    Raises:
      FileNotFoundError, PermissionError: from the operating system.
      ValueError: it is not a netCDF file, or a truncated or damaged one.
    """
    with open(path, "rb") as file:
        start = file.read(8)
    if not start:
        raise ValueError(f"{path}: the file is empty")
    if start[:4] in _CLASSIC:
        check_classic_size(path)
    elif start != _HDF5:
        raise ValueError(f"{path}: not a netCDF file (it starts with {start!r})")
    with NETCDF_LOCK:
        try:
            dataset = netCDF4.Dataset(pathlib.Path(path))
        except (OSError, RuntimeError, AttributeError, KeyError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: the netCDF file is truncated or damaged ({_reason(error)})") from None
        dataset.set_auto_maskandscale(False)
        return dataset


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
