"""The open files of the process, a few at a time, and arrays in files that are opened when they are read."""

import collections
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import netCDF4
import numpy as np

from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.other_files import read_part


class OpenFiles:
    """The most recently used files, at most `limit` of them open. Hold NETCDF_LOCK to use it and what it returns.

    While a file is open, HDF5 lets nobody change it in place; replacing it by another file works. xarray's
    `CachingFileManager` is not suitable: it closes files without our lock, and cannot close all its files.
    """

    def __init__(self, limit: int = 16) -> None:
        self._limit = limit
        self.alone = False  # whether HDF5 files may not refer to other files; see `other_files.open_at_most`
        self._files: collections.OrderedDict[tuple, Any] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._files)

    def get(self, path: str, opener: Callable[..., Any], *options: str) -> Any:
        """Return `opener(path, *options)`, or the file if it is open already.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: raised by the opener: another format, or an incomplete file.
        """
        with NETCDF_LOCK:
            status = os.stat(path)
            # A file that was replaced since it was opened is another file.
            name = (path, opener, *options)
            key = (name, status.st_ino, status.st_mtime_ns, status.st_size)
            if key not in self._files:
                for old in [old for old in self._files if old[0] == name]:
                    self._files.pop(old).close()
                while len(self._files) >= self._limit:
                    self._files.popitem(last=False)[1].close()
                self._files[key] = opener(path, *options)
            self._files.move_to_end(key)
            return self._files[key]

    def close(self) -> None:
        """Close all open files."""
        with NETCDF_LOCK:
            while self._files:
                self._files.popitem()[1].close()


# Shared by all movies of the process, so that the limit on open files is one, too.
OPEN_FILES = OpenFiles()


class FileArray(NamedTuple):
    """An array of a file, which is opened when the array is read; a `lazy.Readable`."""

    path: str
    name: str  # the name of the array in the file, "group/name" inside a group
    shape: tuple[int, ...]
    dtype: np.dtype
    opener: Callable[..., Any]  # with `options` opens the file, as for `OpenFiles.get`
    options: tuple[str, ...] = ()

    @property
    def reads_lists(self) -> bool:
        """False, because the netCDF library does not read lists of indices."""
        return False

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`."""
        with NETCDF_LOCK:
            file = OPEN_FILES.get(self.path, self.opener, *self.options)
            plain = isinstance(file, netCDF4.Dataset)
            array = file[self.name] if plain else file.variables[self.name]
            return read_part(self.path, array, key, OPEN_FILES.alone) if plain else np.asarray(array[key or ...])


def read_start(path: str) -> bytes:
    """Return the first 8 bytes of a file, which show its format; b"" for a folder."""
    if os.path.isdir(path):
        return b""
    with open(path, "rb") as file:
        return file.read(8)
