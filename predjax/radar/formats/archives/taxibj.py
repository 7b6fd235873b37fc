"""TaxiBJ: in- and outflow of taxis in Beijing as OpenSTL distributes them, in a .npz file.

Zhang, Zheng and Qi (2017), AAAI 31. X_train, Y_train, X_test and Y_test (movie, time, channel, y, x) are the observed
and the following frames of every movie.
"""

import xarray as xr

from predjax.radar.formats.archives.whole_arrays import join_arrays, list_npz
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset

PARTS = ("train", "test")


def is_taxibj(path: str, start: bytes) -> bool:
    """Return whether a file is a .npz file with the arrays of TaxiBJ, by its content."""
    return {f"{which}_{part}" for which in "XY" for part in PARTS} <= list_npz(path)


def open_taxibj(path: str, variable: str = "") -> xr.Dataset:
    """Open the movies (movie, time, channel, y, x), the frames of X before those of Y, as a Dataset.

    The `variable` is a part ("train"); empty: the movies to train with, and then those of the test.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    parts = [part for part in PARTS if variable in ("", part)]
    if not parts:
        raise ValueError(f"{path}: there is no part {variable!r}; there are {', '.join(PARTS)}")
    each = {part: join_arrays(path, f"X_{part},Y_{part}") for part in parts}
    frames = join_arrays(path, *(f"X_{part},Y_{part}" for part in parts))
    if len(frames.shape) != 5:
        raise ValueError(f"{path}: X and Y must have the axes movie, time, channel, y, x, found {frames.shape}")
    dims = ("movie", "time", "channel", "y", "x")
    dataset = build_dataset({variable or "flow": read_later(dims, frames, {})}, {}, path)
    counts = ", ".join(f"{one.shape[0]} of {part}" for part, one in each.items())
    choose = "" if variable else "; --variable train takes one part alone"
    dataset.encoding["remarks"] = (
        f"TaxiBJ: movies are the frames of X and then of Y, movie,time,channel,y,x: {counts}{choose}",
    )
    return dataset
