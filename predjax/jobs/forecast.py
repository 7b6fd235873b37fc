"""Forecast from the newest frames, and write the forecast."""

import logging
import pathlib
import tempfile
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import xarray as xr

from predjax.files import refuse_existing, true_write_errors
from predjax.flags import select
from predjax.jobs.areas import AreaForecasting, draw_areas, name_pictures, name_tables
from predjax.jobs.options import ForecastFiles, ForecastOptions, read_keywords
from predjax.jobs.staleness import Staleness, find_age
from predjax.jobs.status import read_date
from predjax.jobs.train_options import describe_paths
from predjax.messages import one_line_messages, show_wait
from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.forecast import Forecast
from predjax.nowcasts.interpolation import interpolate
from predjax.nowcasts.newest import NewestNowcast, continue_newest
from predjax.nowcasts.nowcaster import find_nowcaster
from predjax.nowcasts.products import make_products
from predjax.radar.config import FEED_OPTIONS, Trust
from predjax.radar.feed import Feed
from predjax.radar.formats.objects import holds_paths
from predjax.radar.geotiff import require_rasterio, write_geotiffs
from predjax.radar.isolation.pool import open_reader
from predjax.radar.step import Step
from predjax.radar.writers import write_forecast

LOG = logging.getLogger("predjax")


class Forecasting(NamedTuple):
    """A feed of frames, and the nowcast that continues them, with the options of the forecast."""

    options: ForecastOptions
    feed: Feed
    nowcast: NewestNowcast
    input_length: int  # observed frames
    areas: AreaForecasting | None = None

    def run(self, init: Any, scratch: BinaryIO) -> tuple[Forecast, xr.Dataset | None]:
        """Forecast from one init time; return the forecast and the rain on areas, if areas were asked for.

        Several members are in the scratch file, and read when they are used.
        """
        found = self.nowcast(self.feed, init, self.options.lead_time, self.options.num_steps, scratch)
        rain = self.areas.find(found) if self.areas else None
        return make_products(found, self.options.ensemble), rain


class Outcome(NamedTuple):
    """The result of a look at the newest frames, told in a line of text."""

    text: str
    kind: str = "made"
    details: Mapping[str, Any] = MappingProxyType({})


class FramesTooOldError(ValueError):
    """The newest frame is older than `max_age`."""


@one_line_messages()
def forecast(checkpoint: Any, data: Any, *, init_time: Any = None, **options: Any) -> Forecast:
    """Return the forecast of a trained model or a baseline from the newest frames of `data`.

    Args:
      checkpoint: a file, or a run's folder, or the name of a baseline.
      data: files, folders and globs, as text or a list; or a Dataset or DataArray of frames (time, y, x), in which
        names and labels are found as in netCDF files; or Movies.
      init_time: the time of the last observed frame (UTC), or its number where frames have no times, instead of the
        newest.
      options: fields of `jobs.options.ForecastOptions`, such as `lead_time` in minutes, of
        `nowcasts.config.EnsembleOptions`, such as `members`, of `radar.config.Trust` (unless `trust_files`, files are
        read by a process of their own, with limits of time and memory), and of `read_movies`, where it is not as in
        training: `variable`, `units`, `layout`, `path_length`, `time_pattern`, `step`.

    Returns:
      One variable (lead_time, y, x, channel) with the coordinates and attributes of the data; several members have
      `realization` before them, and may have products (see `nowcasts.products.make_products`). The attribute `comment`
      names a frame that was missing and made from its neighbours, and says where the frames are training data.

    Raises:
      ValueError, OSError: one line: frames missing or older than `max_age`, another unit, grid or step, a lead time
        between two steps, members that the model does not have.
    """
    if "areas" in options:
        raise ValueError("areas are no option of a forecast: predjax.find_rain_on_areas(forecast, areas) sums its rain")
    if "data_path" in options:
        raise ValueError("forecast has no data_path: give the data as its second argument, data")
    classes = (ForecastOptions, EnsembleOptions, Trust)
    keywords = {name: value for one in classes for name, value in select(one, options).items()}
    own, ensemble, trust = read_keywords("forecast", classes, keywords)
    reading = tuple((name, value) for name, value in options.items() if name not in keywords)
    chosen = ForecastOptions(
        checkpoint, data, **own, ensemble=EnsembleOptions(**ensemble), trust=Trust(**trust), reading=reading
    )
    forecasting = open_forecasting(chosen)
    init = find_newest(forecasting)
    check_age(init, chosen.max_age)
    if init_time is not None:
        wanted = init_time.removesuffix("Z") if isinstance(init_time, str) else init_time  # all dates are in UTC
        init, newest = np.datetime64(wanted, "ns") if isinstance(init, np.datetime64) else init_time, init
        if init not in forecasting.feed.times():
            raise ValueError(f"init_time {init}: there is no frame of that time, the newest is of {newest}")
    with tempfile.TemporaryFile() as scratch:
        return forecasting.run(init, scratch)[0].load()


def open_forecasting(options: ForecastOptions, stopped: Callable[[], bool] = lambda: False) -> Forecasting:
    """Find the nowcast and open the feed; frames are read as in training, unless the options say otherwise.

    While `stopped` is true, the feed reads nothing and raises `radar.isolation.reader.Stopped`.

    Raises:
      ValueError, OSError: the model cannot forecast from frames alone, or an option is not one of reading a feed.
    """
    unknown = next((name for name, _ in options.reading if name not in FEED_OPTIONS), None)
    if unknown:
        raise ValueError(f"{unknown!r} is no option of reading frames; there are {', '.join(FEED_OPTIONS)}")
    reader = open_reader(options.trust, stopped)
    if reader and holds_paths(options.data_path):
        reader.start()  # it imports what it needs meanwhile
    nowcaster = find_nowcaster(options.checkpoint, options.ensemble)
    nowcast = continue_newest(nowcaster, options.any_step)
    known = {name: value for name, value in nowcaster.record.get("config", {}).items() if name in FEED_OPTIONS}
    reading = {**known, **dict(options.reading)}
    if "layout" not in dict(options.reading) and known.get("layout", "auto") != "auto":
        LOG.info("arrays are read with the layout of the training, %s", reading["layout"])
    areas = AreaForecasting(options.on_areas, options.ensemble) if options.on_areas.areas else None
    feed = Feed(options.data_path, reader=reader, **reading)
    return Forecasting(options, feed, nowcast, nowcaster.input_length, areas)


def find_newest(forecasting: Forecasting) -> Any:
    """Scan the feed and return the time of its newest frame, without those dated more than `max_age` minutes ahead.

    Errors: ValueError where there is no frame.
    """
    options, feed = forecasting.options, forecasting.feed
    feed.scan()
    if not feed.times():
        raise ValueError(next(iter(feed.errors.values()), f"{describe_paths(options.data_path)}: there is no frame"))
    newest = Staleness(options.max_age).find_newest(feed.times(), read_date())
    if newest is None:
        rule = f"every frame is dated more than {options.max_age:g} min ahead"
        raise ValueError(f"{describe_paths(options.data_path)}: {rule}, the first one {show_time(feed.times()[0])}")
    return newest


def write_nowcast(
    forecasting: Forecasting,
    init: Any,
    path: pathlib.Path,
    files: ForecastFiles,
    begin: Callable[[list[str]], object] = lambda names: None,
) -> Outcome:
    """Forecast from one init time and write the files.

    `begin` gets the names of the files before the first one is written, and those of GeoTIFFs when they are written.

    Errors: see `forecast`; FileExistsError; OSError with the system's reason where they cannot be written.
    """
    start = time.perf_counter()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent) as scratch:
        with show_wait("forecasting"):
            found, rain = forecasting.run(init, scratch)
        parts = _split_leads(path, found) if files.per_lead else {}
        pictures = [path.with_suffix(".png"), path.with_suffix(".gif")] if files.pictures else []
        beside = [] if rain is None else [*name_tables(path), *(name_pictures(path, rain) if files.pictures else [])]
        for one in (written := [*beside, *parts, path, *pictures]):
            refuse_existing(one, files.overwrite)
        begin([one.name for one in written])
        with show_wait("writing"), true_write_errors(path.parent, found.nbytes):
            if forecasting.areas and rain is not None:
                forecasting.areas.write(path, found, rain, files.overwrite)
            tiff = files.format == "geotiff"
            if tiff:
                begin([one.name for one in write_geotiffs(path, found, overwrite=files.overwrite)])
            for name, part in {**parts, path: found}.items():  # the whole one last: where it is, all are
                write_forecast(name, part, overwrite=files.overwrite, layout="cf" if tiff else files.format)
        if files.pictures:
            with show_wait("drawing"):
                _draw(path, found, forecasting, init, files.overwrite)
                if rain is not None:
                    draw_areas(path, rain, files.overwrite)
    seconds = time.perf_counter() - start
    members = f" of {found.sizes['realization']} members" if "realization" in found.dims else ""
    areas = f"; rain on {rain.sizes['area']} areas" if rain is not None else ""
    comment = f"; {found.attrs['comment']}" if "comment" in found.attrs else ""
    what = f"{found.sizes['lead_time']} frames{members} after {show_time(init)}"
    details = {"init_time": show_time(init), "file": str(path), "seconds": round(seconds, 2)}
    return Outcome(f"{path}: {what} in {seconds:.1f} s{areas}{comment}", details=details)


def check_format(name: str) -> None:
    """Raise a ValueError if the libraries that write the format are not installed. Call it before any work."""
    if name == "geotiff":
        require_rasterio()


def _split_leads(path: pathlib.Path, forecast: Forecast) -> dict[pathlib.Path, Forecast]:
    """Return the forecast of each lead time by its file."""
    leads = forecast["lead_time"]
    digits = len(str(leads.values[-1]))
    each = forecast.drop_dims("accumulation_period", errors="ignore")  # it belongs to the whole forecast
    names = [path.with_name(f"{path.stem}_{lead:0{digits}d}{path.suffix}") for lead in leads.values]
    return {name: each.isel(lead_time=slice(i, i + 1)) for i, name in enumerate(names)}


def check_age(init: Any, max_age: float | None) -> None:
    """Raise a FramesTooOldError if a frame is older than `max_age` minutes."""
    if max_age is None:
        return
    if not isinstance(init, np.datetime64):
        raise ValueError("max_age needs frames with times")
    age = find_age(init, read_date())
    if age > max_age:
        raise FramesTooOldError(f"the newest frame is of {show_time(init)}, {age:.1f} min old: max_age is {max_age:g}")


def show_time(init: Any) -> str:
    """Return an init time to the second, or the number of a frame."""
    return str(init).partition(".")[0]


def _draw(path: pathlib.Path, forecast: Forecast, forecasting: Forecasting, init: Any, overwrite: bool) -> None:
    """Draw a strip of maps and an animation, after the last observed frame, with the outlines of areas."""
    from predjax.pictures.nowcast import draw_nowcast

    feed, areas = forecasting.feed, forecasting.areas
    polygons = areas.place(forecast)[1].polygons if areas else []
    outlines = [ring for area in polygons for rings in area for ring in rings]
    observed = feed.take(init, 1, feed.find_step(init) or Step(1.0), interpolate)[0]["frames"].values[0, ..., 0]
    draw_nowcast(path, forecast, observed, outlines=outlines, overwrite=overwrite)
