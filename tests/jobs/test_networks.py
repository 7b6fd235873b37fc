"""Several networks side by side: their names, and what they must have in common."""

import pathlib
from types import SimpleNamespace

import pytest

from predjax.jobs.networks import check_comparable, choose_lengths, find_scaling, name_paths
from predjax.models.scaling import Scaling

DATA = {"train_data_paths": "/d/a.nc", "valid_data_paths": None, "valid": [], "test": [1], "config": {"units": "dBZ"}}


def network(observed=4, forecast=6, low=0.0, data=DATA, **fields):
    scaling = Scaling("dBZ", low, 60.0, "dBZ") if "scaling" not in fields else fields.pop("scaling")
    config = {"img_channel": 1, "task": "forecast", "num_action_ch": 0, "model_name": "gru"} | fields
    config |= {"input_length": observed, "total_length": observed + forecast, "scaling": scaling}
    return SimpleNamespace(forecaster=SimpleNamespace(config=SimpleNamespace(**config)), record={"data": data})


@pytest.mark.parametrize(
    "paths, names",
    [
        ("r/a r/b", "a b"),
        ("r/a/step_1.npz r/b/step_1.npz", "a b"),
        ("r/a/step_1.npz r/a/step_2.npz r/b", "step_1 step_2 b"),
        ("r/a/seed_0 r/a/seed_1 r/b/seed_0", "a/seed_0 a/seed_1 b/seed_0"),
        ("r/persistence r/b", "r/persistence r/b"),
        ("r/v1.2 r/v1.3", "v1.2 v1.3"),
    ],
)
def test_names_are_the_last_parts_of_paths_that_tell_them_apart(paths, names):
    assert name_paths([pathlib.Path("/x", path) for path in paths.split()], {"persistence"}) == names.split()


@pytest.mark.parametrize(
    "other, message",
    [
        ({"scaling": Scaling("rain_rate", 0.1, 100.0, "mm/h")}, "same unit: a has dBZ, b mm/h"),
        ({"img_channel": 2}, "same number of channels: a has 1, b 2"),
        ({"task": "sequence"}, "same task: a has forecast, b sequence"),
        ({"num_action_ch": 3}, "same number of forcings: a has none, b 3"),
        ({"data": DATA | {"config": {"units": "file"}}}, "same units: a has dBZ, b file"),
        ({"data": DATA | {"test": [2]}}, "a and b did not hold out the same data: give --data_path"),
    ],
)
def test_networks_without_common_cases_are_refused_in_one_line(other, message):
    with pytest.raises(ValueError, match=message) as error:
        check_comparable({"a": network(), "b": network(**other)}, True, ())
    assert "\n" not in str(error.value)


def test_what_is_given_need_not_agree():
    check_comparable({"a": network(), "b": network(data=DATA | {"config": {"units": "file"}})}, True, ("units",))
    check_comparable({"a": network(), "b": network(data=DATA | {"test": [2]})}, False, ())


def test_lengths_and_floor_for_all_networks(caplog):
    caplog.set_level("INFO", "predjax")
    models = {"a": network(4, 6, low=-10.0), "b": network(2, 8, low=5.0)}
    assert choose_lengths({}, None, None) == choose_lengths({"a": models["a"]}, None, None) == (None, None)
    assert choose_lengths(models, None, None) == (4, 6) and "a 4, b 2" in caplog.text
    assert choose_lengths(models, 3, 9) == (3, 9)
    assert find_scaling(models).low == 5.0 and find_scaling({}) is None
