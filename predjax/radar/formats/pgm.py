"""Composites in the PGM files of FMI, the Finnish weather service, whose labels are comments in the header.

::

    P5
    # obstime 201609281600
    # param CorrectedReflectivity
    # metersperpixel_x 999.674053
    # metersperpixel_y 999.62859
    # projection radar {
    # type stereographic
    # centrallongitude 25
    # centrallatitude 90
    # truelatitude 60
    # bottomleft 18.600000 57.930000
    # topright 34.903000 69.005000
    # }
    760 1226
    255

The earth of the projection is not written: FMI's is a sphere of 6371288 m. FMI's Z-R relation is 223 R^1.53.
"""

import xarray as xr

from predjax.radar.formats import times
from predjax.radar.formats.composites import REFLECTIVITY, Composite, as_code, label_composite
from predjax.radar.formats.hdf5 import number, text
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES, FileArray
from predjax.radar.formats.pgm_image import GZIP, IMAGE, read_image
from predjax.radar.formats.placement import place_corners
from predjax.radar.grid import Grid

SUFFIXES = (".pgm", ".pgm.gz")
_RADIUS = 6371288
# With the value of a grey step, and of grey 0.
PARAMETERS = {"CorrectedReflectivity": (REFLECTIVITY | {"zr_a": 223.0, "zr_b": 1.53}, 0.5, -32.0)}


def is_pgm(path: str, start: bytes) -> bool:
    """Return whether a file is a PGM image, by its first bytes or by the end of its name."""
    name = path.lower()
    return start[:2] == b"P5" or (start[:2] == GZIP and name.endswith(".gz")) or name.endswith(SUFFIXES)


def open_pgm(path: str, variable: str = "") -> xr.Dataset:
    """Open a composite as a lazy CF Dataset of undecoded pixels; the largest grey, or `missing_val`, is no coverage.

    The `variable` is empty, or the parameter ("CorrectedReflectivity").

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    with NETCDF_LOCK:
        image = OPEN_FILES.get(path, read_image)
    labels = {key: rest for key, _, rest in (line.partition(" ") for line in image.comments) if rest}
    parameter = text(labels, "param", path)
    if parameter not in PARAMETERS:
        raise ValueError(f"{path}: param must be one of {', '.join(PARAMETERS)}, found {parameter!r}")
    if variable not in ("", parameter):
        raise ValueError(f"{path}: there is no variable {variable!r}, only {parameter}")
    attrs, scale, offset = PARAMETERS[parameter]
    pixels = image.variables[IMAGE]
    packing = {
        "scale_factor": number(labels, "multiplier", path) if "multiplier" in labels else scale,
        "add_offset": number(labels, "offset", path) if "offset" in labels else offset,
        "_FillValue": number(labels, "missing_val", path) if "missing_val" in labels else image.largest,
    }
    packing["_FillValue"] = as_code(packing["_FillValue"], pixels.dtype)
    grid = _grid(labels, pixels.shape, path)
    obstime = text(labels, "obstime", path)
    return label_composite(
        Composite(
            name=parameter,
            pixels=FileArray(path, IMAGE, pixels.shape, pixels.dtype, read_image),
            attrs=attrs | packing | ({} if grid.mapping else {"proj4": _proj4(labels, path)}),
            grid=grid,
            time=times.parse_stamp(obstime, "YYYYmmddHHMM", f"{path}: obstime"),
            period=None,
            file_attrs={"institution": "Finnish Meteorological Institute"},
        )
    )


def _proj4(labels: dict, file: str) -> str:
    kind = text(labels, "type", f"{file}: projection")
    if kind != "stereographic":
        raise ValueError(f"{file}: the type of the projection must be stereographic, found {kind!r}")
    keys = {"lat_0": "centrallatitude", "lat_ts": "truelatitude", "lon_0": "centrallongitude"}
    for label in keys.values():
        number(labels, label, file)
    parameters = " ".join(f"+{key}={labels[label].strip()}" for key, label in keys.items())
    return f"+proj=stere {parameters} +R={_RADIUS} +units=m +no_defs"


def _grid(labels: dict, shape: tuple[int, int], file: str) -> Grid:
    corners = {}
    for corner, key in (("LL", "bottomleft"), ("UR", "topright")):
        place = text(labels, key, file).split()
        if len(place) != 2:
            raise ValueError(f"{file}: {key} must be a longitude and a latitude, found {labels[key]!r}")
        corners[corner] = tuple(number({key: part}, key, file) for part in place)
    sizes = [f"metersperpixel_{axis}" for axis in ("y", "x")]
    pixel = tuple(number(labels, key, file) for key in sizes) if sizes[0] in labels else None
    return place_corners(_proj4(labels, file), shape, pixel, corners, file)
