"""Forecasts of single cases as files: CF netCDF, arrays, strips and animations; and the files of a verification."""

import pathlib
import tempfile
from collections.abc import Callable, Mapping

import numpy as np
from tqdm import tqdm

from predjax import __version__
from predjax.files import appearing
from predjax.jobs.data import spread
from predjax.nowcasts.forecast import Forecast, find_init, to_forecast
from predjax.pictures.animation import write_gif
from predjax.pictures.curves import draw_skill
from predjax.pictures.maps import draw_strip
from predjax.pictures.panels import label_forecast
from predjax.pictures.responses import draw_responses
from predjax.pictures.series import SeriesLabels, draw_series, encode_series
from predjax.radar.movies import is_series
from predjax.radar.windows.batches import read_windows
from predjax.radar.writers import write_forecast
from predjax.verification.cases import Cases, find_baseline
from predjax.verification.skill import write_skill
from predjax.verification.table import format_table
from predjax.verification.totals import Verification


def report(verification: Verification, folder=None, overwrite: bool = False) -> str:
    """The table of a verification; with a folder also skill.nc, skill.json and skill.png in it."""
    if folder:
        write_skill(folder, verification.common, overwrite, whole=verification.whole)
        draw_skill(pathlib.Path(folder) / "skill.png", verification.common, overwrite=overwrite)
    methods = verification.common.method.values.tolist()
    return format_table(verification.common, reference=find_baseline(methods) or "")


def write_page(path, verification: Verification, methods, cases: Cases, facts, warnings, overwrite: bool) -> None:
    """The report of a verification as one HTML file, with pictures of the best, the median and the worst case."""
    from predjax.pictures.report.write import Report, ReportCase, write_report

    common = verification.common
    chosen, order = [], np.argsort(verification.errors)
    order = order[np.isfinite(verification.errors[order])]
    for label, place in (("median", len(order) // 2), ("best", 0), ("worst", -1)) if len(order) else ():
        number = int(order[place])
        name, picture = show_case(methods, cases, cases.windows[number])
        unit = "" if cases.units == "1" else f" {cases.units}"
        note = f"RMSE {verification.errors[number]:.3g}{unit} over all lead times"
        chosen.append(ReportCase(f"{label} case", name, note, picture))
    described = {
        key: str(common.attrs[key]) for key in ("data", "cases", "movies", "blocks", "floor") if key in common.attrs
    }
    facts = {**facts, **described, "units": cases.units, "events": str(common.attrs["event_rule"])}
    title, ensembles = f"Skill of {', '.join(methods)}", verification.ensembles
    page = Report(title, facts, warnings, common, verification.whole, chosen, ensembles)
    write_report(path, page, overwrite=overwrite)


def export(
    methods: Mapping[str, Callable], cases: Cases, folder, origin: str, count: int, overwrite: bool, layout: str = "cf"
) -> str:
    """Files of at most `count` windows, evenly spread; returns a line that tells what was written.

    `nowcast_<init time>.nc` (CF netCDF) and `.npy` `(T, H, W, C)` hold the first method's, `.png` and `.gif` show all
    of them beside the observation; of a vector series there is no `.gif`, but a `_response.png` of what forcings do to
    it where they pair with its features. `origin` names the checkpoint, for the history; `layout` "pysteps" names
    the variables as pysteps reads them.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cases = cases._replace(windows=spread(cases.windows, count))
    for window in tqdm(cases.windows, desc="exporting", unit="case", disable=None, leave=False):
        observed, frames, forecast = forecast_case(methods, cases, window, origin)
        stem = folder / f"nowcast_{name_case(forecast, window, cases)}"
        write_forecast(stem.with_suffix(".nc"), forecast, overwrite=overwrite, layout=layout)
        with appearing(stem.with_suffix(".npy"), overwrite=overwrite) as path, path.open("wb") as file:
            np.save(file, next(iter(frames.values())), allow_pickle=False)
        if is_series(cases.sources[window.source]):
            labels = _describe_lines(forecast, cases)
            draw_series(stem.with_suffix(".png"), *_lines(observed, frames, cases), labels, overwrite=overwrite)
            response = stem.with_name(f"{stem.name}_response.png")
            _draw_response(response, observed, frames, forecast, cases, window, overwrite)
            continue
        shown = label_forecast(forecast, cases.units, cases.input_length)
        movies = observed[: cases.input_length, ..., 0], _rows(observed, frames, cases)
        draw_strip(stem.with_suffix(".png"), movies[1], shown, observed_input=movies[0], overwrite=overwrite)
        write_gif(stem.with_suffix(".gif"), *movies, shown, overwrite=overwrite)
    return f"{len(cases.windows)} nowcasts in {folder}"


def forecast_case(methods, cases: Cases, window, origin: str = "") -> tuple[np.ndarray, dict, Forecast]:
    """Observed frames `(T, H, W, C)` of a window, those of each method, and the first method's as a Forecast."""
    batch = read_windows(cases.sources, [window], cases.length, cases.crop)
    frames = {name: run(batch)[0] for name, run in methods.items()}
    method = next(iter(frames))
    text = f"predjax {__version__}" + (f", {origin}" if origin else "")
    movies = cases.sources[window.source]
    return batch.frames[0], frames, to_forecast(frames[method], movies, window, cases.input_length, method, text)


def show_case(methods, cases: Cases, window) -> tuple[str, bytes]:
    """The name of a case and its picture: the bytes of an animation, of a vector series those of a PNG."""
    observed, frames, forecast = forecast_case(methods, cases, window)
    name = name_case(forecast, window, cases)
    if is_series(cases.sources[window.source]):
        return name, encode_series(*_lines(observed, frames, cases), _describe_lines(forecast, cases))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "case.gif"
        labels = label_forecast(forecast, cases.units, cases.input_length)
        write_gif(path, observed[: cases.input_length, ..., 0], _rows(observed, frames, cases), labels)
        return name, path.read_bytes()


def name_case(forecast: Forecast, window, cases: Cases) -> str:
    """`20201031T0700Z`, with what else is needed to tell the windows apart."""
    init = forecast["init_time"].values
    is_time = np.issubdtype(init.dtype, np.datetime64)
    if is_time:
        text = str(np.datetime_as_string(init, "m")).replace("-", "").replace(":", "") + "Z"
    else:
        text = f"frame{int(init) + (not cases.input_length):05d}"  # of the first frame where none is observed
    same = [w for w in cases.windows if w != window and _init(w, cases) == _init(window, cases)]
    if same or not is_time:
        text += f"_movie{window.movie:04d}"
    if any(w.source != window.source for w in same):
        text += f"_source{window.source:03d}"
    if any((w.y, w.x) != (window.y, window.x) for w in same):
        text += f"_y{window.y:04d}x{window.x:04d}"
    return text


def _init(window, cases):
    return find_init(cases.sources[window.source], window, cases.input_length)


def _rows(observed, frames, cases) -> dict[str, np.ndarray]:
    """The first channel of the observation and of each method; of an ensemble the mean."""
    shown = {name: (values.mean(0) if values.ndim == 5 else values)[..., 0] for name, values in frames.items()}
    return {"observed": observed[cases.input_length :, ..., 0], **shown}


def _lines(observed, frames, cases) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Observed input `(T_in, F)` and what follows `(T, F)`, observed and by each method; of an ensemble the mean."""
    methods = {name: (values.mean(0) if values.ndim == 5 else values)[:, 0, 0] for name, values in frames.items()}
    observed = observed[:, 0, 0]
    return observed[: cases.input_length], {"observed": observed[cases.input_length :], **methods}


def _draw_response(path, observed, frames, forecast, cases, window, overwrite) -> None:
    """Each feature of a sequence against the forcing of the same number, where they pair."""
    forcings = read_windows(cases.sources, [window], cases.length, cases.crop).forcings
    shown = _describe_lines(forecast, cases)
    if cases.input_length or forcings is None or forcings.ndim != 3 or forcings.shape[-1] != len(shown.features):
        return
    names = [str(name) for name in cases.sources[window.source]["forcing"].values]
    draw_responses(path, forcings[0], _lines(observed, frames, cases)[1], names, shown, overwrite=overwrite)


def _describe_lines(forecast: Forecast, cases: Cases) -> SeriesLabels:
    leads = forecast["lead_time"]
    features = [str(name) for name in forecast["channel"].values]
    title = str(forecast.attrs.get("title", ""))
    return SeriesLabels(features, leads.values.tolist(), leads.attrs["units"], cases.units, title)
