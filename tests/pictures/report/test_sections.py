"""The sections with pictures: each is there exactly with its data."""

import numpy as np
import pytest
import xarray as xr
from reports import write

from predjax.pictures.report.write import ReportCase


@pytest.mark.parametrize(
    ("names", "section"),
    [
        (["fss", "fss_useful"], "fss"),
        (["coverage"], "coverage"),
        (["rapsd_forecast", "rapsd_observed", "rapsd_ratio"], "scales"),
        (["q99_ratio", "mean_ratio"], "scales"),
    ],
)
def test_a_section_is_there_exactly_with_its_scores(tmp_path, measured, small, names, section):
    with_data = [xr.merge([of, part[names]]) for of, part in zip(small, measured)]
    _, page = write(tmp_path / "with.html", *with_data)
    assert set(page.sections) == {"summary", "cards", "scores", "tables", section}


def test_values_that_are_all_undefined_are_no_data(tmp_path, measured, small):
    names = ["rapsd_forecast", "rapsd_observed", "rapsd_ratio", "fss", "variance_ratio", "coverage"]
    undefined = [xr.merge([of, part[names] * np.nan]) for of, part in zip(small, measured)]
    _, page = write(tmp_path / "a.html", *undefined)
    assert page.sections == ["summary", "cards", "scores", "tables"]


def test_an_animation_that_is_none_is_named(tmp_path, small):
    with pytest.raises(
        ValueError, match=r"the picture of the best case, 05:00 is neither GIF nor PNG: it starts with b'hello'"
    ):
        write(tmp_path / "a.html", *small, cases=[ReportCase("best case", "05:00", "", b"hello")])


def test_an_ensemble_has_its_curves_and_its_own_ranks_reliability_and_roc(full, measured):
    common, _ = measured
    _, page = full
    titles = [f"{name}, ≥ {threshold} mm/h" for name in ("reliability", "ROC") for threshold in ("0.1", "5")]
    text = " ".join(page.texts)
    for title in ("CRPS (mm/h)", "spread / error of the ensemble", "ROC area, ≥ 5 mm/h", "rank histogram", *titles):
        assert page.texts.count(title) == 1, title
    assert "steps has 3 members. A single forecast is an ensemble of one member" in text
    score, low, high = (
        common[f"crps_accumulation{end}"].sel({"method": "steps"}).item() for end in ("", "_low", "_high")
    )
    assert f"steps {score:.3g} ({low:.3g} to {high:.3g})" in text
    assert "CRPS of means" not in text  # the frames are smaller than an area


def test_without_an_ensemble_there_is_no_section_of_ensembles(tmp_path, measured):
    alone = [part.isel(method=[0, 1]) for part in measured]
    _, page = write(tmp_path / "a.html", *alone)
    assert "ensemble" not in page.sections and not {"CRPS", "Brier ≥ 5 mm/h"} & set(page.texts)
