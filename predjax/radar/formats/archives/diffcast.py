"""Shanghai, CIKM and MeteoNet as DiffCast distributes them: an HDF5 file with a data set for each movie.

Yu et al. (2024), DiffCast, CVPR. The groups train, test and sometimes valid hold data sets (time, y, x) of grey levels;
all_len, train_len and the like count them. Neither times nor a table of the grey levels is in the files.
"""

import re

import xarray as xr

from predjax.radar.formats.archives.data_sets import list_names, stack_data_sets
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset

PARTS = ("train", "valid", "val", "test")
_MOVIE = re.compile(r"(?:sample_)?(\d+)")


def is_diffcast(path: str, start: bytes) -> bool:
    """Return whether a file is an HDF5 file with the groups of DiffCast, by its first bytes and its content."""
    names = list_names(path, start)
    parts = [name for name in names if name in PARTS]
    return "train" in parts and all(name in PARTS or name.endswith("_len") for name in names)


def open_diffcast(path: str, variable: str = "") -> xr.Dataset:
    """Open the movies (movie, time, y, x) as a lazy Dataset of grey levels.

    The `variable` is a group ("train"); empty: the movies of all groups, first those to train with, last the test.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    with open(path, "rb") as stream:
        start = stream.read(8)
    there = list_names(path, start)
    parts = [part for part in PARTS if part in there and variable in ("", part)]
    if not parts:
        found = ", ".join(part for part in PARTS if part in there)
        raise ValueError(f"{path}: there is no group {variable!r}; there are {found}")
    names, counts = [], []
    for part in parts:
        numbered = {name: match[1] for name in list_names(path, start, part) if (match := _MOVIE.fullmatch(name))}
        names += [f"{part}/{name}" for name in sorted(numbered, key=lambda name: int(numbered[name]))]
        counts.append(f"{len(numbered)} of {part}")
    if not names:
        raise ValueError(f"{path}: a movie must be a data set named by its number, found none in {', '.join(parts)}")
    movies = read_later(("movie", "time", "y", "x"), stack_data_sets(path, names, 3), {})
    dataset = build_dataset({variable or "movies": movies}, {}, path)
    choose = "" if variable else "; --variable train takes one part alone"
    dataset.encoding["remarks"] = (
        f"movies in the order of DiffCast's parts: {', '.join(counts)}{choose}",
        "values are the grey levels of the file",
    )
    return dataset
