"""Checkpoints: one `.npz` with arrays by key path and the JSON configuration inside. No pickle anywhere.

A file is written beside its place, flushed to the disk and moved there in one step, so that whenever a process dies the
folder holds whole checkpoints only. A SHA-256 over names, types, shapes and bytes tells a damaged one.
"""

import hashlib
import json
import logging
import pathlib
import re
import zipfile
import zlib

import jax
import numpy as np

from predjax.files import appearing

VERSION = 1
_CONFIG = "__config__"
_BEST = "best.npz"
_STEP = re.compile(r"step_(\d+)\.npz")


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
    nested = {}
    for path, array in arrays.items():
        if path.startswith(prefix + "/"):
            module, _, name = path[len(prefix) + 1 :].rpartition("/")
            nested.setdefault(module, {})[name] = array
    return nested


def _name(path) -> str:
    return "/".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path)


def _digest(arrays) -> str:
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def save(path, tree, config: dict) -> None:
    """Writes a pytree and its configuration (JSON values) to `path`, whole or not at all."""
    arrays = flatten(tree)
    header = json.dumps({"version": VERSION, "sha256": _digest(arrays), **config})
    arrays[_CONFIG] = np.frombuffer(header.encode(), np.uint8)
    with appearing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load(path) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays by key path and the configuration. Errors: ValueError for what is no checkpoint, damaged, or too new."""
    try:
        # Opened here: numpy leaves a file open when it finds it damaged.
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile) or _CONFIG not in file.files:
                raise ValueError(f"{path} is not a predjax checkpoint")
            arrays = {name: file[name] for name in file.files}
        config = json.loads(arrays.pop(_CONFIG).tobytes())
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, UnicodeError, NotImplementedError) as error:
        raise ValueError(f"{path} is not a readable checkpoint: {error}") from error
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path} is not a predjax checkpoint (a damaged or foreign file)") from error
    if config.get("version", 0) > VERSION:
        raise ValueError(f"{path} has format version {config['version']}, this predjax reads up to {VERSION}")
    if _digest(arrays) != config.get("sha256"):
        raise ValueError(f"{path} is damaged: its checksum does not match")
    return arrays, config


def step_path(folder, step: int) -> pathlib.Path:
    """Where the checkpoint of an iteration lies."""
    return pathlib.Path(folder) / f"step_{step:08d}.npz"


def best_path(folder) -> pathlib.Path:
    """Where the checkpoint with the lowest validation loss lies."""
    return pathlib.Path(folder) / _BEST


def list_steps(folder) -> list[pathlib.Path]:
    """The checkpoints of a folder by iteration, oldest first, without the best."""
    folder = pathlib.Path(folder)
    found = [p for p in folder.iterdir() if _STEP.fullmatch(p.name)] if folder.is_dir() else []
    return sorted(found, key=lambda p: int(_STEP.fullmatch(p.name)[1]))


def holds_checkpoint(folder) -> bool:
    """Whether a run has left anything in the folder that must not be overwritten."""
    return bool(list_steps(folder)) or best_path(folder).is_file()


def load_latest(folder):
    """(path, arrays, configuration) of the newest readable checkpoint, None if there is none; names damaged ones."""
    for path in reversed(list_steps(folder)):
        try:
            return path, *load(path)
        except ValueError as error:
            logging.getLogger("predjax").warning("%s; trying the one before", error)
    return None


def find(path) -> pathlib.Path:
    """The checkpoint that a user means by a file or a run's folder: its best, else its latest."""
    path = pathlib.Path(path)
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
