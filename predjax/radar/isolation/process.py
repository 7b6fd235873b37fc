"""Start the process that reads files. Few imports, so that a command can start it before its own long ones."""

import contextlib
import dataclasses
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from predjax.radar.config import Trust

MOST_PROCESSES = 4  # that read files side by side
_PIPE = 2**20  # bytes
_CODE = """import json, sys
sys.path[:], limits = json.loads(sys.argv[1])
from predjax.radar.isolation.child import main
main(*limits)"""
_LOCKING = "HDF5_USE_FILE_LOCKING", "FALSE"  # files may be written while they are read
# Each further thread would need memory of its own.
_ENVIRONMENT = dict([_LOCKING]) | {"MALLOC_ARENA_MAX": "2"}
_ENVIRONMENT |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
_ARRAYS = (".npy", ".npz")  # are read without another process


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of reading a file: on memory, and on the time for its labels or a part of its numbers."""

    seconds: float = 30.0
    memory: int = 2 * 2**30  # bytes; not on macOS
    follow_links: bool = False  # whether an HDF5 file may refer to other files


_EARLY: dict[Limits, list[subprocess.Popen]] = {}


def find_limits(trust: Trust) -> Limits | None:
    """Return the limits of reading files, by how far they are trusted; None if this process reads, as on Windows."""
    return None if trust.trust_files or os.name == "nt" else Limits(follow_links=trust.follow_links)


def start_early(trust: Trust, paths: Sequence[str], number: int = 1) -> None:
    """Start the process that the first `reader.FileReader` will take, unless all paths are of arrays.

    For a folder or a pattern `number` processes are started, to read the labels of many files.

    If possible, this process imports the libraries for reading and copies itself, which takes less time than a second
    import; else one other process imports them meanwhile. Processes that nobody takes end with this process.
    """
    limits = find_limits(trust)
    if limits and limits not in _EARLY and not all(path.endswith(_ARRAYS) for path in paths):
        # A copy of a process with threads, such as those of jax, may wait for them forever.
        alone = sys.platform == "linux" and "jax" not in sys.modules and threading.active_count() == 1
        copies = 1 if all(map(os.path.isfile, paths)) else number
        _EARLY[limits] = [_copy(limits) for _ in range(copies)] if alone else [_start(limits)]


def start_process(limits: Limits) -> subprocess.Popen:
    """Return a process that reads files: one that was started early, or a new one."""
    while early := _EARLY.get(limits):
        process = early.pop(0)
        if not early:
            del _EARLY[limits]
        if process.poll() is None:
            return process
    return _start(limits)


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(limits: Limits) -> subprocess.Popen:
    where = [path or os.getcwd() for path in sys.path]
    command = [sys.executable, "-I", "-c", _CODE, json.dumps([where, dataclasses.astuple(limits)])]
    return _open(command, env=os.environ | _ENVIRONMENT)


def _copy(limits: Limits) -> subprocess.Popen:
    os.environ.setdefault(*_LOCKING)  # before the HDF5 library starts
    with _hidden("dask"):  # which xarray would import with its first array, in half a second, and no command needs
        import xarray as xr

        from predjax.radar.isolation import child

        xr.Variable((), 0)

    def serve() -> None:
        gc.enable()  # this process may have stopped it while it imports
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # by which the other process learns that this one has started
        child.main(*dataclasses.astuple(limits))
        os._exit(0)

    return _open([sys.executable], preexec_fn=serve)


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Hide a package in this block, as if it were not installed, unless it is imported already."""
    hides = name not in sys.modules
    if hides:
        sys.modules[name] = None  # type: ignore[assignment]  # so the import system says that there is none
    try:
        yield
    finally:
        if hides:
            del sys.modules[name]


def _open(command: list[str], **options: Any) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        bufsize=0,
        pipesize=_PIPE,  # a frame in one piece
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("PREDJAX_TRACEBACK") else subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process alone
        **options,
    )
