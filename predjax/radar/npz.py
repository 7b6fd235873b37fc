"""Moving-MNIST files of PredRNN (.npz) to Movies."""

import pathlib
import zipfile
import zlib

import numpy as np

from predjax.radar.movies import Movies
from predjax.radar.npy import label_array, label_frames

_KEYS = ("clips", "dims", "input_raw_data")


class ClipFrames:
    """Movies (movie, time, y, x, channel) cut out of a long array of frames (frame, channel, y, x) when indexed."""

    def __init__(self, frames: np.ndarray, numbers: np.ndarray):
        """Args:
        frames: all frames, one after the other.
        numbers: (movie, time): which frame is where.
        """
        self._frames, self._numbers = frames, numbers
        channels, height, width = frames.shape[1:]
        self.shape, self.dtype = (*numbers.shape, height, width, channels), frames.dtype

    def __getitem__(self, key: tuple) -> np.ndarray:
        movie, time, y, x, channel = key
        frames = np.moveaxis(self._frames[self._numbers[movie, time]], -3, -1)
        return frames[(..., y, x, channel)]


def read_npz(file, layout: str = "auto", units: str = "file") -> Movies:
    """Reads a .npz file: the clips of a Moving-MNIST file of PredRNN, or the one array that it holds.

    A Moving-MNIST file has `dims` (1, 3) = (C, H, W), or (2, 3) for inputs and outputs, `input_raw_data`
    (frame, C, H, W), optionally `output_raw_data`, and `clips` (2, N, 2): for the input and the output of every
    movie its first frame and its length. Outputs count in output_raw_data where there is any, else in
    input_raw_data. A movie is its input frames and then its output frames.

    Args:
      file: path.
      layout: of a single array, one of LAYOUTS.
      units: what the values are in; see `read_npy`.

    Raises:
      ValueError, OSError: one line with the file, the rule and what was found.
    """
    with pathlib.Path(file).open("rb") as stream:
        if stream.read(2) != b"PK":
            raise ValueError(f"{file}: not a .npz file (or an empty one)")
        stream.seek(0)
        try:
            archive = np.load(stream, allow_pickle=False)
        except (zipfile.BadZipFile, ValueError, EOFError):
            raise ValueError(f"{file}: the .npz file is truncated or damaged") from None
        keys = archive.files
        if set(_KEYS) <= set(keys):
            output = _array(archive, "output_raw_data", file) if "output_raw_data" in keys else np.empty(0)
            return label_frames(_clips(*(_array(archive, key, file) for key in _KEYS), output, file), file, units)
        if len(keys) != 1:
            raise ValueError(f"{file}: a .npz file needs {', '.join(_KEYS)} or one array, found {', '.join(keys)}")
        return label_array(_array(archive, keys[0], file), file, layout, units)


def _array(archive: np.lib.npyio.NpzFile, key: str, file) -> np.ndarray:
    try:
        array = archive[key]
    except ValueError:
        # numpy's own message tells the user to allow pickles, which run whatever code is in the file.
        raise ValueError(f"{file}: {key} holds Python objects or is damaged; only arrays of numbers are read") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ValueError(f"{file}: {key} is damaged ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise ValueError(f"{file}: {key} must be integers or real numbers, found {getattr(array, 'dtype', 'bytes')}")
    return array


def _clips(clips: np.ndarray, dims: np.ndarray, frames: np.ndarray, output: np.ndarray, file) -> ClipFrames:
    if clips.ndim != 3 or clips.shape[0] != 2 or clips.shape[2] != 2 or clips.shape[1] == 0:
        raise ValueError(f"{file}: clips must have the shape (2, movies, 2), found {clips.shape}")
    if clips.dtype.kind not in "iu":
        raise ValueError(f"{file}: clips must be whole numbers, found {clips.dtype}")
    if dims.ndim != 2 or dims.shape[0] not in (1, 2) or dims.shape[1] != 3:
        raise ValueError(f"{file}: dims must have the shape (1, 3) or (2, 3), found {dims.shape}")
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
        if starts.min() < 0 or lengths[0] < 0 or (starts + lengths).max() > count:
            last = int((starts + lengths).max())
            raise ValueError(f"{file}: the {name} clips ask for frames {starts.min()} to {last}, there are {count}")
        numbers.append(starts[:, None] + np.arange(lengths[0]) + (shift if output.size else 0))
    if output.size:
        frames = np.concatenate([frames, output])
    return ClipFrames(frames, np.concatenate(numbers, axis=1))
