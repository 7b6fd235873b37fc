"""The names of checkpoints in the folder of a run. Imports no array library, as `predjax launch` needs it."""

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
    """Return the checkpoints of a folder, which may be missing, by iteration, oldest first; without the best."""
    folder = pathlib.Path(folder)
    found = {path: _STEP.fullmatch(path.name) for path in folder.iterdir()} if folder.is_dir() else {}
    return dict(sorted((int(match[1]), path) for path, match in found.items() if match))


def list_steps(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Return the checkpoints of a folder, oldest first, without the best."""
    return list(find_steps(folder).values())


def holds_checkpoint(folder: str | os.PathLike) -> bool:
    """Tell whether a run has left anything in the folder that must not be overwritten."""
    return bool(find_steps(folder)) or best_path(folder).is_file()
