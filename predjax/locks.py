"""Folders with one writer: a lock of the operating system, in a file that names the process that holds it."""

import contextlib
import datetime
import json
import logging
import os
import pathlib
import secrets
import socket
from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # not there on Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".predjax.lock"
_LOG = logging.getLogger("predjax")


@contextlib.contextmanager
def hold(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other processes out of a folder, which is made if it is missing, until the block ends.

    The lock ends with the process, however that ends, so a file that a killed process left behind stops nobody: its
    process is named in one line. Processes are told apart by the operating system, not by their numbers, which may be
    equal in two containers or on two hosts. A folder that is still empty at the end is removed.

    Errors: ValueError, which names the process that holds the folder.
    """
    folder = pathlib.Path(folder)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = _open(path)
    try:
        before = os.read(handle, 4096)
        if before:
            _LOG.warning("%s: %s ended without its last step; going on", folder, _describe(before))
        os.ftruncate(handle, 0)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "time": now, "token": secrets.token_hex(8)}
        os.pwrite(handle, json.dumps(holder).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        if made:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def _open(path: pathlib.Path) -> int:
    """Return the open and locked file. Errors: ValueError, another process has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if fcntl:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except FileNotFoundError:
            pass  # its holder removed it between the two calls
        except BlockingIOError:
            holder = _describe(os.read(handle, 4096))
            os.close(handle)
            raise ValueError(f"{path.parent}: {holder} writes to this folder") from None
        except OSError as error:
            _LOG.warning("%s: the file system has no locks (%s): no other process may write there", path.parent, error)
            return handle
        os.close(handle)


def _describe(content: bytes) -> str:
    """Return the process that a lock file names, in words."""
    try:
        holder = json.loads(content)
        return f"process {int(holder['pid'])} on {str(holder['host'])[:100]!r} (since {str(holder['time'])[:40]})"
    except (ValueError, TypeError, KeyError):
        return "another process"
