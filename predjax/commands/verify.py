"""Nowcasts against observations: from windows to scores of every method, and to files of single cases."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from tqdm import tqdm

from predjax import __version__
from predjax.commands.data import spread
from predjax.files import appearing
from predjax.flags import parse_values
from predjax.nowcasts.forecast import to_forecast
from predjax.pictures.animation import write_gif
from predjax.pictures.curves import draw_skill
from predjax.pictures.maps import draw_strip
from predjax.pictures.panels import label_lead_times
from predjax.radar.batches import prefetch, read_windows
from predjax.radar.movies import Movies
from predjax.radar.windows import Window
from predjax.radar.writers import write_forecast
from predjax.verification.scores import add_statistics, skill, statistics
from predjax.verification.skill import compare, format_table, write_skill

THRESHOLDS = {"mm/h": (0.1, 1.0, 5.0), "dBZ": (10.0, 20.0, 35.0)}
PIXELS_A_BATCH = 2_000_000


class Cases(NamedTuple):
    """What is verified: windows of `input_length` observed and `num_steps` forecast frames.

    `floor`: values below count as the floor, in every forecast and in the observation (no echo in dBZ); None: no floor.
    `data_range`: of [0, 1] data, for SSIM and PSNR; None leaves them out.
    """

    sources: list[Movies]
    windows: list[Window]
    input_length: int
    num_steps: int
    crop: int
    thresholds: tuple[float, ...]
    floor: float | None = None
    data_range: float | None = None

    @property
    def length(self) -> int:
        return self.input_length + self.num_steps

    @property
    def units(self) -> str:
        return self.sources[0].frames.attrs["units"]


def make_cases(sources, windows, config, input_length: int, num_steps: int, crop: int, thresholds: str) -> Cases:
    """Cases with the usual thresholds of the unit unless some are given, and what the model's scaling asks for."""
    chosen = parse_values(float, thresholds or "") or THRESHOLDS.get(sources[0].frames.attrs["units"], (0.5,))
    floor = config.scaling.low if config and config.scaling.kind == "dBZ" else None
    data_range = 1.0 if config and config.scaling.kind == "none" else None
    return Cases(sources, windows, input_length, num_steps, crop, chosen, floor, data_range)


def verify(nowcasts: dict[str, Callable], cases: Cases) -> xr.Dataset:
    """The scores of every nowcast on the same windows, side by side (`verification.skill.compare`)."""
    height, width = (cases.crop,) * 2 if cases.crop else [max(s.sizes[d] for s in cases.sources) for d in ("y", "x")]
    size = int(np.clip(PIXELS_A_BATCH // (height * width * cases.length), 1, 16))
    # A batch holds windows of one source: grids may differ between sources.
    batches = []
    for source in sorted({window.source for window in cases.windows}):
        windows = [window for window in cases.windows if window.source == source]
        batches += [windows[i : i + size] for i in range(0, len(windows), size)]
    totals: dict[str, xr.Dataset] = {}
    labels = _label_leads(cases)
    read = prefetch(lambda i: read_windows(cases.sources, batches[i], cases.length, cases.crop), range(len(batches)))
    for batch in tqdm(read, total=len(batches), desc="verifying", unit="batch", disable=None, leave=False):
        observed = _raise_to(cases.floor, batch.frames[:, cases.input_length :])
        for name, nowcast in nowcasts.items():
            forecast = _raise_to(cases.floor, _run(nowcast, batch, cases))
            new = statistics(forecast, observed, cases.thresholds, data_range=cases.data_range, **labels)
            totals[name] = add_statistics(totals[name], new) if name in totals else new
    comparison = compare({name: skill(total) for name, total in totals.items()})
    comparison.attrs["windows"] = len(cases.windows)
    comparison.attrs["movies"] = len({(window.source, window.movie) for window in cases.windows})
    if cases.floor is not None:
        comparison.attrs["floor"] = f"values below {cases.floor:g} {cases.units} count as {cases.floor:g} in all fields"
    return comparison


def _label_leads(cases: Cases) -> dict:
    """Lead times in minutes where all sources have one step, else in frames; and the unit of the scores."""
    steps = {movies.attrs.get("step_seconds") for movies in cases.sources}
    number = np.arange(1, cases.num_steps + 1)
    labels = {"lead_times": number, "lead_units": "1", "units": cases.units}
    if len(steps) == 1 and None not in steps:
        minutes = number * steps.pop() / 60
        labels |= {"lead_times": minutes.astype(int) if (minutes % 1 == 0).all() else minutes, "lead_units": "minutes"}
    return labels


def _raise_to(floor, frames):
    return frames if floor is None else np.maximum(frames, np.asarray(floor, frames.dtype))


def _run(nowcast, batch, cases):
    observed = batch.frames[:, : cases.input_length]
    forcings = {} if batch.forcings is None else {"forcings": batch.forcings}
    return nowcast(observed, cases.num_steps, **forcings)


def report(comparison: xr.Dataset, folder=None, overwrite: bool = False) -> str:
    """The table of a comparison; with a folder also skill.nc, skill.json and skill.png in it."""
    if folder:
        write_skill(folder, comparison, overwrite)
        draw_skill(pathlib.Path(folder) / "skill.png", comparison, overwrite=overwrite)
    return format_table(comparison)


def refuse_files(folder, patterns: tuple[str, ...], overwrite: bool) -> None:
    """FileExistsError, before hours of work, where a folder holds files that would be written."""
    found = [path for pattern in patterns for path in pathlib.Path(folder).glob(pattern)]
    if found and not overwrite:
        raise FileExistsError(f"{found[0]} exists; choose another folder or --overwrite")


def export(nowcasts: dict[str, Callable], cases: Cases, folder, origin: str, count: int, overwrite: bool) -> str:
    """Files of at most `count` windows, evenly spread; returns a line that tells what was written.

    `nowcast_<init time>.nc` (CF netCDF) and `.npy` `(T, H, W, C)` hold the first nowcast, `.png` and `.gif` show all of
    them beside the observation. `origin` names the checkpoint, for the file's history.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cases = cases._replace(windows=spread(cases.windows, count))
    for window in tqdm(cases.windows, desc="exporting", unit="case", disable=None, leave=False):
        batch = read_windows(cases.sources, [window], cases.length, cases.crop)
        frames = {name: _run(nowcast, batch, cases)[0] for name, nowcast in nowcasts.items()}
        method = next(iter(frames))
        text = f"predjax {__version__}" + (f", {origin}" if origin else "")
        movies = cases.sources[window.source]
        forecast = to_forecast(frames[method], movies, window, cases.input_length, method, text)
        stem = folder / f"nowcast_{_name(forecast, window, cases)}"
        write_forecast(stem.with_suffix(".nc"), forecast, overwrite=overwrite)
        with appearing(stem.with_suffix(".npy"), overwrite=overwrite) as path, path.open("wb") as file:
            np.save(file, frames[method], allow_pickle=False)
        _draw(stem, batch.frames[0], frames, forecast, cases, overwrite)
    return f"{len(cases.windows)} nowcasts in {folder}"


def _name(forecast, window, cases):
    """`20201031T0700Z`, with what else is needed to tell the windows apart."""
    init = forecast["init_time"].values
    is_time = np.issubdtype(init.dtype, np.datetime64)
    text = (
        np.datetime_as_string(init, "m").replace("-", "").replace(":", "") + "Z" if is_time else f"frame{int(init):05d}"
    )
    same = [w for w in cases.windows if w != window and _init(w, cases) == _init(window, cases)]
    if same or not is_time:
        text += f"_movie{window.movie:04d}"
    if any(w.source != window.source for w in same):
        text += f"_source{window.source:03d}"
    if any((w.y, w.x) != (window.y, window.x) for w in same):
        text += f"_y{window.y:04d}x{window.x:04d}"
    return text


def _init(window, cases):
    return cases.sources[window.source]["time"].values[window.movie, window.start + cases.input_length - 1]


def _draw(stem, frames, nowcasts, forecast, cases, overwrite):
    """The first channel of observed and predicted frames as a strip and an animation."""
    leads = forecast["lead_time"]
    step = leads.values[0]
    past = [lead * step for lead in range(1 - cases.input_length, 1)]
    common = {
        "units": cases.units,
        "lead_labels": label_lead_times(leads.values, leads.attrs["units"]),
        "input_labels": label_lead_times(past, leads.attrs["units"]),
        "title": f"{forecast.attrs.get('title', '')}",
        "x": forecast["x"].values,
        "y": forecast["y"].values,
        "xy_units": forecast["x"].attrs.get("units", "1"),
        "overwrite": overwrite,
    }
    observed_input, observed = frames[: cases.input_length, ..., 0], frames[cases.input_length :, ..., 0]
    rows = {"observed": observed, **{name: f[..., 0] for name, f in nowcasts.items()}}
    draw_strip(stem.with_suffix(".png"), rows, observed_input=observed_input, **common)
    write_gif(stem.with_suffix(".gif"), observed_input, rows, **common)
