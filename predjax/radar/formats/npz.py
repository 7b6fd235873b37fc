"""Read .npz files as Movies: Moving-MNIST files of PredRNN, and files of arrays."""

import contextlib
import io
import os
import pathlib
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np

try:
    import resource
except ImportError:  # not there on Windows
    resource = None  # type: ignore[assignment]

from predjax.radar.formats.npy import label_array, label_frames, read_array_header
from predjax.radar.formats.quantity import AS_STATED, UnitOptions
from predjax.radar.movies import Movies

_KEYS = ("clips", "dims", "input_raw_data")
# The limits of a container, of both versions of control groups.
_LIMITS = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # that numpy writes


class ClipFrames:
    """Movies (movie, time, y, x, channel) that are cut out of an array of frames (frame, channel, y, x) when indexed.

    `numbers` (movie, time) are the numbers of the frames in this array.
    """

    def __init__(self, frames: np.ndarray, numbers: np.ndarray) -> None:
        self._frames, self._numbers = frames, numbers
        channels, height, width = frames.shape[1:]
        self.shape, self.dtype = (*numbers.shape, height, width, channels), frames.dtype

    def __getitem__(self, key: tuple) -> np.ndarray:
        movie, time, y, x, channel = key
        frames = np.moveaxis(self._frames[self._numbers[movie, time]], -3, -1)
        return frames[(..., y, x, channel)]


def read_npz(
    file: str | os.PathLike, layout: str = "auto", units: UnitOptions = AS_STATED, variable: str = ""
) -> Movies:
    """Read a .npz file: the clips of a Moving-MNIST file of PredRNN, or an array (see `read_npy`).

    The array is the `variable`; empty: the only one in the file.

    A Moving-MNIST file has `dims` (1, 3) = (C, H, W), or (2, 3) for inputs and outputs, `input_raw_data`
    (frame, C, H, W), optionally `output_raw_data`, and `clips` (2, N, 2): for the input and the output of every
    movie its first frame and its length. Outputs count in output_raw_data where there is any, else in
    input_raw_data. A movie is its input frames and then its output frames.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    with open_npz(file) as archive:
        keys = list_arrays(archive)
        if variable and variable not in keys:
            raise ValueError(f"{file}: there is no array {variable!r}; there are {', '.join(keys) or 'none'}")
        if not variable and set(_KEYS) <= set(keys):
            output = read_array(archive, "output_raw_data", file) if "output_raw_data" in keys else np.empty(0)
            clips, dims, frames = (read_array(archive, key, file) for key in _KEYS)
            return label_frames(_clips(clips, dims, frames, output, file), file, units)
        if not variable and len(keys) != 1:
            found = f"{', '.join(keys)}: choose one with --variable" if keys else "none"
            raise ValueError(f"{file}: a .npz file needs {', '.join(_KEYS)} or one array, found {found}")
        return label_array(read_array(archive, variable or keys[0], file), file, layout, units)


@contextlib.contextmanager
def open_npz(file: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    """Open a .npz file. Errors: ValueError or OSError, it is not a .npz file, or is damaged."""
    with pathlib.Path(file).open("rb") as stream:
        if stream.read(2) != b"PK":
            raise ValueError(f"{file}: not a .npz file (or an empty one)")
        with _damage_named(f"{file}: the .npz file is truncated, or it"):
            archive = zipfile.ZipFile(stream)
        yield archive


def list_arrays(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the arrays in a .npz file."""
    return [name.removesuffix(".npy") for name in archive.namelist()]


def find_array(archive: zipfile.ZipFile, key: str, file: str | os.PathLike) -> zipfile.ZipInfo:
    """Return the zip entry of an array. Errors: ValueError, it is stored in a way that numpy does not use."""
    entry = next(one for one in archive.infolist() if one.filename.removesuffix(".npy") == key)
    if entry.compress_type not in _COMPRESSIONS or entry.flag_bits & 1:
        raise ValueError(f"{file}: {key}: it is encrypted, or compressed in a way that numpy does not write")
    return entry


def read_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, most: int) -> bytes:
    """Return at most `most` bytes from the beginning of an entry. Errors: ValueError, damaged; begins with `name`."""
    with _damage_named(name), archive.open(entry) as stream:
        return stream.read(most)


def read_shape(archive: zipfile.ZipFile, key: str, file: str | os.PathLike) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and type of one array of numbers. Errors: ValueError, it is damaged or has no numbers."""
    entry, name = find_array(archive, key, file), f"{file}: {key}"
    start = read_bytes(archive, entry, name, 2**16)  # numpy takes no longer header
    shape, _, dtype = read_array_header(io.BytesIO(start), name, entry.file_size)
    return shape, dtype


def read_array(archive: zipfile.ZipFile, key: str, file: str | os.PathLike) -> np.ndarray:
    """Read one array of numbers. Memory is taken only for numbers that are known to be in the file.

    Errors: ValueError, it is damaged, has no numbers, or does not fit into the memory.
    """
    read_shape(archive, key, file)
    entry, name = find_array(archive, key, file), f"{file}: {key}"
    memory = _find_memory()
    if memory and entry.file_size > memory:
        raise ValueError(f"{name}: its {entry.file_size} bytes do not fit into the memory of this process, {memory}")
    try:
        with _damage_named(name), archive.open(entry) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as of the header
            return np.lib.format.read_array(stream, allow_pickle=False)
    except MemoryError:
        raise ValueError(f"{name}: its {entry.file_size} bytes do not fit into the memory that is left") from None


@contextlib.contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Turn any error of reading damaged bytes into a ValueError of one line, which begins with `name`."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OSError, NotImplementedError) as error:
        raise ValueError(f"{name} is damaged ({error})") from None


def _find_memory() -> int:
    """Return the memory in bytes that this process may use, or 0 where the system does not tell."""
    found = []
    with contextlib.suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _LIMITS:
        with contextlib.suppress(ValueError, OSError):
            found.append(int(pathlib.Path(path).read_text()))
    if resource and (limit := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        found.append(limit)
    return min(found, default=0)


def _clips(
    clips: np.ndarray, dims: np.ndarray, frames: np.ndarray, output: np.ndarray, file: str | os.PathLike
) -> ClipFrames:
    if clips.ndim != 3 or clips.shape[0] != 2 or clips.shape[2] != 2 or clips.shape[1] == 0:
        raise ValueError(f"{file}: clips must have the shape (2, movies, 2), found {clips.shape}")
    if clips.dtype.kind not in "iu":
        raise ValueError(f"{file}: clips must be whole numbers, found {clips.dtype}")
    if dims.dtype.kind not in "iu" or dims.ndim != 2 or dims.shape[0] not in (1, 2) or dims.shape[1] != 3:
        raise ValueError(f"{file}: dims must be whole numbers (1, 3) or (2, 3), found {dims.dtype} {dims.shape}")
    sizes = [tuple(int(number) for number in row) for row in (dims[0], dims[-1])]
    for name, raw, size in zip(("input_raw_data", "output_raw_data"), (frames, output), sizes):
        if (raw.size or raw is frames) and (raw.ndim != 4 or raw.shape[1:] != size):
            raise ValueError(
                f"{file}: {name} must have the shape (frames, C, H, W) with dims {size}, found {raw.shape}"
            )
    available = [len(frames), len(output) if output.size else len(frames)]
    numbers = []
    for clip, shift, name, count in zip(clips.astype(np.int64), (0, len(frames)), ("input", "output"), available):
        starts, lengths = clip.T
        if np.unique(lengths).size != 1:
            raise ValueError(f"{file}: all {name} clips must have one length, found {lengths.min()} to {lengths.max()}")
        last = int(starts.max()) + int(lengths[0])  # of Python, which does not wrap around
        if starts.min() < 0 or lengths[0] < 0 or last > count:
            raise ValueError(f"{file}: the {name} clips ask for frames {starts.min()} to {last}, there are {count}")
        numbers.append(starts[:, None] + np.arange(lengths[0]) + (shift if output.size else 0))
    if output.size:
        frames = np.concatenate([frames, output])
    return ClipFrames(frames, np.concatenate(numbers, axis=1))
