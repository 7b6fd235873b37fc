"""How good hourly totals of rain on areas are: persistence, extrapolation, stochastic_scales and STEPS.

    python benchmarks/areas.py --data DIR --cache FOLDER --every 2

The areas are the squares of 16 x 16 pixels of the 256 x 256 pixels in the middle of each event. Events, cases and the
cache of forecasts are those of `ensembles.py`: four frames are observed, ensembles have 24 members, and a run that was
stopped goes on. Totals are scored as by `predjax evaluate --areas`, on the pixels that all methods forecast: a total
counts where these are 90 % of its square. STEPS means the better of `pysteps_steps` and `pysteps_steps_auto` by the
CRPS of each event.

Prints Markdown tables: the scores of all totals of the events of 5 minutes, with the differences to STEPS and their
95 % intervals by a bootstrap of events; and the scores of each event. bom_20201031 (10 minutes, 0.5 km) stands alone,
with its own `--every_alongside`.
"""

import argparse
import functools
import pathlib
from collections.abc import Iterator

import numpy as np
import xarray as xr
from ensemble_cases import ALONGSIDE, EVENTS, SIDE, Case, Summing, find_cases, keep_forecast, keep_sums
from ensemble_results import STEPS
from ensemble_scores import Fields
from ensembles import forecast_by
from tqdm import tqdm

from predjax.radar.areas.files import Area, Areas
from predjax.radar.areas.place import PlacedAreas, place_areas
from predjax.radar.grid import Grid
from predjax.verification.areas import AreaScoring, area_skill, area_statistics
from predjax.verification.bootstrap import bootstrap
from predjax.verification.fields import Scoring
from predjax.verification.sums import add_statistics

SQUARE = 16  # pixels
LEAST = 0.9  # of a square has to be forecast by all methods
TOTALS = (1.0, 2.0, 5.0)  # mm
SINGLE = ("persistence", "extrapolation", "stochastic_scales")
METHODS = (*SINGLE, "STEPS")

Sums = dict[str, xr.Dataset]  # by method


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, metavar="DIR", help="holds the event files")
    add("--cache", type=pathlib.Path, required=True, metavar="FOLDER", help="forecasts, kept between runs")
    add("--events", default=",".join((*EVENTS, *ALONGSIDE)), metavar="NAMES", help="default: all")
    add("--every", type=int, default=1, metavar="N", help="take every N-th case only")
    add("--every_alongside", type=int, default=1, metavar="N", help=f"the same of {', '.join(ALONGSIDE)}")
    options = parser.parse_args()
    events = options.events.split(",")
    for name in events:
        if name not in EVENTS | ALONGSIDE:
            parser.error(f"event {name!r} is not one of {', '.join(EVENTS | ALONGSIDE)}")
    found = {event: measure(event, options) for event in events}
    together = {event: sums for event, (sums, _) in found.items() if event in EVENTS}
    if together:
        print("\n".join(compare(together)), "\n")
    print("\n".join(describe_events(found)))


def measure(event: str, options: argparse.Namespace) -> tuple[Sums, int]:
    """Return the sums of each method of the totals of an event, and the number of its cases."""
    every = options.every if event in EVENTS else options.every_alongside
    cases, squares = list(find_cases(event, options.data, every)), place_squares()
    sums: Sums = {}
    for case in tqdm(cases, desc=event, disable=None):
        for name, one in sum_case(case, options.cache, squares):
            sums[name] = add_statistics(sums[name], one) if name in sums else one
    better = min(STEPS, key=lambda name: float(area_skill(sums[name]).areal_crps[0]))
    print(f"{event}: STEPS is {better}", flush=True)
    return {name: sums[name] for name in SINGLE} | {"STEPS": sums[better]}, len(cases)


def sum_case(case: Case, cache: pathlib.Path, squares: PlacedAreas) -> Iterator[tuple[str, xr.Dataset]]:
    """Give each method, and the sums of its totals of the last lead time on the pixels that all methods forecast."""
    forecasts = {
        name: keep_forecast(cache / "forecasts" / name, case, functools.partial(forecast_by, name))
        for name in (*SINGLE, *STEPS)
    }
    domain = np.isfinite(case.future) & np.logical_and.reduce([one.covered for one in forecasts.values()])
    summing = Summing(functools.partial(score_squares, squares), (SQUARE, LEAST, TOTALS))
    for name, forecast in forecasts.items():
        yield name, keep_sums(cache / "areal_sums" / name, case, forecast, domain, summing)["totals"]


def score_squares(squares: PlacedAreas, fields: Fields) -> dict[str, xr.Dataset]:
    """Return the sums of the totals of the last lead time."""
    observed = np.where(fields.domain, fields.observed, np.nan)[None, ..., None]
    scoring = Scoring(units="mm/h", lead_times=fields.scoring.lead_times, areas=AreaScoring(squares, LEAST, TOTALS))
    return {"totals": area_statistics(fields.members[None, ..., None], observed, scoring).isel(lead_time=[-1])}


def place_squares() -> PlacedAreas:
    """Return the squares of SQUARE x SQUARE pixels of a frame of SIDE x SIDE."""
    unit = SQUARE * np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) - 0.5
    corners = [(x, y) for y in range(0, SIDE, SQUARE) for x in range(0, SIDE, SQUARE)]
    areas = Areas("squares", [Area(f"{x},{y}", [[unit + np.array([x, y])]]) for x, y in corners], "")
    y, x = (xr.Variable(name, np.arange(float(SIDE))) for name in "yx")
    return place_areas(areas, Grid((SIDE, SIDE), y, x, "", {}))


def compare(events: dict[str, Sums]) -> Iterator[str]:
    """Give the table of all totals together; the blocks of the bootstrap are the events."""
    stacked = {name: xr.concat([sums[name] for sums in events.values()], "block") for name in METHODS}
    found = bootstrap(stacked, area_skill, reference="STEPS", names=["areal_bias", "areal_crps", "areal_brier"])
    scores = {name: area_skill(one.sum("block")) for name, one in stacked.items()}
    heads = [f"Brier, {total:g} mm" for total in TOTALS]
    yield f"| | bias | CRPS, mm | {' | '.join(heads)} |"
    yield "|---" * (len(heads) + 3) + "|"
    for name in METHODS:
        one, intervals = scores[name].isel(lead_time=0), found.sel({"method": name}).isel(lead_time=0)
        cells = [f"{float(one.areal_bias):.2f} [{intervals.areal_bias_low:.2f}, {intervals.areal_bias_high:.2f}]"]
        cells.append(_show(one, intervals, "areal_crps"))
        for total in TOTALS:
            cells.append(_show(one.sel(areal_threshold=total), intervals.sel(areal_threshold=total), "areal_brier"))
        yield f"| {name} | {' | '.join(cells)} |"


def _show(scores: xr.Dataset, intervals: xr.Dataset, name: str) -> str:
    """Return a score, and its difference to that of STEPS with the interval and the verdict."""
    verdict = str(intervals[f"{name}_verdict"].item())
    if verdict == "reference":
        return f"{float(scores[name]):.3f}"
    difference, low, high = (float(intervals[f"{name}_difference{end}"]) for end in ("", "_low", "_high"))
    return f"{float(scores[name]):.3f}; {difference:+.3f} [{low:+.3f}, {high:+.3f}] {verdict}"


def describe_events(found: dict[str, tuple[Sums, int]]) -> Iterator[str]:
    """Give the table of the events: scores of METHODS, one after the other."""
    least = " / ".join(f"{total:g}" for total in TOTALS)
    yield f"| | cases | totals | of them ≥ {least} mm | bias | CRPS, mm | Brier, {TOTALS[0]:g} mm |"
    yield "|---|---|---|---|---|---|---|"
    for event, (sums, cases) in found.items():
        scores = [area_skill(sums[name]).isel(lead_time=0) for name in METHODS]
        events = " / ".join(f"{int(number)}" for number in scores[0].areal_events)
        bias = " / ".join(f"{float(one.areal_bias):.2f}" for one in scores)
        crps = " / ".join(f"{float(one.areal_crps):.3f}" for one in scores)
        brier = " / ".join(f"{float(one.areal_brier[0]):.3f}" for one in scores)
        yield f"| {event} | {cases} | {int(scores[0].areal_totals)} | {events} | {bias} | {crps} | {brier} |"


if __name__ == "__main__":
    main()
