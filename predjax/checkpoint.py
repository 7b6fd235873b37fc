"""Checkpoints: one `.npz` file with arrays by key path and the configuration as JSON, without pickle.

A file is written under another name, flushed to the disk and renamed, so that the folder holds whole checkpoints only,
whenever a process dies. The file ends with the SHA-256 of all bytes before, as the comment of the zip archive
(format 2), which reveals any damaged byte. Format 1 had a checksum of names, types, shapes and values in the
configuration.
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
from collections.abc import Mapping
from typing import Any, BinaryIO

import jax
import numpy as np

from predjax.checkpoint_names import PRETRAINED_NAME, best_path, list_steps
from predjax.files import appearing

VERSION = 2
PRETRAINED = pathlib.Path(__file__).parent / "pretrained" / "nowcast_5min_1km.npz"
_DIGEST = 64  # hexadecimal digits at the end of a file
_CONFIG = "__config__"
_NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# The errors of reading damaged bytes.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError, RuntimeError, OSError)


def flatten(tree: Any) -> dict[str, np.ndarray]:
    """Return a pytree as `{"a/b/0": array}` in host memory; bfloat16, which npz cannot hold, becomes float32."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    arrays = {_name(path): np.asarray(leaf) for path, leaf in leaves}
    return {k: a.astype(np.float32) if a.dtype.name == "bfloat16" else a for k, a in arrays.items()}


def unflatten(arrays: dict[str, np.ndarray], prefix: str, like: Any) -> Any:
    """Return the arrays below `prefix` as a pytree with the structure of `like` (arrays or shapes).

    Errors: ValueError, which names an array that is missing, unexpected or of another shape.
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
    """Return the arrays below `prefix` as the parameters of a network, `{module: {name: array}}`."""
    nested: dict[str, dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        if path.startswith(prefix + "/"):
            module, _, name = path[len(prefix) + 1 :].rpartition("/")
            nested.setdefault(module, {})[name] = array
    return nested


def _name(path: tuple) -> str:
    return "/".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path)


def _hash_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of the names, types, shapes and values of arrays, in hexadecimal: the checksum of format 1."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def save(path: str | os.PathLike, tree: Any, config: dict) -> None:
    """Write a pytree and its configuration (JSON values) to `path`, whole or not at all.

    Errors: OSError, which names `path`, where it cannot be written, such as on a full disk; an older file stays.
    """
    arrays = flatten(tree)
    header = json.dumps({"version": VERSION, **config})
    arrays[_CONFIG] = np.frombuffer(header.encode(), np.uint8)
    try:
        with appearing(path, overwrite=True) as temporary, temporary.open("w+b") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's types take the arrays for its own flag
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = b"0" * _DIGEST  # room for the digest
            file.seek(-_DIGEST, os.SEEK_END)
            size = file.tell()
            digest = _hash(file, size)
            file.seek(size)
            file.write(digest.encode())
    except OSError as error:
        reason = f"{error.strerror or error}; the checkpoints before it are intact"
        raise OSError(error.errno, reason, str(path)) from error


def load(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """Read the arrays of a checkpoint by key path, and its configuration, whose `sha256` identifies the file.

    Raises:
      ValueError: the file is no checkpoint, damaged, or of a newer format.
      OSError: the file cannot be read.
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


def _read_digest(file: BinaryIO) -> str | None:
    """Return the SHA-256 at the end of a file, or None where it does not match the bytes before."""
    size = file.seek(0, os.SEEK_END) - _DIGEST
    if size < 0:
        raise ValueError("too short")
    file.seek(size)
    digest = file.read()
    return digest.decode() if digest == _hash(file, size).encode() else None


def _read_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read the arrays of an uncompressed `.npz` by name; a false size in a header allocates no memory."""
    arrays, size = {}, file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > size:
            raise ValueError("its entries are larger than the file")
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


def _hash(file: BinaryIO, size: int) -> str:
    """Return the SHA-256 of the first `size` bytes."""
    sha = hashlib.sha256()
    file.seek(0)
    while size and (block := file.read(min(size, 2**20))):
        sha.update(block)
        size -= len(block)
    return sha.hexdigest()


def load_latest(folder: str | os.PathLike) -> tuple[pathlib.Path, dict[str, np.ndarray], dict] | None:
    """Read (path, arrays, configuration) of the newest readable checkpoint, or None; damaged ones are logged."""
    for path in reversed(list_steps(folder)):
        try:
            return path, *load(path)
        except ValueError as error:
            logging.getLogger("predjax").warning("%s; trying the one before", error)
    return None


def find(path: str | os.PathLike) -> pathlib.Path:
    """Return the checkpoint that a user names by a file or by the folder of a run: there the best one, else the latest.

    PRETRAINED_NAME stands for the checkpoint in the package, unless there is a file or folder of that name. Errors:
    FileNotFoundError where there is no such file, or the folder holds no checkpoint.
    """
    path = pathlib.Path(path).expanduser()
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


def prune(folder: str | os.PathLike, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints by iteration; the best one stays."""
    for path in list_steps(folder)[:-keep]:
        path.unlink()
