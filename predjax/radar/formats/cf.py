"""Which variable of a netCDF file holds the frames, and which of its dimensions is which.

By CF attributes first (axis, standard_name, units), then by names. Everything here takes open netCDF4 objects and is
called under NETCDF_LOCK.
"""

import netCDF4

from predjax.radar.formats.quantity import is_radar_name

ROLES = ("movie", "time", "y", "x", "channel")
_AXES = {"T": "time", "Y": "y", "X": "x"}
_STANDARD_NAMES = {
    "time": "time",
    **dict.fromkeys(("projection_y_coordinate", "latitude", "grid_latitude"), "y"),
    **dict.fromkeys(("projection_x_coordinate", "longitude", "grid_longitude"), "x"),
}
_NAMES = {
    "movie": "movie movies event events sample samples path paths case cases sequence sequences "
    "realization realizations member members ensemble ens_number number",
    "time": "time times t valid_time frame frames nt ntime date datetime",
    "y": "y lat latitude rlat yc y0 y1 ny nlat nj j row rows south_north northing projection_y_coordinate",
    "x": "x lon longitude rlon xc x0 x1 nx nlon ni i col cols column columns west_east easting projection_x_coordinate",
    "channel": "channel channels band bands",
}


def attributes(item) -> dict:
    """The attributes of a netCDF variable or group."""
    return {key: item.getncattr(key) for key in item.ncattrs()}


def find_variable(dataset: netCDF4.Dataset, wanted: str, ignored, name: str) -> netCDF4.Variable:
    """The variable that holds the frames.

    Args:
      dataset: an open file.
      wanted: its name ("group/name" inside a group), or empty for the only one that can be meant.
      ignored: names that are not meant (the forcings).
      name: of the file, for the message of an error.

    Raises:
      ValueError: there is none, or there are several; the message lists them.
    """
    found = _map_variables(dataset) or _series_variables(dataset, ignored)
    if wanted:
        variable = variable_at(dataset, wanted)
        if variable is None:
            raise ValueError(f"{name}: there is no variable {wanted!r}; there {_listed(found)}")
        return variable
    chosen = {path: one for path, one in found.items() if "/" not in path and path not in ignored}
    if not chosen:
        if found:
            raise ValueError(f"{name}: the frames are inside a group: there {_listed(found)}; choose with --variable")
        shapes = [f"{v.name} ({', '.join(v.dimensions)})" for v in dataset.variables.values() if v.ndim >= 2]
        raise ValueError(f"{name}: no variable has the dimensions time, y and x; found {', '.join(shapes) or 'none'}")
    if len(chosen) > 1:
        radar = {p: v for p, v in chosen.items() if is_radar_name(str(attributes(v).get("standard_name", "")))}
        if len(radar) != 1:
            raise ValueError(
                f"{name}: several variables could be the frames: {', '.join(chosen)}; choose one with --variable"
            )
        chosen = radar
    return next(iter(chosen.values()))


def variable_at(dataset: netCDF4.Dataset, path: str) -> netCDF4.Variable | None:
    """The variable called `path` ("name" or "group/name"), or None."""
    *groups, last = path.strip("/").split("/")
    for group in groups:
        if group not in dataset.groups:
            return None
        dataset = dataset.groups[group]
    return dataset.variables.get(last)


def path_of(variable: netCDF4.Variable) -> str:
    """ "group/name" of a variable."""
    return f"{variable.group().path.rstrip('/')}/{variable.name}".lstrip("/")


def is_series(variable: netCDF4.Variable) -> bool:
    """Whether a variable has a time and no place: neither y nor x."""
    roles = [_role(variable.group(), dimension) for dimension in variable.dimensions]
    return "time" in roles and not {"y", "x"} & set(roles)


def find_roles(variable: netCDF4.Variable, name: str, *, unknown: str = "") -> dict[str, str]:
    """The role of every dimension of `variable`: "movie", "time", "y", "x", "channel", or "" for a size of one.

    Args:
      variable: of the frames or of a forcing.
      name: of file and variable, for the message of an error.
      unknown: role of a dimension that nothing identifies; empty refuses it.

    Raises:
      ValueError: a dimension cannot be identified, or two have the same role.
    """
    roles: dict[str, str] = {}
    group = variable.group()
    for dimension, size in zip(variable.dimensions, variable.shape):
        role = _role(group, dimension) or (unknown if size > 1 else "")
        if not role and size > 1:
            raise ValueError(
                f"{name}: the dimension {dimension!r} of size {size} is none of {', '.join(ROLES)}: "
                "give it a coordinate variable with an axis attribute, or one of these names"
            )
        if role and role in roles.values():
            if size > 1:
                raise ValueError(f"{name}: two of the dimensions {', '.join(variable.dimensions)} look like {role}")
            role = ""
        roles[dimension] = role
    return roles


def lookup(group: netCDF4.Dataset, name: str) -> netCDF4.Variable | None:
    """The variable `name` of a group or the nearest group above it."""
    while group is not None:
        if name in group.variables:
            return group.variables[name]
        group = group.parent
    return None


def visible(group: netCDF4.Dataset) -> dict[str, netCDF4.Variable]:
    """All variables of a group and of the groups above it, the nearest first."""
    found: dict[str, netCDF4.Variable] = {}
    while group is not None:
        found = found | {key: value for key, value in group.variables.items() if key not in found}
        group = group.parent
    return found


def find_time(variable: netCDF4.Variable, roles: dict[str, str]) -> netCDF4.Variable | None:
    """The variable that dates the frames: along the time dimension, or a single value without one.

    It has units "... since ...". Among several: the coordinate variable of the dimension, then the standard name
    "time", then the name valid_time or time. Starts of periods and reference times are never meant.
    """
    dimension = next((name for name, role in roles.items() if role == "time"), None)
    movie = next((name for name, role in roles.items() if role == "movie"), None)
    found: list[tuple] = []
    for key, one in visible(variable.group()).items():
        standard_name = _text(one, "standard_name")
        if not _is_date(one) or standard_name == "forecast_reference_time" or key.startswith(("start", "forecast_ref")):
            continue
        rank = (key != dimension, standard_name != "time", key not in ("valid_time", "time"))
        if dimension:
            meant = dimension in one.dimensions and set(one.dimensions) <= {dimension, movie}
        else:
            # Many dates of a single frame are not its own: when it was made, when the radar was built.
            meant = one.size == 1 and not all(rank)
        if meant:
            found.append((rank, len(found), one))
    return min(found)[-1] if found else None


def _map_variables(group: netCDF4.Dataset) -> dict[str, netCDF4.Variable]:
    """The variables with a y and an x dimension that are not coordinates, by path, in the groups below as well."""
    named = _named_by_others(group)
    found = {}
    for one in group.variables.values():
        if one.ndim < 2 or one.name in named or _STANDARD_NAMES.get(_text(one, "standard_name")):
            continue
        roles = [_role(group, dimension) for dimension in one.dimensions]
        if "y" in roles and "x" in roles:
            found[path_of(one)] = one
    for child in group.groups.values():
        found |= _map_variables(child)
    return found


def _series_variables(group: netCDF4.Dataset, ignored) -> dict[str, netCDF4.Variable]:
    """The numbers along time and at most one dimension besides that of movies, by name; no coordinates."""
    named = _named_by_others(group) | set(ignored)
    found = {}
    for one in group.variables.values():
        roles = [_role(group, dimension) for dimension in one.dimensions]
        others = [role for role in roles if role not in ("time", "movie")]
        is_number = getattr(one.dtype, "kind", "") in "iuf" and not _is_date(one)
        if "time" in roles and len(others) < 2 and is_number and one.name not in named:
            found[path_of(one)] = one
    return found


def _named_by_others(group: netCDF4.Dataset) -> set[str]:
    """The names of coordinates, bounds and what else belongs to other variables."""
    named = set(group.dimensions)
    for one in group.variables.values():
        for key in ("coordinates", "bounds", "ancillary_variables"):
            named |= set(_text(one, key).split())
    return named


def _role(group: netCDF4.Dataset, dimension: str) -> str:
    """By its coordinate variable, then by its name, then by any other variable along it alone; "" if by none."""
    coordinate = lookup(group, dimension)
    role = _role_by_attributes(coordinate) if coordinate is not None else ""
    role = role or next((role for role, names in _NAMES.items() if dimension.lower() in names.split()), "")
    if not role:
        along = [one for one in visible(group).values() if one.dimensions == (dimension,)]
        roles = [one for one in map(_role_by_attributes, along) if one]
        # Latitudes and longitudes along one dimension are a list of places, such as stations.
        role = roles[0] if roles and not {"y", "x"} <= set(roles) else ""
    return role


def _role_by_attributes(variable: netCDF4.Variable) -> str:
    standard_name = _text(variable, "standard_name")
    role = _AXES.get(_text(variable, "axis").upper()) or _STANDARD_NAMES.get(standard_name, "")
    if not role and variable.ndim == 1 and standard_name != "forecast_reference_time":
        units = {"degrees_north": "y", "degrees_east": "x"}
        role = "time" if _is_date(variable) else units.get(_text(variable, "units"), "")
    return role


def _is_date(variable: netCDF4.Variable) -> bool:
    return " since " in _text(variable, "units") and getattr(variable.dtype, "kind", "") in "iuf"


def _text(item, key: str) -> str:
    value = item.getncattr(key) if key in item.ncattrs() else ""
    return value if isinstance(value, str) else ""


def _listed(found: dict) -> str:
    return f"are {', '.join(found)}" if found else "is none with the dimensions y and x"
