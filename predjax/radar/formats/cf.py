"""The roles of the dimensions of a variable, and the variables that hold its coordinates and times.

Roles are found by CF attributes first (axis, standard_name, units), then by names. Datasets are undecoded; what lies in
a group of the file is called "group/name", and sees the coordinates of its own group and of the groups above it.
"""

import re

import xarray as xr

from predjax.radar.formats.time_labels import DAYS
from predjax.radar.formats.times import SINCE
from predjax.unit_names import canonical_unit

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
    """Return the attributes of a variable or Dataset. If one of them could not be read, its error is raised."""
    for value in item.attrs.values():
        if isinstance(value, AttributeError):
            raise value
    return item.attrs


def is_series(dataset: xr.Dataset, name: str) -> bool:
    """Return whether a variable has a time dimension, but neither y nor x."""
    roles = [find_role(dataset, group_of(name), str(dimension)) for dimension in dataset.variables[name].dims]
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
        role = find_role(dataset, group_of(name), dimension) or (unknown if size > 1 else "")
        if not role and size > 1:
            raise ValueError(
                f"{label}: the dimension {plain_name(dimension)!r} of size {size} is none of {', '.join(ROLES)}: "
                "give it a coordinate variable with an axis attribute, or one of these names"
            )
        if role and role in roles.values():
            if size > 1:
                dims = ", ".join(plain_name(str(one)) for one in variable.dims)
                raise ValueError(f"{label}: two of the dimensions {dims} look like {role}")
            role = ""
        roles[dimension] = role
    _refuse_matrix(dataset, name, roles, label)
    return roles


def _refuse_matrix(dataset: xr.Dataset, name: str, roles: dict[str, str], label: str) -> None:
    """Raise a ValueError for dimensions (i, j): rows and columns of a matrix, or columns and rows of a model."""
    plain = [plain_name(dimension) for dimension in roles]
    pair = [one for one in plain if one in ("i", "j")]
    if pair == ["i", "j"] and not any(lookup(dataset, name, one) for one in pair):
        raise ValueError(f"{label}: nothing tells whether i or j are the rows: name the dimensions y and x")


def lookup(dataset: xr.Dataset, name: str, wanted: str) -> str | None:
    """Return the full name of the variable `wanted` as seen from `name`: in its group, or the nearest group above."""
    group = group_of(name)
    while True:
        path = f"{group}/{wanted}" if group else wanted
        if path in dataset.variables:
            return path
        if not group:
            return None
        group = group_of(group)


def find_times(dataset: xr.Dataset, name: str, roles: dict[str, str]) -> list[str]:
    """Return the variables that may date the frames, best first: along the time dimension, or single values.

    First come those with units "... since ...": the coordinate variable of the dimension, then the standard name
    "time", then the name valid_time or time. Then come texts and other numbers that one of these labels calls a time.
    Starts of periods and reference times are never meant.
    """
    dimension = next((one for one, role in roles.items() if role == "time"), None)
    movie = next((one for one, role in roles.items() if role == "movie"), None)
    found: list[tuple] = []
    for key, path in _visible(dataset, group_of(name)).items():
        one = dataset.variables[path]
        standard_name, plain = text_of(one, "standard_name"), key.lower()
        if standard_name == "forecast_reference_time" or plain.startswith(("start", "forecast_ref")) or path == name:
            continue
        dims = [str(dim) for dim in one.dims]
        if one.dtype == "S1" and dims and dims[-1] not in (dimension, movie):
            dims.pop()  # the characters of a text
        own = dimension is not None and key == plain_name(dimension)
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
    units = text_of(variable, "units")
    return variable.dtype.kind in "iuf" and bool(SINCE.search(units) or DAYS.fullmatch(units))


def find_role(dataset: xr.Dataset, group: str, dimension: str) -> str:
    """Return the role of a dimension, or "" where nothing tells it.

    Its coordinate variable tells the role, else its name, else any other variable along this dimension alone.
    """
    name = plain_name(dimension)
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
    standard_name = text_of(variable, "standard_name")
    role = _AXES.get(text_of(variable, "axis").upper()) or _STANDARD_NAMES.get(standard_name, "")
    if not role and variable.ndim == 1 and standard_name != "forecast_reference_time":
        role = "time" if is_date(variable) else find_place_of_units(variable)
    return role


def find_place_of_units(variable: xr.Variable) -> str:
    """Return "y" or "x" for a unit of latitudes or longitudes in any of CF's spellings; else ""."""
    units = text_of(variable, "units")
    return next((role for role, pattern in _PLACE_UNITS.items() if pattern.fullmatch(units)), "")


def find_place(name: str, variable: xr.Variable) -> str:
    """Return "y" or "x" for latitudes and longitudes: by standard name, unit or name; else ""."""
    role = _STANDARD_NAMES.get(text_of(variable, "standard_name"), "") or find_place_of_units(variable)
    return role or _PLACE_NAMES.get(plain_name(name).lower(), "")


def find_coordinate(dataset: xr.Dataset, name: str, dimension: str, role: str) -> str | None:
    """Return the coordinate variable of a dimension, else the only latitude or longitude along it alone, or None."""
    own = lookup(dataset, name, plain_name(dimension))
    if own is not None:
        return own
    paths = [
        path for path in _visible(dataset, group_of(name)).values() if dataset.variables[path].dims == (dimension,)
    ]
    places = [path for path in paths if find_place(path, dataset.variables[path]) == role]
    return places[0] if len(places) == 1 else None


def describe_dimensions(dataset: xr.Dataset, name: str, roles: dict[str, str]) -> list[str]:
    """Return remarks on the dimensions of a variable that are left out, or taken for channels or features."""
    sizes = {plain_name(str(one)): size for one, size in dataset.variables[name].sizes.items()}
    remarks = []
    for dimension, role in roles.items():
        plain, group = plain_name(dimension), group_of(name)
        if not role and not _is_height(dataset, name, plain):
            remarks.append(f"the dimension {plain} of size 1 is left out")
        elif role == "channel" and sizes[plain] > 1:
            if plain.lower() in ("band", "bands"):
                remarks.append(f"the {sizes[plain]} bands are taken as channels")
            elif not find_role(dataset, group, dimension) and not plain.lower().startswith("feature"):
                remarks.append(f"the dimension {plain} taken as the features of a series")
    return remarks


def _is_height(dataset: xr.Dataset, name: str, dimension: str) -> bool:
    """Return whether a dimension is known to be a height, which a map does not have."""
    path = lookup(dataset, name, dimension)
    return path is not None and text_of(dataset.variables[path], "axis").upper() == "Z"


def describe_places(dataset: xr.Dataset, name: str, roles: dict[str, str]) -> list[str]:
    """Return remarks on latitudes and longitudes that are taken or left out, and on pixels without coordinates."""
    if is_series(dataset, name):
        return []
    dims = {dimension: role for dimension, role in roles.items() if role in ("y", "x")}
    found = {dimension: find_coordinate(dataset, name, dimension, role) for dimension, role in dims.items()}
    pairs = {plain_name(path): plain_name(dimension) for dimension, path in found.items() if path}
    remarks = [f"{path} taken as the coordinate of {one}" for path, one in pairs.items() if path != one]
    axes = [dataset.variables[path] for dimension, path in found.items() if path]
    if len(axes) == len(dims) and all(map(is_axis, axes, dims)):
        bare = any(canonical_unit(text_of(axis, "units")) == "1" for axis in axes)
        return [*remarks, "the coordinates of the pixels have no unit: their size is not known"] if bare else remarks
    seen = {path: dataset.variables[path] for path in _visible(dataset, group_of(name)).values()}
    maps = [plain_name(path) for path, one in seen.items() if {*one.dims} == {*dims} and find_place(path, one)]
    left_out = f"{' and '.join(maps)} of each pixel are left out" if maps else "there are no coordinates of the pixels"
    return [*remarks, f"{left_out}: rows and columns are numbered, row 0 on top"]


def is_axis(variable: xr.Variable, dimension: str) -> bool:
    """Return whether a variable can be the coordinate of a dimension: numbers along it alone."""
    return variable.dims == (dimension,) and variable.dtype.kind in "iuf"


def _visible(dataset: xr.Dataset, group: str) -> dict[str, str]:
    """Return the full names, by plain name, of the variables of a group and its parents; the nearest group counts."""
    found: dict[str, str] = {}
    while True:
        found = found | {
            plain_name(one): one
            for one in map(str, dataset.variables)
            if group_of(one) == group and plain_name(one) not in found
        }
        if not group:
            return found
        group = group_of(group)


def group_of(name: str) -> str:
    return name.rpartition("/")[0]


def plain_name(name: str) -> str:
    return name.rpartition("/")[2]


def text_of(variable: xr.Variable, key: str) -> str:
    value = variable.attrs.get(key, "")
    return value if isinstance(value, str) else ""
