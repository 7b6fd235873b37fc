"""The grid of a movie: the positions and the size of its pixels, and its comparison with other grids."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.units import metre_factor


class Part(NamedTuple):
    """The position of one grid within another."""

    corner: tuple[int, int]  # row and column of the first pixel of the part, after turning
    turned: tuple[bool, bool]  # whether the rows, and the columns, of the part run in the opposite direction


class Grid(NamedTuple):
    """The positions of the pixels."""

    shape: tuple[int, int]  # rows and columns
    y: xr.Variable | None  # coordinates of the pixel centres, with attributes; None where a file has none
    x: xr.Variable | None
    mapping_name: str  # name of the variable that describes the projection, or ""
    mapping: dict  # attributes of the CF grid mapping

    @classmethod
    def of(cls, movies: xr.Dataset) -> "Grid":
        """Return the grid of Movies."""
        name = movies["frames"].attrs.get("grid_mapping", "")
        mapping = movies[name].attrs if name in movies.variables else {}
        y, x = movies["y"].variable, movies["x"].variable
        return cls((y.size, x.size), y, x, name if mapping else "", mapping)

    @property
    def coords(self) -> dict[str, xr.Variable]:
        """The known coordinates in the form that `xarray.Dataset` takes: `y`, `x` and the grid mapping."""
        coords = {name: one for name, one in (("y", self.y), ("x", self.x)) if one is not None}
        return coords | ({self.mapping_name: xr.Variable((), 0, self.mapping)} if self.mapping_name else {})

    @property
    def pixel_size(self) -> float | None:
        """The width of a pixel in metres, to a millimetre; None where the coordinates are not in metres or km."""
        factor = None if self.x is None else metre_factor(self.x.attrs.get("units"))
        if self.x is None or factor is None or self.x.size < 2:
            return None
        return round(abs(float(self.x.values[-1] - self.x.values[0])) / (self.x.size - 1) * factor, 3)

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

    def locate(self, part: "Grid") -> Part | None:
        """Return the position of `part` in this grid; None if its pixels are not pixels of this grid, to 0.01 pixels.

        Coordinates in km and in m are compared in m. Projections are not compared: many forecast files have none.
        """
        corner, turned = [], []
        for known, wanted in zip(self._metres(), part._metres()):
            against = wanted.size > 1 and (wanted[-1] > wanted[0]) != (known[-1] > known[0])
            wanted = wanted[::-1] if against else wanted
            first = int(np.abs(known - wanted[0]).argmin())
            found = known[first : first + wanted.size]
            pixel = abs(known[1] - known[0]) if known.size > 1 else 1.0
            if found.size != wanted.size or np.abs(found - wanted).max() > 0.01 * pixel:
                return None
            corner.append(first)
            turned.append(bool(against))
        return Part((corner[0], corner[1]), (turned[0], turned[1]))

    @property
    def extent(self) -> list[float]:
        """Return [rows, columns, first y, last y, first x, last x] as JSON numbers, in m where the file has km."""
        return [*self.shape, *(round(float(axis[i]), 1) for axis in self._metres() for i in (0, -1))]

    def __str__(self) -> str:
        ends = [f"{axis[i]:g}" for axis in self._metres() for i in (0, -1)]
        return f"{self.shape[0]}x{self.shape[1]}, y {ends[0]}..{ends[1]}, x {ends[2]}..{ends[3]}"

    def _metres(self) -> tuple[np.ndarray, np.ndarray]:
        """Return y and x in metres, or in another unit unchanged; pixel numbers where there are no coordinates."""
        values = []
        for one, size in zip((self.y, self.x), self.shape):
            factor = 1.0 if one is None else metre_factor(one.attrs.get("units")) or 1.0
            values.append(np.arange(size, dtype=float) if one is None else one.values.astype(float) * factor)
        return values[0], values[1]
