"""The step of the newest frames, and how many frames to forecast."""

import numpy as np
import pytest

from predjax.nowcasts.newest import choose_step, count_steps
from predjax.radar.step import Step

INIT = np.datetime64("2026-06-01T12:00", "ns")


class Feed:
    """Frames with one time step, or a single frame."""

    def __init__(self, seconds, **tolerance):
        self.step = Step(seconds, **tolerance) if seconds else None

    def find_step(self, init):
        return self.step


@pytest.mark.parametrize(
    ("lead_time", "num_steps", "expected"), [(None, None, 12), (None, 3, 3), (60.0, None, 12), (7.5, None, 3)]
)
def test_the_lead_time_counts_in_steps(lead_time, num_steps, expected):
    step = 150.0 if lead_time == 7.5 else 300.0
    assert count_steps(lead_time, num_steps, step, 12) == expected


@pytest.mark.parametrize(
    ("lead_time", "num_steps", "message"),
    [
        (7.0, None, "lead_time 7 min is no multiple of the time step of 5 min"),
        (0.0, None, "lead_time 0 min is no multiple"),
        (10.0, 2, "lead_time and num_steps say the same: give one of them"),
        (None, 0, "num_steps must be at least 1, not 0"),
    ],
)
def test_a_lead_time_between_two_steps_is_refused(lead_time, num_steps, message):
    with pytest.raises(ValueError, match=message):
        count_steps(lead_time, num_steps, 300.0, 12)


def test_the_step_must_be_one_of_the_training_unless_any_is_taken():
    sampling = {"steps": [300], "pixels": [1000.0]}
    assert choose_step(Feed(300.0), INIT, sampling, False).seconds == 300.0
    with pytest.raises(ValueError, match="a step of 600 s where the model was trained on 300: any_step takes them"):
        choose_step(Feed(600.0), INIT, sampling, False)
    assert choose_step(Feed(600.0), INIT, sampling, True).seconds == 600.0
    assert choose_step(Feed(1), 7, sampling, False).seconds == 1  # frames without times are counted
    with pytest.raises(ValueError, match="there is one frame only, of 2026-06-01"):
        choose_step(Feed(None), INIT, sampling, True)


def test_of_times_that_jitter_the_step_of_training_is_taken_where_it_fits():
    sampling = {"steps": [300.0, 600.0], "pixels": []}
    assert choose_step(Feed(312.0, tolerance=0.15), INIT, sampling, False) == Step(300.0, 0.15)
    with pytest.raises(ValueError, match="a step of 450 s"):
        choose_step(Feed(450.0, tolerance=0.15), INIT, sampling, False)
