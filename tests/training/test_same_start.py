"""Processes that differ in what they start from are told so."""

import jax.numpy as jnp
import pytest

from predjax import parallel
from predjax.training.same_start import check_same
from predjax.training.step import TrainState

STATE = TrainState({"a": {"w": jnp.ones(3)}}, (), jnp.asarray(4), None)


def test_other_parameters_data_or_iterations_have_other_numbers(monkeypatch):
    numbers = []
    monkeypatch.setattr(parallel, "gather", lambda own: numbers.append(own) or [own])
    other = STATE._replace(params={"a": {"w": jnp.array([1.0, 1.0, 2.0])}})
    for record, state in (({"x": 1}, STATE), ({"x": 2}, STATE), ({"x": 1}, other), ({"x": 1}, STATE)):
        check_same(record, state)
    assert numbers[::2] == [4] * 4 and len(set(numbers[1::2])) == 3 and numbers[1] == numbers[7]


@pytest.mark.parametrize(("place", "what"), [(0, "iteration"), (1, "checksum of parameters and data")])
def test_processes_that_do_not_agree_are_refused(place, what, monkeypatch):
    calls = []
    monkeypatch.setattr(parallel, "gather", lambda own: calls.append(own) or [own, own + (len(calls) == place + 1)])
    with pytest.raises(ValueError, match=f"do not start from the same {what}"):
        check_same({}, STATE)
