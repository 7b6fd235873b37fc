"""The addition of sums of cases, the labels that must be equal in it, and the labels of scores of sums."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import xarray as xr

MEMBER_DIMS = ("members_above", "rank")  # as long as an ensemble has members, which may differ between methods


def add_statistics(a: xr.Dataset, b: xr.Dataset) -> xr.Dataset:
    """Return the statistics of the cases of `a` and `b` together; raises the ValueError of `check_same_labels`."""
    check_same_labels(a, b)
    # The labels are equal, so xarray need not align them, which would take most of the time.
    sums = {}
    for name in a.data_vars:
        of_a, of_b = a.variables[name], b.variables[name]
        sums[name] = of_a.dims, of_a.values + of_b.transpose(*of_a.dims).values
    return xr.Dataset(sums, a.coords, a.attrs)


def check_same_labels(
    a: xr.Dataset, b: xr.Dataset, names: Sequence[str] = ("one", "the other"), free: Collection[str] = ()
) -> None:
    """Raise a ValueError unless two sets of statistics or scores have the same labels, event rule and units.

    The labels are lead times, thresholds, variables and all other coordinates (windows, wave numbers, ...) with their
    attributes, which say by which rules they were made; those named in `free` may differ. The arithmetic of xarray
    would drop a lead time that only one of the two has.

    Errors: ValueError, what differs, and both values, in one line.
    """
    labels = {}
    for dim, plural in (("lead_time", "lead times"), ("threshold", "thresholds")):
        labels[plural] = [_list(d, dim) for d in (a, b)]
        labels[f"units of the {plural}"] = [d[dim].attrs.get("units") if dim in d.coords else None for d in (a, b)]
    for name in sorted({*a.coords, *b.coords} - {"lead_time", "threshold", *free}):
        labels[f"values of {name}"] = [_list(d, name) for d in (a, b)]
        labels[f"attributes of {name}"] = [d[name].attrs if name in d.coords else None for d in (a, b)]
    labels["variables"] = [sorted(d.data_vars) for d in (a, b)]
    for name, plural in (("event_rule", "event rules"), ("units", "units"), ("data_range", "data ranges")):
        labels[plural] = [d.attrs.get(name) for d in (a, b)]
    for what, (of_a, of_b) in labels.items():
        if of_a != of_b:
            texts = [text if len(text) < 200 else f"{text[:190]}..." for text in (str(of_a), str(of_b))]
            raise ValueError(f"{what} differ: {texts[0]} in {names[0]}, {texts[1]} in {names[1]}")


def keep_labels(source: xr.Dataset, result: Mapping[Any, Any]) -> xr.Dataset:
    """Return a Dataset of the variables in `result`, without attributes of their own, with the labels of `source`.

    The labels are the attributes of `source` and its coordinates along the dimensions of the result. Scores are
    computed from variables without coordinates, because xarray would compare the labels at every operation.
    """
    variables = {name: (values.dims, values.data) for name, values in result.items()}
    dims = {dim for values in result.values() for dim in values.dims}
    coords = {name: source.variables[name] for name, c in source.coords.items() if dims.issuperset(c.dims)}
    return xr.Dataset(variables, coords, source.attrs)


def ratio(a: Any, b: Any) -> Any:
    """Return a / b of two variables or arrays of xarray, NaN where b is 0."""
    return a / b.where(b != 0)


def _list(data: xr.Dataset, coordinate: str) -> list | None:
    return data.variables[coordinate].values.tolist() if coordinate in data.coords else None
