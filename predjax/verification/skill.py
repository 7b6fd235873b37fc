"""Methods side by side: their comparison, their skill against a reference, and the files of both."""

import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from predjax.files import appearing, refuse_existing
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.verification.sums import MEMBER_DIMS, check_same_labels

FILE_ATTRS = {"Conventions": "CF-1.11", "title": "Skill of nowcasts by lead time"}
ERROR_SCORES = ("mae", "mse", "rmse")  # 0 is perfect and smaller is better, so a skill is defined


def compare(skills: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Return the scores of several methods along the dimension `method`, in the order given.

    Select one by `.sel({"method": name})`; the keyword `method` is an option of xarray's `sel`. Scores by number of
    members or by rank are NaN beyond the members of a method.

    Errors: ValueError, no methods, or methods with different lead times, thresholds, scores, event rule or units.
    """
    if not skills:
        raise ValueError("no scores to compare")
    (first, of_first), *others = skills.items()
    for name, of_other in others:
        check_same_labels(of_first, of_other, (first, name), free=MEMBER_DIMS)
    methods = xr.Variable("method", np.array(list(skills)), {"long_name": "nowcast method"})
    # All labels are equal but MEMBER_DIMS, which the outer join fills up.
    how: dict[str, Any] = {"join": "outer", "data_vars": "all", "coords": "minimal", "compat": "override"}
    together = xr.concat(list(skills.values()), dim="method", combine_attrs="override", **how)
    return together.assign_coords(method=methods)


def skill_against(comparison: xr.Dataset, reference: str) -> xr.Dataset:
    """Return `comparison` with mae_skill, mse_skill and rmse_skill: 1 - score / score(reference).

    1 is perfect, 0 is as good as the reference, a negative skill is worse; NaN where the reference is perfect.

    Errors: ValueError, the reference is not among the methods.
    """
    methods = comparison.method.values.tolist()
    if reference not in methods:
        raise ValueError(f"the reference {reference!r} is not among the methods {', '.join(methods)}")
    result = comparison.assign_attrs(reference=reference)
    for name in ERROR_SCORES:
        of_reference = comparison[name].sel({"method": reference}, drop=True)
        long_name = f"skill in {comparison[name].attrs['long_name']} against {reference}"
        value = 1 - comparison[name] / of_reference.where(of_reference != 0)
        result[f"{name}_skill"] = value.assign_attrs(long_name=long_name, units="1")
    return result


def write_skill(
    folder: str | os.PathLike,
    dataset: xr.Dataset,
    overwrite: bool = False,
    *,
    whole: xr.Dataset | None = None,
    protocol: xr.Dataset | None = None,
) -> None:
    """Write a comparison to skill.nc (all variables, units, long names) and skill.json in `folder`.

    `whole`, the scores of the methods on their own pixels, becomes the group and the entry `whole_domain`; `protocol`,
    the scores of a published protocol, becomes the group and the entry `protocol`.

    The JSON file holds the attributes, the lead times and, for each method and score, the values by lead time, nested
    by threshold, window or wave number where the score has them. It is strict JSON: undefined values are null.

    Errors: FileExistsError, one of the two files exists and `overwrite` is not set; then neither is written.
    """
    folder = pathlib.Path(folder)
    paths = folder / "skill.nc", folder / "skill.json"
    for path in paths:
        refuse_existing(path, overwrite)
    groups = {name: one for name, one in (("whole_domain", whole), ("protocol", protocol)) if one is not None}
    values = _as_json(dataset) | {name: _as_json(one) for name, one in groups.items()}
    text = json.dumps(values, indent=1, allow_nan=False, default=lambda value: value.tolist()) + "\n"
    labelled = dataset.assign_attrs(FILE_ATTRS)
    with NETCDF_LOCK, appearing(paths[0], overwrite=overwrite) as temporary:
        for group, one in ((None, labelled), *groups.items()):
            encoding = {name: {"_FillValue": None} for name in ("threshold", "level") if name in one.coords}
            mode: Literal["a", "w"] = "a" if group else "w"
            one.to_netcdf(temporary, mode=mode, group=group, engine="netcdf4", encoding=encoding)
    with appearing(paths[1], overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _as_json(dataset: xr.Dataset) -> dict:
    leads = dataset.lead_time
    result = {"attributes": dict(dataset.attrs)}
    result["lead_time"] = {"units": leads.attrs.get("units"), "values": leads.values.tolist()}
    result["units"] = {name: v.attrs["units"] for name, v in dataset.data_vars.items() if "units" in v.attrs}
    result["methods"] = {}
    for method in dataset.method.values:
        scores = {}
        one = dataset.sel({"method": method})
        if "members" in one:
            own = slice(int(one.members) + 1)
            one = one.isel({dim: own for dim in MEMBER_DIMS}, missing_dims="ignore")
        for name in one.data_vars:
            values = one.variables[name].transpose(..., "lead_time", missing_dims="ignore")
            labels = [one.variables[dim].values for dim in values.dims if dim != "lead_time"]
            scores[name] = _nest(values.values, labels)
        result["methods"][str(method)] = scores
    return result


def _nest(values: np.ndarray, labels: list[np.ndarray]) -> Any:
    """Return nested dicts {label: {...: values}}, a level for each axis with labels; values by lead time are a list."""
    if labels:
        names = [label if isinstance(label, str) else f"{label:.12g}" for label in labels[0]]
        return {name: _nest(part, labels[1:]) for name, part in zip(names, values)}
    if values.ndim:
        return [_nest(value, []) for value in values]
    value = values.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no NaN
