"""The removal of a store, complete or unfinished, and of no other files."""

import os
import pathlib
import re

from predjax.radar.store.reading import INDEX

ARRAYS = {"frames.npy", "statistics.npy", "times.npy", "values.npy"}
GRID = re.compile(r"grid_\d+")
ABOVE = {INDEX, "run.json"}  # beside the grids


def remove_store(folder: pathlib.Path) -> None:
    """Remove the folder of a store or of a part of one, if it exists.

    Errors: ValueError, see `refuse_foreign`; nothing is removed then.
    """
    refuse_foreign(folder)
    for grid in folder.glob("grid_*"):
        remove_grid(grid)
    _remove(folder, ABOVE)


def remove_grid(folder: pathlib.Path) -> None:
    """Remove the folder of one grid of a store. Errors: OSError where it holds anything else."""
    _remove(folder, ARRAYS)


def refuse_foreign(folder: pathlib.Path) -> None:
    """Raise a ValueError that names the first file or link in the folder of a store that the store did not write."""
    refuse_link(folder)
    for top, folders, files in os.walk(folder):
        inside = pathlib.Path(top) != folder
        known = ARRAYS if inside else ABOVE
        foreign = [name for name in files if name not in known or os.path.islink(os.path.join(top, name))]
        foreign += [name for name in folders if inside or not GRID.fullmatch(name) or (folder / name).is_symlink()]
        if foreign:
            raise ValueError(f"{pathlib.Path(top) / min(foreign)} is no part of the store: move it away first")


def refuse_link(folder: pathlib.Path) -> None:
    """Raise a ValueError that names the folder if it is a link, because its target is not the store's own folder."""
    if folder.is_symlink():
        raise ValueError(f"{folder} is a link, which a store is not replaced through: move it away first")


def _remove(folder: pathlib.Path, names: set[str]) -> None:
    if folder.is_dir():
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
