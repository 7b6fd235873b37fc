"""How good the extrapolation baseline is, event by event, beside pysteps' on the same frames.

    python benchmarks/extrapolation.py --events DIR

DIR holds event files and `reference_scores.json`, the scores of pysteps' Lucas-Kanade extrapolation with the frames
that it saw (crop, init times). The score is the CSI at 1 mm/h over all init times on the pixels that extrapolation,
persistence and the observation have; FMI's reflectivity becomes mm/h by the file's own Z-R. Prints a Markdown table.
"""

import argparse
import json
import pathlib
import time

import numpy as np

from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.persistence import persist
from predjax.radar.readers import read_movies
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics

MINUTES = [10, 30, 60]
CROP, INPUT = 256, 4


def score_event(folder: pathlib.Path, references: dict, name: str) -> tuple[np.ndarray, float]:
    """CSI at 1 mm/h of extrapolation, of pysteps' extrapolation and of persistence, (3, lead time); seconds a case."""
    event = references["events"][name]
    [movies] = read_movies(str(folder / event["file"]), units="mm/h")
    y, x = event["crop_y0_x0"]
    frames = movies.frames.isel(movie=0, y=slice(y, y + CROP), x=slice(x, x + CROP)).values
    cases = np.array(event["start_index"])[:, None] + np.arange(1 - INPUT, event["leads"] + 1)
    leads = [minutes // event["timestep_minutes"] - 1 for minutes in MINUTES]
    observed, future = frames[cases[:, :INPUT]], frames[cases[:, INPUT:]][:, leads]
    start = time.perf_counter()
    forecasts = [extrapolate(observed, event["leads"], units="mm/h")[:, leads], persist(observed, len(leads))]
    seconds = (time.perf_counter() - start) / len(cases)
    known = np.isfinite(forecasts[0]) & np.isfinite(forecasts[1])
    own, still = (
        skill(statistics(np.where(known, f, np.nan), future, Scoring([1.0], lead_times=MINUTES))).csi.values[:, 0]
        for f in forecasts
    )
    reference = references["scores_common_mask"]["extrapolation"][name]["CSI_1"]
    return np.array([own, [reference[str(minutes)] for minutes in MINUTES], still]), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=pathlib.Path, required=True, metavar="DIR")
    folder = parser.parse_args().events
    references = json.loads((folder / "reference_scores.json").read_text())
    rows = {name: score_event(folder, references, name) for name in references["events"]}
    rows["mean"] = np.mean([values for values, _ in rows.values()], 0), np.mean([s for _, s in rows.values()])
    print("| event | extrapolation | pysteps | difference | persistence | s a case |\n|---|---|---|---|---|---|")
    for name, ((own, other, still), seconds) in rows.items():
        cells = [" / ".join(f"{v:.3f}" for v in values) for values in (own, other)]
        difference = " / ".join(f"{v:+.3f}" for v in own - other)
        stays = " / ".join(f"{v:.3f}" for v in still)
        print(f"| {name} | {cells[0]} | {cells[1]} | {difference} | {stays} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
