"""The repository, and flags of small runs; how a run is left without its scores."""

import contextlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The smallest run that has everything, of a bare network.
TINY = (
    "--num_hidden 4,4 --filter_size 3 --total_length 6 --input_length 3 --batch_size 4 --crop 16 --n_gpu 1 "
    "--valid_fraction 0.04 --test_fraction 0.04 --coordinates fixed --residual 0"
).split()
QUICK = [*TINY, "--model_name", "conv_lstm", "--num_hidden", "2"]  # where any network will do


@contextlib.contextmanager
def without_scores():
    """Trainings end without scores of the held-out data, which cost a tiny run most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("predjax.jobs.train.verify_held_out", lambda plan, options, model: None)
        yield
