"""The choice of the variable of a Dataset that holds the frames."""

from collections.abc import Iterable

import xarray as xr

from predjax.radar.formats.cf import find_place, find_role, group_of, is_date, text_of
from predjax.radar.formats.polar import check_none_polar, check_not_polar
from predjax.radar.formats.quantity import is_radar_name


def find_variable(dataset: xr.Dataset, wanted: str, ignored: Iterable[str], file: str) -> tuple[str, list[str]]:
    """Return the name of the variable that holds the frames, and a remark if it was chosen among several.

    It is the `wanted` one ("group/name" inside a group); empty: the only possible one besides the `ignored` ones (the
    forcings).

    Errors: ValueError, there is none, or there are several; the message lists them.
    """
    found = _find_maps(dataset) or _find_series(dataset, ignored)
    if wanted:
        name = wanted.strip("/")
        if name not in dataset.variables:
            raise ValueError(f"{file}: there is no variable {wanted!r}; there {_listed(found)}")
        check_not_polar(dataset, name, file)
        return name, []
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
        radar = [one for one in chosen if is_radar_name(text_of(dataset.variables[one], "standard_name"))]
        radar = radar if len(radar) == 1 else [one for one in radar if not _is_product(dataset, one)]
        if len(radar) != 1:
            listed = ", ".join(chosen)
            raise ValueError(f"{file}: several variables could be the frames: {listed}; choose one with --variable")
        return radar[0], [f"{radar[0]} is taken of {', '.join(chosen)}; --variable chooses another"]
    return chosen[0], []


def _is_product(dataset: xr.Dataset, name: str) -> bool:
    """Return whether a variable is a product of members: a statistic, or with a dimension that frames do not have."""
    variable = dataset.variables[name]
    roles = [find_role(dataset, group_of(name), str(dimension)) for dimension in variable.dims]
    return not all(roles) or "realization:" in text_of(variable, "cell_methods")


def _find_maps(dataset: xr.Dataset) -> list[str]:
    """Return the variables with a y and an x dimension that are not coordinates, variables in groups as well."""
    named, found = _named_by_others(dataset), []
    for name, one in dataset.variables.items():
        if one.ndim < 2 or name in named or find_place(str(name), one):
            continue
        roles = [find_role(dataset, group_of(str(name)), str(dimension)) for dimension in one.dims]
        if "y" in roles and "x" in roles:
            found.append(str(name))
    return found


def _find_series(dataset: xr.Dataset, ignored: Iterable[str]) -> list[str]:
    """Return the numeric variables along time and at most one more dimension (except movie), outside of groups."""
    named, found = _named_by_others(dataset) | set(ignored), []
    for name, one in dataset.variables.items():
        roles = [find_role(dataset, "", str(dimension)) for dimension in one.dims]
        others = [role for role in roles if role not in ("time", "movie")]
        is_number = one.dtype.kind in "iuf" and not is_date(one)
        if "/" not in str(name) and "time" in roles and len(others) < 2 and is_number and name not in named:
            found.append(str(name))
    return found


def _named_by_others(dataset: xr.Dataset) -> set[str]:
    """Return the names of the variables that describe others: coordinates, bounds and ancillary variables."""
    named = set(map(str, dataset.sizes))
    for name, one in dataset.variables.items():
        group = group_of(str(name))
        for key in ("coordinates", "bounds", "ancillary_variables"):
            named |= {f"{group}/{word}" if group else word for word in text_of(one, key).split()}
    return named


def _listed(found: list[str]) -> str:
    return f"are {', '.join(found)}" if found else "is none with the dimensions y and x"
