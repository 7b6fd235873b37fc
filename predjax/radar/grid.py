"""The pixels of a movie: where they lie, and whether two grids are the same."""

from typing import NamedTuple

import numpy as np
import xarray as xr


class Grid(NamedTuple):
    """Where the pixels lie."""

    shape: tuple[int, int]
    y: xr.Variable | None
    x: xr.Variable | None
    mapping_name: str
    mapping: dict

    def same(self, other: "Grid") -> bool:
        """Return whether both have the same pixels: one projection, coordinates equal to a thousandth of a pixel."""
        if self.shape != other.shape or self.mapping.keys() != other.mapping.keys():
            return False
        if not all(np.array_equal(self.mapping[key], other.mapping[key]) for key in self.mapping):
            return False
        for one, two in ((self.y, other.y), (self.x, other.x)):
            if (one is None) != (two is None):
                return False
            if one is not None and two is not None:
                # Coordinates written as float32 and as float64 are the same to a thousandth of a pixel.
                pixel = np.abs(np.diff(one.values[:2])).max(initial=0.0) or 1.0
                close = np.allclose(one.values, two.values, rtol=0, atol=1e-3 * pixel)
                if not close or one.attrs.get("units") != two.attrs.get("units"):
                    return False
        return True
