"""Moving MNIST: digits that bounce in a box (Srivastava, Mansimov & Salakhutdinov, 2015, arXiv:1502.04681).

The standard protocol: two digits of 28x28 pixels move in a frame of 64x64. Each starts at a random place in a random
direction, moves a tenth of the free room in a step and turns back at the edges; where digits overlap, the brighter
pixel counts. Movie `i` of a seed is a pure function of (digits, seed, i). The user provides the file of digits.
"""

import dataclasses
import os
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np
from tqdm import tqdm

from predjax.flags import flag
from predjax.synthetic.movie_file import MovieFile

SIZE, DIGIT_SIZE = 64, 28  # rows and columns of a frame, and of a digit
NUM_DIGITS = 2
STEP = 0.1  # of the room between the edges, in one frame


@dataclasses.dataclass(frozen=True)
class MovingMnistConfig:
    """The frames of a movie."""

    length: int = flag(20, "frames of a movie", metavar="FRAMES")
    input_length: int = flag(10, "frames that are input", metavar="FRAMES")

    def __post_init__(self) -> None:
        if not 1 <= self.input_length < self.length:
            raise ValueError(
                f"input_length {self.input_length} must be at least 1 and smaller than the length {self.length}"
            )


def read_digits(path: str | os.PathLike) -> np.ndarray:
    """Read digits (N, 28, 28) uint8 from the array `digits` of a .npz file, or from a .npy file.

    Errors: ValueError, which names the file, where it holds anything else.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.lib.npyio.NpzFile):
            with stored:
                if "digits" not in stored:
                    raise ValueError(f"no array 'digits' but {', '.join(stored) or 'nothing'}")
                digits = stored["digits"]
        else:
            digits = stored
        if digits.dtype != np.uint8 or digits.ndim != 3 or digits.shape[1:] != (DIGIT_SIZE, DIGIT_SIZE):
            raise ValueError(f"{digits.dtype} of shape {digits.shape}")
        if len(digits) == 0:
            raise ValueError("no digit")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file of digits") from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        # numpy takes any text for a pickle and advises to allow pickles, which would run code from the file.
        found = "neither .npy nor .npz" if "pickle" in str(error) else str(error)
        raise ValueError(
            f"{path}: digits are uint8 (N, {DIGIT_SIZE}, {DIGIT_SIZE}), as 'digits' in .npz or as .npy; found {found}"
        ) from None
    return digits


def bounce(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Move one digit: return its places (num_frames, 2) in [0, 1], at constant velocity between the edges.

    As in the authors' generator, a step that would leave the box ends on the edge and reverses that component.
    """
    place, angle = rng.uniform(0, 1, 2), rng.uniform(0, 2 * np.pi)
    velocity = STEP * np.array([np.sin(angle), np.cos(angle)])
    places = np.empty((num_frames, 2))
    for frame in range(num_frames):
        place = place + velocity
        velocity = np.where((place <= 0) | (place >= 1), -velocity, velocity)
        place = places[frame] = np.clip(place, 0, 1)
    return places


def make_mnist_movie(digits: np.ndarray, num_frames: int, seed: int, movie: int) -> np.ndarray:
    """Make movie number `movie` of `seed`, (num_frames, 64, 64) uint8, from digits (N, 28, 28) uint8."""
    rng = np.random.default_rng([seed, movie])
    frames = np.zeros((num_frames, SIZE, SIZE), np.uint8)
    for digit in digits[rng.integers(len(digits), size=NUM_DIGITS)]:
        corners = (bounce(rng, num_frames) * (SIZE - DIGIT_SIZE)).astype(int)
        for frame, (y, x) in zip(frames, corners):
            window = frame[y : y + DIGIT_SIZE, x : x + DIGIT_SIZE]
            np.maximum(window, digit, out=window)
    return frames


def write_moving_mnist(file: MovieFile, digits: np.ndarray, config: MovingMnistConfig) -> None:
    """Make the movies of a file and write them as .npz, in the form of PredRNN's Moving MNIST.

    `input_raw_data` (num_movies * length, 1, 64, 64) float32 in [0, 1] holds all frames, `dims` (1, 3) int32 their
    shape, and `clips` (2, num_movies, 2) int32 the first frame and the number of frames of the input and of the output
    of each movie. `output_raw_data` is empty: with one row of `dims` the outputs are in `input_raw_data` as well.
    Only one movie at a time is in memory. Errors: see `MovieFile.writing`.
    """
    length, num_movies = config.length, file.num_movies
    with (
        file.writing("Moving MNIST is", ".npz") as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        clips = np.empty((2, num_movies, 2), np.int32)
        clips[0, :, 0] = length * np.arange(num_movies)
        clips[1, :, 0] = clips[0, :, 0] + config.input_length
        clips[:, :, 1] = [[config.input_length], [length - config.input_length]]
        shape = (1, SIZE, SIZE)
        numbers = tqdm(range(num_movies), desc="moving_mnist", unit="movie", disable=None, leave=False)
        frames = (make_mnist_movie(digits, length, file.seed, movie)[:, None] / np.float32(255) for movie in numbers)
        _write_array(archive, "clips", clips.shape, np.int32, [clips])
        _write_array(archive, "dims", (1, 3), np.int32, [np.array([shape])])
        _write_array(archive, "input_raw_data", (num_movies * length, *shape), np.float32, frames)
        _write_array(archive, "output_raw_data", (0, *shape), np.float32, [])


def _write_array(archive: zipfile.ZipFile, name: str, shape: tuple, dtype: type, pieces: Iterable) -> None:
    """Add an array to an .npz archive in pieces, which are its rows one after the other."""
    header: dict[str, Any] = {"descr": np.dtype(dtype).newbyteorder("<").str, "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, header["descr"]).tobytes())
