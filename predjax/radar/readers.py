"""Read files of any known format as a data set: a list of Movies."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from predjax.messages import one_line_messages
from predjax.paths import expand_home, find_matches, split_paths
from predjax.radar.config import UNITS, check_layout, check_time_options, check_unit_options
from predjax.radar.formats.catalogue import (
    FOLDER_SUFFIXES,
    Reading,
    find_format,
    is_joined,
    list_suffixes,
    read_labels,
)
from predjax.radar.formats.datasets import is_movies
from predjax.radar.formats.dating import AS_IN_FILE
from predjax.radar.formats.decode import check_dtype
from predjax.radar.formats.engines import check_engine, suggest_engine
from predjax.radar.formats.joining import join_files, warn_of_duplicates
from predjax.radar.formats.labels import Header, read_header
from predjax.radar.formats.lazy import find_source
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.npy import label_array
from predjax.radar.formats.objects import Named, holds_paths, keep, list_objects
from predjax.radar.formats.open_files import read_start
from predjax.radar.formats.polar import check_not_nexrad
from predjax.radar.movies import Movies, Sources, check_range, check_sources, give_step, log_remarks
from predjax.radar.remarks import log_changes
from predjax.radar.store.reading import is_store, read_store

Paths = str | os.PathLike | Sequence


@one_line_messages()
def read_movies(paths: Any, **options: Any) -> Sources:
    """Read a data set lazily: pixels of .npy and netCDF files, composites and stores are read when they are indexed.

    Args:
      paths: files, folders, globs, stores of predjax or of Zarr, as a list or as text with commas between them. Or
        objects, or a list or dict of them: a Dataset, DataArray or DataTree of xarray, in which frames are found as in
        netCDF files and their groups; a numpy array; a DataFrame or Series of pandas, whose index is time and whose
        columns are features. Movies are checked and not changed, so that other `units` than theirs are refused.
      layout: axes of arrays, also in .npy and .npz files, such as "movie,time,y,x"; "auto": by the shape (see
        `formats.layouts.find_layout`).
      variable: the netCDF variable, the composite's quantity or the array of a .npz file with the frames; empty: the
        only possible one.
      units: the unit of the frames: "file", "mm/h" or "dBZ". Files with units are converted to it; data without a unit
        are taken to be in it.
      source_units: the unit of data that state none or an unknown one, such as "mm/5min" or "kg m-2 s-1".
      accumulation_period: the period of sums of rain, such as "60min", where files do not state it or where it is
        longer than the time step.
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
    found = read_unsaid(paths, **options)
    log_remarks(found)
    for one in found:
        log_changes(one)
    return found


def read_unsaid(paths: Any, **options: Any) -> Sources:
    """Read a data set as `read_movies` does, but without logging the remarks."""
    reading = Reading(**options)
    check_layout(reading.layout)
    if reading.units not in UNITS:
        raise ValueError(f"units must be one of {', '.join(map(repr, UNITS))}, not {reading.units!r}")
    check_unit_options(reading.source_units, reading.accumulation_period)
    check_engine(reading.engine)
    check_time_options(*reading.time_options)
    paths = keep(paths)
    if holds_paths(paths):
        found = _read_files(expand_paths(paths, reading.engine), reading)
    else:
        with NETCDF_LOCK:  # Datasets may be in a file
            found = _read_objects(list_objects(paths), reading)
    found = [give_step(one, reading.step) for one in found]
    return check_sources(found)


def _read_objects(objects: list[Named], reading: Reading) -> list[Movies]:
    """Return the given Movies unchanged, then Movies of the arrays, then Movies of the Datasets, joined in time."""
    found, headers = [], []
    for name, data, remarks in objects:
        if isinstance(data, np.ndarray):
            if reading.forcings or reading.variable:
                wanted = reading.variable or reading.forcings[0]
                raise ValueError(f"{name}: an array has no variable {wanted!r}: give a Dataset")
            check_dtype(data.dtype, name)
            found.append(label_array(data, name, reading.layout, reading.unit_options))
        elif is_movies(data):
            frames, source = data["frames"], data.attrs["source"]
            unit = str(frames.attrs.get("units"))
            if reading.units not in ("file", unit):
                raise ValueError(f"{source}: Movies stay in {unit}: give units={reading.units} where they are read")
            if find_source(frames) is None and frames.chunks is None:  # nothing decodes it, and it is in memory
                check_range(frames.values, unit, source, "one is")
            found.append(data)
        else:
            options = reading.unit_options, reading.forcings, reading.time_options
            header = read_header(data, name, reading.variable, *options)
            headers.append(dataclasses.replace(header, remarks=(*header.remarks, *remarks)))
    return [*found, *_join(headers)]


def _read_files(files: list[pathlib.Path], reading: Reading) -> list[Movies]:
    gridded = {file: None for file in files if is_joined(file, reading)}
    for file in files:
        if file not in gridded:
            _refuse_unknown(file)
    found: list[Movies] = []
    for file in files:
        if file in gridded:
            if file == next(iter(gridded)):
                # All of these files at once, because they may be frames of one movie.
                found += read_gridded(gridded, reading)
        else:
            found += read_alone(file, reading)
    return found


def read_alone(file: pathlib.Path, reading: Reading) -> list[Movies]:
    """Read a file that is not joined with others, such as an array, a table or a store; its Movies are unchecked."""
    one = find_format(file)
    if one and one.read:
        return [one.read(file, reading)]
    _refuse_unknown(file)
    if reading.time_options[:2] != AS_IN_FILE[:2]:
        raise ValueError(f"{file}: a store keeps the times it was made with: give --time to predjax prepare")
    return read_store(file, reading.variable, reading.unit_options, reading.forcings)


def _refuse_unknown(file: pathlib.Path) -> None:
    """Raise a ValueError for a file of an unknown format."""
    if find_format(file) is None and not file.is_dir():
        check_not_nexrad(read_start(os.fspath(file)), os.fspath(file))
        known = ", ".join(list_suffixes())
        hint = suggest_engine(file.name)
        raise ValueError(f"{file}: the format {file.suffix!r} is unknown; known are {known}{hint}")


def read_gridded(files: Iterable[str | os.PathLike], reading: Reading) -> list[Movies]:
    """Read files whose frames are joined in time: one Movies a grid, unchecked. Errors: see `read_movies`."""
    return _join([read_labels(os.fspath(file), reading) for file in files])


def _join(headers: list[Header]) -> list[Movies]:
    joined = join_files(headers)
    for one in joined:
        warn_of_duplicates(one)
    return [one.movies for one in joined]


def expand_paths(paths: Paths, engine: str = "") -> list[pathlib.Path]:
    """Return the files that paths stand for: files, folders (their files of a known format), globs, and stores.

    Paths are a sequence, or text with commas between them. Files come in the order given, sorted by name inside a
    folder or glob, each once. A store may be a folder. With an `engine` of xarray, which may read any file, folders
    give all files.

    Errors: FileNotFoundError, which names the path or pattern that matches no file.
    """
    given = split_paths(paths) if isinstance(paths, str | os.PathLike) else list(map(expand_home, paths))
    if not given:
        raise FileNotFoundError("no data path was given")
    files = [file for path in given for file in _expand(path, engine)]
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
    # A link to nothing is an error here, too.
    files = sorted(pathlib.Path(file) for file in find_matches(path) if _is_one(file) or not os.path.exists(file))
    if not files:
        raise FileNotFoundError(f"no file matches {path}")
    return files


def _is_read(file: pathlib.Path, engine: str) -> bool:
    """Return whether a file is read when a user names its folder."""
    if file.name.startswith("."):  # hidden, as files are that are being written
        return False
    if engine:
        return True
    found = find_format(file)
    return found is not None and found.in_folders


def _is_one(path: str) -> bool:
    """Return whether a path is read as a whole: a file, or the folder of a store."""
    return os.path.isfile(path) or is_store(path) or (os.path.isdir(path) and find_format(path) is not None)
