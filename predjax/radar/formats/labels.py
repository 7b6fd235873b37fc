"""The labels of a Dataset: its variable of frames, with dimensions, times and units. No pixel is read."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import xarray as xr

from predjax.radar.config import read_step
from predjax.radar.formats import cf, times
from predjax.radar.formats.accumulation import DIFFERENCES, Period, choose_period, name_durations
from predjax.radar.formats.dating import AS_IN_FILE, HELP, FrameLabels, TimeOptions, date_frames, find_init_time
from predjax.radar.formats.decode import Decoder, read_number, read_packing, with_code_values
from predjax.radar.formats.lazy import find_source
from predjax.radar.formats.open_files import FileArray
from predjax.radar.formats.quantity import Conversion, UnitOptions, plan_conversion
from predjax.radar.formats.time_labels import read_dates
from predjax.radar.formats.variables import find_variable
from predjax.radar.grid import Grid
from predjax.radar.step import Step

_COORDINATE_ATTRS = ("units", "standard_name", "long_name", "axis")
_FILE_ATTRS = ("title", "institution", "references", "history")
_MOST_FRAMES, _MOST_PIXELS, _MOST_ROWS = 10**8, 2**31, 10**6


class VariableArray(NamedTuple):
    """A variable of a Dataset as a `lazy.Readable`."""

    name: str
    variable: xr.Variable

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`."""
        return self.variable[key].values


class NamedArray(Protocol):
    """An array of a file or Dataset, with a name for messages."""

    @property
    def name(self) -> str:
        """The name of the array."""

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`."""


class Field(NamedTuple):
    """One channel or forcing of a file; each dimension of its array has a role ("time", "y" ...) or an index."""

    array: NamedArray
    axes: tuple[str | int, ...]
    decoder: Decoder


@dataclasses.dataclass(frozen=True)
class Header:
    """The labels of one file or Dataset."""

    file: str
    grid: Grid
    movies: int  # their number
    length: int  # the number of frames in each movie
    time: np.ndarray | None  # dates (movie, time), or None
    fields: tuple[Field, ...]  # the channels
    forcings: tuple[Field, ...]  # the fields known ahead
    forcing_names: tuple[str, ...]
    channel: tuple | None  # labels of the channels, or None to number them
    conversion: Conversion
    period: Period | None  # of accumulations, where the file or the user states it
    named: dict[str, float]  # durations that the names of accumulations speak of; see `accumulation.name_durations`
    attrs: dict  # more attributes of the frames
    file_attrs: dict  # global attributes to keep
    chunk: int  # frames in one compressed chunk
    remarks: tuple[str, ...] = ()  # a line for each label that was taken for something
    given_step: Step | None = None  # that the user states
    format: str = ""  # of the file, as users call it
    init_time: str = ""  # of a forecast

    @property
    def step(self) -> Step | None:
        """The given or found time step; None for single frames or frames without dates."""
        return self.given_step or (None if self.time is None else Step.of_times(self.time))


def read_header(
    dataset: xr.Dataset,
    file: str,
    variable: str,
    units: UnitOptions,
    forcings: Sequence[str],
    time_options: TimeOptions = AS_IN_FILE,
) -> Header:
    """Read the labels of a Dataset that a format opened, with its numbers undecoded; called under NETCDF_LOCK.

    The `variable` holds the frames; empty: the only one that can be meant. `forcings` are variables as well.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    chosen, choice = find_variable(dataset, variable, forcings, file)
    frames = dataset.variables[chosen]
    name = f"{file}: {chosen.rpartition('/')[2]}"
    attrs, global_attrs = cf.attributes(frames), cf.attributes(dataset)
    series = cf.is_series(dataset, chosen)
    roles = cf.find_roles(dataset, chosen, name, unknown="channel" if series else "")
    sizes = {role: size for role, size in zip(roles.values(), frames.shape) if role}
    if series:
        sizes |= {"y": 1, "x": 1}
    if "y" not in sizes or "x" not in sizes:
        raise ValueError(f"{name}: frames need the dimensions y and x, found {', '.join(map(str, frames.dims))}")
    _check_sizes(sizes, name)
    labels = FrameLabels(dataset, chosen, roles, sizes, file)
    dates, time, remarks = date_frames(labels, time_options)
    if dates is None and "time" not in sizes and time_options.time == "auto":
        rule = f"there is neither a time dimension nor a single time (valid_time): {HELP}"
        raise ValueError(f"{name}: {rule}")
    init_time = dataset.encoding.get("init_time", "")
    if dates is not None and not init_time and (init_time := find_init_time(labels, dates)):
        remarks = (*remarks, "frames of a forecast (forecast_reference_time), no observations")
    conversion = plan_conversion(attrs, global_attrs, units, name)
    grid = _read_grid(dataset, chosen, roles, sizes, file)
    length = sizes.get("time", 1)
    if dates is not None and len(dates) == 1 and "last_valid_timestep" in global_attrs:
        length = _count_until(dates[0], str(global_attrs["last_valid_timestep"]), file)
    known = [_find_forcing(dataset, path, sizes, f"{file}: {path}") for path in forcings]
    period = None
    if conversion.accumulation:
        measured = _measure_period(labels, time) if time else None
        minutes = attrs.get("accumulation_minutes", global_attrs.get("accumulation_minutes"))
        minutes = read_number(minutes, "accumulation_minutes", name)
        if measured is None and minutes is not None:
            label = "accumulation_minutes"
            measured = Period(times.one_period(np.float64(minutes) * 60, f"{name}: {label}"), label)
        period = choose_period(measured, conversion.source_units, units.accumulation_period, name)
    chunks = dict(zip(roles.values(), frames.encoding.get("chunksizes") or frames.encoding.get("chunks") or ()))
    more = {key: attrs[key] for key in ("proj4",) if key in attrs and not grid.mapping}
    return Header(
        file=file,
        grid=grid,
        movies=sizes.get("movie", 1),
        length=length,
        time=None if dates is None else dates[:, :length],
        fields=_find_fields(dataset, chosen, roles, name),
        forcings=tuple(field for fields, _ in known for field in fields),
        forcing_names=tuple(label for _, labels in known for label in labels),
        channel=_name_channels(dataset, chosen, roles),
        conversion=conversion,
        period=period,
        named=name_durations(attrs, chosen.rpartition("/")[2]) if conversion.accumulation else {},
        attrs={"variable": chosen.rpartition("/")[2], "dtype_on_disk": str(frames.dtype)}
        | {"units_on_disk": str(attrs.get("units", "")), "source_units": conversion.source_units}
        | ({"grid_mapping": grid.mapping_name} if grid.mapping else more),
        file_attrs={key: global_attrs[key] for key in _FILE_ATTRS if key in global_attrs},
        chunk=chunks.get("time", 1),
        remarks=(
            *dataset.encoding.get("remarks", ()),
            *choice,
            *cf.describe_dimensions(dataset, chosen, roles),
            *remarks,
            *conversion.remarks,
            *cf.describe_places(dataset, chosen, roles),
        ),
        given_step=Step.given(seconds) if (seconds := read_step(time_options.step)) else None,
        init_time=init_time,
    )


def _check_sizes(sizes: dict[str, int], name: str) -> None:
    """Raise a ValueError for impossible sizes: a damaged file can declare any, as unwritten data take no space."""
    frames = sizes.get("movie", 1) * sizes.get("time", 1)
    if frames > _MOST_FRAMES:
        raise ValueError(f"{name}: a file of {frames} frames is not possible, at most {_MOST_FRAMES} are")
    numbers = sizes["y"] * sizes["x"] * sizes.get("channel", 1)
    if numbers > _MOST_PIXELS:
        raise ValueError(f"{name}: frames of {sizes['y']} x {sizes['x']} pixels are not possible, too many to read one")
    for role in ("y", "x"):  # whose coordinates are read
        if sizes[role] > _MOST_ROWS:
            raise ValueError(f"{name}: {sizes[role]} pixels along {role} are not possible, at most {_MOST_ROWS} are")


def _count_until(dates: np.ndarray, last: str, file: str) -> int:
    """Count the frames up to `last_valid_timestep`; MLCast archives may hold later ones ready for times to come."""
    try:
        end = np.datetime64(last.removesuffix("Z").removesuffix("+00:00"), "ns")
    except ValueError:
        raise ValueError(f"{file}: last_valid_timestep must be an ISO 8601 time, found {last!r}") from None
    length = int(np.searchsorted(dates, end, side="right"))
    if not length:
        raise ValueError(f"{file}: all times are after last_valid_timestep, {last}")
    return length


def _find_fields(dataset: xr.Dataset, name: str, roles: dict[str, str], label: str) -> tuple[Field, ...]:
    variable = dataset.variables[name]
    source = find_source(variable)
    array = source if isinstance(source, FileArray) else VariableArray(name, variable)
    decoder = read_packing(variable.dtype, cf.attributes(variable), label)
    if "code_values" in variable.attrs:
        table = cf.lookup(dataset, name, str(variable.attrs["code_values"]))
        if table is None:
            raise ValueError(f"{label}: there is no variable {variable.attrs['code_values']!r} of code_values")
        decoder = with_code_values(decoder, dataset.variables[table].values, label)
    channels = next((size for role, size in zip(roles.values(), variable.shape) if role == "channel"), 1)
    return tuple(
        Field(array, tuple(channel if role == "channel" else role or 0 for role in roles.values()), decoder)
        for channel in range(channels)
    )


def _find_forcing(
    dataset: xr.Dataset, wanted: str, sizes: dict[str, int], label: str
) -> tuple[tuple[Field, ...], list[str]]:
    """Return the fields of a forcing variable and their names."""
    name = wanted.strip("/")
    if name not in dataset.variables:
        there = ", ".join(one for one in map(str, dataset.variables) if "/" not in one)
        raise ValueError(f"{label}: there is no such forcing variable; there are {there}")
    roles = cf.find_roles(dataset, name, label, unknown="channel")
    for role, size in zip(roles.values(), dataset.variables[name].shape):
        if role not in ("", "channel") and size != sizes.get(role, 1):
            raise ValueError(f"{label}: the size {size} along {role} is not that of the frames, {sizes.get(role, 1)}")
    fields = _find_fields(dataset, name, roles, label)
    channels = _name_channels(dataset, name, roles)
    numbered = [wanted if len(fields) == 1 else f"{wanted}[{number}]" for number in range(len(fields))]
    return fields, [f"{wanted} {channel}" for channel in channels] if channels else numbered


def _measure_period(labels: FrameLabels, time: str) -> Period | None:
    """Return the accumulation period, from time bounds or from start_time and time; else None."""
    dataset, file = labels.dataset, labels.file
    variable = dataset.variables[time]
    bounds = cf.lookup(dataset, time, str(cf.attributes(variable).get("bounds", "")))
    if bounds is not None:
        label, one = f"{file}: {bounds.rpartition('/')[2]}", dataset.variables[bounds]
        if one.shape != (*variable.shape, 2):
            raise ValueError(f"{label}: bounds must have the shape {(*variable.shape, 2)}, found {one.shape}")
        dates, _ = read_dates(one.values, cf.attributes(variable) | cf.attributes(one), label)
        starts, ends, found = dates[..., 0], dates[..., 1], "time bounds"
    else:
        start = cf.lookup(dataset, labels.name, "start_time")
        if start is None or not cf.is_date(dataset.variables[start]):
            return None
        (ends, _), (starts, _) = labels.read_dates(time), labels.read_dates(start)
        label, found = f"{file}: start_time", "start_time"
    if starts.ndim and starts.shape[-1] > 1 and (starts == starts[..., :1]).all():
        raise ValueError(
            f"{label}: all sums begin at {np.datetime_as_string(starts.flat[0], unit='s')}, so they run on: "
            f"{DIFFERENCES.format(labels.name.rpartition('/')[2])}"
        )
    return Period(times.one_period((ends - starts) / np.timedelta64(1, "s"), label), found)


def _read_grid(dataset: xr.Dataset, name: str, roles: dict[str, str], sizes: dict[str, int], file: str) -> Grid:
    """Return the grid of the frames; of an extended grid mapping "crs: x y" the first name counts."""
    text = str(cf.attributes(dataset.variables[name]).get("grid_mapping", ""))
    mapping = text.split(":")[0].split()[0] if text.strip() else ""
    path = cf.lookup(dataset, name, mapping) if mapping else None
    attrs = {} if path is None else cf.attributes(dataset.variables[path])
    y, x = (_read_coordinate(dataset, name, roles, role, file) for role in ("y", "x"))
    return Grid((sizes["y"], sizes["x"]), y, x, "" if path is None else mapping, attrs)


def _read_coordinate(dataset: xr.Dataset, name: str, roles: dict[str, str], role: str, file: str) -> xr.Variable | None:
    """Return the one-dimensional coordinate of y or x, or None where the file has none."""
    dimension = next((one for one, found in roles.items() if found == role), None)
    path = cf.find_coordinate(dataset, name, dimension, role) if dimension else None
    if dimension is None or path is None:
        return None
    coordinate = dataset.variables[path]
    if not cf.is_axis(coordinate, dimension):
        return None
    attrs, values = cf.attributes(coordinate), coordinate.values.astype(np.float64)
    if {"scale_factor", "add_offset"} & attrs.keys():
        packing = read_packing(coordinate.dtype, attrs, f"{file}: {path.rpartition('/')[2]}")
        values = values * packing.scale + packing.offset
    attrs = {key: attrs[key] for key in _COORDINATE_ATTRS if key in attrs}
    if place := cf.find_place_of_units(coordinate):  # CF has six spellings of each
        attrs["units"] = {"y": "degrees_north", "x": "degrees_east"}[place]
    return xr.Variable((role,), values, attrs)


def _name_channels(dataset: xr.Dataset, name: str, roles: dict[str, str]) -> tuple[str, ...] | None:
    dimension = next((one for one, role in roles.items() if role == "channel"), None)
    path = cf.lookup(dataset, name, dimension.rpartition("/")[2]) if dimension else None
    if path is None or dataset.variables[path].dims != (dimension,) or dataset.variables[path].dtype.kind not in "OUT":
        return None
    labels = dataset.variables[path].values.tolist()
    return tuple(labels) if all(isinstance(label, str) for label in labels) else None
