"""`predjax prepare`: convert an archive of any size to one store that is fast to train on."""

from collections.abc import Sequence

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.flags import Command, Group, select
from predjax.jobs.options import PrepareOptions, RunFlags
from predjax.radar.config import READING, DataConfig

COMMAND = Command(
    "predjax prepare",
    "Turns an archive of netCDF files, radar composites, Zarr stores or arrays into one store, a folder that every "
    "--data_path takes. When it is killed, the same command goes on where it was.",
    (
        Group("store", PrepareOptions),
        Group("store", RunFlags, ("config",)),
        Group("reading", DataConfig, tuple(name for name in READING if name != "path_length")),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    values = run_file.collect(COMMAND, arguments)
    reading = tuple(select(DataConfig, values).items())
    options = PrepareOptions(**select(PrepareOptions, values), reading=reading)
    from predjax.jobs.prepare import prepare, summarise

    store = prepare(options, lambda folder: print(f"going on with {folder}", flush=True))
    run_file.write(store.folder / run_file.NAME, run_file.list_changed(COMMAND, values))
    print(summarise(store))
    return 0
