"""Checkpoints: one `.npz` with arrays by key path and the JSON configuration inside. No pickle anywhere.

A file is written beside its place, flushed to the disk and moved there in one step, so that whenever a process dies the
folder holds whole checkpoints only. It ends, as the comment of the zip archive, in the SHA-256 of all bytes before
(format 2), so that any damaged byte tells; format 1 had one over names, types, shapes and values in its configuration.
"""

import hashlib
import io
import json
import logging
import math
import os
import pathlib
import zipfile
import zlib

import jax
import numpy as np

from predjax.checkpoint_names import PRETRAINED_NAME, best_path, list_steps
from predjax.files import appearing

VERSION = 2
PRETRAINED = pathlib.Path(__file__).parent / "pretrained" / "nowcast_5min_1km.npz"
_DIGEST = 64  # hexadecimal digits at the end of a file
_CONFIG = "__config__"
_NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What reading raises when bytes are not what they should be.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError, RuntimeError, OSError)


def flatten(tree) -> dict[str, np.ndarray]:
    """A pytree as `{"a/b/0": array}` in host memory; bfloat16, which npz cannot name, becomes float32."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    arrays = {_name(path): np.asarray(leaf) for path, leaf in leaves}
    return {k: a.astype(np.float32) if a.dtype.name == "bfloat16" else a for k, a in arrays.items()}


def unflatten(arrays: dict[str, np.ndarray], prefix: str, like):
    """The pytree of the structure of `like` (arrays or shapes) from the arrays below `prefix`.

    Errors: ValueError for a missing, unexpected or differently shaped array, naming it.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path({prefix: like})
    wanted = {_name(path): leaf for path, leaf in paths}
    given = {k for k in arrays if k == prefix or k.startswith(prefix + "/")}
    for name in sorted(given ^ set(wanted)):
        raise ValueError(f"{name} is {'unexpected' if name in given else 'missing'}")
    for name, leaf in wanted.items():
        if arrays[name].shape != tuple(leaf.shape):
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {tuple(leaf.shape)}")
    leaves = [arrays[name].astype(leaf.dtype) for name, leaf in wanted.items()]
    return jax.tree_util.tree_unflatten(structure, leaves)[prefix]


def nest(arrays: dict[str, np.ndarray], prefix: str) -> dict:
    """The two-level mapping of a network's parameters, `{module: {name: array}}`, from the arrays below `prefix`."""
    nested: dict[str, dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        if path.startswith(prefix + "/"):
            module, _, name = path[len(prefix) + 1 :].rpartition("/")
            nested.setdefault(module, {})[name] = array
    return nested


def _name(path) -> str:
    return "/".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path)


def _hash_arrays(arrays) -> str:
    """The checksum of format 1."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def save(path, tree, config: dict) -> None:
    """Writes a pytree and its configuration (JSON values) to `path`, whole or not at all.

    Errors: OSError naming `path` where it cannot be written, on a full disk for instance; what was there before is.
    """
    arrays = flatten(tree)
    header = json.dumps({"version": VERSION, **config})
    arrays[_CONFIG] = np.frombuffer(header.encode(), np.uint8)
    try:
        with appearing(path, overwrite=True) as temporary, temporary.open("w+b") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's types take the arrays for its own flag
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = b"0" * _DIGEST  # the place for it
            file.seek(-_DIGEST, os.SEEK_END)
            size = file.tell()
            digest = _hash(file, size)
            file.seek(size)
            file.write(digest.encode())
    except OSError as error:
        reason = f"{error.strerror or error}; the checkpoints before it are intact"
        raise OSError(error.errno, reason, str(path)) from error


def load(path) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays by key path, and the configuration, whose `sha256` tells this file from others.

    Errors: ValueError for what is no checkpoint, damaged, or too new; OSError.
    """
    with open(path, "rb") as file:
        try:
            digest = _read_digest(file)
            arrays = _read_arrays(file)
            config = json.loads(arrays.pop(_CONFIG).tobytes())
            version = int(config["version"])
        except _DAMAGE as error:
            raise ValueError(f"{path} is not a predjax checkpoint, or a damaged one ({error})") from error
    if version > VERSION:
        raise ValueError(f"{path} has format version {version}, this predjax reads up to {VERSION}")
    found = digest if version > 1 else _hash_arrays(arrays)
    if found is None or config.setdefault("sha256", found) != found:
        raise ValueError(f"{path} is damaged: its checksum does not match")
    return arrays, config


def _read_digest(file) -> str | None:
    """The SHA-256 at the end of a file, None where it is not that of the bytes before."""
    size = file.seek(0, os.SEEK_END) - _DIGEST
    if size < 0:
        raise ValueError("too short")
    file.seek(size)
    digest = file.read()
    return digest.decode() if digest == _hash(file, size).encode() else None


def _read_arrays(file) -> dict[str, np.ndarray]:
    """The arrays of an uncompressed `.npz` by name. Nothing is made as large as a header says before it is there."""
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or not entry.filename.endswith(".npy"):
                raise ValueError(f"unexpected entry {entry.filename!r}")
            arrays[entry.filename.removesuffix(".npy")] = _parse_npy(archive.read(entry))
    return arrays


def _parse_npy(data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    read_header = _NPY_HEADERS[np.lib.format.read_magic(stream)]
    shape, fortran, dtype = read_header(stream)
    size = len(data) - stream.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{size} bytes are no array of shape {shape} and type {dtype}")
    values = np.frombuffer(data, dtype, offset=stream.tell()) if size else np.zeros(0, dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _hash(file, size: int) -> str:
    """The SHA-256 of the first `size` bytes."""
    sha = hashlib.sha256()
    file.seek(0)
    while size and (block := file.read(min(size, 2**20))):
        sha.update(block)
        size -= len(block)
    return sha.hexdigest()


def load_latest(folder):
    """(path, arrays, configuration) of the newest readable checkpoint, None if there is none; names damaged ones."""
    for path in reversed(list_steps(folder)):
        try:
            return path, *load(path)
        except ValueError as error:
            logging.getLogger("predjax").warning("%s; trying the one before", error)
    return None


def find(path) -> pathlib.Path:
    """The checkpoint that a user means by a file or a run's folder: its best, else its latest.

    PRETRAINED_NAME is the one in the package, unless there is a file or folder of that name.
    """
    path = pathlib.Path(path)
    if path == pathlib.Path(PRETRAINED_NAME) and not path.exists():
        path = PRETRAINED
    if path.is_dir():
        candidates = [p for p in (best_path(path), *reversed(list_steps(path))) if p.is_file()]
        if not candidates:
            raise FileNotFoundError(f"{path} holds no checkpoint (best.npz or step_*.npz)")
        return candidates[0]
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    return path


def prune(folder, keep: int) -> None:
    """Removes all but the newest `keep` checkpoints that a run itself wrote; never the best."""
    for path in list_steps(folder)[:-keep]:
        path.unlink()
