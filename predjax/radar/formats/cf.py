"""The choice of the variable of a Dataset that holds the frames, and the roles of its dimensions.

By CF attributes first (axis, standard_name, units), then by names. Datasets are undecoded; what lies in a group of the
file is called "group/name", and sees the coordinates of its own group and of the groups above it.
"""

import re
from collections.abc import Iterable

import xarray as xr

from predjax.radar.formats.polar import check_none_polar, check_not_polar
from predjax.radar.formats.quantity import is_radar_name
from predjax.radar.formats.time_labels import DAYS
from predjax.radar.formats.times import SINCE

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
_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names.split()}
_PLACE_UNITS = {"y": re.compile(r"degrees?_?(north|n)", re.I), "x": re.compile(r"degrees?_?(east|e)", re.I)}
_PLACE_NAMES = {
    **dict.fromkeys("lat lats latitude latitudes nav_lat xlat lat2d".split(), "y"),
    **dict.fromkeys("lon lons long longitude longitudes nav_lon xlong xlon lon2d".split(), "x"),
}


def attributes(item: xr.Dataset | xr.Variable) -> dict:
    """Return the attributes of a variable or Dataset. Raises what reading one of them raised."""
    for value in item.attrs.values():
        if isinstance(value, AttributeError):
            raise value
    return item.attrs


def find_variable(dataset: xr.Dataset, wanted: str, ignored: Iterable[str], file: str) -> str:
    """Return the name of the variable that holds the frames.

    It is the `wanted` one ("group/name" inside a group); empty: the only one that can be meant besides the `ignored`
    ones (the forcings).

    Errors: ValueError, there is none, or there are several; the message lists them.
    """
    found = _find_maps(dataset) or _find_series(dataset, ignored)
    if wanted:
        name = wanted.strip("/")
        if name not in dataset.variables:
            raise ValueError(f"{file}: there is no variable {wanted!r}; there {_listed(found)}")
        check_not_polar(dataset, name, file)
        return name
    chosen = [name for name in found if "/" not in name and name not in ignored]
    if not chosen:
        if found:
            raise ValueError(f"{file}: the frames are inside a group: there {_listed(found)}; choose with --variable")
        check_none_polar(dataset, file)
        top = {name: one for name, one in dataset.variables.items() if "/" not in str(name)}
        shapes = [f"{name} ({', '.join(map(str, one.dims))})" for name, one in top.items() if one.ndim >= 2]
        raise ValueError(f"{file}: no variable has the dimensions time, y and x; found {', '.join(shapes) or 'none'}")
    for name in chosen:
        check_not_polar(dataset, name, file)
    if len(chosen) > 1:
        radar = [one for one in chosen if is_radar_name(_text(dataset.variables[one], "standard_name"))]
        radar = radar if len(radar) == 1 else [one for one in radar if not _is_product(dataset, one)]
        if len(radar) != 1:
            listed = ", ".join(chosen)
            raise ValueError(f"{file}: several variables could be the frames: {listed}; choose one with --variable")
        chosen = radar
    return chosen[0]


def _is_product(dataset: xr.Dataset, name: str) -> bool:
    """Return whether a variable is a product of members: a statistic, or with a dimension that frames do not have."""
    variable = dataset.variables[name]
    roles = [_role(dataset, _group(name), str(dimension)) for dimension in variable.dims]
    return not all(roles) or "realization:" in _text(variable, "cell_methods")


def is_series(dataset: xr.Dataset, name: str) -> bool:
    """Return whether a variable has a time and no place: neither y nor x."""
    roles = [_role(dataset, _group(name), str(dimension)) for dimension in dataset.variables[name].dims]
    return "time" in roles and not {"y", "x"} & set(roles)


def find_roles(dataset: xr.Dataset, name: str, label: str, *, unknown: str = "") -> dict[str, str]:
    """Return the role of every dimension of a variable: one of ROLES, or "" for a size of one.

    A dimension that nothing identifies has the role `unknown`, or is an error where that is "". Messages begin with the
    `label`, the file and the variable.

    Errors: ValueError, a dimension cannot be identified, or two have the same role.
    """
    roles: dict[str, str] = {}
    variable = dataset.variables[name]
    for dimension, size in zip(map(str, variable.dims), variable.shape):
        role = _role(dataset, _group(name), dimension) or (unknown if size > 1 else "")
        if not role and size > 1:
            raise ValueError(
                f"{label}: the dimension {_plain(dimension)!r} of size {size} is none of {', '.join(ROLES)}: "
                "give it a coordinate variable with an axis attribute, or one of these names"
            )
        if role and role in roles.values():
            if size > 1:
                dims = ", ".join(_plain(str(one)) for one in variable.dims)
                raise ValueError(f"{label}: two of the dimensions {dims} look like {role}")
            role = ""
        roles[dimension] = role
    _refuse_matrix(dataset, name, roles, label)
    return roles


def _refuse_matrix(dataset: xr.Dataset, name: str, roles: dict[str, str], label: str) -> None:
    """Raise a ValueError for dimensions (i, j): rows and columns of a matrix, or columns and rows of a model."""
    plain = [_plain(dimension) for dimension in roles]
    pair = [one for one in plain if one in ("i", "j")]
    if pair == ["i", "j"] and not any(lookup(dataset, name, one) for one in pair):
        raise ValueError(f"{label}: nothing tells whether i or j are the rows: name the dimensions y and x")


def lookup(dataset: xr.Dataset, name: str, wanted: str) -> str | None:
    """Return the full name of the variable `wanted` that `name` sees: of its group or the nearest group above."""
    group = _group(name)
    while True:
        path = f"{group}/{wanted}" if group else wanted
        if path in dataset.variables:
            return path
        if not group:
            return None
        group = _group(group)


def find_times(dataset: xr.Dataset, name: str, roles: dict[str, str]) -> list[str]:
    """Return the variables that may date the frames, best first: along the time dimension, or single values.

    First come those with units "... since ...": the coordinate variable of the dimension, then the standard name
    "time", then the name valid_time or time. Then come texts and other numbers that one of these labels calls a time.
    Starts of periods and reference times are never meant.
    """
    dimension = next((one for one, role in roles.items() if role == "time"), None)
    movie = next((one for one, role in roles.items() if role == "movie"), None)
    found: list[tuple] = []
    for key, path in _visible(dataset, _group(name)).items():
        one = dataset.variables[path]
        standard_name, plain = _text(one, "standard_name"), key.lower()
        if standard_name == "forecast_reference_time" or plain.startswith(("start", "forecast_ref")) or path == name:
            continue
        dims = [str(dim) for dim in one.dims]
        if one.dtype == "S1" and dims and dims[-1] not in (dimension, movie):
            dims.pop()  # the characters of a text
        own = dimension is not None and key == _plain(dimension)
        # Dates by their units come first, then texts, then numbers.
        kind = 0 if is_date(one) else 1 + (one.dtype.kind in "iuf")
        rank = (kind, not own, standard_name != "time", plain not in ("valid_time", "time", "times"))
        if kind and all(rank[1:]):
            continue
        if dimension:
            meant = dimension in dims and set(dims) <= {dimension, movie}
        else:
            # Many dates of a single frame are not its own: when it was made, when the radar was built.
            meant = not all(rank[1:]) and (one.size == 1 or not dims)
        if meant:
            found.append((rank, len(found), path))
    return [path for _, _, path in sorted(found)]


def is_date(variable: xr.Variable) -> bool:
    """Return whether a variable holds numbers with units like "seconds since 1970-01-01", or like days as %Y%m%d.%f."""
    units = _text(variable, "units")
    return variable.dtype.kind in "iuf" and bool(SINCE.search(units) or DAYS.fullmatch(units))


def _find_maps(dataset: xr.Dataset) -> list[str]:
    """Return the variables with a y and an x dimension that are not coordinates, variables in groups as well."""
    named, found = _named_by_others(dataset), []
    for name, one in dataset.variables.items():
        if one.ndim < 2 or name in named or _find_place(str(name), one):
            continue
        roles = [_role(dataset, _group(str(name)), str(dimension)) for dimension in one.dims]
        if "y" in roles and "x" in roles:
            found.append(str(name))
    return found


def _find_series(dataset: xr.Dataset, ignored: Iterable[str]) -> list[str]:
    """Return the numeric variables along time and at most one more dimension (except movie), outside of groups."""
    named, found = _named_by_others(dataset) | set(ignored), []
    for name, one in dataset.variables.items():
        roles = [_role(dataset, "", str(dimension)) for dimension in one.dims]
        others = [role for role in roles if role not in ("time", "movie")]
        is_number = one.dtype.kind in "iuf" and not is_date(one)
        if "/" not in str(name) and "time" in roles and len(others) < 2 and is_number and name not in named:
            found.append(str(name))
    return found


def _named_by_others(dataset: xr.Dataset) -> set[str]:
    """Return the names of the variables that describe others: coordinates, bounds and ancillary variables."""
    named = set(map(str, dataset.sizes))
    for name, one in dataset.variables.items():
        group = _group(str(name))
        for key in ("coordinates", "bounds", "ancillary_variables"):
            named |= {f"{group}/{word}" if group else word for word in _text(one, key).split()}
    return named


def _role(dataset: xr.Dataset, group: str, dimension: str) -> str:
    """Return the role of a dimension, or "" where nothing tells it.

    Its coordinate variable tells the role, else its name, else any other variable along this dimension alone.
    """
    name = _plain(dimension)
    coordinate = lookup(dataset, f"{group}/", name)
    role = _role_by_attributes(dataset.variables[coordinate]) if coordinate is not None else ""
    role = role or _ROLE_OF.get(name.lower(), "")
    if not role:
        seen = [dataset.variables[path] for path in _visible(dataset, group).values()]
        roles = [one for one in (_role_by_attributes(one) for one in seen if one.dims == (dimension,)) if one]
        # Latitudes and longitudes along one dimension are a list of places, such as stations.
        role = roles[0] if roles and not {"y", "x"} <= set(roles) else ""
    return role


def _role_by_attributes(variable: xr.Variable) -> str:
    standard_name = _text(variable, "standard_name")
    role = _AXES.get(_text(variable, "axis").upper()) or _STANDARD_NAMES.get(standard_name, "")
    if not role and variable.ndim == 1 and standard_name != "forecast_reference_time":
        role = "time" if is_date(variable) else _place_of_units(variable)
    return role


def _place_of_units(variable: xr.Variable) -> str:
    units = _text(variable, "units")
    return next((role for role, pattern in _PLACE_UNITS.items() if pattern.fullmatch(units)), "")


def _find_place(name: str, variable: xr.Variable) -> str:
    """Return "y" or "x" for latitudes and longitudes: by standard name, unit or name; else ""."""
    role = _STANDARD_NAMES.get(_text(variable, "standard_name"), "") or _place_of_units(variable)
    return role or _PLACE_NAMES.get(_plain(name).lower(), "")


def find_coordinate(dataset: xr.Dataset, name: str, dimension: str, role: str) -> str | None:
    """Return the coordinate variable of a dimension, else the only latitude or longitude along it alone, or None."""
    own = lookup(dataset, name, _plain(dimension))
    if own is not None:
        return own
    paths = [path for path in _visible(dataset, _group(name)).values() if dataset.variables[path].dims == (dimension,)]
    places = [path for path in paths if _find_place(path, dataset.variables[path]) == role]
    return places[0] if len(places) == 1 else None


def describe_dimensions(dataset: xr.Dataset, name: str, roles: dict[str, str]) -> list[str]:
    """Return remarks on the dimension of a series that is taken for its features, and on latitudes and longitudes."""
    features = [one for one, role in roles.items() if role == "channel" and not _role(dataset, _group(name), one)]
    if features and not _plain(features[0]).lower().startswith("feature"):
        return [f"the dimension {_plain(features[0])} taken as the features of a series"]
    return _describe_places(dataset, name, roles)


def _describe_places(dataset: xr.Dataset, name: str, roles: dict[str, str]) -> list[str]:
    """Return remarks on the latitudes and longitudes that are taken for coordinates, and on those that are left out."""
    dims = {dimension: role for dimension, role in roles.items() if role in ("y", "x")}
    found = {dimension: find_coordinate(dataset, name, dimension, role) for dimension, role in dims.items()}
    if any(found.values()):
        pairs = {_plain(path): _plain(dimension) for dimension, path in found.items() if path}
        return [
            f"{path} taken as the coordinate of {dimension}" for path, dimension in pairs.items() if path != dimension
        ]
    seen = {path: dataset.variables[path] for path in _visible(dataset, _group(name)).values()}
    maps = [_plain(path) for path, one in seen.items() if {*one.dims} == {*dims} and _find_place(path, one)]
    return [f"{' and '.join(maps)} of each pixel are left out: rows and columns are numbered"] if maps else []


def _visible(dataset: xr.Dataset, group: str) -> dict[str, str]:
    """Return the full names, by plain name, of the variables of a group and its parents; the nearest group counts."""
    found: dict[str, str] = {}
    while True:
        found = found | {
            _plain(one): one for one in map(str, dataset.variables) if _group(one) == group and _plain(one) not in found
        }
        if not group:
            return found
        group = _group(group)


def _group(name: str) -> str:
    return name.rpartition("/")[0]


def _plain(name: str) -> str:
    return name.rpartition("/")[2]


def _text(variable: xr.Variable, key: str) -> str:
    value = variable.attrs.get(key, "")
    return value if isinstance(value, str) else ""


def _listed(found: list[str]) -> str:
    return f"are {', '.join(found)}" if found else "is none with the dimensions y and x"
