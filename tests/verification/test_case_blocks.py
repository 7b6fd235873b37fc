"""Which cases belong together, and statistics kept by block."""

import numpy as np
import pytest

from predjax.radar.windows.index import Window
from predjax.verification.case_blocks import assign_blocks, stack_blocks, sum_blocks
from predjax.verification.fields import Scoring
from predjax.verification.scores import statistics
from predjax.verification.sums import add_statistics


def windows(*places):
    """Windows from (source, movie, start)."""
    return [Window(*place, 0, 0) for place in places]


def test_blocks_are_the_events():
    blocks = assign_blocks(windows((0, 0, 5), (1, 0, 0), (0, 2, 9), (0, 0, 1), (1, 0, 7)), 16)
    assert blocks.numbers.tolist() == [0, 2, 1, 0, 2] and blocks.rule == "3 events"


def test_one_event_falls_into_stretches_no_shorter_than_a_window():
    # 92 init times and windows of 16 frames: five blocks of 18 or 19
    blocks = assign_blocks(windows(*((0, 3, start) for start in range(92))), 16)
    assert (np.diff(blocks.numbers) >= 0).all() and np.bincount(blocks.numbers).tolist() == [19, 18, 19, 18, 18]
    assert blocks.rule == "5 stretches of at least 16 init times of one event"
    assert assign_blocks(windows((0, 0, 3), (0, 0, 9)), 16).numbers.tolist() == [0, 0]


def test_crops_of_one_time_stay_together():
    places = [Window(0, 0, start, y, 0) for y in (0, 64) for start in range(40)]
    numbers = assign_blocks(places, 4).numbers
    assert numbers[:40].tolist() == numbers[40:].tolist() and numbers.max() == 9


def test_a_gap_leaves_no_empty_block():
    starts = [*range(10), *range(80, 100)]
    blocks = assign_blocks(windows(*((0, 0, start) for start in starts)), 10)
    assert sorted(set(blocks.numbers.tolist())) == [0, 1, 2] and blocks.rule.startswith("3 stretches")


def test_many_events_are_joined_so_that_memory_is_bounded():
    blocks = assign_blocks(windows(*((0, movie, 0) for movie in range(1000))), 20, most=30)
    counts = np.bincount(blocks.numbers)
    assert counts.size == 30 and set(counts.tolist()) == {33, 34} and (np.diff(blocks.numbers) >= 0).all()
    assert blocks.rule == "1000 events in 30 groups"
    assert assign_blocks(windows(*((0, 0, start) for start in range(1000))), 2, most=30).numbers.max() == 29


@pytest.mark.parametrize(("given", "length"), [([], 4), (windows((0, 0, 0)), 0)])
def test_blocks_need_windows(given, length):
    with pytest.raises(ValueError, match="blocks need windows"):
        assign_blocks(given, length)


def test_the_sum_of_the_blocks_is_the_whole():
    forecast, observed = np.random.default_rng(0).random((2, 6, 3, 8, 8, 1))
    whole = statistics(forecast, observed, Scoring([0.5], lead_times=[5, 10, 15], units="mm/h"))
    totals = {}
    for case, block in enumerate([2, 0, 1, 0, 2, 2]):
        one = slice(case, case + 1)
        new = statistics(forecast[one], observed[one], Scoring([0.5], lead_times=[5, 10, 15], units="mm/h"))
        totals[block] = add_statistics(totals[block], new) if block in totals else new
    stacked = stack_blocks(totals)
    assert stacked.block.values.tolist() == [0, 1, 2] and stacked.cases.isel(lead_time=0).values.tolist() == [2, 1, 3]
    total = sum_blocks(stacked)
    assert total.attrs == whole.attrs and total.lead_time.attrs == whole.lead_time.attrs
    for name, values in whole.data_vars.items():
        assert total[name].dtype == values.dtype
        np.testing.assert_allclose(total[name], values, rtol=0 if values.dtype == np.int64 else 1e-13, err_msg=name)
    assert add_statistics(stacked, stacked).hits.sum() == 2 * whole.hits.sum()


def test_blocks_of_different_labels_do_not_stack():
    field = np.ones((1, 2, 3, 3, 1))
    totals = {0: statistics(field, field, Scoring([0.5])), 7: statistics(field, field, Scoring([0.6]))}
    with pytest.raises(ValueError, match=r"thresholds differ: \[0\.5\] in block 0, \[0\.6\] in block 7"):
        stack_blocks(totals)
    with pytest.raises(ValueError, match="no statistics"):
        stack_blocks({})
