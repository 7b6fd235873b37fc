"""What a command does before the first array: the device asked for and the compilation cache."""

import os
import pathlib

import jax

from predjax import parallel


def start(device: str = "auto") -> None:
    """Chooses the platform and keeps compiled programs in the user's cache folder.

    PREDJAX_COMPILATION_CACHE names another folder, or switches the cache off when it is 0.
    """
    parallel.request_platform(device)
    folder = os.environ.get("PREDJAX_COMPILATION_CACHE")
    if folder == "0" or jax.config.jax_compilation_cache_dir:
        return
    if not folder:
        folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "predjax"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Small networks compile in less than the second from which on jax keeps a program, and run in far less.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
