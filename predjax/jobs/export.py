"""Single cases as files: CF netCDF, arrays, strips, animations and curves."""

import pathlib
import tempfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from predjax import __version__
from predjax.files import appearing
from predjax.jobs.data import spread
from predjax.nowcasts.forecast import Forecast, find_init, to_forecast
from predjax.pictures.animation import write_gif
from predjax.pictures.figures import encode_png, save_png
from predjax.pictures.maps import draw_strip
from predjax.pictures.panels import label_forecast
from predjax.pictures.responses import plot_responses
from predjax.pictures.series import SeriesLabels, plot_series
from predjax.radar.movies import is_series
from predjax.radar.windows.bad_windows import tolerate
from predjax.radar.windows.batches import Batch, read_windows
from predjax.radar.windows.index import Window
from predjax.radar.writers import write_forecast
from predjax.verification.cases import Cases, Method


class Export(NamedTuple):
    """The options of an export of some cases."""

    folder: str | pathlib.Path  # the folder of the files; it is made when it is missing
    origin: str = ""  # the checkpoint, for the history in the files
    most: int = 10  # the greatest number of cases, evenly spread
    overwrite: bool = False
    layout: str = "cf"  # "cf", or "pysteps" for variables named as pysteps reads them


class Case(NamedTuple):
    """A window with the forecasts of all methods."""

    cases: Cases
    window: Window
    observed: np.ndarray  # `(T, H, W, C)`, the input and what followed it
    frames: dict[str, np.ndarray]  # `(T, H, W, C)` by each method; `(E, T, H, W, C)` of an ensemble
    forecast: Forecast  # the frames of the first method with their labels

    @property
    def is_series(self) -> bool:
        return is_series(self.cases.sources[self.window.source])


Frames = Mapping[str, np.ndarray]  # (T, H, W, C) by method


def export(
    methods: Mapping[str, Method], cases: Cases, request: Export, known: Mapping[Window, Frames] = MappingProxyType({})
) -> str:
    """Write files of single cases; return a line about the written files. Forecasts in `known` are not made again.

    `nowcast_<init time>.nc` (CF netCDF) and `.npy` `(T, H, W, C)` hold the frames of the first method; `.png` and
    `.gif` show all methods beside the observation. A vector series has no `.gif`, but a `_response.png` of its features
    against the forcings where they pair. Windows that the scoring has left out as unreadable are left out here, too.
    """
    folder, overwrite = pathlib.Path(request.folder), request.overwrite
    folder.mkdir(parents=True, exist_ok=True)
    cases = cases._replace(windows=[one for one in spread(cases.windows, request.most) if _is_readable(cases, one)])
    for window in tqdm(cases.windows, desc="exporting", unit="case", disable=None, leave=False):
        case = forecast_case(methods, cases, window, request.origin, known.get(window, {}))
        stem = folder / f"nowcast_{name_case(case)}"
        write_forecast(stem.with_suffix(".nc"), case.forecast, overwrite=overwrite, layout=request.layout)
        with appearing(stem.with_suffix(".npy"), overwrite=overwrite) as path, path.open("wb") as file:
            np.save(file, next(iter(case.frames.values())), allow_pickle=False)
        if case.is_series:
            figure = plot_series(*take_lines(case), label_lines(case))
            save_png(figure, stem.with_suffix(".png"), overwrite=overwrite)
            _draw_response(stem.with_name(f"{stem.name}_response.png"), case, overwrite)
            continue
        labels = label_forecast(case.forecast, cases.units, cases.input_length)
        observed, rows = take_maps(case)
        draw_strip(stem.with_suffix(".png"), rows, labels, observed_input=observed, overwrite=overwrite)
        write_gif(stem.with_suffix(".gif"), observed, rows, labels, overwrite=overwrite)
    return f"{len(cases.windows)} nowcasts in {folder}"


def forecast_case(
    methods: Mapping[str, Method],
    cases: Cases,
    window: Window,
    origin: str = "",
    known: Frames = MappingProxyType({}),
) -> Case:
    """Return the forecasts of all methods for one window; those in `known` are not made again.

    `origin` goes into the history of the files.
    """
    batch = read_case(cases, window)
    frames = {name: known[name] if name in known else run(batch)[0] for name, run in methods.items()}
    return label_case(cases, batch, frames, origin)


def read_case(cases: Cases, window: Window) -> Batch:
    """Read the observed frames of one window."""
    return read_windows(cases.sources, [window], cases.length, cases.crop)


def _is_readable(cases: Cases, window: Window) -> bool:
    """Return whether a window can be read; where such windows are errors, reading it is left to the caller."""
    bad = tolerate(cases.on_bad_window)
    if bad:
        read_windows(cases.sources, [window], cases.length, cases.crop, bad)
    return not (bad and bad.count)


def label_case(cases: Cases, batch: Batch, frames: dict[str, np.ndarray], origin: str = "") -> Case:
    """Return a batch of one window as a case, with each method's forecast, `(T, H, W, C)` or `(E, T, H, W, C)`."""
    [window] = batch.windows
    method = next(iter(frames))
    text = f"predjax {__version__}" + (f", {origin}" if origin else "")
    movies = cases.sources[window.source]
    forecast = to_forecast(frames[method], movies, window, cases.input_length, method, text)
    return Case(cases, window, batch.frames[0], frames, forecast)


def encode_case(case: Case) -> bytes:
    """Return the picture of a case: the bytes of a GIF, or of a PNG for a vector series."""
    if case.is_series:
        return encode_png(plot_series(*take_lines(case), label_lines(case)))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "case.gif"
        write_gif(path, *take_maps(case), label_forecast(case.forecast, case.cases.units, case.cases.input_length))
        return path.read_bytes()


def name_case(case: Case) -> str:
    """Return a name such as `20201031T0700Z`, or with seconds, with more parts where windows would have one name."""
    cases, window, init = case.cases, case.window, case.forecast["init_time"].values
    is_time = np.issubdtype(init.dtype, np.datetime64)
    if is_time:
        whole = init == init.astype("datetime64[m]")
        date = np.datetime_as_string(init, "m") if whole else np.datetime_as_string(init, "s")
        text = str(date).replace("-", "").replace(":", "") + "Z"
    else:
        text = f"frame{int(init) + (not cases.input_length):05d}"  # of the first frame where none is observed
    same = [other for other in cases.windows if other != window and _init(other, cases) == _init(window, cases)]
    if same or not is_time:
        text += f"_movie{window.movie:04d}"
    if any(other.source != window.source for other in same):
        text += f"_source{window.source:03d}"
    if any((other.y, other.x) != (window.y, window.x) for other in same):
        text += f"_y{window.y:04d}x{window.x:04d}"
    return text


def take_maps(case: Case) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the first channel of the input `(T_in, H, W)`, and by name the maps `(T, H, W)` that follow it.

    These are the observation and the frames of each method; the mean stands for an ensemble.
    """
    count = case.cases.input_length
    methods = {name: _average(frames)[..., 0] for name, frames in case.frames.items()}
    return case.observed[:count, ..., 0], {"observed": case.observed[count:, ..., 0], **methods}


def take_lines(case: Case) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the features of the input `(T_in, F)`, and by name the series `(T, F)` that follow, as in `take_maps`."""
    count, observed = case.cases.input_length, case.observed[:, 0, 0]
    methods = {name: _average(frames)[:, 0, 0] for name, frames in case.frames.items()}
    return observed[:count], {"observed": observed[count:], **methods}


def label_lines(case: Case) -> SeriesLabels:
    """Return the text for a picture of the lines."""
    leads, features = case.forecast["lead_time"], [str(name) for name in case.forecast["channel"].values]
    title = str(case.forecast.attrs.get("title", ""))
    return SeriesLabels(features, leads.values.tolist(), leads.attrs["units"], case.cases.units, title)


def _draw_response(path: pathlib.Path, case: Case, overwrite: bool) -> None:
    """Draw each feature of a sequence against the forcing of the same number, where they pair."""
    cases, window, labels = case.cases, case.window, label_lines(case)
    forcings = read_case(cases, window).forcings
    if cases.input_length or forcings is None or forcings.ndim != 3 or forcings.shape[-1] != len(labels.features):
        return
    names = [str(name) for name in cases.sources[window.source]["forcing"].values]
    save_png(plot_responses(forcings[0], take_lines(case)[1], names, labels), path, overwrite=overwrite)


def _init(window: Window, cases: Cases) -> Any:
    return find_init(cases.sources[window.source], window, cases.input_length)


def _average(frames: np.ndarray) -> np.ndarray:
    """Return the mean of an ensemble; other frames are unchanged."""
    return frames.mean(0) if frames.ndim == 5 else frames
