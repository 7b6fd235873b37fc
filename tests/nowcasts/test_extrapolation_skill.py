"""Extrapolation on real events against the scores that pysteps' Lucas-Kanade extrapolation has on the same frames.

Frames and init times are those of the reference: the central 256 x 256 pixels, every sixth init time from the fourth
frame on, rain rates in mm/h. The domain is common to extrapolation, persistence and the observation.
"""

import json

import numpy as np
import pytest

from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.persistence import persist
from predjax.radar.readers import read_movies
from predjax.verification.scores import skill, statistics

EVENTS = ["knmi_20100826", "fmi_20160928", "fmi_20170509", "bom_20201031", "mch_20160711"]
MINUTES = [10, 30, 60]
CROP = 256


@pytest.fixture(scope="module")
def references(shared):
    return json.loads((shared / "radar" / "reference_scores.json").read_text())


def score(folder, references, name):
    """CSI at 1 mm/h of extrapolation, of pysteps' extrapolation and of persistence: (3, lead time)."""
    event = references["events"][name]
    [movies] = read_movies(str(folder / event["file"]), units="mm/h")
    y, x = event["crop_y0_x0"]
    frames = movies.frames.isel(movie=0, y=slice(y, y + CROP), x=slice(x, x + CROP)).values
    cases = np.array(event["start_index"])[:, None] + np.arange(-3, event["leads"] + 1)
    leads = [minutes // event["timestep_minutes"] - 1 for minutes in MINUTES]
    observed, future = frames[cases[:, :4]], frames[cases[:, 4:]][:, leads]
    forecasts = [extrapolate(observed, event["leads"], units="mm/h")[:, leads], persist(observed, len(leads))]
    known = np.isfinite(forecasts[0]) & np.isfinite(forecasts[1])
    own, still = (
        skill(statistics(np.where(known, f, np.nan), future, [1.0], lead_times=MINUTES)).csi.values[:, 0]
        for f in forecasts
    )
    reference = references["scores_common_mask"]["extrapolation"][name]["CSI_1"]
    return np.array([own, [reference[str(minutes)] for minutes in MINUTES], still])


def describe(scores):
    """One line an event: CSI of (extrapolation, pysteps, persistence) by lead time."""
    return "\n".join(f"{name}: {np.round(values, 4).tolist()}" for name, values in scores.items())


def test_an_event_with_much_motion(shared, references):
    values = score(shared / "radar", references, "mch_20160711")
    assert (values[0] > values[1] - 0.01).all(), describe({"mch_20160711": values})
    assert (values[0] > values[2] + 0.2).all(), describe({"mch_20160711": values})


@pytest.mark.ci
def test_the_mean_over_events_is_that_of_pysteps_or_better(shared, references):
    scores = {name: score(shared / "radar", references, name) for name in EVENTS}
    own, reference, still = np.mean(list(scores.values()), axis=0)
    assert (own >= reference - 0.01).all(), describe(scores)
    assert (own > still + 0.1).all(), describe(scores)
    for name, values in scores.items():
        assert (values[0] >= values[1] - 0.02).all(), f"{name} is far below\n{describe(scores)}"
