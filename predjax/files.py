"""Files that appear whole or not at all, and never in the place of another one unasked."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def appearing(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """A temporary path in the same folder, which becomes `path` when the block ends well.

    Readers see the old file or the whole new one, never a part, also when the process is killed. The folder is
    made when it is missing.

    Raises:
      FileExistsError: `path` exists and `overwrite` is not set.
    """
    path = pathlib.Path(path)
    refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        refuse_existing(path, overwrite)  # it may have come while this one was written
        os.replace(temporary, path)
        flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_existing(path: pathlib.Path, overwrite: bool) -> None:
    """A FileExistsError that names `path`, unless it is free or may be replaced."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; --overwrite replaces it")


def refuse_files(folder, patterns: tuple[str, ...], overwrite: bool) -> None:
    """FileExistsError, before hours of work, where a folder holds files that would be written."""
    found = [path for pattern in patterns for path in pathlib.Path(folder).glob(pattern)]
    if found and not overwrite:
        raise FileExistsError(f"{found[0]} exists; choose another folder or --overwrite")


def flush_folder(folder: pathlib.Path) -> None:
    """Makes the new name survive a power cut too; a system that cannot open folders is left to itself."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
