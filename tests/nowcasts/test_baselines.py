"""The one table of baselines: which data can have which, and what a new entry needs."""

import logging
import re

import numpy as np
import pytest
from tiny import ROOT

from predjax.nowcasts import baselines
from predjax.nowcasts.baselines import (
    BASELINES,
    Baseline,
    Setting,
    check_baselines,
    choose_baselines,
    list_usual,
    make_baselines,
)
from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.persistence import persist

MAPS = {"sequence": False, "series": False, "source": "rain.nc"}
SERIES = {"sequence": False, "series": True, "source": "lorenz.nc"}
SEQUENCE = {"sequence": True, "series": True, "source": "strain.nc"}


def test_the_usual_baselines_are_those_that_the_data_can_have(caplog):
    assert choose_baselines(None, **MAPS) == ("persistence", "extrapolation") == tuple(list_usual())
    assert choose_baselines(None, **SEQUENCE) == ("linear",) == tuple(list_usual(sequence=True))
    assert not caplog.messages
    with caplog.at_level(logging.INFO, "predjax"):
        assert choose_baselines(None, **SERIES) == ("persistence",)
    assert caplog.messages == ["lorenz.nc is a series: extrapolation, which moves maps, is left out"]


def test_baselines_that_are_asked_for_keep_their_order():
    assert choose_baselines(["pysteps_lk", "persistence"], **MAPS) == ("pysteps_lk", "persistence")
    assert choose_baselines([], **MAPS) == ()


@pytest.mark.parametrize(
    ("names", "data", "message"),
    [
        (["persistance"], MAPS, "baseline 'persistance' is not one of persistence, .*; did you mean persistence?"),
        (["linear"], MAPS, "the baseline linear belongs to sequence tasks, here persistence is one"),
        (
            ["persistence", "extrapolation"],
            SERIES,
            "lorenz.nc is a series: extrapolation moves maps, persistence",
        ),
        (
            ["persistence"],
            SEQUENCE,
            "persistence goes on from observed frames, a sequence task has none: linear",
        ),
    ],
)
def test_a_baseline_that_the_data_cannot_have_is_refused(names, data, message):
    with pytest.raises(ValueError, match=message) as error:
        choose_baselines(names, **data)
    assert "\n" not in str(error.value)


def test_the_nowcasts_are_those_of_their_modules_and_ignore_forcings():
    observed = np.random.default_rng(0).gamma(0.4, 3.0, (1, 4, 16, 16, 1)).astype(np.float32)
    made = make_baselines(["persistence", "extrapolation"], Setting("mm/h"))
    forcings = np.zeros((1, 6, 2))
    np.testing.assert_array_equal(made["persistence"](observed, 2, forcings), persist(observed, 2))
    expected = extrapolate(observed, 2, units="mm/h")
    np.testing.assert_array_equal(made["extrapolation"](observed, 2, forcings=forcings), expected)


def test_the_baseline_of_a_sequence_reads_the_forcings():
    linear = make_baselines(["linear"], Setting("1", [[2.0], [1.0]]))["linear"]
    forcings = np.array([[[0.0], [3.0]]])
    assert linear(np.zeros((1, 0, 1, 1, 1)), 2, forcings).ravel().tolist() == [1, 7]
    with pytest.raises(ValueError, match="linear needs the regression"):
        make_baselines(["linear"], Setting("1"))


def test_the_table_has_the_baselines_of_the_manual():
    page = (ROOT / "docs" / "verification.md").read_text()
    assert list(BASELINES)[:-1] == re.findall(r"^\| `(\w+)` \|", page, re.M) and "baseline is `linear`" in page


def test_an_entry_of_the_table_is_all_that_a_new_baseline_needs(monkeypatch):
    def make_mean(setting):
        return lambda observed, num_steps: np.repeat(observed.mean(1, keepdims=True), num_steps, axis=1)

    monkeypatch.setattr(baselines, "BASELINES", BASELINES | {"mean": Baseline(make_mean, usual=True)})
    check_baselines(["mean"])
    assert choose_baselines(None, **SERIES) == ("persistence", "mean")
    observed = np.arange(4.0).reshape(1, 4, 1, 1, 1)
    made = make_baselines(["mean"], Setting("mm/h"))
    assert made["mean"](observed, 3, forcings=None).ravel().tolist() == [1.5] * 3
