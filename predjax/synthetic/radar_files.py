"""Files of synthetic radar movies: CF netCDF, packed as weather services do, or .npy with values in [0, 1]."""

import datetime
import pathlib
import re

import netCDF4
import numpy as np
from tqdm import tqdm

from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.synthetic.movie_file import MovieFile, add_variable
from predjax.synthetic.radar import RadarConfig, make_radar_movie

FULL_SCALE_DBZ = 60.0  # becomes 1.0 in a .npy file
SCALE, OFFSET, NO_COVERAGE = 0.5, -32.0, 255  # dBZ = 0.5 count - 32, in one byte
FIRST_TIME = datetime.datetime(2001, 1, 1, 12, tzinfo=datetime.UTC)

GLOBAL_ATTRIBUTES = {
    "Conventions": "CF-1.11",
    "title": "Synthetic radar movies",
    "institution": "none: these are no observations",
    "source": "predjax.synthetic.radar: multi-scale rain that a smooth flow moves, growing and decaying",
    "references": "made from a seed by the command in history",
    "license": "Apache-2.0",
}
TIME_ATTRIBUTES = {
    "standard_name": "time",
    "long_name": "valid time (UTC); every movie has a day of its own",
    "units": "seconds since 1970-01-01 00:00:00",
    "calendar": "standard",
}
REFLECTIVITY_ATTRIBUTES = {
    "standard_name": "equivalent_reflectivity_factor",
    "long_name": "radar reflectivity",
    "units": "dBZ",
    "scale_factor": np.float32(SCALE),
    "add_offset": np.float32(OFFSET),
    "grid_mapping": "crs",
    "coordinates": "time",
    "zr_a": 200.0,  # Marshall & Palmer (1948)
    "zr_b": 1.6,
    "zr_comment": "rain rate R in mm/h from 10^(dBZ/10) = zr_a * R^zr_b",
    "comment": "0 dBZ (count 64) is the lowest value and means no echo; 255 is outside the radar's range",
}
CRS_WKT = """PROJCRS["synthetic radar",
  BASEGEOGCRS["WGS 84",
    DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563,LENGTHUNIT["metre",1]]],
    PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]]],
  CONVERSION["centred on the radar",
    METHOD["Lambert Azimuthal Equal Area",ID["EPSG",9820]],
    PARAMETER["Latitude of natural origin",50,ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",8801]],
    PARAMETER["Longitude of natural origin",10,ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",8802]],
    PARAMETER["False easting",0,LENGTHUNIT["metre",1],ID["EPSG",8806]],
    PARAMETER["False northing",0,LENGTHUNIT["metre",1],ID["EPSG",8807]]],
  CS[Cartesian,2],
    AXIS["(E)",east,ORDER[1],LENGTHUNIT["metre",1]],
    AXIS["(N)",north,ORDER[2],LENGTHUNIT["metre",1]]]"""
GRID_MAPPING = {
    "grid_mapping_name": "lambert_azimuthal_equal_area",
    "latitude_of_projection_origin": 50.0,
    "longitude_of_projection_origin": 10.0,
    "false_easting": 0.0,
    "false_northing": 0.0,
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
    "longitude_of_prime_meridian": 0.0,
    "crs_wkt": re.sub(r"\n\s*", "", CRS_WKT),
}


def write_radar_movies(file: MovieFile, config: RadarConfig, history: str = "") -> None:
    """Make the movies of a file and write them. Errors: see `MovieFile.writing`.

    `.nc`: reflectivity (movie, time, y, x) in dBZ, one byte a pixel, each movie on its own day; 0 dBZ = no echo,
    fill value = no coverage.
    `.npy`: dBZ / 60, within [0, 1], as (movie, y, x, time) float32; NaN = no coverage.
    The content is a function of the arguments alone.
    """
    with file.writing("radar movies are", ".nc", ".npy") as temporary:
        numbers = tqdm(range(file.num_movies), desc="radar", unit="movie", disable=None, leave=False)
        frames = np.stack([make_radar_movie(config, file.seed, movie).dbz for movie in numbers])
        if file.suffix == ".nc":
            _write_netcdf(temporary, frames, config, history)
        else:
            scaled = np.moveaxis(frames, 1, -1) / np.float32(FULL_SCALE_DBZ)
            with open(temporary, "wb") as stream:
                np.save(stream, np.ascontiguousarray(scaled))


def _write_netcdf(path: pathlib.Path, frames: np.ndarray, config: RadarConfig, history: str) -> None:
    counts = np.where(np.isnan(frames), NO_COVERAGE, np.round((frames - OFFSET) / SCALE)).astype(np.uint8)
    metres = 1000 * config.pixel_km * (np.arange(config.size) - (config.size - 1) / 2)
    steps = 60 * config.step_minutes * np.arange(config.num_frames)
    days = 1 + steps[-1] // 86400  # from one movie to the next, so that movies do not overlap
    seconds = int(FIRST_TIME.timestamp()) + 86400 * days * np.arange(len(frames))[:, None] + steps
    with NETCDF_LOCK, netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts(GLOBAL_ATTRIBUTES | {"history": history})
        for name, size in zip(("movie", "time", "y", "x"), counts.shape):
            file.createDimension(name, size)
        add_variable(file, "movie", "i4", ("movie",), np.arange(len(frames)), {"long_name": "number of the movie"})
        add_variable(file, "time", "i8", ("movie", "time"), seconds, TIME_ATTRIBUTES)
        for name, values in (("y", metres[::-1]), ("x", metres)):
            attributes = {
                "standard_name": f"projection_{name}_coordinate",
                "long_name": f"{name} coordinate of the pixel centre",
                "units": "m",
                "axis": name.upper(),
            }
            add_variable(file, name, "f8", (name,), values, attributes)
        add_variable(file, "crs", "i4", (), 0, GRID_MAPPING)
        chunks = (1, *counts.shape[1:])  # a window is read from one chunk
        storage = {"fill_value": NO_COVERAGE, "compression": "zlib", "complevel": 9, "shuffle": False}
        dimensions = ("movie", "time", "y", "x")
        add_variable(
            file, "reflectivity", "u1", dimensions, counts, REFLECTIVITY_ATTRIBUTES, **storage, chunksizes=chunks
        )
