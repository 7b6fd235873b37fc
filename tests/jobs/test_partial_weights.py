"""Weights that fit a new network in part."""

import logging
import pathlib

import numpy as np
import pytest

from predjax.jobs import partial_weights
from predjax.jobs.partial_weights import fit, take_matching

GIVEN = {"a": {"w": np.ones((2, 3)), "b": np.ones(3)}, "old": {"w": np.ones(1)}}
NEW = {"a": {"w": np.zeros((2, 3)), "b": np.zeros(4), "c": np.zeros(1)}, "more": {"w": np.zeros(5)}}
LINES = [
    "a/w taken",
    "a/b new: its shape is (4,), in the file (3,)",
    "a/c new: not in the file",
    "more/w new: not in the file",
    "old/w not in this network",
]


def test_what_fits_is_taken_and_every_array_is_told_of(monkeypatch, caplog):
    params, lines = fit(GIVEN, NEW)
    assert lines == LINES
    assert params["a"]["w"] is GIVEN["a"]["w"] and params["a"]["b"] is NEW["a"]["b"] and params.keys() == NEW.keys()
    assert not NEW["a"]["w"].any()
    caplog.set_level(logging.INFO, "predjax")
    monkeypatch.setattr(partial_weights, "read_weights", lambda path, given: ({}, GIVEN))
    assert take_matching(pathlib.Path("x.npz"), NEW)["a"]["w"].all()
    assert caplog.messages == ["x.npz: 1 of 4 arrays are taken", *("  " + line for line in LINES)]
    with pytest.raises(ValueError, match=r"init_from x\.npz: no array has .* of this network: z/w new"):
        take_matching(pathlib.Path("x.npz"), {"z": {"w": np.zeros(1)}})
