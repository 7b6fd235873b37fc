"""Rain on areas as a CSV table with a row for each area and lead time."""

import csv
import os

import numpy as np
import xarray as xr

from predjax.files import appearing

UNITS = {"mm/h": "_mm_per_h", "mm": "_mm"}  # at the end of the name of a column
LABELS = {"percentile": "p{:g}", "threshold": "{:g}", "accumulation_threshold": "{:g}"}


def write_table(path: str | os.PathLike, rain: xr.Dataset, *, overwrite: bool = False) -> None:
    """Write rain on areas (`nowcasts.areal_rain`) as CSV; the members themselves are left out.

    The columns are `area`, `init_time`, `valid_time` (ISO 8601, UTC), `lead_time_minutes` and the variables with their
    units: `accumulation_mm`, `accumulation_p90_mm`, `probability_of_accumulation_above_5_mm`. Missing values are empty.

    Errors: FileExistsError, the file exists and `overwrite` is not set.
    """
    columns = {}
    for key, values in rain.data_vars.items():
        if "realization" in values.dims:
            continue
        values = values.transpose(..., "area", "lead_time")
        own = next((dim for dim in LABELS if dim in values.dims), None)
        unit = UNITS.get(values.attrs["units"], "")
        if own is None:
            columns[f"{key}{unit}"] = values.values
            continue
        for label, part in zip(rain[own], values.values):
            text = LABELS[own].format(label.item())
            name = str(key).replace("percentile", text) if own == "percentile" else str(key).replace("threshold", text)
            columns[f"{name}{unit or UNITS.get(rain[own].attrs['units'], '')}"] = part
    init, minutes = _spell_time(rain["init_time"].values), rain["lead_time"].values
    if rain["lead_time"].attrs["units"] == "seconds":
        minutes = minutes / 60
    with appearing(path, overwrite=overwrite) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["area", "init_time", "valid_time", "lead_time_minutes", *columns])
        for row, area in enumerate(rain["area"].values):
            for lead, minute in enumerate(minutes):
                values = [values[row, lead] for values in columns.values()]
                times = init, _spell_time(rain["valid_time"].values[lead])
                writer.writerow([area, *times, f"{minute:g}", *("" if np.isnan(v) else f"{v:.6g}" for v in values)])


def _spell_time(time: np.ndarray | np.datetime64) -> str:
    return f"{time.astype('datetime64[s]')}Z"
