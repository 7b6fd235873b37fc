"""`predjax analyse`: the fixed points of a trained model of a series, and pictures of dynamics."""

import pathlib
from collections.abc import Sequence

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.files import refuse_existing
from predjax.flags import Command, Group, select
from predjax.jobs.options import AnalyseOptions, RunFlags, SearchOptions
from predjax.radar.config import DataConfig

COMMAND = Command(
    "predjax analyse",
    "Finds the fixed points of a trained model of a series, and draws its dynamics.",
    (
        Group("model and output", AnalyseOptions),
        Group("model and output", RunFlags),
        Group("search", SearchOptions),
        Group("data", DataConfig),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    values = run_file.collect(COMMAND, arguments)
    reading = tuple(select(DataConfig, values).items())
    options = AnalyseOptions(**select(AnalyseOptions, values), reading=reading)
    search = SearchOptions(**select(SearchOptions, values))
    own = run_file.find_own(options.output) if options.output else None
    for path in (own, options.gallery and pathlib.Path(options.gallery)):
        if path:
            refuse_existing(path, options.overwrite)
    from predjax.jobs import session
    from predjax.jobs.analyse import analyse, describe, describe_gallery, draw_gallery

    session.start(RunFlags(**select(RunFlags, values)).device)
    if options.gallery:
        print(f"{describe_gallery(draw_gallery(options, search))}\ngallery {options.gallery}")
    if options.checkpoint:
        print(describe(analyse(options, search)))
        if options.output:
            print(f"folder  {pathlib.Path(options.output)}")
        if own:
            run_file.write(own, run_file.list_changed(COMMAND, values))
    return 0
