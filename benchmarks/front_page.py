"""The picture of the front page: an event that the network never saw, as it came and as it was forecast, and the skill.

    python benchmarks/front_page.py --data DIR --runs RUNS --output docs/nowcast.png

RUNS is what `benchmarks/skill.py` made for `--event`: the network of all other events, and its `skill.nc`. The case is
the first one whose newest observed frame is of `--start` or later.
"""

import argparse
import pathlib

import numpy as np
import xarray as xr

import predjax
from predjax.nowcasts.extrapolation import extrapolate
from predjax.pictures.colours import choose_scale
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.ground import find_ground
from predjax.pictures.lead_times import draw_lead_panel, make_panel, name_event, name_lead_unit, style_methods
from predjax.pictures.panels import (
    FAINT,
    describe_grid,
    draw_colour_bar,
    draw_frame,
    label_lead_times,
    mark_sides,
    place_axes,
    place_text,
)

DPI = 140
MAP, GAP = 190, 8  # pixels: a map, and between two
LEFT, TOP = 80, 78  # of the first map
CURVES, CURVE = 80, 260  # from the maps to the curves, and how wide these are
LEADS = (10, 30, 60)  # minutes
SIZE = 256  # pixels in the middle, as they are verified


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, metavar="DIR", help="holds the event file")
    add("--runs", type=pathlib.Path, required=True, metavar="RUNS", help="what benchmarks/skill.py made")
    add("--event", default="fmi_20160928", metavar="NAME", help="(default fmi_20160928)")
    add("--start", default="2016-09-28T16:00", metavar="TIME", help="of the newest frame that the forecast has seen")
    add("--credit", default="Finnish Meteorological Institute, CC BY 4.0", metavar="TEXT", help="whose data they are")
    add("--output", type=pathlib.Path, required=True, metavar="FILE.png", help="picture to write")
    options = parser.parse_args()
    data, run = options.data / f"{options.event}.nc", options.runs / f"without_{options.event}"
    observed, network, extrapolated, movies = forecast_case(data, run, np.datetime64(options.start, "ns"))
    rows = {"observed": observed, predjax.load_model(run).forecaster.config.model_name: network}
    rows["extrapolation"] = extrapolated
    with xr.open_dataset(options.runs / options.event / "skill" / "skill.nc") as skill:
        note = f"{options.start.replace('T', ' ')} UTC. {options.credit}. Coastlines: Natural Earth"
        draw(options.output, rows, skill.load(), movies, note)


def forecast_case(data, run, start):
    """Observed, forecast and extrapolated frames (4, H, W) at start and LEADS, and their movies from start on."""
    movies = predjax.read_movies(data, units="mm/h")[0]
    frames, times = movies.frames, movies.frames["time"].values
    times = times[0] if times.ndim > 1 else times
    model = predjax.load_model(run)
    length = model.forecaster.config.input_length
    init = int(np.searchsorted(times, start))
    step = round(float((times[1] - times[0]) / np.timedelta64(1, "m")))
    if not length <= init + 1 <= len(times) - LEADS[-1] // step:
        raise SystemExit(f"--start {start}: {data} has no case there, only from {times[0]} to {times[-1]}")
    height, width = frames.shape[2:4]
    rows, columns = (slice((size - SIZE) // 2, (size - SIZE) // 2 + SIZE) for size in (height, width))
    whole = np.asarray(frames[0, :, rows, columns], np.float32)
    seen = whole[None, init + 1 - length : init + 1]
    steps = [minutes // step for minutes in LEADS]
    network = predjax.make_nowcast(model.forecaster, model.params)(seen, steps[-1])[0]
    extrapolated = extrapolate(seen, steps[-1], units="mm/h")[0]
    later = [n - 1 for n in steps]
    found = [whole[[init, *(init + n for n in steps)]]]
    found += [np.concatenate([whole[init : init + 1], frames[later]]) for frames in (network, extrapolated)]
    return *(frames[..., 0] for frames in found), movies.isel(y=rows, x=columns, time=slice(init, None))


def draw(path, rows, skill, movies, note) -> None:
    """The maps of every row at their lead times, the CSI of two rain rates at the right."""
    grid = describe_grid(movies["x"].values, movies["y"].values, "m")._replace(ground=find_ground(movies))
    scale = choose_scale("mm/h", list(rows.values()))
    times = [movies["time"].values[0, 0] + np.timedelta64(lead, "m") for lead in (0, *LEADS)]
    heads = [f"{head}, {str(time)[11:16]} UTC" for head, time in zip(label_lead_times([0, *LEADS]), times)]
    maps_width, maps_height = (1 + len(LEADS)) * (MAP + GAP), len(rows) * (MAP + GAP)
    figure = new_figure(LEFT + maps_width + CURVES + CURVE + 20, TOP + maps_height + 150, DPI)
    place_text(figure, figure.bbox.width / 2, 12, "Rain that the network has never seen, and its forecast", size=11,
               ha="center", va="top", weight="bold")  # fmt: skip
    for number, (name, frames) in enumerate(rows.items()):
        top = TOP + number * (MAP + GAP)
        style = {"size": 8.5, "rotation": 90, "ha": "center", "va": "center"}
        place_text(figure, 22, top + MAP / 2, name, **style)
        for column, (frame, head) in enumerate(zip(frames, heads)):
            left = LEFT + column * (MAP + GAP)
            axes = place_axes(figure, left, top, MAP, MAP)
            draw_frame(axes, frame, scale, grid)
            if number == 0:
                place_text(figure, left + MAP / 2, top - 6, head, size=8, ha="center", va="bottom")
            if number == len(rows) - 1 and column == 0:
                mark_sides(axes, grid)
    draw_colour_bar(figure, scale, TOP + maps_height + 25, True)
    place_text(figure, LEFT, 44, note, size=7, color=FAINT)

    styles = style_methods(skill["method"].values)
    left, gap = LEFT + maps_width + CURVES, 90
    height = (maps_height - gap) / 2
    for number, threshold in enumerate(skill["threshold"].values):
        panel = make_panel(skill.sel(threshold=threshold), "csi", "")
        axes = place_axes(figure, left, TOP + number * (height + gap), CURVE, height)
        draw_lead_panel(axes, panel._replace(low=None, high=None), styles)
        axes.set_title(f"CSI, {name_event(skill, threshold)}", fontsize=8.5)
        axes.set_xlabel(f"lead time ({name_lead_unit(skill)})", fontsize=7.5, color=FAINT)
    axes.legend(fontsize=7, frameon=False, loc="upper right", labelcolor="#222222")
    save_png(figure, path, overwrite=True)


if __name__ == "__main__":
    main()
