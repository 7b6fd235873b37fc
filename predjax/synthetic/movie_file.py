"""The file for synthetic movies, and the writing of variables in netCDF files."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from predjax.files import appearing
from predjax.flags import REQUIRED, flag


@dataclasses.dataclass(frozen=True)
class MovieFile:
    """A file for the movies 0 .. num_movies-1 of a seed."""

    output: str = flag(REQUIRED, "the file to write", metavar="FILE", kind="file")
    num_movies: int = flag(160, "number of movies", metavar="N")
    seed: int = flag(0, "the same seed gives the same movies", metavar="N")
    overwrite: bool = flag(False, "replace an existing file", switch=True)

    @property
    def suffix(self) -> str:
        """The suffix of the file, which decides its format."""
        return pathlib.Path(self.output).suffix

    @contextlib.contextmanager
    def writing(self, written: str, *suffixes: str) -> Iterator[pathlib.Path]:
        """Yield a temporary path, which becomes the file at the end of the block; `written` names the content.

        Raises:
          ValueError: another suffix, no movies, or a negative seed.
          FileExistsError: the file exists and `overwrite` is False.
        """
        if self.suffix not in suffixes:
            found = self.suffix or "without a suffix"
            raise ValueError(f"{self.output}: {written} written as {' or '.join(suffixes)}, not {found}")
        if self.num_movies < 1 or self.seed < 0:
            raise ValueError(f"num_movies {self.num_movies} must be at least 1 and seed {self.seed} at least 0")
        with appearing(self.output, overwrite=self.overwrite) as temporary:
            yield temporary


def add_variable(
    file: Any, name: str, dtype: Any, dimensions: tuple[str, ...], values: Any, attributes: Mapping, **storage: Any
) -> None:
    """Add a variable with its values, as they are stored, to an open `netCDF4.Dataset`."""
    variable = file.createVariable(name, dtype, dimensions, **storage)
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes)
    variable[:] = values
