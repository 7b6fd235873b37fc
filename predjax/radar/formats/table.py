"""Whitespace tables of stress-strain paths, as codes for materials exchange them: a line is a step of a path."""

import os
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np

from predjax.radar.movies import FORCING_DIMENSIONS, Movies, build_movies

COMPONENTS = ("xx", "yy", "xy")


def read_table(file: str | os.PathLike, path_length: int, variable: str = "", forcings: Sequence[str] = ()) -> Movies:
    """Read paths of stresses and strains from a table of numbers without headings; # begins a comment.

    A line has three strains and three stresses (xx, yy and xy of each); paths follow one another.

    Returns:
      Movies of one pixel, a movie a path: the stresses are the channels, the strains the forcings if asked for. So
      `variable` is empty or "stress", and `forcings` none or "strain".

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    if variable not in ("", "stress"):
        raise ValueError(f"{file}: a table of paths has the variable stress, not {variable!r}")
    unknown = [name for name in forcings if name != "strain"]
    if unknown:
        raise ValueError(f"{file}: a table of paths has the forcing strain, not {unknown[0]!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file without rows, which is an error here
            rows = np.loadtxt(file, dtype=np.float64, ndmin=2)
    except ValueError as error:
        reason = str(error).splitlines()[0].split("; use")[0]
        raise ValueError(f"{file}: not a table of numbers: {reason}") from None
    if not rows.size:
        raise ValueError(f"{file}: the table is empty")
    if rows.shape[1] != 2 * len(COMPONENTS):
        raise ValueError(f"{file}: a line must have 3 strains and 3 stresses, found {rows.shape[1]} numbers")
    fits = np.abs(rows) <= np.finfo(np.float32).max
    if not fits.all():
        row, column = np.argwhere(~fits)[0]
        raise ValueError(f"{file}: number {column + 1} of row {row + 1} is {rows[row, column]}")
    if path_length < 1:
        raise ValueError(f"{file}: a table does not say where paths begin: give --path_length of the {len(rows)}")
    if len(rows) % path_length:
        raise ValueError(f"{file}: {len(rows)} rows are no whole number of paths of path_length {path_length}")
    paths = rows.reshape(-1, path_length, 1, 1, rows.shape[1]).astype(np.float32)
    strain, stress = np.split(paths, 2, axis=-1)
    movies = build_movies(
        stress,
        {"channel": COMPONENTS},
        attrs={"units": "1", "dtype_on_disk": "text", "variable": "stress"},
        source=pathlib.Path(file).name,
        files=[str(file)],
    )
    if forcings:
        movies["forcings"] = (FORCING_DIMENSIONS[False], strain[:, :, 0, 0])
        movies = movies.assign_coords(forcing=("forcing", [f"strain {name}" for name in COMPONENTS]))
    return movies
