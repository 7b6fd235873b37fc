"""Reading ahead: in order, bounded, and no thread is left behind."""

import itertools
import threading
import time

import pytest

from predjax.radar.windows.prefetch import prefetch


def alive():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_prefetch_keeps_the_order_and_leaves_no_thread():
    assert list(prefetch(lambda step: step**2, range(20), depth=3)) == [step**2 for step in range(20)]
    assert list(prefetch(lambda step: time.sleep(0.01 * (step % 3)) or step, range(9), depth=4, threads=3)) == list(
        range(9)
    )
    assert list(prefetch(lambda step: step, [])) == []
    assert not alive()


def test_prefetch_reads_a_bounded_number_ahead():
    read = []
    results = prefetch(lambda step: read.append(step) or step, itertools.count(), depth=2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(alive()) == 1
    results.close()
    assert not alive() and len(read) <= 7


def test_prefetch_passes_errors_on_in_their_turn():
    def read(step):
        if step == 3:
            raise ValueError("corrupt.nc: chunk 3 cannot be read")
        return step

    results, seen = prefetch(read, range(9)), []
    with pytest.raises(ValueError, match=r"^corrupt\.nc: chunk 3 cannot be read$"):
        for result in results:
            seen.append(result)
    assert seen == [0, 1, 2] and not alive()


def test_prefetch_ends_when_the_consumer_fails():
    def consume():
        for result in prefetch(lambda step: step, itertools.count()):
            if result == 2:
                raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        consume()
    assert not alive()
