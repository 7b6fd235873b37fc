"""Prepare an archive of any size: turn its files into one store that trains fast."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import predjax
from predjax.flags import from_dict
from predjax.jobs.cluster import map_parts
from predjax.jobs.inspect import describe_labels
from predjax.jobs.options import PrepareOptions
from predjax.radar.config import DataConfig
from predjax.radar.formats.catalogue import is_gridded
from predjax.radar.formats.possible_values import add_counts, describe_counts
from predjax.radar.movies import Sources
from predjax.radar.readers import expand_paths
from predjax.radar.store.archive import FORMATS, Share, scan_archive
from predjax.radar.store.convert import StoreOptions
from predjax.radar.store.grids import write_grids
from predjax.radar.store.reading import is_store, read_store
from predjax.radar.store.removal import refuse_foreign
from predjax.radar.store.writing import Journal

# The fields of `DataConfig` that decide what a store holds.
READING = ("layout", "variable", "units", "source_units", "accumulation_period", "engine")
READING += ("time", "time_pattern", "step")
MOST_SHOWN = 5, 10  # grids and skipped files that a summary names


class Store(NamedTuple):
    """A store that is complete: its folder and its content, as `index.json` has it."""

    folder: pathlib.Path
    content: dict[str, Any]


def prepare(options: PrepareOptions, resumed: Callable[[pathlib.Path], object] = lambda folder: None) -> Store:
    """Write a store, or continue an interrupted store, whose folder is first given to `resumed`.

    Raises:
      ValueError, OSError: one line: forcings, which a store does not keep; files that cannot be read or belong to a
        store; an output that exists; files in it that are not of a store; another process writes it.
    """
    config = from_dict(DataConfig, dict(options.reading))
    if config.forcings:
        raise ValueError(f"--forcings {','.join(config.forcings)}: a store keeps frames only; train from the archive")
    output = pathlib.Path(options.output).expanduser().absolute()
    _refuse_output(output, options.overwrite)
    files = _find_files(options.data_path, output, config.engine)
    made_of = {
        "predjax": predjax.__version__,
        **{name: getattr(config, name) for name in READING},
        **{name: getattr(options, name) for name in ("dtype", "wet_threshold", "on_bad_file")},
    }
    archive = [[str(file), (status := file.stat()).st_size, status.st_mtime_ns] for file in files]
    with Journal(output, made_of, archive, options.overwrite) as journal:
        if journal.resumed:
            resumed(journal.folder)
        skip = options.on_bad_file == "skip"
        share = _share(options.dask_scheduler)
        sources, bad = scan_archive(files, config, skip, share)
        index = write_grids(journal, sources, bad, StoreOptions(options.dtype, options.wet_threshold, skip), share)
        index = {"predjax": predjax.__version__, **index}
        journal.finish(output, index)
    return Store(output, index)


def summarise(store: Store) -> str:
    """Return the contents of a store in lines of text: labels, grids, frames, values, left out frames, size."""
    described = describe_labels(Sources(read_store(store.folder)), 0, DataConfig())
    grids, skipped = store.content["grids"], store.content["skipped"]
    most_grids, most_files = MOST_SHOWN
    frames = sum(grid["shape"][0] for grid in grids)
    size = (store.folder / "index.json").stat().st_size + sum(sum(grid["files"].values()) for grid in grids)
    segments = sum(len(grid["segments"]) for grid in grids)
    total = {name: sum(grid[name] for grid in grids) for name in ("movies", "duplicates", "differing", "clipped")}
    kinds = sorted({f"{np.dtype(grid['dtype'])} ({grid['packing']['kind']})" for grid in grids})
    units, threshold = grids[0]["units"], store.content["wet_threshold"]
    shapes = ", ".join("x".join(map(str, grid["shape"][1:3])) for grid in grids[:most_grids])
    lines = {
        "grids": f"{len(grids)}: {shapes}" + (" ..." if len(grids) > most_grids else ""),
        "frames": f"{frames} in {segments} segments, {segments - total['movies']} gaps",
        "values": f"{', '.join(kinds)}, in {units}",
        "duplicates": f"{total['duplicates']} left out, {total['differing']} of them with other values",
        "skipped": f"{len(skipped)} files",
        "wet": f"not known in {units}: --wet_threshold tells"
        if threshold is None
        else f"{_measure_wet(store):.2%} of the pixels, from {threshold:g} {units} on",
        "size": f"{size / 2**20:,.1f} MB",
        "store": str(store.folder),
    }
    if total["clipped"]:
        lines["clipped"] = f"{total['clipped']} values beyond the range of the codes"
    changed = describe_counts(add_counts(grid["changed"] for grid in grids))
    changed = [f"{'changed' if not number else '':12}{line}" for number, line in enumerate(changed)]
    named = [f"  {one['file']}: {one['reason']}" for one in skipped[:most_files]]
    return "\n".join([described, *(f"{name:12}{text}" for name, text in lines.items()), *changed, *named])


def _measure_wet(store: Store) -> float:
    """Return the fraction of wet pixels."""
    wet = pixels = 0.0
    for grid in store.content["grids"]:
        found = np.load(store.folder / grid["folder"] / "statistics.npy")
        count = float(np.prod(grid["shape"][1:]))
        wet, pixels = wet + count * found[:, 1].sum(dtype=float), pixels + count * len(found)
    return wet / pixels


def _share(scheduler: str | None) -> Share | None:
    """Return the function that gives work to the cluster of `scheduler`, or None without a scheduler."""
    if not scheduler:
        return None
    return lambda function, options, parts: map_parts(scheduler, function, options, parts, "")


def _refuse_output(output: pathlib.Path, overwrite: bool) -> None:
    if not output.exists():
        return
    if not is_store(output):
        raise ValueError(f"{output} exists and is no store of predjax: choose another --output")
    if not overwrite:
        raise FileExistsError(f"{output} exists; --overwrite replaces it")
    refuse_foreign(output)


def _find_files(paths: str, output: pathlib.Path, engine: str) -> list[pathlib.Path]:
    # Full names mean the same in a journal that another run goes on with, and to the workers of a cluster.
    files = [file.absolute() for file in expand_paths(paths, engine)]
    for file in files:
        if file.is_dir() and not is_gridded(file):
            raise ValueError(f"{file} is a store already")
        if not (engine or is_gridded(file)) and file.suffix.lower() not in FORMATS:
            raise ValueError(f"{file}: a store is made of {', '.join(FORMATS)} files, not of {file.suffix!r}")
        if output.resolve() in file.resolve().parents:
            raise ValueError(f"{file} is a part of --output {output}: name the archive more narrowly")
    return files
