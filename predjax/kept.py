"""Results that a process keeps for later ones, in files beside the compiled programs in the cache folder.

The name of a file is a hash of all that its content depends on: the versions of Python and of the libraries, every
source file of the package, jax's options, and a key. So no outdated result is found. A file begins with the hash of
its content; a damaged file is ignored, and is written again.
"""

import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import sys
from typing import Any

import jax

from predjax.files import appearing

LIBRARIES = ("jax", "jaxlib", "dm-haiku", "numpy", "scipy")
_HASH = 32  # bytes


def read_kept(kind: str, key: Any) -> bytes | None:
    """Return the content that is kept of a kind for a key (of JSON values); None if there is none."""
    path = _find_path(kind, key)
    try:
        data = path.read_bytes() if path else b""
    except OSError:
        return None
    content = data[_HASH:]
    return content if data[:_HASH] == hashlib.sha256(content).digest() else None


def keep(kind: str, key: Any, content: bytes) -> None:
    """Keep a content for a key; nothing is kept where the folder cannot be written."""
    path = _find_path(kind, key)
    if path:
        try:
            with appearing(path, overwrite=True) as temporary:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
        except OSError:
            return


def is_private(folder: pathlib.Path) -> bool:
    """Return whether only this user can write to a folder; true where it is missing or nothing tells."""
    if not hasattr(os, "getuid") or not folder.is_dir():
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _find_path(kind: str, key: Any) -> pathlib.Path | None:
    """Return the path of a key, or None without a cache folder that belongs to this user alone."""
    config: Any = jax.config  # its options have no types
    folder = config.jax_compilation_cache_dir if config.jax_enable_compilation_cache else None
    if not folder or "://" in folder or not is_private(pathlib.Path(folder)):
        return None
    source = _hash_source()
    if source is None:
        return None
    # Where the cache is, and how it is kept, changes nothing of what is computed.
    options = {name: repr(value) for name, value in config.values.items() if "cache" not in name}
    said = json.dumps([source, options, config.jax_enable_x64, kind, key], sort_keys=True)
    return pathlib.Path(folder) / f"{kind}-{hashlib.sha256(said.encode()).hexdigest()}"


@functools.cache
def _hash_source() -> str | None:
    """Return the hash of all versions and of the package's source files; None where some cannot be known."""
    package = pathlib.Path(__file__).parent
    try:
        versions = [sys.version, *map(importlib.metadata.version, LIBRARIES)]
    except importlib.metadata.PackageNotFoundError:
        return None
    found = hashlib.sha256(json.dumps(versions).encode())
    count = 0
    for folder, folders, names in os.walk(package):
        folders.sort()
        for name in sorted(name for name in names if name.endswith(".py")):
            path = pathlib.Path(folder, name)
            source = path.read_bytes()
            found.update(f"{path.relative_to(package)} {len(source)}\n".encode() + source)
            count += 1
    return found.hexdigest() if count else None
