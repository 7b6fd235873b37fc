"""The engines of xarray that are installed, and the extras of predjax that bring one."""

import contextlib
from typing import Any

import xarray as xr

EXTRAS = {"cfgrib": "grib", "rasterio": "geotiff", "radolan": "radolan", "zarr": "zarr"}
# By the end of the name; what no engine is told from is not here.
ENGINES = {
    **dict.fromkeys((".grib", ".grib2", ".grb", ".grb2"), "cfgrib"),
    **dict.fromkeys((".tif", ".tiff"), "rasterio"),
    **dict.fromkeys(("-bin", "-bin.gz", "-bin.bz2"), "radolan"),
}
_UNDECODED: dict[str, Any] = {"decode_cf": False}
_OPTIONS: dict[str, dict[str, Any]] = {
    "cfgrib": _UNDECODED | {"backend_kwargs": {"indexpath": ""}},  # it would write an index beside each file
    # It refuses decode_cf, which would leave the coordinates as they are.
    "rasterio": {"mask_and_scale": False, "decode_times": False, "decode_coords": "all"},
}


def find_options(engine: str) -> dict[str, Any]:
    """Return the options of `xarray.open_dataset` by which an engine gives the numbers as they are stored."""
    return _OPTIONS.get(engine, _UNDECODED)


def list_engines() -> list[str]:
    """Return the names of the engines. xarray loads all of them for this.

    pyproj comes first: loaded after ecCodes, which has a PROJ of its own, it finds no databases and the process ends in
    a crash (eccodeslib 2.50 and pyproj 3.7).
    """
    with contextlib.suppress(ImportError):
        import pyproj  # noqa: F401
    return sorted(xr.backends.list_engines())


def check_engine(name: str) -> None:
    """Raise a ValueError, which lists the known engines, for an unknown engine of xarray."""
    if not name:
        return
    known = list_engines()
    if name not in known:
        extra = f": pip install 'predjax[{EXTRAS[name]}]'" if name in EXTRAS else ""
        raise ValueError(f"engine must be one that xarray has installed ({', '.join(known)}), not {name!r}{extra}")


def suggest_engine(file: str) -> str:
    """Return advice on a file of an unknown format, as the end of a message; "" without any."""
    engine = next((one for end, one in ENGINES.items() if file.lower().endswith(end)), None)
    return "" if engine is None else f"; --engine {engine} reads it (pip install 'predjax[{EXTRAS[engine]}]')"
