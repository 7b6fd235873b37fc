"""Composites in PGM files as FMI, the Finnish weather service, distributes them: labels are comments of the header.

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

The earth of the projection is not written: FMI's is a sphere of 6371288 m, and so is its Z-R relation, 223 R^1.53.
"""

import numpy as np

from predjax.radar.formats import times
from predjax.radar.formats.decode import Decoder
from predjax.radar.formats.hdf5 import number, text
from predjax.radar.formats.netcdf_header import Field, Header
from predjax.radar.formats.pgm_image import IMAGE, PgmFile
from predjax.radar.formats.placement import place_corners
from predjax.radar.formats.quantity import plan_conversion
from predjax.radar.grid import Grid

_RADIUS = 6371288
_DBZ = {
    "units": "dBZ",
    "standard_name": "equivalent_reflectivity_factor",
    "long_name": "radar reflectivity",
    "zr_a": 223.0,
    "zr_b": 1.53,
}
PARAMETERS = {"CorrectedReflectivity": (_DBZ, 0.5, -32.0)}  # with the value of a grey step, and of grey 0


def read_pgm(image: PgmFile, file: str, variable: str, units: str) -> Header:
    """Reads the labels of a composite; the largest grey, or `missing_val`, is no coverage.

    Args:
      image: the open file.
      file: its path.
      variable: empty, or the parameter ("CorrectedReflectivity").
      units: "file", "mm/h" or "dBZ".

    Raises:
      ValueError: one line with the file, the rule and what was found.
    """
    labels = {key: rest for key, _, rest in (line.partition(" ") for line in image.comments) if rest}
    parameter = text(labels, "param", file)
    if parameter not in PARAMETERS:
        raise ValueError(f"{file}: param must be one of {', '.join(PARAMETERS)}, found {parameter!r}")
    if variable not in ("", parameter):
        raise ValueError(f"{file}: there is no variable {variable!r}, only {parameter}")
    attrs, scale, offset = PARAMETERS[parameter]
    pixels = image.variables[IMAGE]
    packing = Decoder(
        dtype=pixels.dtype.str,
        scale=number(labels, "multiplier", file) if "multiplier" in labels else scale,
        offset=number(labels, "offset", file) if "offset" in labels else offset,
        missing=(number(labels, "missing_val", file) if "missing_val" in labels else float(image.largest),),
    )
    grid = _grid(labels, pixels.shape, file)
    obstime = text(labels, "obstime", file)
    return Header(
        file=file,
        grid=grid,
        movies=1,
        length=1,
        time=np.array([[times.parse_stamp(obstime, "YYYYmmddHHMM", f"{file}: obstime")]]),
        fields=(Field(IMAGE, ("y", "x"), packing),),
        forcings=(),
        forcing_names=(),
        channel=None,
        conversion=plan_conversion(attrs, {}, units, file),
        period=None,
        attrs={"variable": parameter, "dtype_on_disk": str(pixels.dtype)}
        | ({"grid_mapping": grid.mapping_name} if grid.mapping else {"proj4": _proj4(labels, file)}),
        file_attrs={"institution": "Finnish Meteorological Institute"},
        chunk=1,
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
