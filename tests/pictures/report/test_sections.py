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
