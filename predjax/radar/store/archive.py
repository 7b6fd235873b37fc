"""The scan of an archive of files: its movies, and the files that cannot be read."""

import contextlib
import functools
import itertools
import pathlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import NamedTuple

from tqdm import tqdm

from predjax.radar.config import READING, DataConfig
from predjax.radar.formats.catalogue import GRID_SUFFIXES, Reading, find_format, is_joined, read_labels
from predjax.radar.formats.engines import check_engine
from predjax.radar.formats.joining import Joined, join_files
from predjax.radar.formats.labels import Header
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.movies import Movies, check_movies, check_together, give_step, has_times, log_remarks

FORMATS = tuple(dict.fromkeys((*GRID_SUFFIXES, ".npy", ".npz")))
SCANNED_TOGETHER = 16  # files, by another process
Bad = tuple[str, str]  # a file that cannot be read, and why
# Share(function, options, parts) yields function(options, part) of every part in order, computed by other processes.
Share = Callable[[Callable, object, Iterable], Generator]


class Source(NamedTuple):
    """One movie of netCDF files, or one array file."""

    name: str  # short, for messages
    shape: tuple[int, ...]  # the shape of the frames, (movie, time, y, x, channel)
    open: Callable[[], Movies]  # returns the Movies; an array file is opened anew by every call; can be pickled
    joined: Joined | None  # the netCDF files, with the frames whose times are there twice; None for an array file
    mapped: bool  # whether frames that were read count as memory until the source is opened anew

    @property
    def frames(self) -> int:
        """The number of frames of all movies."""
        return self.shape[0] * self.shape[1]

    @property
    def divisible(self) -> bool:
        """Whether frames may be left out: only of a single movie, whose times then show the gap."""
        return self.joined is not None and self.shape[0] == 1 and has_times(self.joined.movies)


def scan_archive(
    files: Sequence[pathlib.Path], config: DataConfig, skip: bool, share: Share | None = None
) -> tuple[list[Source], list[Bad]]:
    """Return the sources of `files` in order, and the files that cannot be read.

    Every file is opened once, for its labels. Then a few frames are checked; with `skip`, only those of sources of one
    file. With `share`, other processes read the labels, except those of arrays.

    Raises:
      ValueError, OSError: one line. With `skip`, a file that cannot be read is an error only if no file can be read.
    """
    check_engine(config.engine)
    bad: list[Bad] = []
    sources: list[Source] = []
    gridded = [file for file in files if is_joined(file, _reading(config))]
    with tqdm(total=len(files), unit="file", desc="scan", disable=None) as bar:
        for file in files:
            if file in gridded[:1]:
                joined = join_files(_read_headers(gridded, config, skip, bad, bar, share))
                sources += [_joined_source(one._replace(movies=give_step(one.movies, config.step))) for one in joined]
            elif not is_joined(file, _reading(config)):
                bar.update()
                try:
                    sources.append(_array_source(file, config))
                except (ValueError, OSError) as error:
                    _note(bad, str(file), error, skip)
    for source in list(sources):
        if source.joined and not (skip and source.divisible):
            try:
                check_movies(source.open())
            except ValueError as error:
                _note(bad, source.joined.files[0], error, skip)
                sources.remove(source)
    if not sources:
        raise ValueError(f"none of {len(files)} files can be read: {bad[0][1]}")
    log_remarks(check_together(map(_labels, sources)))
    return sources, bad


def _read_headers(
    files: Sequence[pathlib.Path], config: DataConfig, skip: bool, bad: list[Bad], bar: tqdm, share: Share | None
) -> Iterator[Header]:
    """Yield the labels of the files that can be read."""
    with contextlib.ExitStack() as stack:
        shared: Iterator[Header | None] = itertools.repeat(None)
        if share:
            names = [str(file) for file in files]
            batches = [names[start : start + SCANNED_TOGETHER] for start in range(0, len(names), SCANNED_TOGETHER)]
            found = stack.enter_context(contextlib.closing(share(_try_headers, config, batches)))
            shared = itertools.chain.from_iterable(found)
        for header, file in zip(shared, files):
            bar.update()
            try:
                # Files that another process could not read are read here, so that this process raises the errors.
                yield header or read_labels(str(file), _reading(config))
            except (ValueError, OSError) as error:
                _note(bad, str(file), error, skip)


def _try_headers(config: DataConfig, files: Sequence[str]) -> list[Header | None]:
    """Read the labels of some files; None where they cannot be read."""
    found: list[Header | None] = []
    for file in files:
        try:
            found.append(read_labels(file, _reading(config)))
        except (ValueError, OSError):
            found.append(None)
    OPEN_FILES.close()
    return found


def _reading(config: DataConfig) -> Reading:
    return Reading(**{name: getattr(config, name) for name in READING})._replace(forcings=())


def _note(bad: list[Bad], file: str, error: Exception, skip: bool) -> None:
    """Record a file that cannot be read, or raise its error unless `skip`."""
    if not skip:
        raise error
    bad.append((file, " ".join(str(error).split())))


def _joined_source(joined: Joined) -> Source:
    movies = joined.movies
    opened = functools.partial(_give, movies)
    return Source(movies.attrs["source"], movies["frames"].shape, opened, joined, mapped=False)


def _give(movies: Movies) -> Movies:
    return movies


def _array_source(file: pathlib.Path, config: DataConfig) -> Source:
    mapped = file.suffix.lower() == ".npy"
    open_array = functools.partial(_open_array, file, config)
    movies = check_movies(open_array())
    return Source(movies.attrs["source"], movies["frames"].shape, open_array, None, mapped)


def _open_array(file: pathlib.Path, config: DataConfig) -> Movies:
    found = find_format(file)
    assert found and found.read, "it is an array"
    return give_step(found.read(file, _reading(config)), config.step)


def _labels(source: Source) -> Movies:
    """Return the labels of Movies without the frames, so that no array is kept."""
    return source.open().isel(movie=slice(0, 0), time=slice(0, 0)).load()
