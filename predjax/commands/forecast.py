"""`predjax forecast`: the newest frames of a folder in, a nowcast out; once, or whenever new frames arrive."""

import datetime
import logging
import pathlib
import signal
import time

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.flags import Parser, add_flags, parse_finite, typed
from predjax.messages import SIGNAL_CODES, show_wait
from predjax.radar.config import FEED_OPTIONS, DataConfig

LOG = logging.getLogger("predjax")


def make_parser() -> Parser:
    parser = Parser(prog="predjax forecast", description="Continues the newest frames with a trained model.")
    add = parser.add_argument_group("forecast").add_argument
    add("--checkpoint", required=True, metavar="FILE|DIR", help="a checkpoint, or a run's folder")
    add("--data_path", required=True, metavar="PATHS", help="files, folders, globs in which frames arrive")
    add("--output", required=True, metavar="FILE.nc|DIR", help="netCDF file to write; with --watch a folder for many")
    add(
        "--lead_time",
        type=parse_finite,
        metavar="MINUTES",
        help="to forecast, a multiple of the time step (default: --num_steps)",
    )
    add("--num_steps", type=int, metavar="FRAMES", help="to forecast (default: as trained)")
    add(
        "--max_age",
        type=parse_finite,
        metavar="MINUTES",
        help="refuses newest frames that are older (default: takes any)",
    )
    add("--any_step", action="store_true", help="takes another time step or pixel size than in training")
    add("--format", default="cf", choices=("cf", "pysteps"), help="names in the netCDF (default cf)")
    add("--per_lead", action="store_true", help="also a file for each lead time, as MET reads them")
    add("--pictures", action="store_true", help="also a strip of maps (.png) and an animation (.gif)")
    run_file.add_config(add)
    add("--overwrite", action="store_true", help="existing files may be replaced")
    add("--device", default="auto", metavar="NAME", help="cpu or cuda (default auto: what is there)")
    add = parser.add_argument_group("watching").add_argument
    add("--watch", action="store_true", help="keeps running: a nowcast for every frame that arrives from now on")
    add(
        "--poll", type=parse_finite, default=2.0, metavar="SECONDS", help="between two looks for new frames (default 2)"
    )
    add_flags(parser, DataConfig, "reading", FEED_OPTIONS)
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the command. Errors: see `one_line_errors`."""
    parser = make_parser()
    options = run_file.parse(parser, arguments)
    if options.watch and options.poll <= 0:
        raise ValueError(f"poll must be a positive number of seconds, not {options.poll:g}")
    output = pathlib.Path(options.output)
    if options.watch == bool(output.suffix == ".nc"):
        kind = "with --watch --output is a folder" if options.watch else "--output is a .nc file"
        raise ValueError(f"{kind}, not {output}")
    own = output.with_suffix(f".{run_file.NAME}")  # beside the one file
    for path in () if options.watch or options.overwrite else (output, own):
        if path.exists():
            raise FileExistsError(f"{path} exists; --overwrite replaces it")

    with show_wait("starting"):
        from predjax.jobs import session
        from predjax.nowcasts.model import load_model
        from predjax.nowcasts.newest import make_forecaster, open_feed

    session.start(options.device)
    model = load_model(options.checkpoint)
    run = make_forecaster(model, options.any_step)
    feed = open_feed(options.data_path, model.record, **typed(DataConfig, options))
    if options.watch:
        if path := run_file.find_own(output):
            run_file.write(path, run_file.describe(parser, options))
        return _watch(options, feed, run, output)
    feed.scan()
    if not feed.times():
        raise ValueError(next(iter(feed.errors.values()), f"{options.data_path}: there is no frame"))
    print(_nowcast(options, feed, run, feed.times()[-1], output))
    run_file.write(own, run_file.describe(parser, options))
    return 0


def _nowcast(options, feed, run, init, path: pathlib.Path) -> str:
    """Forecasts from one init time and writes it; a line that tells what was written."""
    from predjax.radar.writers import write_forecast

    begin = time.perf_counter()
    _check_age(init, options.max_age)
    with show_wait("forecasting"):
        forecast = run(feed, init, options.lead_time, options.num_steps)
    parts = {path: forecast}
    if options.per_lead:
        leads = forecast["lead_time"]
        digits = len(str(leads.values[-1]))
        for i, lead in enumerate(leads.values):
            name = path.with_name(f"{path.stem}_{lead:0{digits}d}{path.suffix}")
            parts[name] = forecast.isel(lead_time=slice(i, i + 1))
    for name, part in reversed(parts.items()):  # the whole one last: where it is, all are
        write_forecast(name, part, overwrite=options.overwrite, layout=options.format)
    if options.pictures:
        with show_wait("drawing"):
            _draw(path, forecast, feed, init, options.overwrite)
    seconds = time.perf_counter() - begin
    comment = f"; {forecast.attrs['comment']}" if "comment" in forecast.attrs else ""
    return f"{path}: {forecast.sizes['lead_time']} frames after {_shown(init)} in {seconds:.1f} s{comment}"


def _check_age(init, max_age: float | None) -> None:
    import numpy as np

    if max_age is None:
        return
    if not isinstance(init, np.datetime64):
        raise ValueError("max_age needs frames with times")
    now = np.datetime64(datetime.datetime.now(datetime.UTC).replace(tzinfo=None), "ns")
    age = (now - init) / np.timedelta64(60, "s")
    if age > max_age:
        raise ValueError(f"the newest frame is of {_shown(init)}, {age:.1f} min old: max_age is {max_age:g}")


def _shown(init) -> str:
    return str(init).partition(".")[0]


def _watch(options, feed, run, folder: pathlib.Path) -> int:
    """A nowcast for every new frame until a signal comes; one line each, also where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    caught = []
    before = {number: signal.signal(number, lambda number, frame: caught.append(number)) for number in SIGNAL_CODES}
    done, first, said = set(), True, None
    try:
        while not caught:
            try:
                feed.scan()
            except OSError as error:  # nothing there yet, or for a moment
                said = _say_once(str(error), said)
            new = [init for init in feed.times() if init not in done]
            for init in new[-1:] if first else new:
                if caught:
                    break
                _try(options, feed, run, init, folder)
            first = first and not new
            done.update(new)
            _sleep(options.poll, caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return SIGNAL_CODES[caught[0]]


def _try(options, feed, run, init, folder: pathlib.Path) -> None:
    stamp = "".join(c for c in _shown(init) if c not in "-:")
    path = folder / f"nowcast_{stamp}Z.nc"
    if path.exists() and not options.overwrite:
        print(f"{path} is there already", flush=True)
        return
    try:
        print(_nowcast(options, feed, run, init, path), flush=True)
    except (ValueError, OSError) as error:
        print(f"no nowcast from {_shown(init)}: {' '.join(str(error).split())}", flush=True)


def _say_once(text: str, said: str | None) -> str:
    if text != said:
        print(text, flush=True)
    return text


def _sleep(seconds: float, caught: list) -> None:
    end = time.monotonic() + seconds
    while not caught and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))


def _draw(path: pathlib.Path, forecast, feed, init, overwrite: bool) -> None:
    """A strip of maps and an animation, after the last observed frame."""
    from predjax.pictures.animation import write_gif
    from predjax.pictures.maps import draw_strip
    from predjax.pictures.panels import label_forecast

    name = next(iter(forecast.data_vars))
    frames = forecast[name]
    if "realization" in frames.dims:
        frames = frames.mean("realization")
    observed = feed.take(init, 1, feed.find_step(init) or 1.0, None)[0]["frames"].values[0, ..., 0]
    labels = label_forecast(forecast, forecast[name].attrs["units"], input_length=1)
    rows = {"forecast": frames.values[..., 0]}
    draw_strip(path.with_suffix(".png"), rows, labels, observed_input=observed, overwrite=overwrite)
    write_gif(path.with_suffix(".gif"), observed, rows, labels, overwrite=overwrite)
