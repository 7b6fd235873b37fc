"""The refusal of sweeps in polar coordinates, because frames are maps."""

import xarray as xr

_AZIMUTH = ("azimuth", "azimuths", "ray", "rays", "nrays")
_RANGE = ("range", "ranges", "gate", "gates", "ngates", "bin", "bins", "nbins")
# The first bytes of files of NEXRAD, level II and level III.
_NEXRAD = (b"AR2V", b"ARCHIVE2", b"SDUS")
ADVICE = "grid it first, by the two lines of pyart under 'Polar sweeps' in docs/your_data.md"


def check_not_polar(dataset: xr.Dataset, name: str, file: str) -> None:
    """Raise a ValueError for a variable along azimuth and range, or along time with azimuths (CfRadial).

    It names the variable and a way to make maps of it.
    """
    group = name.rpartition("/")[0]
    dims = [str(one).rpartition("/")[2].lower() for one in dataset.variables[name].dims]
    azimuth = f"{group}/azimuth".lstrip("/")
    turns = azimuth in dataset.variables and dataset.variables[azimuth].dims == dataset.variables[name].dims[:1]
    if any(one in _RANGE for one in dims) and (turns or any(one in _AZIMUTH for one in dims)):
        raise ValueError(f"{file}: {name} is a polar sweep ({', '.join(dims)}), not a map: {ADVICE}")


def check_none_polar(dataset: xr.Dataset, file: str) -> None:
    """Raise a ValueError for a Dataset with a polar sweep, at its top or in a group; see `check_not_polar`."""
    for name, one in dataset.variables.items():
        if one.ndim >= 2:
            check_not_polar(dataset, str(name), file)


def check_not_nexrad(start: bytes, file: str) -> None:
    """Raise a ValueError for a file of NEXRAD, known by its first bytes."""
    if start.startswith(_NEXRAD):
        raise ValueError(f"{file}: a file of NEXRAD has polar sweeps, not maps: {ADVICE}")
