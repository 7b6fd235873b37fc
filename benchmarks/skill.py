"""How good the nowcasts of a network are on events that it never saw, beside what one would use otherwise.

    python benchmarks/skill.py --data DIR --output RUNS                    # every event, then the table
    python benchmarks/skill.py --data DIR --output RUNS --events mch_20160711
    python benchmarks/skill.py --data DIR --output RUNS --checkpoint pretrained --events bom_20201031,mch_20160711
    python benchmarks/skill.py --data DIR --output RUNS --train_only --model_name predrnn_v2

For each event a network is trained, by one recipe, on the other events with frames of 5 minutes and 1 km, and verified
on 256 x 256 pixels in the middle of that one: every second frame begins a case. bom_20201031 has frames of 10 minutes
and 0.5 km; it is verified as it is, and as means of 2 x 2 pixels. What is done is kept in RUNS: a run that was stopped
goes on from its last checkpoint, and an event that has its `skill.nc` is not verified again. `--checkpoint` verifies a
model instead of training one. Prints Markdown tables of all events in RUNS, and their mean.

`--train_only` trains and verifies nothing: the networks are RUNS/without_{event}, one also for dwd_dx_20080602, on
which none is trained. `ensembles.py --checkpoint RUNS/without_{event}` draws members around them.

Without pysteps its two methods are left out.
"""

import argparse
import importlib.util
import pathlib
import sys
import time

import numpy as np
import xarray as xr

from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train

# 5 minutes, 1 km; the network in the package is trained on the first three.
TRAINED = ("knmi_20100826", "fmi_20160928", "fmi_20170509", "mch_20160711")
COARSE = "bom_20201031_1km"
EVENTS = (*TRAINED, "bom_20201031", COARSE)
LEFT_OUT = (*TRAINED, "dwd_dx_20080602")  # what `ensembles.py` scores
MINUTES = (10, 30, 60)
SIDE = 17  # pixels: window of the FSS
FINE = (4.0, 32.0)  # pixels: wavelengths of which the power is compared
# One recipe for all events; no number in it was chosen by event.
RECIPE = (
    "--units mm/h --scaling_range 5,100 --num_hidden 32,32 --filter_size 3 --patch_size 4 "
    "--crop 128 --input_length 4 --total_length 16 --coordinates moving --residual 1 --scales 6 --matching 1 "
    "--augment 1 --importance 0.2 --batch_size 4 --lr 2e-3 --optimizer adamw --weight_decay 0.05 "
    "--split time --valid_fraction 0.15 --test_fraction 0 --reverse_scheduled_sampling 0 --scheduled_sampling 0"
).split()
MODEL, ITERATIONS = "conv_lstm", 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, metavar="DIR", help="holds the event files")
    add("--output", type=pathlib.Path, required=True, metavar="RUNS", help="networks and scores, kept between runs")
    add("--events", default="", metavar="NAME,NAME", help="only these, and those that RUNS holds already")
    add("--checkpoint", default="", metavar="FILE|DIR", help="verify this model, which is not trained on the events")
    add("--iterations", type=int, default=ITERATIONS, metavar="N", help=f"of each training (default {ITERATIONS})")
    add("--model_name", default=MODEL, metavar="NAME", help="which network is trained (default %(default)s)")
    add("--train_only", action="store_true", help="verify nothing, see above")
    options = parser.parse_args()
    if options.train_only and options.checkpoint:
        parser.error("--train_only trains networks: no --checkpoint")
    known = LEFT_OUT if options.train_only else EVENTS
    chosen = [name for name in options.events.split(",") if name] or known
    for name in chosen:
        if name not in known:
            parser.error(f"event {name!r} is not one of {', '.join(known)}")
        start = time.perf_counter()
        if options.train_only:
            train_without(name, options)
            continue
        model = options.checkpoint or train_without(name, options)
        trained = time.perf_counter()
        verify(name, model, options)
        ended = time.perf_counter()
        print(f"{name}: training {trained - start:.0f} s, verification {ended - trained:.0f} s", file=sys.stderr)
    found = {name: options.output / name / "skill" / "skill.nc" for name in EVENTS}
    if not options.train_only:
        print(make_tables({name: path for name, path in found.items() if path.exists()}))


def train_without(event: str, options) -> pathlib.Path:
    """The run that is trained on all events but this one, resumed where it is not finished."""
    others = [name for name in TRAINED if name != event]
    folder = options.output / ("without_" + event.removesuffix("_1km"))
    return train_on(others, options.data, folder, options.iterations, options.model_name)


def train_on(events, data: pathlib.Path, folder: pathlib.Path, iterations: int, model: str = MODEL) -> pathlib.Path:
    """A run of the recipe on some events."""
    paths = ",".join(str(data / f"{name}.nc") for name in events)
    limits = ["--model_name", model, "--max_iterations", iterations]
    run(train, *RECIPE, *limits, "--train_data_paths", paths, "--save_dir", folder, "--resume")
    return folder


def verify(event: str, model, options) -> None:
    """Scores of the model and of the baselines on an event, unless they are there."""
    folder = options.output / event / "skill"
    if (folder / "skill.nc").exists():
        return
    source = options.data / f"{event}.nc"
    if event == COARSE:
        source = coarsen(options.data / "bom_20201031.nc", options.output / f"{COARSE}.nc")
    names = ["persistence", "extrapolation"]
    names += ["pysteps_lk", "pysteps_sprog"] if importlib.util.find_spec("pysteps") else []
    flags = "--units mm/h --crop 256 --crop_mode centre --window_stride 2 --thresholds 1,5".split()
    flags += ["--windows", SIDE, "--num_steps", 60 // find_step(source), "--baselines", ",".join(names)]
    run(evaluate, "--checkpoint", model, "--data_path", source, *flags, "--output", folder)


def run(command, *arguments) -> None:
    """A command of predjax; ends the program where it fails."""
    code = command([str(argument) for argument in arguments])
    if code:
        sys.exit(code)


def find_step(path: pathlib.Path) -> int:
    """Minutes between two frames of a file."""
    with xr.open_dataset(path) as data:
        return round(float(np.diff(data.time.values[:2])[0] / np.timedelta64(1, "m")))


def coarsen(source: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    """Means of 2 x 2 pixels of rain rates."""
    if not target.exists():
        with xr.open_dataset(source) as data:
            means = data[["rainrate"]].coarsen(y=2, x=2).mean(keep_attrs=True)
            if "crs" in data:
                means["crs"] = data.crs
            means.to_netcdf(target)
    return target


SCORES = {
    "CSI at 1 mm/h": lambda data: data.csi.sel(threshold=1.0),
    "CSI at 5 mm/h": lambda data: data.csi.sel(threshold=5.0),
    f"FSS at 1 mm/h, {SIDE} pixels": lambda data: data.fss.sel(threshold=1.0, window=SIDE),
    "MAE, mm/h": lambda data: data.mae,
    f"power at {FINE[0]:g} to {FINE[1]:g} pixels, of the observed": lambda data: find_power(data),
}


def find_power(data: xr.Dataset) -> xr.DataArray:
    """Forecast over observed power of the fine wavelengths, (method, lead time): below 1 is blurred."""
    wavelength = 256 / data.wavenumber
    fine = (wavelength >= FINE[0]) & (wavelength <= FINE[1])
    rings = data.wavenumber  # a mean over a ring stands for as many waves as it is long
    return (data.rapsd_forecast * rings).where(fine).sum("wavenumber") / (data.rapsd_observed * rings).where(fine).sum(
        "wavenumber"
    )


def make_tables(paths: dict[str, pathlib.Path]) -> str:
    """A Markdown table for each score: after 10 / 30 / 60 minutes, a row an event and a column a method, and the mean.

    The network has the interval of the 95 % bootstrap, where there is one. In the mean every event counts once, and the
    coarse frames of one that is there already do not.
    """
    if not paths:
        return "no event is verified yet"
    common = {name: xr.load_dataset(path) for name, path in paths.items()}
    whole = {name: xr.load_dataset(path, group="whole_domain") for name, path in paths.items()}
    for name, data in whole.items():
        labels = ("method", "lead_time", "threshold", "window", "wavenumber")
        whole[name] = data.assign_coords({label: common[name][label] for label in labels})
    lines = []
    for domain, sets in (("the pixels that all methods forecast", common), ("each method's own pixels", whole)):
        for score, choose in SCORES.items():
            methods = next(iter(sets.values())).method.values.tolist()
            lines += ["", f"{score}, on {domain}:", "", f"| event | {' | '.join(methods)} |"]
            lines.append("|---" * (len(methods) + 1) + "|")
            rows = {name: choose(data).sel(lead_time=list(MINUTES)).values for name, data in sets.items()}
            for name, values in rows.items():
                limits = [choose(data) for data in find_limits(sets[name])]
                limits = [limit.sel(lead_time=list(MINUTES)).values[0] for limit in limits]
                lines.append(_row(name, values, limits))
            lines.append(_row("mean", np.mean([rows[name] for name in rows if name != COARSE], 0)))
    return "\n".join(lines).strip()


def find_limits(data: xr.Dataset) -> list[xr.Dataset]:
    """The lower and the upper limits of the scores, by the names of the scores; [] without any."""
    ends = ("_low", "_high")
    if "csi_low" not in data:
        return []
    return [
        data.drop_vars(["csi", "fss", "mae"]).rename({f"{n}{end}": n for n in ("csi", "fss", "mae")}) for end in ends
    ]


def _row(name, values, limits=()) -> str:
    """A row of the table of values (method, lead time); the first method with its limits, where they are others."""
    cells = [[f"{value:.3f}" for value in row] for row in values]
    if limits and np.isfinite(limits).all() and not np.array_equal(*limits):
        cells[0] = [f"{text} [{low:.3f}, {high:.3f}]" for text, low, high in zip(cells[0], *limits)]
    return f"| {name} | {' | '.join(' / '.join(row) for row in cells)} |"


if __name__ == "__main__":
    main()
