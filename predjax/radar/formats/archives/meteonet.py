"""MeteoNet: rain of Météo-France's radars, ten days in a .npz file.

Larvor et al. (2020), meteofrance.github.io/meteonet. `data` (time, y, x) are sums of 5 minutes in hundredths of mm, and
-1 is missing; `dates` are the dates of the maps as Python objects. These are pickled, and a pickle can run any program:
the dates are read out of its bytes, and nothing is unpickled.
"""

import datetime
import io
import os
import pickletools
import struct

import numpy as np
import xarray as xr

from predjax.radar.formats.archives.whole_arrays import join_arrays, list_npz
from predjax.radar.formats.composites import AMOUNT, CLOCK
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.npz import find_array, open_npz, read_bytes

VARIABLE = "rainfall"
_DATE_BYTES = 10  # in which Python packs a date
_MOST_BYTES = 2**26  # of dates, a few thousand in a file
_ATTRS = AMOUNT | {"scale_factor": 0.01, "accumulation_minutes": 5, "_FillValue": np.int16(-1)}


def is_meteonet(path: str, start: bytes) -> bool:
    """Return whether a file is a .npz file with the arrays of MeteoNet, by its content."""
    return {"data", "dates", "miss_dates"} <= list_npz(path)


def open_meteonet(path: str, variable: str = "") -> xr.Dataset:
    """Open the frames (time, y, x) as a CF Dataset; the file is read as a whole when a frame is asked for.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    if variable not in ("", VARIABLE):
        raise ValueError(f"{path}: there is no variable {variable!r}, only {VARIABLE}")
    if "reflectivity" in os.path.basename(path).lower():
        raise ValueError(f"{path}: of MeteoNet rainfall is read; reflectivity is coded in another way")
    frames, dates = join_arrays(path, "data"), _read_dates(path)
    if len(frames.shape) != 3 or frames.dtype != np.int16:
        raise ValueError(f"{path}: data must be int16 (time, y, x), found {frames.dtype} {frames.shape}")
    if len(dates) != frames.shape[0]:
        raise ValueError(f"{path}: there must be a date for each map, found {len(dates)} for {frames.shape[0]}")
    variables = {
        VARIABLE: read_later(("time", "y", "x"), frames, _ATTRS),
        "time": xr.Variable(("time",), dates.astype("M8[ns]").view("i8"), CLOCK),
    }
    dataset = build_dataset(variables, {"institution": "Meteo-France"}, path)
    dataset.encoding["remarks"] = (
        "MeteoNet, by its description: 0.01 mm in 5 minutes, -1 is no coverage; dates of the file in UTC",
        "files are compressed as a whole: for training make a store first (predjax prepare)",
    )
    return dataset


def _read_dates(path: str) -> np.ndarray:
    """Return the dates (time,) of a file."""
    name = f"{path}: dates"
    with open_npz(path) as archive:
        stream = io.BytesIO(read_bytes(archive, find_array(archive, "dates", path), name, _MOST_BYTES))
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        dtype = header(stream)[2]
        if dtype.kind == "M":
            stream.seek(0)
            return np.lib.format.read_array(stream, allow_pickle=False)
        texts = [argument for _, argument, _ in pickletools.genops(stream) if isinstance(argument, str | bytes)]
        if any("tz" in str(one) or "timezone" in str(one) for one in texts):
            raise ValueError("they have time zones")
        # Text where numpy was old.
        packed = [one.encode("latin1") if isinstance(one, str) else one for one in texts if len(one) == _DATE_BYTES]
        return np.array([_unpack_date(one) for one in packed], "M8[us]")
    except (ValueError, TypeError, UnicodeError, OverflowError) as error:
        raise ValueError(f"{name}: they must be dates of Python or numpy ({str(error).splitlines()[0]})") from None


def _unpack_date(packed: bytes) -> datetime.datetime:
    """Return a date from the bytes that Python packs it in: two of the year, month to second, three of microseconds."""
    seconds = datetime.datetime(*struct.unpack(">H5B", packed[:7]))
    return seconds + datetime.timedelta(microseconds=int.from_bytes(packed[7:]))
