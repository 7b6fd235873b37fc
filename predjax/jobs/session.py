"""The steps of a command before the first array: sign of life, device, compilation cache, the other processes."""

import contextlib
import logging
import os
import pathlib
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import jax

try:
    import resource
except ImportError:  # not there on Windows
    resource = None  # type: ignore[assignment]

from predjax import parallel
from predjax.jobs.train_options import Processes
from predjax.kept import is_private
from predjax.messages import report_error

LOG = logging.getLogger("predjax")
BEAT_SECONDS = 1.0


def start(device: str = "auto", least_gib: int = 2) -> None:
    """Choose the platform, and keep compiled programs in the user's cache folder.

    PREDJAX_COMPILATION_CACHE names another folder, or switches the cache off when it is 0. The cache holds machine
    code, so a folder that other users can write to is not used. PREDJAX_HEARTBEAT names a file to touch every second,
    by which `predjax launch` sees that this process is alive.

    Errors: MemoryError, the address space of the process is limited to less than `least_gib`, where XLA would abort.
    """
    if resource and 0 <= (limit := resource.getrlimit(resource.RLIMIT_AS)[0]) < least_gib * 2**30:
        raise MemoryError(f"ulimit -v leaves {limit / 2**30:.3g} GiB of address space, at least {least_gib} are needed")
    if os.environ.get("PREDJAX_HEARTBEAT"):
        beat = threading.Thread(target=_beat, args=(pathlib.Path(os.environ["PREDJAX_HEARTBEAT"]),), daemon=True)
        beat.start()
    parallel.request_platform(device)
    folder = os.environ.get("PREDJAX_COMPILATION_CACHE")
    config: Any = jax.config  # its options have no types
    if folder == "0" or config.jax_compilation_cache_dir:
        return
    if not folder:
        folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "predjax"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
    if not is_private(pathlib.Path(folder)):
        LOG.warning("%s: other users can write to this folder, so no compiled programs are kept there", folder)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # jax keeps programs that took a second to compile; small networks take less, and run in far less.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@contextlib.contextmanager
def join(processes: Processes | None) -> Iterator[bool]:
    """Join the other processes, if there are any, and leave them at the end; yield whether this process is the chief.

    An error in one of several processes ends that process at once: else the others would wait for it for minutes.
    """
    found = None if processes is None else parallel.find_processes(*processes, os.environ)
    if found is None:
        yield parallel.is_chief()
        return
    try:
        parallel.join_processes(found)
        chief = parallel.is_chief()
        if not chief:
            LOG.setLevel(logging.WARNING)
        yield chief
        parallel.leave_processes()
    except BaseException as error:
        try:
            code = report_error(error)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        parallel.end_now(code)


def _beat(path: pathlib.Path) -> None:
    while True:
        with contextlib.suppress(OSError):  # the folder goes when the launcher does
            path.touch()
        time.sleep(BEAT_SECONDS)
