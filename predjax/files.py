"""Files that are written whole or not at all, and replace no other file unasked."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def appearing(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """Give a temporary path in the same folder, and rename it to `path` when the block ends without an error.

    Readers see the old file or the whole new one, never a part, even if the process is killed. A missing folder is
    made. Errors: FileExistsError where `path` exists and `overwrite` is False.
    """
    path = pathlib.Path(path)
    refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        refuse_existing(path, overwrite)  # another process may have written it in the meantime
        os.replace(temporary, path)
        flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_existing(path: pathlib.Path, overwrite: bool) -> None:
    """Raise a FileExistsError that names `path` where it exists and must not be replaced."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; --overwrite replaces it")


def refuse_files(folder: str | os.PathLike, patterns: tuple[str, ...], overwrite: bool) -> None:
    """Raise a FileExistsError, before hours of work, where a folder holds files that must not be replaced."""
    found = [path for pattern in patterns for path in pathlib.Path(folder).glob(pattern)]
    if found and not overwrite:
        raise FileExistsError(f"{found[0]} exists; choose another folder or --overwrite")


def flush_folder(folder: pathlib.Path) -> None:
    """Write the names in a folder to the disk, so that they survive a power cut, on systems that can open folders."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
