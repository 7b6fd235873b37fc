"""SEVIR: events of four hours as HDF5 files beside a table of them, CATALOG.csv.

Veillette, Samsi and Mattioli (2020), SEVIR: a storm event imagery dataset, NeurIPS. A file has `id` (event,) and an
image type, here `vil` (event, y, x, time): vertically integrated liquid in the digital form of NEXRAD, 0 to 254, with
255 for no data. The table has the file, the place in it, and the times of every event.
"""

import csv
import functools
import os
import pathlib

import numpy as np
import xarray as xr

from predjax.radar.formats.composites import CLOCK
from predjax.radar.formats.hdf5 import HDF5, find_array, open_hdf5
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.formats.other_files import read_part

VARIABLE = "vil"
CATALOGUE = "CATALOG.csv"
_ABOVE = 4  # sevir/data/vil/2018 has the files, sevir the table
_COLUMNS = ("id", "file_name", "file_index", "img_type", "time_utc", "minute_offsets")
_ATTRS = {"units": "digital VIL", "long_name": "vertically integrated liquid, digital", "_FillValue": np.uint8(255)}


def is_sevir(path: str, start: bytes) -> bool:
    """Return whether a file is one of SEVIR's with events of `vil`, by its first bytes and its content."""
    if start != HDF5:
        return False
    with NETCDF_LOCK:
        variables = OPEN_FILES.get(path, open_hdf5).variables
        return {VARIABLE, "id"} <= variables.keys() and variables[VARIABLE].ndim == 4


def open_sevir(path: str, variable: str = "") -> xr.Dataset:
    """Open the events (movie, y, x, time) as a lazy Dataset, with their times if the table is found.

    The table is looked for beside the file and in the four folders above.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    if variable not in ("", VARIABLE):
        raise ValueError(f"{path}: there is no variable {variable!r}, only {VARIABLE}")
    with NETCDF_LOCK:
        file = OPEN_FILES.get(path, open_hdf5)
        array, ids = file[VARIABLE], [_text(one) for one in read_part(path, file["id"], (), OPEN_FILES.alone)]
        frames = read_later(("movie", "y", "x", "time"), find_array(path, array), dict(_ATTRS))
        chunks = array.chunking()
        frames.encoding = {} if chunks in (None, "contiguous") else {"chunksizes": tuple(chunks)}
    if frames.dtype != np.uint8 or frames.shape[0] != len(ids):
        raise ValueError(f"{path}: {VARIABLE} must be uint8 of {len(ids)} events, found {frames.dtype} {frames.shape}")
    variables, remarks = {VARIABLE: frames}, ["SEVIR, by its description: vil is digital, 0 to 254; 255 is no coverage"]
    table = next((one for folder in _folders(path) if (one := folder / CATALOGUE).is_file()), None)
    if table is None:
        remarks.append(f"no {CATALOGUE} beside the file or above it: frames are numbered, without dates")
    else:
        dates = _find_dates(table, path, ids, frames.shape[3])
        variables["time"] = xr.Variable(("movie", "time"), dates.view("i8"), CLOCK)
        remarks.append(f"times of the events from {CATALOGUE}")
    dataset = build_dataset(variables, {}, path)
    dataset.encoding["remarks"] = tuple(remarks)
    return dataset


def _folders(path: str) -> list[pathlib.Path]:
    return list(pathlib.Path(path).absolute().parents)[: _ABOVE + 1]


def _text(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _find_dates(table: pathlib.Path, path: str, ids: list[str], length: int) -> np.ndarray:
    """Return the dates (event, frame) of a file from the table."""
    rows = _read_table(table, os.stat(table).st_mtime_ns)
    dates = np.empty((len(ids), length), "datetime64[ns]")
    for number, name in enumerate(ids):
        row = rows.get((os.path.basename(path), str(number)), {})
        if row.get("id") != name:
            found = f"event {number} is {name}, but in {table} it is {row.get('id', 'none')}"
            raise ValueError(f"{path}: {found}: do they belong together?")
        minutes = row["minute_offsets"].split(":")
        if len(minutes) != length:
            found = f"{len(minutes)} minute_offsets, frames are {length}"
            raise ValueError(f"{path}: {table} has for {name} {found}")
        try:
            dates[number] = np.datetime64(row["time_utc"], "ns") + np.array(minutes, int).astype("m8[m]")
        except ValueError as error:
            raise ValueError(f"{table}: the times of {name} cannot be read ({error})") from None
    return dates


@functools.lru_cache(maxsize=2)
def _read_table(table: pathlib.Path, changed: int) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows of `vil` by file and place in it. The table is read again when its time `changed` differs."""
    with table.open(newline="", encoding="utf-8", errors="replace") as stream:
        rows = csv.DictReader(stream)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{table}: the table of SEVIR's events has no column {missing[0]}")
        kept = ({name: row[name] or "" for name in _COLUMNS} for row in rows if row["img_type"] == VARIABLE)
        return {(os.path.basename(row["file_name"]), row["file_index"]): row for row in kept}
