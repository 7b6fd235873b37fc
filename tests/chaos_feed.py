"""A folder in which everything happens to frames that happens in practice, by a schedule that can be repeated."""

import os
import pathlib
import shutil

import netCDF4
import numpy as np

START, STEP, SIZE = np.datetime64("2026-06-01T00:00", "ns"), np.timedelta64(300, "s"), 16
CYCLE = 12  # frames until the same things happen again
# Where the frame of a file is elsewhere: one file each cycle, but in three cycles one whose opening hangs.
ELSEWHERE = ("pipe", "link", "virtual", "frames.bin", "/dev/zero")
HANGING = {36: "circle", 120: "pipe", 204: "damaged"}
LOST = 3  # the frame of each cycle that never comes whole
APPENDED = 8  # the frame of each cycle that is appended to one file


def make_frame(number: int) -> np.ndarray:
    """Rain that drifts."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return (8 * np.exp(-((rows - 8) ** 2 + (columns - number % SIZE) ** 2) / 9)).astype(np.float32)


def write_frame(path: pathlib.Path, number: int, name: str = "rain") -> pathlib.Path:
    """A file of one frame, which is not yet there until it is whole."""
    temporary = path.with_name(f".{path.name}.part")
    with netCDF4.Dataset(temporary, "w") as file:
        add_axes(file)
        variable = file.createVariable(name, "f4", ("time", "y", "x"), compression="zlib", fletcher32=True)
        variable.units = "mm h-1"
        append_frame(file, number, name)
    os.replace(temporary, path)
    return path


def add_axes(file: netCDF4.Dataset) -> None:
    """Dimensions and coordinates, without a time."""
    file.createDimension("time", None)
    time = file.createVariable("time", "i8", ("time",), fletcher32=True, chunksizes=(1,))
    time.units = "seconds since 1970-01-01"
    for axis in ("y", "x"):
        file.createDimension(axis, SIZE)
        pixels = file.createVariable(axis, "f8", (axis,))
        pixels.setncatts({"units": "m", "standard_name": f"projection_{axis}_coordinate"})
        pixels[:] = 1000 * np.arange(SIZE)


def append_frame(file: netCDF4.Dataset, number: int, name: str = "rain") -> None:
    """One more time of an open file; the time comes last."""
    place = len(file["time"])
    file[name][place] = make_frame(number)
    file["time"][place] = (START + number * STEP).astype("datetime64[s]").astype(int)


def damage(path: pathlib.Path, content: bytes) -> pathlib.Path:
    """Flip the bytes of a file behind the first place of some content."""
    raw = bytearray(path.read_bytes())
    place = raw.index(content)
    raw[place : place + len(content)] = bytes(255 - byte for byte in content)
    path.write_bytes(raw)
    return path


def damage_frame(path: pathlib.Path) -> pathlib.Path:
    """Damage the pixels of a file of `write_frame`: a checksum then tells it when they are read."""
    raw = path.read_bytes()
    place = raw.rindex(b"\x78\x5e") if b"\x78\x5e" in raw else raw.rindex(b"\x78\x01")  # the beginning of zlib's bytes
    return damage(path, raw[place + 4 : place + 12])


def damage_time(path: pathlib.Path, number: int) -> pathlib.Path:
    """Damage the time of a file of `write_frame`."""
    return damage(path, int((START + number * STEP).astype("datetime64[s]").astype(int)).to_bytes(8, "little"))


def write_bomb(path: pathlib.Path) -> None:
    """A small file that says that its y has 2^30 numbers."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("y", 2**30), ("x", 2)):
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,), compression="zlib", chunksizes=(min(size, 1024),))
        file["time"].units = "seconds since 1970-01-01"
        file.createVariable("rain", "f4", ("time", "y", "x"), chunksizes=(1, 1024, 2)).units = "mm h-1"


def write_odd_name(path: pathlib.Path, number: int, name: str) -> None:
    """A file of one frame in a variable whose name the netCDF library does not write."""
    import h5py

    with h5py.File(path, "w") as file:
        add_scales(file, file.create_dataset(name, data=make_frame(number)[None]), number)


def add_scales(file, frames, number: int) -> None:
    """The labels of a frame of h5py."""
    seconds = (START + number * STEP).astype("datetime64[s]").astype("f8")
    axes = {"time": (np.array([seconds]), "seconds since 1970-01-01")}
    axes |= {axis: (1000.0 * np.arange(SIZE), "m") for axis in ("y", "x")}
    frames.attrs["units"] = "mm h-1"
    for place, (axis, (values, units)) in enumerate(axes.items()):
        scale = file.create_dataset(axis, data=values)
        scale.make_scale(axis)
        scale.attrs["units"] = units
        frames.dims[place].attach_scale(scale)


def write_elsewhere(path: pathlib.Path, number: int, how: str) -> None:
    """An HDF5 file whose frame is in another file, which lies outside the folder."""
    import h5py

    outside, shape = path.parent.with_name("outside"), (1, SIZE, SIZE)
    outside.mkdir(exist_ok=True)
    values = make_frame(number)[None]
    with h5py.File(outside / "frames.h5", "w") as file:
        file["frames"] = values
    values.tofile(outside / "frames.bin")
    if not (outside / "pipe").exists():
        os.mkfifo(outside / "pipe")
    with h5py.File(path, "w") as file:
        if how == "link":
            file["rain"] = h5py.ExternalLink(str(outside / "frames.h5"), "/frames")
            return
        if how == "virtual":
            layout = h5py.VirtualLayout(shape, "f4")
            layout[:] = h5py.VirtualSource(str(outside / "frames.h5"), "frames", shape)
            frames = file.create_virtual_dataset("rain", layout)
        else:
            place = how if how.startswith("/") else str(outside / how)
            frames = file.create_dataset("rain", shape, "f4", external=[(place, 0, values.nbytes)])
        add_scales(file, frames, number)


def write_circle(path: pathlib.Path) -> None:
    """A valid HDF5 file that the netCDF library opens for ever: its groups link in a circle."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_group("g")["up"] = file["/"]


class ChaosFeed:
    """Frames 0 to `count` - 1 in a folder, one for each call of `step`; the rest of what happens comes with them.

    `append` adds a frame to the file that it is given; `hanging` is a damaged file whose opening hangs, or None.
    """

    def __init__(self, folder: pathlib.Path, count: int, append, hanging: pathlib.Path | None = None) -> None:
        self.folder, self.count, self._append, self._hanging = folder, count, append, hanging
        self._number, self._later = 0, []
        folder.mkdir(exist_ok=True)
        with netCDF4.Dataset(self._appended, "w") as file:
            add_axes(file)
            file.createVariable("rain", "f4", ("time", "y", "x"), chunksizes=(1, SIZE, SIZE)).units = "mm h-1"

    @property
    def _appended(self) -> pathlib.Path:
        return self.folder / "appended.nc"

    def _path(self, number: int) -> pathlib.Path:
        return self.folder / f"rain_{number:04d}.nc"

    @property
    def over(self) -> bool:
        return self._number == self.count and not self._later

    def step(self) -> None:
        """The next frame, and what is to happen beside it."""
        due, self._later = [one for one in self._later if one[0] <= 0], [(n - 1, do) for n, do in self._later if n > 0]
        for _, do in due:
            do()
        if self._number < self.count:
            self._arrive(self._number)
            self._number += 1

    def _arrive(self, number: int) -> None:
        path, cycle = self._path(number), number % CYCLE
        odd = self.folder / f"zz_{number:04d}.nc"
        if cycle == 1:  # late
            self._later.append((1, lambda: write_frame(path, number)))
        elif cycle == APPENDED:
            self._append(self._appended, number)
        else:
            write_frame(path, number)
        if cycle == 2:  # half written for a while
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            self._later.append((0, lambda: path.write_bytes(whole)))
        elif cycle == LOST:
            damage_frame(path)
            damage_time(write_frame(odd, number), number)
        elif cycle == 4:
            write_odd_name(odd, number, ("rain ", "..", "<b>")[number // CYCLE % 3])
        elif cycle == 5:  # gone for a moment
            away = path.with_name(f".{path.name}.away")
            os.replace(path, away)
            self._later.append((1, lambda: os.replace(away, path)))
        elif cycle == 6:
            shutil.copy(path, odd)
        elif cycle == 7:  # replaced by a file with another variable
            self._later.append((0, lambda: write_frame(path, number, "precipitation")))
        elif cycle == 9:
            write_bomb(odd)
            (self.folder / f"zz_{number:04d}_loop.nc").symlink_to(f"zz_{number:04d}_loop.nc")
        elif cycle == 10:
            odd.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
        elif cycle == 11:
            write_elsewhere(odd.with_suffix(".h5"), number, ELSEWHERE[number // CYCLE % len(ELSEWHERE)])
        self._hang(HANGING.get(number, ""), odd)

    def _hang(self, how: str, path: pathlib.Path) -> None:
        if how == "circle":
            write_circle(path)
        elif how == "pipe":
            os.mkfifo(path)
        elif how == "damaged" and self._hanging:
            shutil.copy(self._hanging, path)

    def expect(self, first: int, needed: int) -> set[str]:
        """The files of the nowcasts that can be made in the end, from frame `first` on, of `needed` frames each."""
        there = [number % CYCLE != LOST for number in range(self.count)]
        found = set()
        for number in range(first, self.count):
            window = range(number - needed + 1, number + 1)
            missing = [one for one in window if one < 0 or not there[one]]
            fillable = len(missing) == 1 and missing[0] != number and missing[0] > 0 and there[missing[0] - 1]
            if not missing or fillable:
                stamp = str((START + number * STEP).astype("datetime64[s]")).replace("-", "").replace(":", "")
                found.add(f"nowcast_{stamp}Z.nc")
        return found
