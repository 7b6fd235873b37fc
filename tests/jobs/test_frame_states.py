"""The states of frame times: what is made next, what is tried again and when, what is given up."""

import numpy as np
import pytest

from predjax.jobs import frame_states
from predjax.jobs.frame_states import EARLIER, GONE, Clock, FrameStates, State, describe_times

START = np.datetime64("2026-06-01T12:00", "ns")
MINUTE = np.timedelta64(1, "m")


class Scene:
    """Frames by their minutes, with a version each, and a clock."""

    def __init__(self, *minutes, first=None, **rules):
        self.states, self.versions = FrameStates(**rules), dict.fromkeys(minutes, 1)
        self.seconds, self.minute = 0.0, 0.0
        self.see(first)

    def see(self, first=None):
        first = None if first is None else START + first * MINUTE
        return self.minutes(self.states.see([START + minute * MINUTE for minute in sorted(self.versions)], first))

    @staticmethod
    def minutes(times):
        return [int((time - START) / MINUTE) for time in times]

    @property
    def clock(self):
        return Clock(self.seconds, START + np.timedelta64(round(self.minute * 60), "s"))

    def inputs(self, time):
        there = [minute for minute in sorted(self.versions) if START + minute * MINUTE <= time][-3:]
        return tuple((START + minute * MINUTE, self.versions[minute]) for minute in there)

    def arrive(self, minute, version=1):
        self.versions[minute] = version
        self.see()

    def leave(self, minute):
        del self.versions[minute]
        return self.see()

    def next(self):
        time = self.states.choose(self.inputs, self.clock)
        return None if time is None else int((time - START) / MINUTE)

    def make(self, minute):
        self.states.made(START + minute * MINUTE, self.inputs(START + minute * MINUTE))

    def fail(self, minute, reason="frames are missing", passing=None):
        time = START + minute * MINUTE
        return self.states.failed(time, reason, self.inputs(time), passing)

    def state(self, minute):
        return self.states[START + minute * MINUTE].state


def test_the_newest_frame_comes_first():
    scene = Scene(0, 5, 10)
    order = []
    while (minute := scene.next()) is not None:
        scene.make(minute)
        order.append(minute)
        if minute == 10:
            scene.arrive(15)
    assert order == [10, 15, 5, 0]
    assert scene.states.counts() == {"waiting": 0, "made": 4, "made again": 0, "given up": 0}


def test_frames_before_the_first_are_left_alone():
    scene = Scene(0, 5, 10, first=10)
    assert scene.states[START].reason == EARLIER and scene.next() == 10
    scene.make(10)
    assert scene.next() is None
    scene.arrive(7)  # late, but new
    assert scene.next() == 7


def test_what_failed_is_tried_again_when_its_frames_change():
    scene = Scene(0, 15)
    scene.make(0)
    assert scene.next() == 15 and scene.fail(15) and scene.next() is None
    scene.seconds = 1e6
    assert scene.next() is None  # time alone does not help
    scene.arrive(10)
    assert scene.next() == 15 and not scene.fail(15)  # it was said
    scene.make(10)
    scene.versions[10] = 2  # the file is replaced
    assert scene.next() == 15
    scene.make(15)
    assert scene.state(15) is State.MADE and scene.next() is None


def test_an_error_that_may_pass_is_tried_again_in_longer_and_longer_pauses():
    scene = Scene(0)
    pauses = []
    for _ in range(9):
        scene.fail(0, "MemoryError", passing=scene.seconds)
        start = scene.seconds
        while scene.next() is None:
            scene.seconds += 1
        pauses.append(scene.seconds - start)
    assert pauses[:4] == [5, 10, 20, 40] and pauses[-1] == frame_states.LONGEST_PAUSE


def test_a_full_disk_stops_all_and_the_others_are_tried_first():
    scene = Scene(0, 5)
    assert scene.states.blocked(START + 5 * MINUTE, "no space", scene.inputs(START + 5 * MINUTE), 0.0)
    assert scene.next() is None
    scene.seconds = frame_states.FIRST_PAUSE
    assert scene.next() == 0
    scene.make(0)
    assert scene.next() is None
    scene.seconds = 2 * frame_states.FIRST_PAUSE
    assert scene.next() == 5
    scene.make(5)
    scene.arrive(10)
    scene.states.blocked(START + 10 * MINUTE, "no space", (), scene.seconds)
    scene.seconds += frame_states.FIRST_PAUSE  # after a success the pauses start anew
    scene.arrive(15)
    assert scene.next() == 15


def test_a_frame_that_is_gone_waits_again_when_it_is_back():
    scene = Scene(0, 5)
    scene.make(0)
    assert scene.leave(0) == [] and scene.leave(5) == [5]
    assert scene.states[START + 5 * MINUTE].reason == GONE and scene.next() is None
    scene.arrive(0)
    assert scene.next() is None and scene.state(0) is State.MADE
    scene.arrive(5)
    assert scene.next() == 5


def test_frames_that_are_gone_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(frame_states, "MOST", 3)
    scene = Scene(0)
    for minute in range(5, 100, 5):
        scene.make(minute - 5)
        scene.arrive(minute)
        scene.leave(minute - 5)
    assert sum(scene.states.counts().values()) == 4


def test_old_frames_are_given_up_unless_the_clock_was_wrong():
    scene = Scene(0, 5, max_age=10.0)
    scene.minute = 12
    assert scene.minutes(scene.states.expire(scene.clock)) == [0]
    assert scene.states[START].reason == "it is 12.0 min old: max_age is 10"
    assert scene.states.expire(scene.clock) == [] and scene.next() == 5
    scene.minute = 2  # the clock is set back
    assert scene.states.expire(scene.clock) == []
    scene.make(5)
    assert scene.next() == 0
    assert FrameStates(max_age=10).expire(scene.clock) == []
    numbered = FrameStates(max_age=10)
    numbered.see([0, 1])
    assert numbered.expire(scene.clock) == [0, 1] and numbered[0].reason == "it has no date: max_age is 10"


@pytest.mark.parametrize("revise", [False, True])
def test_late_frames_make_a_nowcast_again_if_asked_to(revise):
    scene = Scene(0, 5, 15, revise=revise, max_age=60.0)
    for minute in (15, 5, 0):
        scene.make(minute)
    scene.leave(0)  # what is taken away changes nothing
    assert scene.next() is None
    scene.arrive(10)
    scene.make(10)
    assert scene.next() == (15 if revise else None)
    if revise:
        scene.fail(15)
        assert scene.state(15) is State.MADE and scene.next() is None
        scene.arrive(15, version=2)
        scene.make(scene.next())
        assert scene.state(15) is State.AGAIN and scene.next() is None
        scene.arrive(15, version=3)
        scene.minute = 100
        assert scene.next() is None  # too old by now


def test_several_times_are_shown_by_the_first_and_the_last():
    assert describe_times([3], str) == "3" and describe_times([1, 2, 3], str) == "1 to 3 (3 frames)"
