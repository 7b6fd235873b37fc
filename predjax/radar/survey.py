"""Read those files that can be read, and give the reason for each of the others."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from tqdm import tqdm

from predjax.messages import one_line
from predjax.radar.formats.catalogue import Reading, is_joined, read_labels
from predjax.radar.formats.joining import Joined, join_files
from predjax.radar.formats.labels import Header
from predjax.radar.movies import Movies
from predjax.radar.readers import Paths, expand_paths, read_alone


class Survey(NamedTuple):
    """The movies in files, and the files that cannot be read."""

    movies: list[Movies]  # not yet checked, and together perhaps no data set
    unreadable: dict[str, str]  # the reason for each file that cannot be read, by its path
    ignored: list[str]  # the names of files in a folder whose format is not known


def survey_files(paths: Paths, **options: Any) -> Survey:
    """Read files as `readers.read_movies` does, except that a file that cannot be read stops nothing.

    The options are those of `read_movies`. Errors: FileNotFoundError, a path matches nothing.
    """
    reading = Reading(**options)
    files = expand_paths(paths, reading.engine)
    unreadable: dict[str, str] = {}
    found: list[Movies] = []
    headers: list[Header] = []
    if reading.reader:
        reading.reader.expect([os.fspath(file) for file in files])
    place = 0  # of the joined files among the others: that of the first of them
    for file in tqdm(files, desc="reading labels", unit="file", delay=1, leave=False, disable=None):
        with _note_error(unreadable, file):
            if is_joined(file, reading):
                place = place if headers else len(found)
                headers.append(read_labels(os.fspath(file), reading))
            else:
                found += read_alone(file, reading)

    def refuse(together: list[Header], error: ValueError) -> None:
        unreadable.update({header.file: one_line(str(error)) for header in together})

    found[place:place] = [_count_duplicates(one) for one in join_files(headers, refuse)]
    return Survey(found, unreadable, _list_ignored(paths, files))


@contextlib.contextmanager
def _note_error(unreadable: dict[str, str], file: pathlib.Path) -> Iterator[None]:
    """Turn an error about a file in this block into an entry of `unreadable`."""
    try:
        yield
    except (ValueError, OSError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        unreadable[str(file)] = one_line(text).removeprefix(f"{file}: ")


def _count_duplicates(joined: Joined) -> Movies:
    """Return the movies with a remark on frames whose times another file has already."""
    movies, count = joined.movies, len(joined.spare_times)
    if count:
        when = f"{joined.spare_times[0].astype('datetime64[s]')}".replace("T", " ")
        text = f"frames left out because an earlier file has frames of their times: {count:,}, the first of {when}"
        movies.attrs["remarks"] = [*movies.attrs["remarks"], text]
    return movies


def _list_ignored(paths: Paths, files: list[pathlib.Path]) -> list[str]:
    """Return the names of the files that are left out, if `paths` is a single folder."""
    folder = pathlib.Path(paths).expanduser() if isinstance(paths, str | os.PathLike) else None
    if folder is None or not folder.is_dir() or folder in files:
        return []
    read = {file.name for file in files}
    return sorted(file.name for file in folder.iterdir() if file.is_file() and file.name not in read)
