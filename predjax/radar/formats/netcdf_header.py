"""What is read of a netCDF file once: where its frames are and how they are labelled; no pixel."""

import dataclasses
from typing import Any, NamedTuple

import netCDF4
import numpy as np
import xarray as xr

from predjax.radar.formats import cf, times
from predjax.radar.formats.decode import Decoder, read_number, read_packing
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.formats.quantity import Conversion, plan_conversion
from predjax.radar.grid import Grid
from predjax.radar.step import Step

_COORDINATE_ATTRS = ("units", "standard_name", "long_name", "axis")
_FILE_ATTRS = ("title", "institution", "references", "history")
_MOST_FRAMES, _MOST_PIXELS = 10**8, 2**31


class Field(NamedTuple):
    """One channel or forcing of a file: for each dimension of its variable a role ("time", "y" ...) or an index."""

    path: str
    axes: tuple[str | int, ...]
    decoder: Decoder


@dataclasses.dataclass(frozen=True)
class Header:
    """One file.

    Attributes:
      file: its path.
      grid: of its frames.
      movies, length: the numbers of movies, and of frames in each.
      time: dates (movie, time), or None.
      fields: the channels.
      forcings: the fields known ahead, and their names.
      channel: labels of the channels, or None to number them.
      conversion: of the units of the frames.
      period: length of the accumulations in seconds where the file says so.
      attrs: more attributes of the frames.
      file_attrs: global attributes to keep.
      chunk: frames in one compressed chunk.
    """

    file: str
    grid: Grid
    movies: int
    length: int
    time: np.ndarray | None
    fields: tuple[Field, ...]
    forcings: tuple[Field, ...]
    forcing_names: tuple[str, ...]
    channel: tuple | None
    conversion: Conversion
    period: float | None
    attrs: dict
    file_attrs: dict
    chunk: int

    @property
    def step(self) -> Step | None:
        """The time step, or None for single frames or without dates."""
        return None if self.time is None else Step.of_times(self.time)


def read_header(file: str, variable: str, units: str, forcings) -> Header:
    """Reads the labels of a file.

    Args:
      file: path of a netCDF file.
      variable: of the frames, or empty for the only one that can be meant.
      units: "file", "mm/h" or "dBZ".
      forcings: names of variables to read as forcings.

    Raises:
      ValueError: one line with the file, the rule and what was found.
    """
    with NETCDF_LOCK:
        dataset = OPEN_FILES.dataset(file)
        chosen = cf.find_variable(dataset, variable, forcings, file)
        name = f"{file}: {chosen.name}"
        attrs, global_attrs = cf.attributes(chosen), cf.attributes(dataset)
        series = cf.is_series(chosen)
        roles = cf.find_roles(chosen, name, unknown="channel" if series else "")
        sizes = {role: size for role, size in zip(roles.values(), chosen.shape) if role}
        if series:
            sizes |= {"y": 1, "x": 1}
        if "y" not in sizes or "x" not in sizes:
            raise ValueError(f"{name}: frames need the dimensions y and x, found {', '.join(chosen.dimensions)}")
        _check_sizes(sizes, name)
        time = cf.find_time(chosen, roles)
        dates = None
        if time is not None:
            dates = _dates(time, roles, sizes, f"{file}: {time.name}")
            times.check_increasing(dates, f"{file}: {time.name}")
        elif "time" not in sizes:
            raise ValueError(f"{name}: there is neither a time dimension nor a single time (valid_time)")
        conversion = plan_conversion(attrs, global_attrs, units, name)
        mapping_name, mapping = _grid_mapping(chosen)
        chunks: Any = chosen.chunking()
        found = [_forcing_fields(dataset, path, sizes, f"{file}: {path}") for path in forcings]
        return Header(
            file=file,
            grid=Grid(
                (sizes["y"], sizes["x"]),
                _coordinate(chosen, roles, "y"),
                _coordinate(chosen, roles, "x"),
                mapping_name,
                mapping,
            ),
            movies=sizes.get("movie", 1),
            length=sizes.get("time", 1),
            time=dates,
            fields=_fields(chosen, roles, _packing(chosen, attrs, name)),
            forcings=tuple(field for fields, _ in found for field in fields),
            forcing_names=tuple(name for _, names in found for name in names),
            channel=_channel_names(chosen, roles),
            conversion=conversion,
            period=_period(chosen, time, roles, sizes, attrs, global_attrs) if conversion.accumulation else None,
            attrs={"variable": chosen.name, "dtype_on_disk": str(chosen.dtype)}
            | ({"grid_mapping": mapping_name} if mapping else {}),
            file_attrs={key: global_attrs[key] for key in _FILE_ATTRS if key in global_attrs},
            chunk=1 if chunks in (None, "contiguous") else dict(zip(roles.values(), chunks)).get("time", 1),
        )


def _check_sizes(sizes: dict, name: str) -> None:
    """Refuses what nobody has: a few bytes declare any size, and what is not written takes no place in a file."""
    frames = sizes.get("movie", 1) * sizes.get("time", 1)
    if frames > _MOST_FRAMES:
        raise ValueError(f"{name}: a file of {frames} frames is not possible, at most {_MOST_FRAMES} are")
    numbers = sizes["y"] * sizes["x"] * sizes.get("channel", 1)
    if numbers > _MOST_PIXELS:
        raise ValueError(f"{name}: frames of {sizes['y']} x {sizes['x']} pixels are not possible, too many to read one")


def _packing(variable: netCDF4.Variable, attrs: dict, name: str) -> Decoder:
    # The dtype of a ragged array is that of its elements; other formats have none.
    is_ragged = isinstance(getattr(variable, "datatype", None), netCDF4.VLType)
    return read_packing(np.dtype(object) if is_ragged else variable.dtype, attrs, name)


def _fields(variable: netCDF4.Variable, roles: dict[str, str], packing: Decoder) -> tuple[Field, ...]:
    channels = next((size for role, size in zip(roles.values(), variable.shape) if role == "channel"), 1)
    return tuple(
        Field(
            cf.path_of(variable),
            tuple(channel if role == "channel" else role or 0 for role in roles.values()),
            packing,
        )
        for channel in range(channels)
    )


def _forcing_fields(dataset: netCDF4.Dataset, path: str, sizes: dict, name: str) -> tuple[tuple[Field, ...], list[str]]:
    """The fields of a forcing variable and their names."""
    variable = cf.variable_at(dataset, path)
    if variable is None:
        raise ValueError(f"{name}: there is no such forcing variable; there are {', '.join(dataset.variables)}")
    roles = cf.find_roles(variable, name, unknown="channel")
    for role, size in zip(roles.values(), variable.shape):
        if role not in ("", "channel") and size != sizes.get(role, 1):
            raise ValueError(f"{name}: the size {size} along {role} is not that of the frames, {sizes.get(role, 1)}")
    fields = _fields(variable, roles, _packing(variable, cf.attributes(variable), name))
    labels = _channel_names(variable, roles)
    numbered = [path if len(fields) == 1 else f"{path}[{number}]" for number in range(len(fields))]
    return fields, [f"{path} {label}" for label in labels] if labels else numbered


def _by_frame(variable: netCDF4.Variable, values: np.ndarray, roles: dict, sizes: dict) -> np.ndarray:
    """Values along none, one or both of the movie and time dimensions, as (movie, time)."""
    there = [roles[name] for name in variable.dimensions if roles.get(name) in ("movie", "time")]
    values = np.asarray(values).reshape([sizes[role] for role in there])
    if there == ["time", "movie"]:
        values = values.T
    elif there == ["movie"]:
        values = values[:, None]
    return np.broadcast_to(values, (sizes.get("movie", 1), sizes.get("time", 1)))


def _dates(time: netCDF4.Variable, roles: dict, sizes: dict, name: str) -> np.ndarray:
    return _by_frame(time, times.decode_times(time[...], cf.attributes(time), name), roles, sizes)


def _period(chosen, time, roles, sizes, attrs, global_attrs) -> float | None:
    """The accumulation period in seconds: of time bounds, start_time and time, or accumulation_minutes."""
    if time is not None:
        file = f"{chosen.group().filepath()}"
        time_attrs = cf.attributes(time)
        bounds = cf.lookup(time.group(), str(time_attrs.get("bounds", "")))
        if bounds is not None:
            if bounds.shape != (*time.shape, 2):
                raise ValueError(
                    f"{file}: {bounds.name}: bounds must have the shape {(*time.shape, 2)}, found {bounds.shape}"
                )
            dates = times.decode_times(bounds[...], time_attrs | cf.attributes(bounds), f"{file}: {bounds.name}")
            return times.one_period((dates[..., 1] - dates[..., 0]) / np.timedelta64(1, "s"), f"{file}: {bounds.name}")
        start = cf.lookup(chosen.group(), "start_time")
        if start is not None and " since " in str(cf.attributes(start).get("units", "")):
            name = f"{file}: {start.name}"
            seconds = _dates(time, roles, sizes, name) - _dates(start, roles, sizes, name)
            return times.one_period(seconds / np.timedelta64(1, "s"), name)
    name = f"{chosen.group().filepath()}: {chosen.name}"
    minutes = attrs.get("accumulation_minutes", global_attrs.get("accumulation_minutes"))
    minutes = read_number(minutes, "accumulation_minutes", name)
    return None if minutes is None else times.one_period(np.float64(minutes) * 60, f"{name}: accumulation_minutes")


def _coordinate(variable: netCDF4.Variable, roles: dict[str, str], role: str) -> xr.Variable | None:
    """The one-dimensional coordinate of y or x as found, or None."""
    dimension = next((name for name, one in roles.items() if one == role), None)
    coordinate = cf.lookup(variable.group(), dimension) if dimension else None
    if (
        coordinate is None
        or coordinate.dimensions != (dimension,)
        or getattr(coordinate.dtype, "kind", "") not in "iuf"
    ):
        return None
    attrs = cf.attributes(coordinate)
    packing = read_packing(coordinate.dtype, attrs, f"{coordinate.group().filepath()}: {coordinate.name}")
    values = coordinate[...].astype(np.float64) * packing.scale + packing.offset
    return xr.Variable((role,), values, {key: attrs[key] for key in _COORDINATE_ATTRS if key in attrs})


def _channel_names(variable: netCDF4.Variable, roles: dict[str, str]) -> tuple[str, ...] | None:
    dimension = next((name for name, one in roles.items() if one == "channel"), None)
    labels = cf.lookup(variable.group(), dimension) if dimension else None
    if labels is None or labels.dtype is not str or labels.dimensions != (dimension,):
        return None
    return tuple(str(label) for label in labels[...])


def _grid_mapping(variable: netCDF4.Variable) -> tuple[str, dict]:
    """Name and attributes of the grid mapping; the extended form "crs: x y" names it first."""
    text = str(cf.attributes(variable).get("grid_mapping", ""))
    name = text.split(":")[0].split()[0] if text.strip() else ""
    mapping = cf.lookup(variable.group(), name) if name else None
    return (name, cf.attributes(mapping)) if mapping is not None else ("", {})
