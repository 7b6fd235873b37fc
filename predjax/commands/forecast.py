"""`predjax forecast`: make a nowcast from the newest frames of a folder, once or whenever new frames arrive."""

import gc
import os
import pathlib
from collections.abc import Sequence

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.commands.log_lines import TimedLines
from predjax.files import refuse_existing
from predjax.flags import Command, Group, from_dict, select
from predjax.jobs.options import ForecastFiles, ForecastOptions, RunFlags
from predjax.jobs.watch_options import WatchOptions
from predjax.messages import SIGNAL_CODES, catch_signals, report_error, show_wait
from predjax.nowcasts.config import EnsembleOptions
from predjax.radar.areas.config import AreaOptions
from predjax.radar.config import FEED_OPTIONS, DataConfig, Trust
from predjax.radar.isolation.process import start_early

END_SECONDS = 2.0  # after a signal, whatever is under way
TOO_OLD = 3  # the exit code where the newest frame is older than --max_age

COMMAND = Command(
    "predjax forecast",
    "Continues the newest frames with a trained model or a baseline.",
    (
        Group("forecast", ForecastOptions),
        Group("forecast", ForecastFiles),
        Group("forecast", RunFlags),
        Group("ensemble", EnsembleOptions),
        Group("areas", AreaOptions),
        Group("watching", WatchOptions),
        Group("reading", DataConfig, FEED_OPTIONS),
        Group("reading", Trust),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    values = run_file.collect(COMMAND, arguments)
    reading = tuple(select(DataConfig, values).items())
    ensemble = EnsembleOptions(**select(EnsembleOptions, values))
    trust = Trust(**select(Trust, values))
    own, on_areas = select(ForecastOptions, values), AreaOptions(**select(AreaOptions, values))
    options = ForecastOptions(**own, ensemble=ensemble, on_areas=on_areas, trust=trust, reading=reading)
    files, watching = ForecastFiles(**select(ForecastFiles, values)), WatchOptions(**select(WatchOptions, values))
    output = pathlib.Path(files.output)
    beside = output.with_suffix(f".{run_file.NAME}")
    if watching.watch == bool(output.suffix == ".nc"):
        kind = "with --watch --output is a folder" if watching.watch else "--output is a .nc file"
        raise ValueError(f"{kind}, not {output}")
    if watching.on_stale and options.max_age is None:
        raise ValueError("on_stale needs max_age, which says when a feed is stale")
    for path in () if watching.watch else (output, beside):
        refuse_existing(path, files.overwrite)

    # Before the HDF5 library starts: without locks, who writes the frames can append to a file while it is read.
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    gc.disable()  # imports leave little garbage, and looking for it takes a tenth of their time
    start_early(trust, str(options.data_path).split(","))
    with show_wait("starting"):
        from predjax.jobs import session
        from predjax.jobs.deadline import end_within
        from predjax.jobs.forecast import FramesTooOldError
        from predjax.jobs.inspect import describe_labels
        from predjax.jobs.once import forecast_once
        from predjax.jobs.watch import watch
        from predjax.radar.movies import Movies, Sources
    gc.enable()

    session.start(RunFlags(**select(RunFlags, values)).device)
    if watching.watch or watching.log_json:
        lines = TimedLines(watching.log_json)
        lines.use()
    if not watching.watch:
        config = from_dict(DataConfig, dict(reading))

        def begin(newest: Movies) -> None:
            if not watching.log_json:
                print(describe_labels(Sources([newest]), 0, config), flush=True)

        try:
            found = forecast_once(options, files, watching, begin)
        except FramesTooOldError as error:
            report_error(error)
            return TOO_OLD
        print(lines.show(found.kind, found.text, found.details) if watching.log_json else found.text)
        run_file.write(beside, run_file.list_changed(COMMAND, values))
        return 0
    with catch_signals() as caught, end_within(END_SECONDS):
        outcomes = watch(options, files, watching, lambda: bool(caught))
        if own := run_file.find_own(output):
            run_file.write(own, run_file.list_changed(COMMAND, values))
        for outcome in outcomes:
            try:
                print(lines.show(outcome.kind, outcome.text, outcome.details), flush=True)
            except BrokenPipeError:
                raise
            except OSError:  # the disk of the log may be full for the moment
                continue
    return SIGNAL_CODES[caught[0]]
