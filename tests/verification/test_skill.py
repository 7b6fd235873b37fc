"""Methods side by side: skill against a reference, and the files."""

import json

import numpy as np
import pytest
import xarray as xr
from scored import LEADS, scored

from predjax.verification.bootstrap import Draws, bootstrap
from predjax.verification.case_blocks import stack_blocks, sum_blocks
from predjax.verification.fields import Scoring
from predjax.verification.measure import measure, score
from predjax.verification.skill import compare, skill_against, write_skill
from predjax.verification.table import format_table


@pytest.fixture
def comparison():
    return compare({"predrnn_v2": scored([0.1, 0.4, 0.9]), "persistence": scored([0.2, 0.4, 0.6])})


def test_skill_is_one_minus_the_ratio_to_the_reference(comparison):
    result = skill_against(comparison, "persistence")
    # RMSE ratios 0.1/0.2, 0.4/0.4, 0.9/0.6; the MSE has their squares
    model = result.sel({"method": "predrnn_v2"})
    np.testing.assert_allclose(model.rmse_skill, [0.5, 0, -0.5], atol=1e-12)
    np.testing.assert_allclose(model.mae_skill, [0.5, 0, -0.5], atol=1e-12)
    np.testing.assert_allclose(model.mse_skill, [0.75, 0, -1.25], atol=1e-12)
    assert result.attrs["reference"] == "persistence" and result.rmse_skill.attrs["units"] == "1"


def test_against_a_perfect_reference_skill_is_undefined():
    result = skill_against(compare({"a": scored([0.1]), "perfect": scored([0.0])}), "perfect")
    assert np.isnan(result.rmse_skill).all()


def test_methods_keep_their_order_and_their_counts(comparison):
    assert comparison.method.values.tolist() == ["predrnn_v2", "persistence"]
    assert comparison.pairs.values.tolist() == [[8] * 3] * 2
    assert comparison.rmse.attrs["units"] == "mm/h" and comparison.attrs["event_rule"] == "value >= threshold"


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (scored([0.1, 0.2]), r"lead times differ: \[5, 10, 15\] in a, \[5, 10\] in b"),
        (scored([0.1, 0.2, 0.3], thresholds=[1.0]), r"thresholds differ: \[0\.5, 99\.0\] in a, \[1\.0\] in b"),
        (scored([0.1, 0.2, 0.3], units="dBZ"), "mm/h in a, dBZ in b"),
        (scored([0.1, 0.2, 0.3], lead_units="1"), "units of the lead times differ: minutes in a, 1 in b"),
    ],
)
def test_methods_of_different_labels_are_not_compared(other, named):
    with pytest.raises(ValueError, match=named):
        compare({"a": scored([0.1, 0.2, 0.3]), "b": other})


def test_a_reference_that_is_not_there_is_an_error(comparison):
    with pytest.raises(ValueError, match="'extrapolation' is not among the methods predrnn_v2, persistence"):
        skill_against(comparison, "extrapolation")


def test_files_hold_every_number_and_null_for_undefined(tmp_path, comparison):
    write_skill(tmp_path / "skill", skill_against(comparison, "persistence"))
    with xr.open_dataset(tmp_path / "skill" / "skill.nc", decode_timedelta=False) as found:
        found.load()
    assert found.method.values.tolist() == ["predrnn_v2", "persistence"]
    np.testing.assert_array_equal(found.rmse, comparison.rmse)
    np.testing.assert_array_equal(found.hits, comparison.hits)
    assert found.hits.dtype == np.int64 and found.attrs["Conventions"] == "CF-1.11"
    assert found.rmse.attrs["units"] == "mm/h" and found.lead_time.attrs["units"] == "minutes"
    assert all("units" in v.attrs and "long_name" in v.attrs for v in found.data_vars.values())

    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    text = (tmp_path / "skill" / "skill.json").read_text()
    written = json.loads(text, parse_constant=refuse)
    assert written["lead_time"] == {"units": "minutes", "values": LEADS}
    model = written["methods"]["predrnn_v2"]
    assert model["rmse"] == comparison.rmse.sel({"method": "predrnn_v2"}).values.tolist()
    assert model["csi"]["99"] == [None] * 3 and model["hits"]["0.5"] == [6, 6, 6]
    assert written["attributes"]["event_rule"] == "value >= threshold" and written["units"]["rmse"] == "mm/h"


def test_scores_of_windows_and_wave_numbers_are_written_with_their_intervals(tmp_path):
    observed = np.random.default_rng(0).random((6, 2, 9, 9, 1))
    observed[:, 1] = 0  # nothing at the second lead time
    options = {"thresholds": [0.5], "windows": [3, 5], "lead_times": [5, 10]}
    sums = stack_blocks(
        {b: measure(observed[b : b + 1] / 2, observed[b : b + 1], Scoring(**options)) for b in range(6)}
    )
    methods = {"half": sums, "persistence": sums}
    scores = compare({name: score(sum_blocks(s)) for name, s in methods.items()})
    intervals = bootstrap(methods, score, reference="persistence", names=["fss"], draws=Draws(20))
    together = xr.merge([scores, intervals], join="exact", compat="no_conflicts", combine_attrs="drop_conflicts")
    write_skill(tmp_path, together)
    with xr.open_dataset(tmp_path / "skill.nc", decode_timedelta=False) as found:
        found.load()
    np.testing.assert_array_equal(found.fss, together.fss)
    assert found.fss_verdict.values[:, 0, 0, 0].tolist() == ["not resolved", "reference"]
    assert found.window.attrs["boundary_rule"] == "only windows that lie inside the field"
    half = json.loads((tmp_path / "skill.json").read_text())["methods"]["half"]
    assert half["fss"]["0.5"]["3"] == [together.fss.values[0, 0, 0, 0], None]
    assert half["fss_verdict"]["0.5"]["5"] == ["not resolved", "undefined"]
    assert set(half["rapsd_ratio"]) == {"1", "2", "3", "4"} and half["coverage"] == [1, 1]


def test_methods_of_several_numbers_of_members_stand_in_one_file(tmp_path):
    rng = np.random.default_rng(0)
    members, observed = rng.random((2, 3, 2, 9, 9, 1)), rng.random((2, 2, 9, 9, 1))
    fields = {"three": members, "two": members[:, :2], "one": members[:, 0]}
    scores = {name: score(measure(frames, observed, Scoring([0.5], [3]))) for name, frames in fields.items()}
    together = compare(scores)
    assert together.members.values.tolist() == [3, 2, 1]
    write_skill(tmp_path, together)
    with xr.open_dataset(tmp_path / "skill.nc") as found:
        xr.testing.assert_equal(found.load(), together)
    written = json.loads((tmp_path / "skill.json").read_text())["methods"]
    for name, own in scores.items():
        assert written[name]["members"] == own.members.item()
        assert written[name]["crps"] == own.crps.values.tolist()
        assert list(written[name]["rank_histogram"]) == [str(rank) for rank in range(own.members.item() + 1)]
        assert written[name]["roc_pod"]["0.5"]["1"] == own.roc_pod[:, 0, 1].values.tolist()


def test_scores_without_thresholds_are_written_and_printed(tmp_path):
    comparison = compare({"persistence": scored([0.1, 0.2, 0.3], thresholds=[])})
    write_skill(tmp_path, comparison)
    with xr.open_dataset(tmp_path / "skill.nc", decode_timedelta=False) as found:
        assert found.sizes["threshold"] == 0 and found.rmse.shape == (1, 3)
    assert "events" not in format_table(comparison)


@pytest.mark.parametrize("name", ["skill.nc", "skill.json"])
def test_existing_files_are_replaced_only_when_asked(tmp_path, comparison, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=rf"{name} exists") as error:
        write_skill(tmp_path, comparison)
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"
    write_skill(tmp_path, comparison, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["skill.json", "skill.nc"]
