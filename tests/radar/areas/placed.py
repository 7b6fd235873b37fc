"""Grids and areas for tests."""

import numpy as np
import xarray as xr

from predjax.radar.areas.files import LONGITUDES, Area, Areas
from predjax.radar.grid import Grid

FINLAND = {"proj4": "+proj=stere +lon_0=25E +lat_0=90N +lat_ts=60 +a=6371288 +x_0=380886.310 +y_0=3395677.920 +no_defs"}


def make_grid(shape=(60, 50), *, mapping=FINLAND, units="m", pixel=1000.0, corner=(300e3, 700e3), rising=False):
    """A grid whose upper left corner is at `corner`."""
    y = corner[1] + pixel * (np.arange(shape[0]) + 0.5) * (1 if rising else -1)
    x = corner[0] + pixel * (np.arange(shape[1]) + 0.5)
    attrs = {"units": units} if isinstance(units, str) else None
    axes = [xr.Variable(n, v, attrs or {"units": u}) for n, v, u in zip("yx", (y, x), units if not attrs else "  ")]
    return Grid(shape, *axes, "crs" if mapping else "", mapping)


def make_areas(*outlines, crs="", path="areas.csv"):
    """Areas named a, b, ...: each a list of places, one for a point."""
    closed = [np.array([*one, one[0]] if len(one) > 1 else one, float) for one in outlines]
    return Areas(path, [Area(name, [[ring]]) for name, ring in zip("abcdefgh", closed)], crs)


def box(left, low, right, high):
    return [(left, low), (right, low), (right, high), (left, high)]


def lonlat(*outlines):
    return make_areas(*outlines, crs=LONGITUDES, path="areas.geojson")
