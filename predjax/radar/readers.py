"""Read files of any known format as a data set: a list of Movies."""

import glob
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from predjax.messages import one_line_messages
from predjax.radar.config import LAYOUTS, UNITS, check_time_options
from predjax.radar.formats.catalogue import FOLDER_SUFFIXES, Reading, find_format, list_suffixes, read_labels
from predjax.radar.formats.datasets import check_engine, encode_dataset, is_movies, list_datasets, name_dataset
from predjax.radar.formats.dating import AS_IN_FILE
from predjax.radar.formats.decode import check_dtype
from predjax.radar.formats.joining import join_files, warn_of_duplicates
from predjax.radar.formats.labels import Header, read_header
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.npy import label_array
from predjax.radar.movies import Movies, Sources, check_sources, give_step, log_remarks
from predjax.radar.store.reading import is_store, read_store

Paths = str | os.PathLike | Sequence


@one_line_messages()
def read_movies(paths: Any, **options: Any) -> Sources:
    """Read a data set lazily: pixels of .npy and netCDF files, composites and stores are read when they are indexed.

    Args:
      paths: files, folders, globs, stores of predjax or of Zarr, as a sequence or as text with commas between them; or
        a Dataset or DataArray of xarray, or a sequence of these, in which frames are found as in netCDF files. Movies
        are checked and not changed. Or a numpy array, with its `layout`.
      layout: axes of arrays and of arrays in .npy and .npz files, one of LAYOUTS.
      variable: the netCDF variable or the composite's quantity with the frames; empty: the only possible one.
      units: the unit of the frames: "file", "mm/h" or "dBZ". Files with units are converted to it. Arrays have no unit
        of their own: it says which unit they are in.
      forcings: netCDF variables that are known ahead; "strain" for tables.
      path_length: the number of lines of a path in tables of strains and stresses.
      engine: the engine of xarray to open the files with; empty: the formats that predjax knows.
      time: "auto" dates frames as the files say; "none" ignores their times and numbers the frames.
      time_pattern: the pattern of strptime, such as "%Y%m%d%H%M", of the date in the names of files of one frame
        without a time of their own.
      step: the time step of the frames, such as "5min"; empty: by their times (see `Step.of_times`).

    Returns:
      One Movies for each grid or array, in the order of the paths; checked, with one unit and the same channels.

    Raises:
      FileNotFoundError: a path or pattern that matches nothing.
      ValueError, OSError: one line with the file, the rule and what was found.
    """
    reading = Reading(**options)
    for name, value, choices in (("layout", reading.layout, LAYOUTS), ("units", reading.units, UNITS)):
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
    check_engine(reading.engine)
    check_time_options(*reading.time_options)
    if isinstance(paths, np.ndarray):
        if reading.layout == "auto":
            raise ValueError(f"an array of the shape {paths.shape} needs its layout, one of {'; '.join(LAYOUTS[1:])}")
        check_dtype(paths.dtype, "array")
        found = [label_array(paths, "array", reading.layout, reading.units)]
    else:
        datasets = list_datasets(paths)
        files = expand_paths(paths, reading.engine) if datasets is None else []
        found = _read_datasets(datasets, reading) if datasets else _read_files(files, reading)
    found = [give_step(one, reading.step) for one in found]
    for one in found:
        log_remarks(one)
    return check_sources(found)


def _read_datasets(datasets: list, reading: Reading) -> list[Movies]:
    """Return the given Movies unchanged, then the Movies made of the other Datasets."""
    others = [one for one in datasets if not is_movies(one)]
    headers = []
    for number, one in enumerate(others, 1):
        name = name_dataset(one, "dataset" if len(others) == 1 else f"dataset {number}")
        with NETCDF_LOCK:  # it may be in a file
            encoded = encode_dataset(one, name)
            options = reading.units, reading.forcings, reading.time_options
            headers.append(read_header(encoded, name, reading.variable, *options))
    return [*filter(is_movies, datasets), *_join(headers)]


def _read_files(files: list[pathlib.Path], reading: Reading) -> list[Movies]:
    formats = {file: find_format(file) for file in files}
    unknown = next((file for file, one in formats.items() if not (one or reading.engine or file.is_dir())), None)
    if unknown is not None:
        known = ", ".join(list_suffixes())
        raise ValueError(f"{unknown}: the format {unknown.suffix!r} is unknown; known are {known}")
    gridded = {file: None for file, one in formats.items() if reading.engine or (one and one.open)}
    found: list[Movies] = []
    for file, one in formats.items():
        if file in gridded:
            if file == next(iter(gridded)):
                # All of these files at once, because they may be frames of one movie.
                found += read_gridded(gridded, reading)
        elif one and one.read:
            found.append(one.read(file, reading))
        else:
            if reading.time_options[:2] != AS_IN_FILE[:2]:
                raise ValueError(f"{file}: a store keeps the times it was made with: give --time to predjax prepare")
            found += read_store(file, reading.variable, reading.units, reading.forcings)
    return found


def read_gridded(files: Iterable[str | os.PathLike], reading: Reading) -> list[Movies]:
    """Read files whose frames are joined in time, one Movies a grid; not yet checked. Errors: as of `read_movies`."""
    return _join([read_labels(os.fspath(file), reading) for file in files])


def _join(headers: list[Header]) -> list[Movies]:
    joined = join_files(headers)
    for one in joined:
        warn_of_duplicates(one)
    return [one.movies for one in joined]


def expand_paths(paths: Paths, engine: str = "") -> list[pathlib.Path]:
    """Return the files meant by `paths`: files, folders (their files of a known format), globs, stores (folders, too).

    Paths are a sequence, or text with commas between them. Files come in the order given, sorted by name inside a
    folder or glob, each once. With an `engine` of xarray, which may read any file, folders give all files.

    Errors: FileNotFoundError, which names the path or pattern that matches no file.
    """
    if isinstance(paths, str | os.PathLike):
        text = os.fspath(paths)
        # A comma may also be part of a name.
        paths = [text] if os.path.exists(text) else [part.strip() for part in text.split(",") if part.strip()]
    if not paths:
        raise FileNotFoundError("no data path was given")
    files = [file for path in paths for file in _expand(os.path.expanduser(os.fspath(path)), engine)]
    once: dict[str, pathlib.Path] = {}
    for file in files:
        once.setdefault(os.path.realpath(file), file)
    return list(once.values())


def _expand(path: str, engine: str) -> list[pathlib.Path]:
    if _is_one(path):
        return [pathlib.Path(path)]
    if os.path.isdir(path):
        inside = [file for file in pathlib.Path(path).iterdir() if _is_read(file, engine)]
        # A folder of that name is none of them, but a Zarr store; a link to nothing is an error.
        files = sorted(file for file in inside if not file.is_dir() or find_format(file))
        if not files:
            raise FileNotFoundError(f"the folder {path} has no file of a known format ({', '.join(FOLDER_SUFFIXES)})")
        return files
    files = sorted(pathlib.Path(file) for file in glob.glob(path, recursive=True) if _is_one(file))
    if not files:
        raise FileNotFoundError(f"no file matches {path}")
    return files


def _is_read(file: pathlib.Path, engine: str) -> bool:
    """Return whether a file is read when a user names its folder."""
    if engine and not file.name.startswith("."):
        return True
    found = find_format(file)
    return found is not None and found.in_folders


def _is_one(path: str) -> bool:
    """Return whether a path is read as a whole: a file, or the folder of a store."""
    return os.path.isfile(path) or is_store(path) or (os.path.isdir(path) and find_format(path) is not None)
