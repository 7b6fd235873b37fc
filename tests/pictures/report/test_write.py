"""The report as a file: all sections in order, no file replaced unasked, and errors that name what does not fit."""

import pytest
import xarray as xr
from reports import gif, write

from predjax.pictures.report.write import ReportCase


def test_with_all_data_all_sections_are_there(full):
    assert full[1].sections == [
        *("warning", "use", "summary", "cards", "scores", "fss", "coverage", "scales", "ensemble", "cases", "tables")
    ]


def test_warnings_come_first_and_cases_where_there_are_some(tmp_path, small):
    cases = [ReportCase("best case", "05:00", "", gif())]
    _, page = write(tmp_path / "a.html", *small, warnings=["beware"], cases=cases)
    assert page.sections == ["warning", "summary", "cards", "scores", "cases", "tables"]
    assert "beware" in page.texts


def test_an_existing_report_is_refused_before_anything_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=r"report\.html"):
        write(path, xr.Dataset(), xr.Dataset())
    assert path.read_text() == "mine"


def test_an_existing_report_is_replaced_when_asked(tmp_path, small):
    path = tmp_path / "report.html"
    path.write_text("mine")
    _, page = write(path, *small, overwrite=True)
    assert page.sections


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda of: (xr.Dataset(), of), "the common comparison needs the coordinates method and lead_time, found none"),
        (
            lambda of: (of, of.isel(lead_time=[0, 1])),
            r"differ in lead_time: \[5, 10, 15\] in common, \[5, 10\] in whole",
        ),
        (lambda of: (of, of.isel(method=[1, 0])), "differ in method"),
    ],
)
def test_comparisons_that_do_not_fit_are_an_error(tmp_path, small, change, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "a.html", *change(small[0]))
    assert not (tmp_path / "a.html").exists()
