"""The formats that are read: one table, by content and by suffix. A new format is one file and one entry here."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import xarray as xr

from predjax.radar.formats.archives.diffcast import is_diffcast, open_diffcast
from predjax.radar.formats.archives.meteonet import is_meteonet, open_meteonet
from predjax.radar.formats.archives.rydl import is_rydl, open_rydl
from predjax.radar.formats.archives.sevir import is_sevir, open_sevir
from predjax.radar.formats.archives.taxibj import is_taxibj, open_taxibj
from predjax.radar.formats.datasets import open_with
from predjax.radar.formats.dating import TimeOptions
from predjax.radar.formats.images import SUFFIXES as IMAGE_SUFFIXES
from predjax.radar.formats.images import is_image, is_image_folder, open_image, open_image_folder
from predjax.radar.formats.knmi import is_knmi, open_knmi
from predjax.radar.formats.labels import Header, read_header
from predjax.radar.formats.meteoswiss import is_meteoswiss, open_meteoswiss
from predjax.radar.formats.netcdf import open_netcdf
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.npy import read_npy
from predjax.radar.formats.npy_frames import open_npy_frame
from predjax.radar.formats.npz import read_npz
from predjax.radar.formats.odim import is_odim, open_odim
from predjax.radar.formats.open_files import read_start
from predjax.radar.formats.pgm import SUFFIXES as PGM_SUFFIXES
from predjax.radar.formats.pgm import is_pgm, open_pgm
from predjax.radar.formats.quantity import UnitOptions
from predjax.radar.formats.table import read_table
from predjax.radar.formats.zarr import is_zarr, open_zarr
from predjax.radar.movies import Movies

_HDF5_SUFFIXES = (".h5", ".hdf", ".hdf5", ".hd5", "-hd5")  # the last ones are DWD's


class LabelReader(Protocol):
    """A reader of the labels of files in place of this process."""

    def read_labels(self, file: str, reading: "Reading") -> Header:
        """Read the labels of one file; see the function `read_labels` of this module."""

    def expect(self, files: Sequence[str]) -> None:
        """Take the names of the files whose labels are read next, in this order."""


class Reading(NamedTuple):
    """The options of reading files: the fields of the same names in `radar.config.DataConfig`, and the reader."""

    layout: str = "auto"
    variable: str = ""
    units: str = "file"
    source_units: str = ""
    accumulation_period: str = ""
    forcings: tuple[str, ...] = ()
    path_length: int = 0
    engine: str = ""
    time: str = "auto"
    time_pattern: str = ""
    step: str = ""
    reader: LabelReader | None = None  # reads files whose frames are joined in time; None: this process

    @property
    def time_options(self) -> TimeOptions:
        """The options of times."""
        return TimeOptions(self.time, self.time_pattern, self.step)

    @property
    def unit_options(self) -> UnitOptions:
        """The options of units."""
        return UnitOptions(self.units, self.source_units, self.accumulation_period)


class Format(NamedTuple):
    """A format, in one of two kinds."""

    suffixes: tuple[str, ...]  # the suffixes of its files, in lower case; a format without suffixes is a folder
    # The first kind: `holds` tells the format from a path and the first 8 bytes of the file; `open` opens a path with
    # the wanted variable ("": the only one) as a lazy Dataset of undecoded numbers with CF attributes, with what was
    # taken for what as `encoding["remarks"]`. Files of one grid are joined in time.
    holds: Callable[[str, bytes], bool] | None = None
    open: Callable[[str, str], xr.Dataset] | None = None
    # The second kind, arrays and tables: reads a path as Movies, each file by itself.
    read: Callable[[pathlib.Path, Reading], Movies] | None = None
    # Opens a path with the layout, as `open` does: an array of one frame, where a user says that names have the dates.
    open_dated: Callable[[str, str], xr.Dataset] | None = None
    is_composite: bool = False  # whether `open` gives the frames alone, without forcings
    in_folders: bool = True  # whether such files are read when a user names their folder; else each must be named
    name: str = ""  # as users call it; empty: the suffix of the file


def _read_array(file: pathlib.Path, reading: Reading) -> Movies:
    if reading.forcings:
        raise ValueError(f"{file}: an array has no variable {reading.forcings[0]!r}; forcings need netCDF files")
    refuse_pattern(file, reading.time_pattern)
    if file.suffix.lower() == ".npy":
        return read_npy(file, reading.layout, reading.unit_options)
    return read_npz(file, reading.layout, reading.unit_options, reading.variable)


def refuse_pattern(file: pathlib.Path, time_pattern: str) -> None:
    """Refuse dates in the names of files that are not joined in time. Errors: ValueError."""
    if time_pattern:
        rule = "--time_pattern dates frames of files that are joined in time, and this file is a movie of its own"
        raise ValueError(f"{file}: {rule}")


def _read_table(file: pathlib.Path, reading: Reading) -> Movies:
    refuse_pattern(file, reading.time_pattern)
    return read_table(file, reading.path_length, reading.variable, reading.forcings)


FORMATS = (
    Format((".npy",), read=_read_array, open_dated=open_npy_frame, name="array of numpy"),
    Format((".npz",), read=_read_array, name="arrays of numpy"),
    # The last one whose content it is: netCDF's is whatever is not another's.
    Format((".nc", ".nc4", ".cdf", ".netcdf", *_HDF5_SUFFIXES), lambda path, start: True, open_netcdf, name="netCDF"),
    Format(_HDF5_SUFFIXES, is_odim, open_odim, is_composite=True, name="ODIM HDF5"),
    Format(_HDF5_SUFFIXES, is_knmi, open_knmi, is_composite=True, name="KNMI HDF5"),
    Format(PGM_SUFFIXES, is_pgm, open_pgm, is_composite=True, name="PGM image of FMI"),
    Format(_HDF5_SUFFIXES, is_sevir, open_sevir, is_composite=True, name="SEVIR"),
    Format(_HDF5_SUFFIXES, is_rydl, open_rydl, is_composite=True, name="RYDL"),
    Format(_HDF5_SUFFIXES, is_diffcast, open_diffcast, is_composite=True, name="movies of DiffCast"),
    Format((".npz",), is_meteonet, open_meteonet, is_composite=True, name="MeteoNet"),
    Format((".npz",), is_taxibj, open_taxibj, is_composite=True, name="TaxiBJ"),
    # Pictures may lie beside data in a folder, so there each must be named.
    Format(IMAGE_SUFFIXES, is_image, open_image, is_composite=True, in_folders=False, name="grey image"),
    Format((".gif",), is_meteoswiss, open_meteoswiss, is_composite=True, in_folders=False, name="MeteoSwiss image"),
    Format((), is_zarr, open_zarr, name="Zarr store"),
    Format((), is_image_folder, open_image_folder, is_composite=True, in_folders=False, name="folder of grey images"),
    Format(  # in folders these may be anything
        (".txt", ".dat", ".data"), read=_read_table, in_folders=False, name="table of strains and stresses"
    ),
)


def list_suffixes(formats: Iterable[Format] = FORMATS) -> tuple[str, ...]:
    """Return the suffixes of formats, each once."""
    return tuple(dict.fromkeys(suffix for one in formats for suffix in one.suffixes))


FOLDER_SUFFIXES = list_suffixes(one for one in FORMATS if one.in_folders)  # of files that are read of folders
GRID_SUFFIXES = list_suffixes(one for one in FORMATS if one.open)  # of files that are joined in time


def find_format(file: str | os.PathLike) -> Format | None:
    """Return the format of a file by its suffix, of a folder or .npz file by its content; None if it is unknown."""
    if os.path.isdir(file):
        return next(
            (one for one in FORMATS if one.holds and not one.suffixes and one.holds(os.fspath(file), b"")), None
        )
    name = os.path.basename(os.fspath(file)).lower()
    found = [one for one in FORMATS if one.suffixes and name.endswith(one.suffixes)]
    if found and found[0].read:  # an array of its own, or an archive whose frames are joined in time
        found = [one for one in found if one.holds and one.holds(os.fspath(file), b"")] or found
    return next(iter(found), None)


def is_gridded(file: str | os.PathLike) -> bool:
    """Return whether a file is joined in time with others of its grid: netCDF, a composite or a Zarr store."""
    found = find_format(file)
    return found is not None and found.open is not None


def is_joined(file: str | os.PathLike, reading: Reading) -> bool:
    """Return whether the frames of a file are joined in time with those of others."""
    found = find_format(file)
    dated = reading.time_pattern and found is not None and found.open_dated is not None
    return bool(reading.engine or dated) or is_gridded(file)


def read_labels(file: str, reading: Reading) -> Header:
    """Read the labels of one file of frames, whose content says which format it is.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    if reading.reader:
        return reading.reader.read_labels(file, reading)
    with NETCDF_LOCK:
        try:
            dataset, variable, name = _open(file, reading)
            options = reading.unit_options, reading.forcings, reading.time_options
            return dataclasses.replace(read_header(dataset, file, variable, *options), format=name)
        except UnicodeDecodeError as error:
            raise ValueError(f"{file}: a name in the file is no text ({error}): is the file damaged?") from None
        except AttributeError as error:
            if not str(error).startswith("NetCDF: "):
                raise
            # So it says that there is an attribute it does not understand, such as a table of numbers.
            raise ValueError(f"{file}: the netCDF library cannot read an attribute ({error})") from None
        except RuntimeError as error:  # of libraries, where a chunk is damaged
            raise ValueError(f"{file}: its labels cannot be read ({error}): is the file damaged?") from None


def open_undecoded(file: str) -> xr.Dataset:
    """Open a file of frames, whose content says which format it is, as a lazy Dataset of undecoded numbers.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    with NETCDF_LOCK:
        return _open(file, Reading())[0]


def _open(file: str, reading: Reading) -> tuple[xr.Dataset, str, str]:
    """Open a file; return its Dataset, the variable to choose in it, and how users call its format."""
    if reading.engine:
        return open_with(reading.engine, file), reading.variable, name_format(file, reading.engine)
    alone = find_format(file) if reading.time_pattern else None
    if alone and alone.open_dated:
        if wanted := reading.variable or ",".join(reading.forcings):
            raise ValueError(f"{file}: an array has no variable {wanted!r}")
        return alone.open_dated(file, reading.layout), "", alone.name
    found = _find_opener(file)
    assert found.open is not None, "it is one of those"
    dataset = found.open(file, reading.variable)
    if found.is_composite and reading.forcings:
        raise ValueError(f"{file}: its format has no variable {reading.forcings[0]!r}; forcings need netCDF files")
    # A composite has one variable.
    return dataset, "" if found.is_composite else reading.variable, found.name


def _find_opener(file: str) -> Format:
    """Return the format of a file of frames by its content."""
    start = read_start(file)
    return next(one for one in reversed(FORMATS) if one.open and one.holds and one.holds(file, start))


def name_format(file: str, engine: str = "") -> str:
    """Return the name that users know a file's format by, from its content; "" where it is none of `FORMATS`."""
    if engine:
        return f"whatever the engine {engine} of xarray reads"
    found = find_format(file)
    if found is None:
        return ""
    with NETCDF_LOCK:
        found = _find_opener(file) if found.open and os.path.isfile(file) else found
    return found.name or os.path.splitext(file)[1]
