"""Read netCDF files as undecoded Datasets with all of their variables."""

from collections.abc import Iterator

import netCDF4
import xarray as xr

from predjax.radar.formats.hdf5 import find_array, open_hdf5
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES


def open_netcdf(path: str, variable: str = "") -> xr.Dataset:
    """Open a netCDF file as a lazy Dataset of undecoded numbers; variables and dimensions of groups are "group/name".

    The Dataset has all variables, whatever the `variable`.

    Errors: ValueError or OSError, one line: it is no netCDF file, or not a whole one.
    """
    with NETCDF_LOCK:
        file = OPEN_FILES.get(path, open_hdf5)
        return build_dataset(dict(_find_variables(path, file)), _attributes(file), path)


def build_dataset(variables: dict[str, xr.Variable], attrs: dict, path: str) -> xr.Dataset:
    """Return a Dataset of the given variables without indexes, because xarray would read coordinates to index them."""
    others = [name for name, one in variables.items() if one.dims and name not in one.dims]
    dataset = xr.Coordinates(variables, indexes={}).to_dataset().reset_coords(others)
    dataset.attrs, dataset.encoding = attrs, {"source": path}
    return dataset


def _find_variables(path: str, group: netCDF4.Dataset) -> Iterator[tuple[str, xr.Variable]]:
    for one in group.variables.values():
        array = find_array(path, one)
        dims = [(f"{of.group().path.strip('/')}/{of.name}").lstrip("/") for of in one.get_dims()]
        # A covariance (station, station) is valid netCDF, of which xarray warns.
        dims = [name if name not in dims[:place] else f"{name} {place}" for place, name in enumerate(dims)]
        variable = read_later(dims, array, _attributes(one))
        chunks = one.chunking()
        variable.encoding = {} if chunks in (None, "contiguous") else {"chunksizes": tuple(chunks)}
        yield array.name, variable
    for child in group.groups.values():
        yield from _find_variables(path, child)


def _attributes(item: netCDF4.Dataset | netCDF4.Variable) -> dict:
    """Return the attributes of a variable or group; an attribute that cannot be read has its error as the value."""
    found: dict = {}
    for key in item.ncattrs():
        try:
            found[key] = item.getncattr(key)
        except AttributeError as error:
            found[key] = error
    return found
