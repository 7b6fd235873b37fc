"""Files of any known format to a data set: a list of Movies."""

import collections.abc
import glob
import os
import pathlib

from predjax.messages import one_line_messages
from predjax.radar.config import LAYOUTS, UNITS
from predjax.radar.formats.in_memory import as_file, is_movies, list_datasets
from predjax.radar.formats.netcdf import read_netcdf
from predjax.radar.formats.npy import read_npy
from predjax.radar.formats.npz import read_npz
from predjax.radar.formats.suffixes import SUFFIXES, TABLE_SUFFIXES, is_gridded
from predjax.radar.formats.table import read_table
from predjax.radar.formats.zarr import is_zarr
from predjax.radar.movies import Movies, Sources, check_sources
from predjax.radar.store.reading import is_store, read_store


@one_line_messages()
def read_movies(
    paths: str | os.PathLike | collections.abc.Sequence,
    *,
    layout: str = "auto",
    variable: str = "",
    units: str = "file",
    forcings: collections.abc.Sequence[str] = (),
    path_length: int = 0,
) -> Sources:
    """Reads a data set; pixels of .npy and netCDF files, composites and stores are read only when they are indexed.

    Args:
      paths: files, folders, globs, stores of predjax or of Zarr, as a sequence or as text with commas between them; or
        a Dataset or DataArray of xarray, or a sequence of these, in which frames are found as in netCDF files. Movies
        are checked, and stay as they are.
      layout: axes of arrays in .npy and .npz files, one of LAYOUTS.
      variable: netCDF variable, or quantity of a composite, of the frames; empty: the only one that can be meant.
      units: of the frames: "file", "mm/h" or "dBZ". Files with units are converted; of arrays, which have no unit of
        their own, it is the unit they are in already.
      forcings: netCDF variables that are known ahead; "strain" of tables.
      path_length: lines of a path in tables of strains and stresses.

    Returns:
      One Movies a grid or array file, in the order of the paths; checked, of one unit and the same channels.

    Raises:
      FileNotFoundError: a path or pattern that matches nothing.
      ValueError, OSError: one line with the file, the rule and what was found.
    """
    for name, value, choices in (("layout", layout, LAYOUTS), ("units", units, UNITS)):
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
    datasets = list_datasets(paths)
    if datasets is not None:
        others = [one for one in datasets if not is_movies(one)]
        names = ["dataset"] if len(others) == 1 else [f"dataset {number}" for number in range(1, len(others) + 1)]
        read = read_netcdf([*map(as_file, others, names)], variable, units, forcings)
        return check_sources([*filter(is_movies, datasets), *read])
    files = expand_paths(paths)
    known = (*SUFFIXES, *TABLE_SUFFIXES)
    stores = [file for file in files if file.is_dir() and not is_zarr(file)]
    gridded = [file for file in files if is_gridded(file)]
    known_files = {*stores, *gridded}
    unknown = next((file for file in files if file not in known_files and file.suffix.lower() not in known), None)
    if unknown is not None:
        raise ValueError(f"{unknown}: the format {unknown.suffix!r} is unknown; known are {', '.join(known)}")
    found: list[Movies] = []
    for file in files:
        if file in stores:
            found += read_store(file, variable, units, forcings)
        elif file in gridded[:1]:
            # All of these files at once, because they may be frames of one movie.
            found += read_netcdf(gridded, variable, units, forcings)
        elif file.suffix.lower() in TABLE_SUFFIXES:
            found.append(read_table(file, path_length, variable, forcings))
        elif file.suffix.lower() in (".npy", ".npz"):
            if forcings:
                raise ValueError(f"{file}: an array has no variable {forcings[0]!r}; forcings need netCDF files")
            found.append((read_npy if file.suffix.lower() == ".npy" else read_npz)(file, layout, units))
    return check_sources(found)


def expand_paths(paths: str | os.PathLike | collections.abc.Sequence) -> list[pathlib.Path]:
    """The files meant by `paths`: files, folders (their files of a known format), globs, and stores, which are folders.

    Args:
      paths: a sequence of them, or text with commas between them.

    Returns:
      Files in the order given, sorted by name inside a folder or glob, each once.

    Raises:
      FileNotFoundError: names the path or pattern that matches no file.
    """
    if isinstance(paths, str | os.PathLike):
        text = os.fspath(paths)
        # A comma may also be part of a name.
        paths = [text] if os.path.exists(text) else [part.strip() for part in text.split(",") if part.strip()]
    if not paths:
        raise FileNotFoundError("no data path was given")
    files = [file for path in paths for file in _expand(os.path.expanduser(os.fspath(path)))]
    once: dict[str, pathlib.Path] = {}
    for file in files:
        once.setdefault(os.path.realpath(file), file)
    return list(once.values())


def _expand(path: str) -> list[pathlib.Path]:
    if _is_one(path):
        return [pathlib.Path(path)]
    if os.path.isdir(path):
        found = (p for p in pathlib.Path(path).iterdir() if p.name.lower().endswith(SUFFIXES) or is_zarr(p))
        # A folder of that name is none of them, but a Zarr store; a link to nothing is an error.
        files = sorted(file for file in found if file.is_file() or is_zarr(file) or not file.exists())
        if not files:
            raise FileNotFoundError(f"the folder {path} has no file of a known format ({', '.join(SUFFIXES)})")
        return files
    files = sorted(pathlib.Path(file) for file in glob.glob(path, recursive=True) if _is_one(file))
    if not files:
        raise FileNotFoundError(f"no file matches {path}")
    return files


def _is_one(path: str) -> bool:
    """Whether a path is read by itself: a file, or the folder of a store."""
    return os.path.isfile(path) or is_store(path) or is_zarr(path)
