"""FSS, ETS and HSS of persistence on real events against the scores that pysteps computed for the same frames.

pysteps pads the field with dry pixels and counts missing ones as dry; both rules are made here, by a helper of the
test, to compare the numbers. predjax takes only windows inside the field, and fractions of the valid pixels: its FSS
is another number, and where nothing is missing it is that of pysteps without the windows that reach over the edge.
"""

import json

import netCDF4
import numpy as np
import pytest

from predjax.nowcasts.persistence import persist
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.spatial import fss_skill, fss_statistics

# The others are as many frames again that say nothing else.
EVENTS = [
    pytest.param("knmi_20100826", marks=pytest.mark.slow),
    "fmi_20160928",
    pytest.param("fmi_20170509", marks=pytest.mark.slow),
    pytest.param("bom_20201031", marks=pytest.mark.slow),
    "mch_20160711",
]
THRESHOLDS = {"0.1": 0.1, "1": 1.0, "5": 5.0}
FSS_THRESHOLD, WINDOWS, CROP = 1.0, (5, 17), 256


@pytest.fixture(scope="module")
def references(shared):
    return json.loads((shared / "radar" / "reference_scores.json").read_text())


def read_cases(folder, event):
    """(forecast, observed) of persistence, (case, T, H, W, 1), in mm/h and float64 from the packed integers."""
    y, x = event["crop_y0_x0"]
    with NETCDF_LOCK, netCDF4.Dataset(folder / event["file"]) as file:
        variable = file["rainrate" if "rainrate" in file.variables else "reflectivity"]
        variable.set_auto_maskandscale(False)
        packed = variable[:, y : y + CROP, x : x + CROP]
        values = packed * variable.scale_factor + variable.add_offset
        if variable.units == "dBZ":
            values = (10 ** (values / 10) / variable.zr_a) ** (1 / variable.zr_b)
        values[packed == variable._FillValue] = np.nan
    cases = np.array(event["start_index"])[:, None] + np.arange(-3, event["leads"] + 1)
    frames = values[cases][..., None]
    return persist(frames[:, :4], event["leads"]), frames[:, 4:]


def sum_windows(events, window, edge):
    """Events in the window around each pixel of (..., H, W), with `edge` dry pixels around the field."""
    padding = [(0, 0)] * (events.ndim - 2) + [(edge + 1, edge)] * 2
    areas = np.pad(events, padding).cumsum(-1).cumsum(-2)
    rows = areas[..., window:, :] - areas[..., :-window, :]
    return (rows[..., window:] - rows[..., :-window]).astype(np.float64)


def fss_of_padded_fields(forecast, observed, window, edge):
    """By lead time, sums pooled over cases; a pixel missing in either is dry in both."""
    valid = np.isfinite(forecast) & np.isfinite(observed)
    found = []
    for lead in range(forecast.shape[1]):
        difference = squares = 0.0
        for case in range(forecast.shape[0]):  # a case at a time: little memory
            f, o = (
                sum_windows(valid[case, lead, ..., 0] & (v[case, lead, ..., 0] >= FSS_THRESHOLD), window, edge)
                for v in (forecast, observed)
            )
            difference, squares = difference + np.sum((f - o) ** 2), squares + np.sum(f * f + o * o)
        found.append(1 - difference / squares)
    return np.array(found)


@pytest.mark.parametrize("name", EVENTS)
def test_scores_of_persistence(name, shared, references):
    event, reference = references["events"][name], references["scores"]["persistence"][name]
    leads = event["timestep_minutes"] * np.arange(1, event["leads"] + 1)
    forecast, observed = read_cases(shared / "radar", event)
    for window in WINDOWS:
        expected = [reference[f"FSS_1_w{window}"][str(lead)] for lead in leads]
        found = fss_of_padded_fields(forecast, observed, window, window // 2)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, err_msg=f"FSS {window}")

    ours = fss_skill(fss_statistics(forecast, observed, Scoring([FSS_THRESHOLD], WINDOWS, lead_times=leads))).fss
    complete = np.isfinite(observed).all() and np.isfinite(forecast).all()
    for window in WINDOWS:
        of_window = ours.sel(threshold=FSS_THRESHOLD, window=window)
        if complete:
            inside = fss_of_padded_fields(forecast, observed, window, 0)
            np.testing.assert_allclose(of_window, inside, rtol=0, atol=1e-12)
        padded = np.array([reference[f"FSS_1_w{window}"][str(lead)] for lead in leads])
        gap = np.abs(of_window - padded)
        assert (gap > 1e-6).any() and (gap < 0.03).all()  # another rule, the same event

    scores = skill(statistics(forecast, observed, Scoring(THRESHOLDS.values(), lead_times=leads)))
    for text, threshold in THRESHOLDS.items():
        for score in ("ets", "hss"):
            expected = [reference[f"{score.upper()}_{text}"][str(lead)] for lead in leads]
            values = scores[score].sel(threshold=threshold)
            np.testing.assert_allclose(values, np.array(expected, float), rtol=0, atol=1e-9, err_msg=f"{score} {text}")
