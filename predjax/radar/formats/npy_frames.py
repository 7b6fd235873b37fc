"""The .npy files of one frame each, dated by their names; their frames are joined in time."""

from typing import NamedTuple

import xarray as xr

from predjax.radar.formats.disk_array import DiskArray
from predjax.radar.formats.layouts import find_layout
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.npy import open_npy
from predjax.radar.formats.open_files import FileArray

VARIABLE = "frames"


class _Opened(NamedTuple):
    variables: dict[str, DiskArray]

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""


def open_npy_frame(path: str, layout: str = "auto") -> xr.Dataset:
    """Open the frame of a .npy file as a lazy Dataset without a unit: (y, x), or with the axes of a layout.

    The array may lack the time of the layout.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    array = open_npy(path)
    remarks: list[str] = []
    if layout == "auto" and array.ndim == 2:
        layout, remarks = "y,x", [f"axes {array.shape} taken as y,x"]
    elif layout == "auto":
        layout, remarks = find_layout(array, path)
    axes = layout.split(",")
    if len(axes) == array.ndim + 1:
        axes.remove("time")
    if len(axes) != array.ndim:
        raise ValueError(f"{path}: the layout {layout} has {len(axes)} axes, the array has the shape {array.shape}")
    source = FileArray(path, VARIABLE, array.shape, array.dtype, _open)
    dataset = build_dataset({VARIABLE: read_later(axes, source)}, {}, path)
    dataset.encoding["remarks"] = tuple(remarks)
    return dataset


def _open(path: str) -> _Opened:
    return _Opened({VARIABLE: open_npy(path)})
