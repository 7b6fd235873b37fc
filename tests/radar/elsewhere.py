"""HDF5 files whose frames are in other files."""

import pathlib

import h5py
import numpy as np


def frames_elsewhere(path: pathlib.Path, how: str, width: int, rydl: str = "") -> None:
    """Two frames of ones, by a "link", a "virtual" data set or "external" storage; `rydl`: one, in a file of RYDL."""
    frames = np.ones((30, width) if rydl else (2, 30, width), "f4")
    with h5py.File(path.with_name("outside.h5"), "w") as file:
        file["frames"] = frames
    frames.tofile(path.with_name("outside.bin"))
    with h5py.File(path, "w") as file:
        name = rydl or "rain"
        if how == "link":
            file[name] = h5py.ExternalLink(str(path.with_name("outside.h5")), "/frames")
            return
        if how == "virtual":
            layout = h5py.VirtualLayout(frames.shape, "f4")
            layout[:] = h5py.VirtualSource(str(path.with_name("outside.h5")), "frames", frames.shape)
            rain = file.create_virtual_dataset(name, layout, fillvalue=0)
        else:
            stored = [(str(path.with_name("outside.bin")), 0, frames.nbytes)]
            rain = file.create_dataset(name, frames.shape, "f4", external=stored)
        if rydl:
            return
        rain.attrs["units"] = "mm/h"
        for axis, label in enumerate(("time", "y", "x")):
            file[label] = np.arange(rain.shape[axis], dtype="f8")
            file[label].make_scale(label)
            rain.dims[axis].attach_scale(file[label])
        file["time"].attrs["units"] = "hours since 2026-06-01"
