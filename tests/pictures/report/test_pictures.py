"""The pictures of the report: captions, texts for readers who cannot see them, legends."""

import itertools

import numpy as np
import pytest
import xarray as xr

from predjax.pictures.lead_times import LeadPanel, style_methods
from predjax.pictures.report.pictures import PANEL, SMALL, make_legend, picture_ensemble, picture_panel, picture_spectra

STYLES = style_methods(["net", "persistence"])


def scores(leads=(5, 10, 15)):
    values = np.outer([1.0, 2.0], np.arange(1, 1 + len(leads)))
    coords = {"method": ["net", "persistence"], "lead_time": ("lead_time", list(leads), {"units": "minutes"})}
    return xr.DataArray(values, coords, ("method", "lead_time"), "rmse")


def test_a_panel_is_told_in_words_and_has_half_the_size_of_its_pixels():
    panel = LeadPanel("RMSE (mm/h)", scores(), note="37 events")
    picture = picture_panel(panel, STYLES)
    assert (
        picture.alt == "RMSE (mm/h) against lead time: net 1 at 5 min, 3 at 15 min; persistence 2 at 5 min, 6 at 15 min"
    )
    assert (picture.title, picture.note) == ("RMSE (mm/h)", "37 events")
    assert (2 * picture.width, 2 * picture.height) == PANEL
    small = picture_panel(panel, STYLES, "3 × 3 pixels", small=True)
    assert small.title == "3 × 3 pixels" and (2 * small.width, 2 * small.height) == SMALL


def test_a_legend_has_a_swatch_for_each_method_and_the_observation(real_pictures):
    legend = make_legend(STYLES, observed=True, bands="shaded: 95 % intervals")
    assert [swatch.title for swatch in legend.swatches] == ["observed", "net", "persistence"]
    assert len({swatch.source for swatch in legend.swatches}) == 3 and legend.bands == "shaded: 95 % intervals"
    assert make_legend(STYLES).bands == "" and len(make_legend(STYLES).swatches) == 2


def test_spectra_are_drawn_at_three_lead_times_that_have_any():
    leads, waves = np.arange(5, 55, 5), np.arange(1, 9)
    values = np.ones((2, 10, 8))
    values[:, 9] = np.nan
    dims = ("method", "lead_time", "wavenumber")
    coords = {"method": list(STYLES), "lead_time": ("lead_time", leads, {"units": "minutes"}), "wavenumber": waves}
    names = ("rapsd_forecast", "rapsd_observed", "rapsd_ratio")
    comparison = xr.Dataset({name: (dims, values) for name in names}, coords)
    comparison["spectrum_frames"] = ("method", "lead_time"), np.tile(np.arange(10) + 1, (2, 1))
    pictures = picture_spectra(comparison, STYLES)
    assert [(picture.title, picture.note) for picture in pictures] == [("+5 min", "1 frame"), ("+25 min", "5 frames")]


@pytest.mark.parametrize("missing", ["rank_histogram", "observed_frequency", "roc_pod"])
def test_an_ensemble_has_a_picture_for_each_kind_of_score(missing):
    share = np.full((1, 4), 0.25)
    data = {
        "rank_histogram": (("lead_time", "rank"), share),
        "observed_frequency": (("lead_time", "members_above", "threshold"), np.stack([share, share], -1)),
        "forecast_share": (("lead_time", "members_above", "threshold"), np.stack([share, share], -1)),
        "roc_pod": (("lead_time", "members_above", "threshold"), np.stack([share, share], -1)),
        "roc_pofd": (("lead_time", "members_above", "threshold"), np.stack([share, share], -1)),
        "roc_area": (("lead_time", "threshold"), np.full((1, 2), 0.5)),
    }
    coords = {"lead_time": ("lead_time", [5], {"units": "minutes"}), "threshold": [0.1, 5.0]}
    coords |= {"rank": np.arange(4), "members_above": np.arange(4)}
    ensemble = xr.Dataset(data, coords, {"units": "mm/h"})
    titles = [picture.title for picture in picture_ensemble(ensemble, "net")]
    kinds = {"rank_histogram": ["rank histogram"]}
    for score, name in {"observed_frequency": "reliability", "roc_pod": "ROC"}.items():
        kinds[score] = [f"{name}, ≥ 0.1 mm/h", f"{name}, ≥ 5 mm/h"]
    assert titles == list(itertools.chain(*kinds.values()))
    kept = list(itertools.chain(*(own for score, own in kinds.items() if score != missing)))
    assert [picture.title for picture in picture_ensemble(ensemble.drop_vars(missing), "net")] == kept
