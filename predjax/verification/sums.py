"""Sums of cases: how they add, what must be the same in both, and how the labels pass on to the scores."""

from collections.abc import Sequence

import xarray as xr


def add_statistics(a: xr.Dataset, b: xr.Dataset) -> xr.Dataset:
    """The statistics of the cases of `a` and `b` together; raises the ValueError of `check_same_labels`."""
    check_same_labels(a, b)
    # Their labels are equal, so there is nothing to align, and aligning is what takes the time.
    sums = {}
    for name in a.data_vars:
        of_a, of_b = a.variables[name], b.variables[name]
        sums[name] = of_a.dims, of_a.values + of_b.transpose(*of_a.dims).values
    return xr.Dataset(sums, a.coords, a.attrs)


def check_same_labels(a: xr.Dataset, b: xr.Dataset, names: Sequence[str] = ("one", "the other")) -> None:
    """Two sets of statistics or scores must share lead times, thresholds, variables, event rule, units and all else.

    The other coordinates (windows, wave numbers, ...) carry their rules in their attributes.
    xarray's own arithmetic would drop a lead time that only one of the two has.

    Raises:
      ValueError: one line with what differs and both values.
    """
    labels = {}
    for dim, plural in (("lead_time", "lead times"), ("threshold", "thresholds")):
        labels[plural] = [_list(d, dim) for d in (a, b)]
        labels[f"units of the {plural}"] = [d[dim].attrs.get("units") if dim in d.coords else None for d in (a, b)]
    for name in sorted({*a.coords, *b.coords} - {"lead_time", "threshold"}):
        labels[f"values of {name}"] = [_list(d, name) for d in (a, b)]
        labels[f"attributes of {name}"] = [d[name].attrs if name in d.coords else None for d in (a, b)]
    labels["variables"] = [sorted(d.data_vars) for d in (a, b)]
    for name, plural in (("event_rule", "event rules"), ("units", "units"), ("data_range", "data ranges")):
        labels[plural] = [d.attrs.get(name) for d in (a, b)]
    for what, (of_a, of_b) in labels.items():
        if of_a != of_b:
            texts = [text if len(text) < 200 else f"{text[:190]}..." for text in (str(of_a), str(of_b))]
            raise ValueError(f"{what} differ: {texts[0]} in {names[0]}, {texts[1]} in {names[1]}")


def keep_labels(source: xr.Dataset, result: xr.Dataset) -> xr.Dataset:
    """`result` with the attributes of `source` and of its coordinates, and none on its variables."""
    result = result.copy()  # shallow: the variables may be those of `source`, and keep their attributes there
    result.attrs = dict(source.attrs)
    for name, variable in result.variables.items():
        variable.attrs = dict(source.variables[name].attrs) if name in source.coords else {}
    return result


def ratio(a: xr.DataArray, b: xr.DataArray) -> xr.DataArray:
    """a / b, NaN where b is 0."""
    return a / b.where(b != 0)


def _list(data: xr.Dataset, coordinate: str) -> list | None:
    return data.variables[coordinate].values.tolist() if coordinate in data.coords else None
