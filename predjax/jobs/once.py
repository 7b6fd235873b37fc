"""One forecast of a service that a timer starts again and again, with its status and its command for a stopped feed."""

import logging
import pathlib
import time
from collections.abc import Callable

from predjax.jobs.forecast import (
    FramesTooOldError,
    Outcome,
    check_age,
    check_format,
    find_newest,
    open_forecasting,
    show_time,
    write_nowcast,
)
from predjax.jobs.options import ForecastFiles, ForecastOptions
from predjax.jobs.staleness import FRESH, STALE, Hook
from predjax.jobs.status import Status, read_date, read_stale
from predjax.jobs.watch_options import WatchOptions
from predjax.messages import describe_error, one_line
from predjax.radar.movies import Movies

LOG = logging.getLogger("predjax")


def forecast_once(
    options: ForecastOptions,
    files: ForecastFiles,
    service: WatchOptions,
    begin: Callable[[Movies], object] = lambda movies: None,
) -> Outcome:
    """Forecast from the newest frames into one file; before that, call `begin` with the movies of the newest frame.

    `service.status` gets the state, `made` or `failed`, and whether the feed is stale, so that the next process knows
    whether `service.on_stale` has been run.

    Errors: see `jobs.forecast.forecast`; FramesTooOldError.
    """
    check_format(files.format)
    before, status, hook = read_stale(service.status), Status(service.status, read_date()), Hook(service.on_stale)
    forecasting, newest, state, stale = None, None, "failed", before
    try:
        forecasting = open_forecasting(options)
        newest = find_newest(forecasting)
        stale = options.max_age is not None
        check_age(newest, options.max_age)
        stale = False
        begin(forecasting.feed.find(newest))
        outcome = write_nowcast(forecasting, newest, pathlib.Path(files.output), files)
        status.note_nowcast(outcome.details, read_date())
        state = "made"
        return outcome
    except FramesTooOldError:
        raise
    except Exception as error:
        status.count_error("frame", one_line(describe_error(error)), read_date())
        raise
    finally:
        if bool(before) != bool(stale):
            shown = "none" if newest is None else show_time(newest)
            errors = [hook.run(STALE if stale else FRESH, shown), *hook.wait()]
            for text in filter(None, errors):
                LOG.warning("%s", text)
        found = {"state": state, "stale": stale, "files_left_out": len(forecasting.feed.errors) if forecasting else 0}
        status.write(found, newest, read_date(), time.monotonic())
