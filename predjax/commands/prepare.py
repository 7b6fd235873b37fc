"""`predjax prepare`: an archive of any size in; one store that trains fast out."""

import pathlib

import predjax
from predjax import run_file
from predjax.commands import one_line_errors
from predjax.flags import Parser, add_flags, typed
from predjax.jobs import cluster
from predjax.radar.config import DataConfig

READING = ("layout", "variable", "units", "forcings", "engine")


def make_parser() -> Parser:
    parser = Parser(
        prog="predjax prepare",
        description="Turns an archive of netCDF files, radar composites, Zarr stores or arrays into one store, a "
        "folder that every --data_path takes. When it is killed, the same command goes on where it was.",
    )
    add = parser.add_argument_group("store").add_argument
    add("--data_path", required=True, metavar="PATHS", help="files, folders, globs; commas between them")
    add("--output", required=True, metavar="STORE", help="folder to make")
    run_file.add_config(add)
    add("--overwrite", action="store_true", help="replace a store, or start one anew that is not finished")
    add(
        "--dtype",
        choices=("auto", "uint8", "uint16", "float32"),
        default="auto",
        help="auto keeps the integers of the files where they have one meaning, else dBZ and mm/h become uint16 (by "
        "0.005 dB; by 0.001 mm/h up to 20, by 0.01 up to 220), and the rest float32 (default auto)",
    )
    add(
        "--wet_threshold",
        type=float,
        metavar="X",
        help="a pixel is wet from X on, in the data's unit (default: 0.1 mm/h or 10 dBZ)",
    )
    add(
        "--on_bad_file",
        choices=("stop", "skip"),
        default="stop",
        help="what damaged files do: stop, or are left out and listed (default stop)",
    )
    add(
        "--dask_scheduler",
        metavar="ADDRESS",
        help="tcp://host:port of a dask cluster whose workers see the same files (default: here)",
    )
    add_flags(parser, DataConfig, "reading", READING)
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the command. Errors: see `one_line_errors`."""
    parser = make_parser()
    options = run_file.parse(parser, arguments)
    config = DataConfig(**typed(DataConfig, options))
    if config.forcings:
        raise ValueError(f"--forcings {','.join(config.forcings)}: a store keeps frames only; train from the archive")
    output = pathlib.Path(options.output).expanduser().absolute()
    _refuse_output(output, options.overwrite)

    from predjax.radar.store.archive import scan_archive
    from predjax.radar.store.convert import StoreOptions
    from predjax.radar.store.grids import write_grids
    from predjax.radar.store.writing import Journal

    files = _find_files(options.data_path, output, config.engine)
    reading = {name: getattr(config, name) for name in READING if name != "forcings"}
    made_of = {
        "predjax": predjax.__version__,
        **reading,
        **{name: getattr(options, name) for name in ("dtype", "wet_threshold", "on_bad_file")},
    }
    archive = [[str(file), (status := file.stat()).st_size, status.st_mtime_ns] for file in files]
    with Journal(output, made_of, archive, options.overwrite) as journal:
        if journal.resumed:
            print(f"going on with {journal.folder}", flush=True)
        skip = options.on_bad_file == "skip"
        share = _share(options.dask_scheduler)
        sources, bad = scan_archive(files, config, skip, share)
        index = write_grids(journal, sources, bad, StoreOptions(options.dtype, options.wet_threshold, skip), share)
        journal.finish(output, {"predjax": predjax.__version__, **index})
    run_file.write(output / run_file.NAME, run_file.describe(parser, options))
    print(_summarise(output, index))
    return 0


def _share(scheduler: str | None):
    """The `archive.Share` of a cluster, or None."""
    if not scheduler:
        return None
    return lambda function, options, parts: cluster.map_parts(scheduler, function, options, parts, "")


def _refuse_output(output: pathlib.Path, overwrite: bool) -> None:
    from predjax.radar.store.reading import is_store

    if not output.exists():
        return
    if not is_store(output):
        raise ValueError(f"{output} exists and is no store of predjax: choose another --output")
    if not overwrite:
        raise FileExistsError(f"{output} exists; --overwrite replaces it")


def _find_files(paths: str, output: pathlib.Path, engine: str) -> list[pathlib.Path]:
    from predjax.radar.formats.catalogue import is_gridded
    from predjax.radar.readers import expand_paths
    from predjax.radar.store.archive import FORMATS

    # Names in full mean the same in a journal that another run goes on with, and to the workers of a cluster.
    files = [file.absolute() for file in expand_paths(paths, engine)]
    for file in files:
        if file.is_dir() and not is_gridded(file):
            raise ValueError(f"{file} is a store already")
        if not (engine or is_gridded(file)) and file.suffix.lower() not in FORMATS:
            raise ValueError(f"{file}: a store is made of {', '.join(FORMATS)} files, not of {file.suffix!r}")
        if output.resolve() in file.resolve().parents:
            raise ValueError(f"{file} is a part of --output {output}: name the archive more narrowly")
    return files


def _summarise(output: pathlib.Path, index: dict) -> str:
    import numpy as np

    grids = index["grids"]
    frames = sum(grid["shape"][0] for grid in grids)
    size = (output / "index.json").stat().st_size + sum(sum(grid["files"].values()) for grid in grids)
    segments = sum(len(grid["segments"]) for grid in grids)
    total = {name: sum(grid[name] for grid in grids) for name in ("movies", "duplicates", "differing", "clipped")}
    kinds = sorted({f"{np.dtype(grid['dtype'])} ({grid['packing']['kind']})" for grid in grids})
    wet = pixels = 0.0
    for grid in grids:
        found = np.load(output / grid["folder"] / "statistics.npy", mmap_mode="r")
        count = float(np.prod(grid["shape"][1:]))
        wet, pixels = wet + count * found[:, 1].sum(dtype=float), pixels + count * len(found)
    lines = {
        "grids": f"{len(grids)}: " + ", ".join("x".join(map(str, grid["shape"][1:3])) for grid in grids[:5]),
        "frames": f"{frames} in {segments} segments, {segments - total['movies']} gaps",
        "values": f"{', '.join(kinds)}, in {grids[0]['units']}",
        "duplicates": f"{total['duplicates']} left out, {total['differing']} of them with other values",
        "skipped": f"{len(index['skipped'])} files",
        "wet": f"{wet / pixels:.2%} of the pixels, from {index['wet_threshold']:g} {grids[0]['units']} on"
        if index["wet_threshold"] is not None
        else f"not known in {grids[0]['units']}: --wet_threshold tells",
        "size": f"{size / 2**20:,.1f} MB",
        "store": str(output),
    }
    if len(grids) > 5:
        lines["grids"] += " ..."
    if total["clipped"]:
        lines["clipped"] = f"{total['clipped']} values beyond the range of the codes"
    skipped = [f"  {one['file']}: {one['reason']}" for one in index["skipped"][:10]]
    return "\n".join([*(f"{name:12}{text}" for name, text in lines.items()), *skipped])
