"""Moving MNIST: digits that bounce in a box (Srivastava, Mansimov & Salakhutdinov, 2015, arXiv:1502.04681).

The standard protocol: two digits of 28x28 pixels move in a frame of 64x64. Each starts at a random place in a random
direction, moves a tenth of the free room in a step and turns back at the edges; where digits overlap, the brighter
pixel counts. Movie `i` of a seed is a pure function of (digits, seed, i). The user provides the file of digits.

Stochastic movies (Denton & Fergus, 2018, arXiv:1802.07687): a digit that reached an edge leaves it in a random
direction, so that a past has many futures, which `draw_futures` draws. Here the speed stays the same.
"""

import dataclasses
import os
import zipfile
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from predjax.flags import flag
from predjax.synthetic.movie_file import MovieFile

SIZE, DIGIT_SIZE = 64, 28  # rows and columns of a frame, and of a digit
NUM_DIGITS = 2
STEP = 0.1  # of the room between the edges, in one frame


@dataclasses.dataclass(frozen=True)
class MovingMnistConfig:
    """The options of the movies: their frames and their digits."""

    length: int = flag(20, "frames of a movie", metavar="FRAMES")
    input_length: int = flag(10, "frames that are input", metavar="FRAMES")
    num_digits: int = flag(NUM_DIGITS, "digits of a movie", metavar="N")
    stochastic: bool = flag(False, "digits leave an edge in a random direction", switch=True)

    def __post_init__(self) -> None:
        if self.num_digits < 1:
            raise ValueError(f"num_digits must be at least 1, got {self.num_digits}")
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


class Motion(NamedTuple):
    """The motion of a digit: its place (2,) in [0, 1], and its velocity (2,) in a step."""

    place: np.ndarray
    velocity: np.ndarray


def begin(rng: np.random.Generator) -> Motion:
    """Return a random place and a velocity in a random direction."""
    return Motion(rng.uniform(0, 1, 2), _draw_velocity(rng))


def move(motion: Motion, rng: np.random.Generator | None = None) -> Motion:
    """Move a digit by one step.

    As in the authors' generator, a step that would leave the box ends on the edge and reverses that component. With
    `rng` a digit on an edge first draws its direction, from all that lead away from the edge: so nothing that frames do
    not show is decided before it happens.
    """
    place, velocity = motion
    low, high = place <= 0, place >= 1
    if rng is not None and (low | high).any():
        drawn = _draw_velocity(rng)
        velocity = np.where(low, np.abs(drawn), np.where(high, -np.abs(drawn), drawn))
    place = place + velocity
    velocity = np.where((place <= 0) | (place >= 1), -velocity, velocity)
    return Motion(np.clip(place, 0, 1), velocity)


def _draw_velocity(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return STEP * np.array([np.sin(angle), np.cos(angle)])


def follow(motion: Motion, num_frames: int, rng: np.random.Generator | None = None) -> list[Motion]:
    """Move one digit: return its motions after 1 to `num_frames` steps, see `move`."""
    motions = []
    for _ in range(num_frames):
        motion = move(motion, rng)
        motions.append(motion)
    return motions


def make_mnist_movie(
    digits: np.ndarray, num_frames: int, seed: int, movie: int, num_digits: int = NUM_DIGITS, stochastic: bool = False
) -> np.ndarray:
    """Make movie number `movie` of `seed`, (num_frames, 64, 64) uint8, from digits (N, 28, 28) uint8."""
    rng, chosen = _choose(digits, seed, movie, num_digits)
    if stochastic:
        return _draw(chosen, _follow_all(rng, num_frames, num_digits))
    return _draw(chosen, [follow(begin(rng), num_frames) for _ in chosen])


def draw_futures(digits: np.ndarray, config: MovingMnistConfig, seed: int, movie: int, count: int) -> np.ndarray:
    """Draw futures of the input of a stochastic movie: (count, length - input_length, 64, 64) uint8.

    They are drawn from all futures that the places and velocities after the input allow, like the rest of the movie
    itself. Frames show a place only to a pixel, so whoever sees the frames alone knows a little less.
    """
    rng, chosen = _choose(digits, seed, movie, config.num_digits)
    last = [motions[-1] for motions in _follow_all(rng, config.input_length, config.num_digits)]
    futures, rest = np.random.default_rng([seed, movie, 1]), config.length - config.input_length
    return np.stack([_draw(chosen, [follow(motion, rest, futures) for motion in last]) for _ in range(count)])


def _choose(digits: np.ndarray, seed: int, movie: int, number: int) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng([seed, movie])
    return rng, digits[rng.integers(len(digits), size=number)]


def _follow_all(rng: np.random.Generator, num_frames: int, number: int) -> list[list[Motion]]:
    """Return stochastic motions of digits, each with its own draws: a longer movie begins in the same way."""
    return [follow(begin(own), num_frames, own) for own in rng.spawn(number)]


def _draw(chosen: np.ndarray, motions: list[list[Motion]]) -> np.ndarray:
    """Draw digits into frames; where they overlap, the brighter pixel counts."""
    frames = np.zeros((len(motions[0]), SIZE, SIZE), np.uint8)
    for digit, followed in zip(chosen, motions):
        for frame, motion in zip(frames, followed):
            y, x = (motion.place * (SIZE - DIGIT_SIZE)).astype(int)
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
        moving = config.num_digits, config.stochastic
        movies = (make_mnist_movie(digits, length, file.seed, movie, *moving) for movie in numbers)
        frames = (movie[:, None] / np.float32(255) for movie in movies)
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
