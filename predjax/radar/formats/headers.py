"""The labels of a file of frames, whatever its format: its content says which one it is."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from predjax.radar.formats import knmi as knmi_hdf5
from predjax.radar.formats import netcdf_header, odim, pgm
from predjax.radar.formats.netcdf_header import Header
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.formats.pgm_image import PgmFile
from predjax.radar.formats.zarr import ZarrStore


def read_header(file: str, variable: str, units: str, forcings) -> Header:
    """Reads the labels of a netCDF file, a composite in ODIM or KNMI HDF5 or PGM, or a Zarr store.

    Args:
      file: path.
      variable: of the frames (of composites: quantity or group), or empty for the only one that can be meant.
      units: "file", "mm/h" or "dBZ".
      forcings: names of variables to read as forcings; composites have none.

    Raises:
      ValueError: one line with the file, the rule and what was found.
    """
    with NETCDF_LOCK:
        try:
            return _read(OPEN_FILES.dataset(file), file, variable, units, forcings)
        except UnicodeDecodeError as error:
            raise ValueError(f"{file}: a name in the file is no text ({error}): is the file damaged?") from None
        except AttributeError as error:
            if not str(error).startswith("NetCDF: "):
                raise
            # So it says that there is an attribute it does not understand, such as a table of numbers.
            raise ValueError(f"{file}: the netCDF library cannot read an attribute ({error})") from None


def _read(dataset, file: str, variable: str, units: str, forcings) -> Header:
    read: Callable[[Any, str, str, str], Header]
    if isinstance(dataset, PgmFile):
        read = pgm.read_pgm
    elif isinstance(dataset, ZarrStore):
        return _without_future(netcdf_header.read_header(file, variable, units, forcings), dataset)
    elif odim.is_odim(dataset):
        read = odim.read_odim
    elif knmi_hdf5.is_knmi(dataset):
        read = knmi_hdf5.read_knmi
    else:
        return netcdf_header.read_header(file, variable, units, forcings)
    if forcings:
        raise ValueError(f"{file}: a composite has no variable {forcings[0]!r}; forcings need netCDF files")
    return read(dataset, file, variable, units)


def _without_future(header: Header, store: ZarrStore) -> Header:
    """Without the frames after `last_valid_timestep`, which MLCast archives may hold ready for times to come."""
    if "last_valid_timestep" not in store.ncattrs() or header.time is None or header.movies > 1:
        return header
    said = str(store.getncattr("last_valid_timestep"))
    try:
        last = np.datetime64(said.removesuffix("Z").removesuffix("+00:00"), "ns")
    except ValueError:
        raise ValueError(f"{header.file}: last_valid_timestep must be an ISO 8601 time, found {said!r}") from None
    length = int(np.searchsorted(header.time[0], last, side="right"))
    if not length:
        raise ValueError(f"{header.file}: all times are after last_valid_timestep, {said}")
    return dataclasses.replace(header, time=header.time[:, :length], length=length)
