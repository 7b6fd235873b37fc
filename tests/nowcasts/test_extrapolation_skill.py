"""Extrapolation on real events against the scores that pysteps' Lucas-Kanade extrapolation has on the same frames."""

import importlib.util
import json

import numpy as np
import pytest
from tiny import ROOT

SPEC = importlib.util.spec_from_file_location("extrapolation_benchmark", ROOT / "benchmarks" / "extrapolation.py")


@pytest.fixture(scope="module")
def score(shared):
    """CSI at 1 mm/h of an event: (extrapolation, pysteps, persistence) x (10, 30, 60 minutes)."""
    benchmark = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(benchmark)
    references = json.loads((shared / "radar" / "reference_scores.json").read_text())
    return lambda name: benchmark.score_event(shared / "radar", references, name)[0]


def describe(scores):
    """One line an event."""
    return "\n".join(f"{name}: {np.round(values, 4).tolist()}" for name, values in scores.items())


def test_an_event_with_much_motion(score):
    values = score("mch_20160711")
    assert (values[0] > values[1] - 0.01).all(), describe({"mch_20160711": values})
    assert (values[0] > values[2] + 0.2).all(), describe({"mch_20160711": values})


@pytest.mark.ci
def test_the_mean_over_events_is_that_of_pysteps_or_better(score):
    events = ["knmi_20100826", "fmi_20160928", "fmi_20170509", "bom_20201031", "mch_20160711"]
    scores = {name: score(name) for name in events}
    own, reference, still = np.mean(list(scores.values()), axis=0)
    assert (own >= reference - 0.01).all(), describe(scores)
    assert (own > still + 0.1).all(), describe(scores)
    for name, values in scores.items():
        assert (values[0] >= values[1] - 0.02).all(), f"{name} is far below\n{describe(scores)}"
