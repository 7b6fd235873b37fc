"""Files that are written whole or not at all, and replace no other file unasked."""

import contextlib
import errno
import os
import pathlib
import re
import secrets
import tempfile
import time
from collections.abc import Iterator

# What a file system without hard links answers to a link.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}
_UNFINISHED: set[pathlib.Path] = set()  # of this process
_TEMPORARY = re.compile(r"\.predjax-[0-9a-f]{16}\.tmp")
_MOST_TRIED = 2**26  # bytes that are written to learn why writing failed


@contextlib.contextmanager
def appearing(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """Yield the path of a new empty file beside `path`, which is renamed to `path` if the block ends without error.

    Readers see the old file or the whole new one, never a part, even if the process is killed. The name of the new file
    is random and no link is followed, so that any number of processes on any number of machines write one `path`. A
    missing folder is made. Errors: FileExistsError where `path` exists and `overwrite` is False.
    """
    path = pathlib.Path(path)
    refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".predjax-{secrets.token_hex(8)}.tmp")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    _UNFINISHED.add(temporary)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        _give_name(temporary, path, overwrite)
        flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        _UNFINISHED.discard(temporary)


def remove_unfinished() -> None:
    """Remove the unfinished files of this process, before it ends in the middle of its work."""
    for path in list(_UNFINISHED):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def remove_stale(folder: str | os.PathLike) -> None:
    """Remove what killed processes left in a folder: files of `appearing` that have not changed for an hour."""
    for path in pathlib.Path(folder).glob(".predjax-*.tmp"):
        if _TEMPORARY.fullmatch(path.name) and not path.is_symlink() and time.time() - path.stat().st_mtime > 3600:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def true_write_errors(folder: pathlib.Path, size: int) -> Iterator[None]:
    """Replace an error of the block by the one that the system gives for writing `size` bytes into the folder now.

    The netCDF library reports a full disk as missing permission. Where these bytes can be written, the error stays.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, FileExistsError):
            raise
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                for _ in range(-(-min(size, _MOST_TRIED) // 2**20)):
                    file.write(bytes(2**20))
                file.flush()
                os.fsync(file.fileno())
        except OSError as reason:
            raise OSError(reason.errno, reason.strerror, str(folder)) from error
        raise


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a UTF-8 file whole or not at all; an older file, or a link of this name, is replaced."""
    with appearing(path, overwrite=True) as temporary:
        temporary.write_text(text, "utf-8")


def open_own(path: str, flags: int) -> int:
    """Open a file that predjax alone writes to, as the `opener` of `open`. Errors: OSError, also where it is a link."""
    try:
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(error.errno, "this is a link, and predjax writes through none: move it away", path) from None
        raise


def _give_name(temporary: pathlib.Path, path: pathlib.Path, overwrite: bool) -> None:
    """Rename a file; without `overwrite` only where no other process has written `path` in the meantime."""
    if not overwrite:
        try:
            os.link(temporary, path)  # which never replaces a file
            return
        except FileExistsError:
            refuse_existing(path, overwrite)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            refuse_existing(path, overwrite)
    os.replace(temporary, path)


def refuse_existing(path: pathlib.Path, overwrite: bool) -> None:
    """Raise a FileExistsError that names `path` where it exists and must not be replaced."""
    if os.path.lexists(path) and not overwrite:
        raise FileExistsError(f"{path} exists; --overwrite replaces it")


def refuse_files(folder: str | os.PathLike, patterns: tuple[str, ...], overwrite: bool) -> None:
    """Raise a FileExistsError if a folder holds files of these patterns that must not be replaced.

    Call it before hours of work.
    """
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
