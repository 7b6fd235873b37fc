"""Composites for xarray itself: `xr.open_dataset(path, engine="predjax_odim")`, and predjax_knmi, predjax_pgm.

Pixels are read when they are indexed; xarray decodes missing and packed values as in any CF file. What CF cannot say
stays in the attributes `dry_codes` and `dry_value` of `formats.decode.read_packing`. Reading holds NETCDF_LOCK. Other
threads that read netCDF files at the same time must hold it, too.
"""

import os
from collections.abc import Iterable
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from predjax.radar.formats.knmi import is_knmi, open_knmi
from predjax.radar.formats.odim import is_odim, open_odim
from predjax.radar.formats.open_files import read_start
from predjax.radar.formats.pgm import is_pgm, open_pgm

_DECODING = ("mask_and_scale", "decode_times", "concat_characters", "decode_coords", "use_cftime", "decode_timedelta")


class _CompositeBackend(BackendEntrypoint):
    """A backend that opens composites of one format; `variable` names the quantity or group if a file has several."""

    open_dataset_parameters = ("filename_or_obj", "drop_variables", "variable", *_DECODING)

    @staticmethod
    def holds(path: str, start: bytes) -> bool:
        """Return whether the content of a file is of the format."""
        raise NotImplementedError

    @staticmethod
    def open(path: str, variable: str = "") -> xr.Dataset:
        """Return the undecoded Dataset of a file."""
        raise NotImplementedError

    def open_dataset(  # type: ignore[override]  # xarray names the decoding options one by one
        self,
        filename_or_obj: str | os.PathLike,
        *,
        drop_variables: str | Iterable[str] | None = None,
        variable: str = "",
        **decoding: Any,
    ) -> xr.Dataset:
        """Return the Dataset of a file, decoded as `xarray.open_dataset` was asked to.

        Errors: ValueError or OSError, one line with the file, the rule and what was found.
        """
        found = self.open(os.fspath(filename_or_obj), variable)
        return xr.decode_cf(found, drop_variables=drop_variables, **decoding)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether a file is a composite of this format with a single variable, so that no choice is needed."""
        try:
            path = os.fspath(filename_or_obj)
            return self.holds(path, read_start(path)) and bool(self.open(path))
        except (TypeError, ValueError, OSError, AttributeError):
            return False


class OdimBackend(_CompositeBackend):
    """Composites in ODIM HDF5."""

    description = "Open composites in ODIM HDF5, the data model of EUMETNET OPERA"
    holds, open = staticmethod(is_odim), staticmethod(open_odim)


class KnmiBackend(_CompositeBackend):
    """Composites in the HDF5 layout of KNMI."""

    description = "Open composites in the HDF5 layout of KNMI"
    holds, open = staticmethod(is_knmi), staticmethod(open_knmi)


class PgmBackend(_CompositeBackend):
    """Composites in PGM files of FMI."""

    description = "Open composites in PGM files of FMI"
    holds, open = staticmethod(is_pgm), staticmethod(open_pgm)
