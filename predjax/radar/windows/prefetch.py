"""Reading ahead: other threads read the next batches, or make the next members, while the first one is busy."""

import collections
import itertools
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


def prefetch(read: Callable[[Any], Any], steps: Iterable, depth: int = 2, threads: int = 1) -> Generator:
    """Yield `read(step)` for each of `steps`, in order; `threads` threads read up to `depth` of them ahead.

    An error of `read` is raised here when its turn comes. The threads end with the iterator, also when the iterator
    is closed or dropped before its end.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    steps = iter(steps)
    waiting: collections.deque[Future] = collections.deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="prefetch") as pool:
        try:
            for step in itertools.islice(steps, depth):
                waiting.append(pool.submit(read, step))
            while waiting:
                result = waiting.popleft().result()
                for step in itertools.islice(steps, 1):
                    waiting.append(pool.submit(read, step))
                yield result
        finally:
            for future in waiting:
                future.cancel()
