"""The suffixes of files that are read."""

import pathlib

from predjax.radar.formats.open_files import PGM_SUFFIXES
from predjax.radar.formats.zarr import is_zarr

# What lies in these, netCDF or composites, their content says.
GRID_SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf", ".hdf5", *PGM_SUFFIXES)
SUFFIXES = (".npy", ".npz", *GRID_SUFFIXES)
TABLE_SUFFIXES = (".txt", ".dat", ".data")  # in folders such files may be anything: tables are named


def is_gridded(file: pathlib.Path) -> bool:
    """Whether a file is joined in time with others of its grid: netCDF, a composite or a Zarr store."""
    return file.name.lower().endswith(GRID_SUFFIXES) or is_zarr(file)
