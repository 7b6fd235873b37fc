"""The comparisons and the report that the tests of the report share."""

import pytest
from reports import bare, gif, judge, measure_all, write

from predjax.pictures.report.write import ReportCase


@pytest.fixture(scope="session")
def measured():
    return measure_all()


@pytest.fixture(scope="session")
def full(measured, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    cases = [
        ReportCase(label, "2010-08-26 05:00 UTC", "RMSE 1.2 mm/h", gif()) for label in ("median case", "worst case")
    ]
    extra = {"facts": {"Data": "knmi.nc", "Blocks": "6 events"}, "warnings": ["3 windows overlap"], "cases": cases}
    common, whole = measured
    return write(path, judge(common, judged="predrnn_v2"), whole, **extra)


@pytest.fixture(scope="session")
def small(measured):
    return tuple(bare(part) for part in measured)
