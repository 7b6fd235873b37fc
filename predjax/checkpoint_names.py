"""The names of checkpoints in the folder of a run. Imports no array library, so that `predjax launch` can use it."""

import os
import pathlib
import re

PRETRAINED_NAME = "pretrained"  # means the network in the package, where the path of a checkpoint is asked for
_BEST = "best.npz"
_STEP = re.compile(r"step_(\d+)\.npz")


def step_path(folder: str | os.PathLike, step: int) -> pathlib.Path:
    """Return the path of the checkpoint of an iteration."""
    return pathlib.Path(folder) / f"step_{step:08d}.npz"


def best_path(folder: str | os.PathLike) -> pathlib.Path:
    """Return the path of the checkpoint with the lowest validation loss."""
    return pathlib.Path(folder) / _BEST


def find_steps(folder: str | os.PathLike) -> dict[int, pathlib.Path]:
    """Return the checkpoints of a folder by iteration, oldest first, without the best one; {} for a missing folder."""
    folder = pathlib.Path(folder)
    found = {path: _STEP.fullmatch(path.name) for path in folder.iterdir()} if folder.is_dir() else {}
    return dict(sorted((int(match[1]), path) for path, match in found.items() if match))


def list_steps(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Return the checkpoints of a folder, oldest first, without the best one."""
    return list(find_steps(folder).values())


def holds_checkpoint(folder: str | os.PathLike) -> bool:
    """Return whether a folder holds any checkpoint of a run, which must not be overwritten."""
    return bool(find_steps(folder)) or best_path(folder).is_file()
