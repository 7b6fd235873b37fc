"""How good ensembles of members are on events that they were not made from, beside STEPS.

    python benchmarks/ensembles.py --data DIR --cache FOLDER --output FOLDER
    python benchmarks/ensembles.py --data DIR --cache FOLDER --output FOLDER --events mch_20160711 --every 2

Each event is forecast for 60 minutes from four frames, 256 x 256 pixels in the middle; every sixth frame begins a case,
ensembles have 24 members. All scores are on the pixels that all methods forecast, observed and for all members. Events
have 5 minutes and 1 km; bom_20201031, of 10 minutes and 0.5 km, stands beside them and is in no mean. `--checkpoint`
adds members around a network: a file or a folder, in which {event} stands for the event, so that each event can have
the network that did not see it (`skill.py --train_only` trains them).

`--scalars noise=0.9 matching=0.5,rain_spread=0.2` adds variants of stochastic_scales, and the method `chosen`: in each
event that one of them (or stochastic_scales itself) that has the smallest CRPS in the other events.

Every forecast and every case's sums of scores is kept in the cache, so that a run that was stopped goes on, and a
further method does not forecast the others again: about 1.2 GB an ensemble. A method whose code has changed is forecast
again when its folder in `FOLDER/forecasts` is removed.

Prints Markdown tables: the scores of all methods, and the targets of the ensemble of `--judge` against STEPS, which
means the better of `pysteps_steps` and `pysteps_steps_auto` in each event. Writes ensembles.json and ensembles.png.
"""

import argparse
import functools
import json
import pathlib
import sys
from collections.abc import Callable

import numpy as np
import xarray as xr
from ensemble_cases import ALONGSIDE, EVENTS, Case, Summing, find_cases, keep_forecast, keep_sums
from ensemble_picture import draw_ensembles
from ensemble_results import STEPS, Scores, choose_by_others, find_scores, judge
from ensemble_scores import EVENTS as THRESHOLDS
from ensemble_scores import MINUTES, SETTINGS, Sums, add_sums, score_case
from tqdm import tqdm

from predjax.files import appearing
from predjax.models.stochastic_scales import Scalars
from predjax.nowcasts.baselines import BASELINES, Setting
from predjax.nowcasts.ensembles import make_ensemble_nowcast
from predjax.nowcasts.model import load_model, make_nowcast
from predjax.nowcasts.pysteps import Sampling
from predjax.pictures.figures import save_png

METHODS = (*STEPS, "stochastic_scales", "pysteps_sprog", "extrapolation", "persistence")
MEMBERS = 24
WORDS = {True: "yes", False: "no", None: "not to be told"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, metavar="DIR", help="holds the event files")
    add("--cache", type=pathlib.Path, required=True, metavar="FOLDER", help="forecasts and sums, kept between runs")
    add("--output", type=pathlib.Path, required=True, metavar="FOLDER", help="gets ensembles.json and ensembles.png")
    add("--events", default=",".join((*EVENTS, *ALONGSIDE)), metavar="NAMES", help="default: all")
    add("--methods", default=",".join(METHODS), metavar="NAMES", help=f"default: {','.join(METHODS)}")
    add("--checkpoint", default="", metavar="FILE|DIR", help="adds the method `network`; {event} may stand in it")
    add("--every", type=int, default=1, metavar="N", help="take every N-th case only")
    add("--scalars", nargs="*", default=[], metavar="NAME=X,...", help="variants of stochastic_scales, see above")
    add("--judge", default="stochastic_scales", metavar="NAME", help="the method that the targets are for")
    options = parser.parse_args()
    events, methods = options.events.split(","), options.methods.split(",")
    for kind, names, known in (("event", events, EVENTS | ALONGSIDE), ("method", methods, BASELINES)):
        for name in names:
            if name not in known:
                parser.error(f"{kind} {name!r} is not one of {', '.join(known)}")
    for name in (pair.partition("=")[0] for text in options.scalars for pair in text.split(",")):
        if name not in Scalars._fields:
            parser.error(f"number {name!r} is not one of {', '.join(Scalars._fields)}")
    scores, seconds = {}, {}
    for event in events:
        makers = {name: functools.partial(forecast_by, name) for name in methods}
        makers |= {text: functools.partial(forecast_scales, text) for text in options.scalars}
        if options.checkpoint:
            makers["network"] = make_network(options.checkpoint.replace("{event}", event))
        sums, seconds[event] = measure_event(event, makers, options)
        scores[event] = {name: find_scores(one) for name, one in sums.items()}
    if options.scalars:
        chosen = choose_by_others(scores, ["stochastic_scales", *options.scalars], EVENTS)
        print("\n".join(f"chosen for {event} on the other events: {name}" for event, name in chosen.items()), "\n")
        for event, name in chosen.items():
            scores[event]["chosen"], seconds[event]["chosen"] = scores[event][name], seconds[event][name]
    main_events = {event: one for event, one in scores.items() if event in EVENTS}
    judged = main_events and all(options.judge in one for one in main_events.values())
    rows = judge(main_events, options.judge) if judged else []
    print(make_tables(scores, seconds))
    if rows:
        print(f"\n{options.judge}, events {', '.join(main_events)}:\n\n| | target | found | met |\n|---|---|---|---|")
        for row in rows:
            print(f"| {row.what} | {row.target} | {row.found} | {WORDS[row.met]} |")
        save_png(draw_ensembles(main_events, options.judge), options.output / "ensembles.png", overwrite=True)
    write_json(options.output / "ensembles.json", scores, seconds, rows)


def measure_event(
    event: str, makers: dict[str, Callable[[Case], np.ndarray]], options: argparse.Namespace
) -> tuple[dict[str, Sums], dict[str, float]]:
    """Return the sums of each method over the cases of an event, and its median time of a case in seconds."""
    totals: dict[str, Sums] = {}
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for case in tqdm(list(find_cases(event, options.data, options.every)), desc=event, disable=None):
        forecasts = {
            name: keep_forecast(options.cache / "forecasts" / name, case, make) for name, make in makers.items()
        }
        domain = np.isfinite(case.future) & np.logical_and.reduce([one.covered for one in forecasts.values()])
        for name, forecast in forecasts.items():
            summing = Summing(score_case, SETTINGS)
            sums = keep_sums(options.cache / "sums" / name, case, forecast, domain, summing)
            totals[name] = add_sums(totals[name], sums) if name in totals else sums
            seconds[name].append(forecast.seconds)
    return totals, {name: float(np.median(values)) for name, values in seconds.items()}


def forecast_by(name: str, case: Case) -> np.ndarray:
    """Return the forecast of a baseline: (E, T, H, W) or (T, H, W)."""
    setting = Setting("mm/h", members=MEMBERS, sampling=Sampling(case.pixel_km, case.step_minutes))
    return BASELINES[name].make(setting)(case.observed[None, ..., None], len(case.future))[0, ..., 0]


def forecast_scales(text: str, case: Case) -> np.ndarray:
    """Return the forecast of stochastic scales with other numbers, such as "matching=0.5,noise=0.9"."""
    changes = {}
    for pair in text.split(","):
        name, _, value = pair.partition("=")
        usual = getattr(Scalars(), name)
        changes[name] = (float(value),) * len(usual) if isinstance(usual, tuple) else float(value)
    nowcast = make_ensemble_nowcast("mm/h", MEMBERS, scalars=Scalars()._replace(**changes))
    return nowcast(case.observed[None, ..., None], len(case.future))[0, ..., 0]


def make_network(path: str) -> Callable[[Case], np.ndarray]:
    """Return the forecast of the members that are drawn by or around a trained network."""
    model = load_model(path)
    nowcast = make_nowcast(model.forecaster, model.params, members=MEMBERS)
    return lambda case: nowcast(case.observed[None, ..., None], len(case.future))[0, ..., 0]


def make_tables(scores: Scores, seconds: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table of every event: a row a method; after MINUTES where there are three numbers."""
    columns = {
        "CRPS": lambda one: [float(one.crps.mean())],
        "CRPS after 10 / 30 / 60 min": lambda one: _pick(one.crps),
        "areas": lambda one: [float(one.crps_area.mean())],
        "hour, mm": lambda one: [float(one.crps_accumulation)],
        "spread over error": lambda one: _pick(one.spread_ratio),
        "RMSE of the mean": lambda one: _pick(one.rmse),
        "MAE of the median": lambda one: _pick(one.mae_median),
        "power": lambda one: _pick(one.power),
    }
    for threshold in THRESHOLDS:
        columns[f"CSI {threshold:g}"] = lambda one, t=threshold: _pick(one.csi_matched.sel(threshold=t))
    lines = []
    for event, by_method in scores.items():
        shares = next(iter(by_method.values())).pixels
        lines += ["", f"{event}; pixels after 10 / 30 / 60 min {' / '.join(f'{n:.0f}' for n in _pick(shares))}:", ""]
        lines += [f"| | {' | '.join(columns)} | s a case |", "|---" * (len(columns) + 2) + "|"]
        for name, one in by_method.items():
            cells = [" / ".join(f"{value:.3f}" for value in choose(one)) for choose in columns.values()]
            lines.append(f"| {name} | {' | '.join(cells)} | {seconds[event][name]:.1f} |")
    return "\n".join(lines).strip()


def _pick(values: xr.DataArray) -> list[float]:
    return values.sel(lead_time=list(MINUTES)).values.tolist()


def write_json(path: pathlib.Path, scores: Scores, seconds: dict, rows: list) -> None:
    """Write all scores, where NaN becomes null, the times and the targets."""
    content = {
        "scores": {
            event: {
                name: {key: _without_nan(values.values.tolist()) for key, values in one.data_vars.items()}
                for name, one in by_method.items()
            }
            for event, by_method in scores.items()
        },
        "seconds": seconds,
        "targets": [row._asdict() for row in rows],
    }
    with appearing(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _without_nan(value: list | float) -> list | float | None:
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return value if np.isfinite(value) else None


if __name__ == "__main__":
    sys.exit(main())
