"""The store: one folder of plain arrays, made by `predjax prepare` and read in parts.

::

    index.json             what follows, as JSON
    grid_0/frames.npy      (frame, y, x, channel): uint8 or uint16 codes, or float32 with NaN = no coverage
    grid_0/values.npy      (256,) or (65536,) float32: the value of every code; NaN = no coverage. Not with float32
    grid_0/times.npy       (frame,) int64: nanoseconds since 1970-01-01 UTC. Not where frames have no times
    grid_0/statistics.npy  (frame, 3) float32: fraction of the pixels that are covered, fraction that are wet, mean of
                           the covered ones; see `store.statistics`
    grid_1/...

`numpy.load("grid_0/values.npy")[numpy.load("grid_0/frames.npy", mmap_mode="r")[100:120]]` are 20 frames.

`index.json` holds `format` ("predjax store"), `version` (of the format), `predjax` (the version that wrote it),
`wet_threshold`, `statistics` (the names of their columns), `skipped` (damaged files: `file`, `reason`) and `grids`, a
list of

==============  ======================================================================================================
folder          name of the folder
files           bytes of every file in it, which are checked
shape, dtype    of frames.npy
movies          how many movies of equal length follow each other in frames.npy
packing         `kind`: "source codes" are the codes that the source stores, unchanged; "ladder" are values rounded to
                `steps` [from, to, step], with `missing_code`, and `scale` and `offset` where there is only one step
                (value = code * scale + offset); "float32" are values
units           of the values
attrs           of the frames: standard_name, variable, grid_mapping, dtype_on_disk of the source ...
movie_attrs     of the movies: `source` (short name of the archive), title, institution ...
y, x            `values` and `attrs` of the coordinates
channel         labels of the channels
grid_mapping    `name` and `attrs` of the projection, or null
step_seconds    the most frequent time step, or null
segments        runs of frames without a gap: [movie, start, stop, time of the first, time of the last frame]; start and
                stop count within the movie
sources         the files that the frames come from
duplicates      frames left out because an earlier file had their time; `differing`: those with other values
clipped         number of values outside of the ladder, which became its ends
changed         counts of values that are no weather: "pixels" read, undeclared marks such as "-3" (no coverage),
                "negative" rain (became 0) and the "least" of it in mm/h; stores of before have none
==============  ======================================================================================================
"""

import functools
import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from predjax.radar.formats.accumulation import convert_unlabelled
from predjax.radar.formats.decode import Decoder
from predjax.radar.formats.disk_array import DiskArray
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.npy import open_npy
from predjax.radar.formats.possible_values import QUANTITIES, apply_rule, describe_counts, sort_values
from predjax.radar.formats.quantity import AS_STATED, UnitOptions, plan_conversion
from predjax.radar.movies import DIMENSIONS, Movies, build_movies
from predjax.units import RAIN_UNITS

FORMAT, VERSION = "predjax store", 1
INDEX = "index.json"


class StoreFrames:
    """Frames (movie, time, y, x, channel) in a file, decoded to float32 when they are indexed.

    Only the indexed part is read, also where lists of frames are indexed. The array holds codes of the `table`, or
    without a table values, which `decode` converts.
    """

    reads_lists = True

    def __init__(self, array: DiskArray, table: np.ndarray | None, decode: Callable | None = None):
        self._array, self._table, self._decode = array, table, decode
        self.shape = array.shape
        self.dtype = np.dtype(np.float32)

    def codes(self) -> tuple["StoreFrames", np.ndarray] | None:
        """Return the same frames as codes, and their table; None where the file holds values."""
        if self._table is None:
            return None
        codes = StoreFrames(self._array, None)
        codes.dtype = self._array.dtype
        return codes, self._table

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`."""
        part = _read_part(self._array, key)
        if self._table is not None:
            return self._table[part]
        return part if self._decode is None else self._decode(part)


def _read_part(array: DiskArray, key: tuple) -> np.ndarray:
    """Read a part. Movies or times in a list are read one by one; for a list of pixels all from first to last."""
    for axis, one in enumerate(key[:2]):
        if isinstance(one, np.ndarray) and one.size:
            parts = [_read_part(array, (*key[:axis], int(n), *key[axis + 1 :])) for n in one]
            return np.stack(parts, sum(isinstance(other, slice) for other in key[:axis]))
    bounds: list[int | slice] = []
    chosen: list[slice | np.ndarray] = []
    for one in key:
        if isinstance(one, np.ndarray):
            first, last = (int(one.min()), int(one.max())) if one.size else (0, -1)
            bounds.append(slice(first, last + 1))
            chosen.append(one - first)
        else:
            bounds.append(one)
            chosen += [slice(None)] * isinstance(one, slice)
    part = np.asarray(array[tuple(bounds)])
    for axis, one in enumerate(chosen):
        part = part[(slice(None),) * axis + (one,)]
    return part


def is_store(path: str | os.PathLike) -> bool:
    """Return whether `path` is a folder whose index.json says that it is a store, of any version."""
    try:
        with open(os.path.join(path, INDEX), encoding="utf-8") as file:
            return json.load(file)["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_store(
    path: str | os.PathLike, variable: str = "", units: UnitOptions = AS_STATED, forcings: Sequence[str] = ()
) -> list[Movies]:
    """Read the Movies of a store, one for each grid, which are not checked yet; the frames stay in the file.

    The `variable` is empty or the one that the store holds; `forcings` must be empty. The units "file" are those of the
    store; "mm/h" or "dBZ" converts by the store's own Z-R relation, or, without one, by the relation of Marshall and
    Palmer. The other options of units are about the files that the store was made of; they count where it has no unit.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    path = pathlib.Path(path)
    index = json.loads((path / INDEX).read_text(encoding="utf-8"))
    if index.get("version") != VERSION:
        raise ValueError(f"{path}: the store has the version {index.get('version')}, this predjax reads {VERSION}")
    if forcings:
        raise ValueError(f"{path}: a store has no variable {forcings[0]!r}: forcings are read from the archive itself")
    try:
        return [read_grid(path, grid, variable, units) for grid in index["grids"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path / INDEX}: the index is damaged ({error})") from None


def read_grid(path: pathlib.Path, grid: dict, variable: str = "", units: UnitOptions = AS_STATED) -> Movies:
    """Read the Movies of one entry of the index; see `read_store`."""
    folder, attrs = path / grid["folder"], {**grid["attrs"], "units": grid["units"]}
    # Arrays have no names; and a name is kept without its group.
    if variable and attrs.get("variable", variable).split("/")[-1] != variable.split("/")[-1]:
        raise ValueError(f"{path}: the store holds {attrs['variable']}, not {variable}")
    for name, size in grid["files"].items():
        found = (folder / name).stat().st_size
        if found != size:
            raise ValueError(f"{folder / name}: the file has {found} bytes, the index of the store says {size}")
    array = open_npy(folder / "frames.npy")
    if list(array.shape) != grid["shape"] or array.dtype != np.dtype(grid["dtype"]):
        raise ValueError(
            f"{folder / 'frames.npy'}: the index of the store says {grid['dtype']} {grid['shape']}, the file holds "
            f"{array.dtype.str} {list(array.shape)}"
        )
    table = np.array(open_npy(folder / "values.npy")) if "values.npy" in grid["files"] else None
    decode: Callable | None = None
    remarks = list(grid["movie_attrs"].get("remarks", ()))
    remarks += describe_counts(grid.get("changed", {}))
    quantity = QUANTITIES.get(attrs["units"], "")
    if "changed" not in grid:  # an older store, whose values were not judged when they were decoded
        kinds = None if table is None else sort_values(table, quantity)
        if table is None:
            decode = functools.partial(Decoder("<f4", quantity=quantity), name=str(folder / "frames.npy"))
        elif kinds is not None:
            table = apply_rule(table, kinds).astype(np.float32)
    if attrs["units"] in RAIN_UNITS:  # what a user says of the files that it was made of is not about the store
        units = UnitOptions(units.units)
    if units._replace(units="file") != AS_STATED or units.units not in ("file", attrs["units"]):
        conversion = plan_conversion(attrs, {}, units, str(path))
        decoder, found = convert_unlabelled(conversion, Decoder(dtype="<f4"), units, str(path))
        attrs, remarks = attrs | dict(conversion.attrs), remarks + found
        if table is None:
            decode = functools.partial(decoder, name=str(folder / "frames.npy"))
        elif quantity:
            table = decoder(table, str(folder / "values.npy"))
        else:  # only values that occur are judged
            decode, table = functools.partial(_convert, table, decoder, str(folder / "frames.npy")), None
    if table is not None:
        table.flags.writeable = False
    times = None
    if "times.npy" in grid["files"]:
        times = np.array(open_npy(folder / "times.npy")).view("datetime64[ns]").reshape(grid["movies"], -1)
    coords = {"time": times, "channel": grid["channel"]}
    for axis in ("y", "x"):
        coords[axis] = xr.Variable((axis,), np.array(grid[axis]["values"], np.float64), grid[axis]["attrs"])
    mapping = grid["grid_mapping"]
    if mapping:
        values = {name: np.array(one) if isinstance(one, list) else one for name, one in mapping["attrs"].items()}
        coords[mapping["name"]] = xr.Variable((), 0, values)
    movies = build_movies(
        read_later(DIMENSIONS, StoreFrames(array.divide(grid["movies"]), table, decode)),
        coords,
        attrs=attrs,
        source=grid["movie_attrs"]["source"],
        files=grid["sources"],
    )
    movies.attrs |= grid["movie_attrs"] | {"remarks": list(dict.fromkeys(remarks))}
    return movies


def _convert(table: np.ndarray, decoder: Decoder, name: str, codes: np.ndarray) -> np.ndarray:
    """Return the converted values of codes."""
    return decoder(table[codes], name)


def describe_movies(movies: Movies) -> dict:
    """Return the labels of the frames as a part of an index entry, from which `read_grid` makes the same Movies."""
    attrs = {name: _plain(value) for name, value in movies["frames"].attrs.items()}
    mapping = movies["frames"].attrs.get("grid_mapping")
    # The step of frames that are equally spaced is found in their times again.
    left_out = ("files",) if "step_tolerance" in movies.attrs else ("files", "step_seconds")
    return {
        "units": attrs.pop("units"),
        "attrs": attrs,
        "movie_attrs": {name: _plain(value) for name, value in movies.attrs.items() if name not in left_out},
        **{
            axis: {
                "values": movies[axis].values.astype(np.float64).tolist(),
                "attrs": {name: _plain(value) for name, value in movies[axis].attrs.items()},
            }
            for axis in ("y", "x")
        },
        "channel": movies["channel"].values.tolist(),
        "grid_mapping": {
            "name": mapping,
            "attrs": {name: _plain(value) for name, value in movies[mapping].attrs.items()},
        }
        if mapping in movies.variables
        else None,
        "sources": [str(file) for file in movies.attrs["files"]],
    }


def _plain(value: Any) -> Any:
    """Return an attribute as JSON values: the same numbers."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
