"""Arrays in files that another process reads."""

from typing import Any, NamedTuple, Protocol

import numpy as np

from predjax.radar.isolation.encoding import Place


class NumberReader(Protocol):
    """A reader of the numbers of an array through another process."""

    def read_numbers(self, array: "ProcessArray", key: tuple) -> np.ndarray:
        """Read a part of an array; see `ProcessArray.read`."""


class ProcessArray(NamedTuple):
    """An array in a file, which another process reads; a `lazy.Readable`."""

    reader: NumberReader
    request: dict[str, Any]  # of the labels of the file
    place: Place

    @property
    def name(self) -> str:
        """The name of the array in the file."""
        return self.place.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole array."""
        return self.place.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of its numbers."""
        return np.dtype(self.place.dtype)

    @property
    def reads_lists(self) -> bool:
        """False, because the netCDF library does not read lists of indices."""
        return False

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`. Errors: see `FileReader`."""
        return self.reader.read_numbers(self, key)
