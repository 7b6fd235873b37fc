"""`predjax prepare`: an archive of any size in; one store that trains fast out."""

import pathlib
import shutil
from collections.abc import Iterable

import predjax
from predjax.commands import Parser, one_line_errors
from predjax.flags import add_flags, typed
from predjax.radar.config import DataConfig

BLOCK_BYTES = 2**25  # of the float32 values of a block; the memory that it takes is a few times that
READING = ("layout", "variable", "units", "forcings")


def _parser() -> Parser:
    parser = Parser(
        prog="predjax prepare",
        description="Turns an archive of netCDF, .npy or .npz files into one store, a folder that every --data_path "
        "takes. When it is killed, the same command goes on where it was.",
    )
    add = parser.add_argument_group("store").add_argument
    add("--data_path", required=True, metavar="PATHS", help="files, folders, globs; commas between them")
    add("--output", required=True, metavar="STORE", help="folder to make")
    add("--overwrite", action="store_true", help="replace a store, or start one anew that is not finished")
    add(
        "--dtype",
        choices=("auto", "uint8", "uint16", "float32"),
        default="auto",
        help="auto keeps the integers of the files where they have one meaning, else dBZ and mm/h become uint16 (by "
        "0.005 dB; by 0.001 mm/h up to 20, by 0.01 up to 220), and the rest float32 (default auto)",
    )
    add("--wet_threshold", type=float, metavar="X", help="a pixel is wet from X on (default 0.1 mm/h or 10 dBZ)")
    add("--on_bad_file", choices=("stop", "skip"), default="stop", help="what to do about damaged files (default stop)")
    add_flags(parser, DataConfig, "reading", READING)
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the command. Errors: see `one_line_errors`."""
    options = _parser().parse_args(arguments)
    config = DataConfig(**typed(DataConfig, options))
    if config.forcings:
        raise ValueError(f"--forcings {','.join(config.forcings)}: a store keeps frames only; train from the archive")
    output = pathlib.Path(options.output).absolute()
    _refuse_output(output, options.overwrite)

    from predjax.radar.archive import scan_archive
    from predjax.radar.store_writer import Journal

    files = _find_files(options.data_path, output)
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
        sources, bad = scan_archive(files, config, options.on_bad_file == "skip")
        index = _write_grids(journal, sources, bad, options)
        journal.finish(output, index)
    print(_summarise(output, index))
    return 0


def _refuse_output(output: pathlib.Path, overwrite: bool) -> None:
    from predjax.radar.store import is_store

    if not output.exists():
        return
    if not is_store(output):
        raise ValueError(f"{output} exists and is no store of predjax: choose another --output")
    if not overwrite:
        raise FileExistsError(f"{output} exists; --overwrite replaces it")


def _find_files(paths: str, output: pathlib.Path) -> list[pathlib.Path]:
    from predjax.radar.archive import FORMATS
    from predjax.radar.readers import expand_paths

    files = expand_paths(paths)
    for file in files:
        if file.is_dir():
            raise ValueError(f"{file} is a store already")
        if file.suffix.lower() not in FORMATS:
            raise ValueError(f"{file}: a store is made of {', '.join(FORMATS)} files, not of {file.suffix!r}")
        if output.resolve() in file.resolve().parents:
            raise ValueError(f"{file} is a part of --output {output}: name the archive more narrowly")
    return files


def _write_grids(journal, sources, bad, options) -> dict:
    """Writes all grids; the index of the store."""
    from tqdm import tqdm

    from predjax.radar.store import FORMAT, VERSION
    from predjax.radar.store_statistics import STATISTICS, WET_THRESHOLDS

    units = sources[0].open()["frames"].attrs["units"]
    threshold = WET_THRESHOLDS.get(units) if options.wet_threshold is None else options.wet_threshold
    with tqdm(total=sum(source.frames for source in sources), unit="frame", desc="frames", disable=None) as bar:
        grids = [_write_grid(journal, number, source, threshold, options, bar) for number, source in enumerate(sources)]
    for line in (line for number in sorted(journal.blocks) for line in journal.blocks[number]):
        bad = [*bad, *map(tuple, line["bad"])]
    grids = [grid for grid in grids if grid]
    if not grids:
        raise ValueError(f"no frame can be read: {bad[0][1]}")
    return {
        "format": FORMAT,
        "version": VERSION,
        "predjax": predjax.__version__,
        "wet_threshold": threshold,
        "statistics": STATISTICS,
        "skipped": [{"file": file, "reason": reason} for file, reason in _first_of_each(bad).items()],
        "grids": grids,
    }


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _write_grid(journal, number: int, source, threshold, options, bar) -> dict | None:
    """Writes what the journal does not have yet of one grid; its entry of the index, or None without a frame."""
    from predjax.radar.blocks import open_reader, read_block
    from predjax.radar.store_statistics import measure_frames
    from predjax.radar.store_writer import GrowingArray

    folder, skip = journal.store / f"grid_{number}", options.on_bad_file == "skip"
    lines = journal.blocks.get(number, [])
    read, rows = (lines[-1]["read"], lines[-1]["rows"]) if lines else (0, 0)
    folder.mkdir(exist_ok=True)
    reader = open_reader(source, options.dtype)
    times = source.joined.movies["time"].values.ravel().view("int64") if _has_times(source) else None
    arrays = [GrowingArray(folder / "frames.npy", reader.packing.dtype, source.shape[2:], rows)]
    arrays += [GrowingArray(folder / "statistics.npy", "<f4", (3,), rows)]
    if times is not None:
        arrays += [GrowingArray(folder / "times.npy", "<i8", (), rows)]
    size = max(1, BLOCK_BYTES // (4 * source.shape[2] * source.shape[3] * source.shape[4]))
    bar.update(read)
    while read < source.frames:
        stop = min(read + size, source.frames)
        record = {"grid": number, "read": stop, "rows": rows, "differing": 0, "clipped": 0}
        try:
            block = read_block(reader, read, stop, skip)
        except ValueError as error:
            if not skip or source.divisible:
                raise
            # Movies of one file have one length: all of them, or none.
            file = source.open().attrs["files"][0]
            journal.add(record | {"read": source.frames, "rows": 0, "bad": [(file, " ".join(str(error).split()))]})
            rows, read = 0, source.frames
            break
        columns = [block.numbers, measure_frames(block.values, threshold)]
        if times is not None:
            columns.append(times[block.kept])
        for array, column in zip(arrays, columns):
            array.append(column)
        read, rows = stop, rows + len(block.kept)
        journal.add(record | {"rows": rows, "differing": block.differing, "clipped": block.clipped, "bad": block.bad})
        bar.update(len(block.kept))
        if source.mapped:
            reader = open_reader(source, options.dtype)
    if rows == 0:
        for array in arrays:
            array.close()
        shutil.rmtree(folder)
        return None
    return _finish_grid(journal, number, source, reader, arrays, rows)


def _has_times(source) -> bool:
    from predjax.radar.movies import has_times

    return source.joined is not None and has_times(source.joined.movies)


def _finish_grid(journal, number: int, source, reader, arrays, rows: int) -> dict:
    """Closes the arrays; the entry of the index, checked by reading it."""
    import numpy as np

    from predjax.radar.movies import check_movies, has_times
    from predjax.radar.store import describe_movies, read_grid
    from predjax.radar.store_writer import write_values
    from predjax.radar.windows import find_periods

    folder, lines = journal.store / f"grid_{number}", journal.blocks[number]
    files = {array.path.name: array.finish() for array in arrays}
    if reader.packing.table is not None:
        files["values.npy"] = write_values(folder / "values.npy", reader.packing.table)
    entry = {
        "folder": folder.name,
        "files": files,
        "shape": [rows, *source.shape[2:]],
        "dtype": reader.packing.dtype,
        "movies": source.shape[0],
        "packing": reader.packing.description,
        **describe_movies(source.open()),
        "duplicates": len(source.joined.spare_times) if source.joined else 0,
        **{name: sum(line[name] for line in lines) for name in ("differing", "clipped")},
    }
    movies = check_movies(read_grid(journal.store, entry))
    times = np.datetime_as_string(movies["time"].values, unit="s") if has_times(movies) else None
    entry["step_seconds"] = movies.attrs.get("step_seconds")
    entry["segments"] = [
        [
            p.movie,
            p.start,
            p.stop,
            *([None] * 2 if times is None else [str(times[p.movie, i]) for i in (p.start, p.stop - 1)]),
        ]
        for p in find_periods([movies])
    ]
    return entry


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
