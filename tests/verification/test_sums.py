"""How sums add, and when they refuse to."""

import numpy as np
import pytest
import xarray as xr
from scored import random_fields

from predjax.verification.fields import Scoring
from predjax.verification.scores import statistics
from predjax.verification.sums import add_statistics, keep_labels, ratio


def test_statistics_of_two_halves_add_to_those_of_the_whole():
    forecast, observed = random_fields()
    whole = statistics(forecast, observed, Scoring([0.1, 1, 5], data_range=1.0))
    halves = [
        statistics(forecast[p], observed[p], Scoring([0.1, 1, 5], data_range=1.0)) for p in (slice(2), slice(2, None))
    ]
    total = add_statistics(*halves)
    assert total.attrs == whole.attrs and total.lead_time.attrs == whole.lead_time.attrs
    for name, values in whole.data_vars.items():
        assert total[name].dtype == values.dtype
        if values.dtype == np.int64:
            np.testing.assert_array_equal(total[name], values, err_msg=name)
        else:
            np.testing.assert_allclose(total[name], values, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.isel(lead_time=slice(2)), r"lead times differ: \[5, 10, 15\] in one, \[5, 10\] in the other"),
        (lambda s: s.isel(threshold=[0]), r"thresholds differ: \[1\.0, 5\.0\] in one, \[1\.0\] in the other"),
        (lambda s: s.assign_attrs(event_rule="value > threshold"), "value >= threshold in one, value > threshold in"),
        (lambda s: s.assign_attrs(units="dBZ"), "units differ: mm/h in one, dBZ in the other"),
        (lambda s: s.drop_vars("error"), "variables differ"),
    ],
)
def test_statistics_of_different_things_do_not_add(change, named):
    s = statistics(*random_fields(), Scoring([1, 5], lead_times=[5, 10, 15], units="mm/h"))
    with pytest.raises(ValueError, match=named):
        add_statistics(s, change(s))


def test_lead_times_in_another_order_of_axes_add_by_name():
    s = statistics(*random_fields(), Scoring([1, 5]))
    turned = s.transpose("threshold", "lead_time")
    xr.testing.assert_identical(add_statistics(s, turned), add_statistics(s, s))


def test_a_difference_is_told_in_a_short_line():
    s = statistics(*random_fields(), Scoring([1, 5]))
    many = s.isel(threshold=np.zeros(500, int)).assign_coords(threshold=np.arange(500.0))
    with pytest.raises(ValueError, match=r"thresholds differ: \[1\.0, 5\.0\] in one, \[0\.0, 1\.0") as error:
        add_statistics(s, many)
    assert len(str(error.value)) < 300 and "..." in str(error.value)


def test_labels_pass_to_the_scores_and_the_sums_keep_theirs():
    s = statistics(*random_fields(), Scoring([1, 5], units="mm/h"))
    s["error"].attrs["units"] = "mm/h"
    result = keep_labels(s, xr.Dataset({"double": 2 * s.error, "error": s.error}))
    assert result.attrs == s.attrs and result.lead_time.attrs == s.lead_time.attrs
    assert result.double.attrs == result.error.attrs == {} and s.error.attrs == {"units": "mm/h"}


def test_a_ratio_to_nothing_is_undefined():
    found = ratio(xr.DataArray([1, 0, 3]), xr.DataArray([0, 0, 2]))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.5])
