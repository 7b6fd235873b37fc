"""A trace of some iterations of a training, by jax.profiler."""

import contextlib
import logging
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

LOG = logging.getLogger("predjax")
SKIPPED, TRACED = 2, 5  # iterations: the first ones are not like the others


@contextlib.contextmanager
def profile(update: Callable, folder: pathlib.Path) -> Iterator[Callable]:
    """Yield the update, traced into a folder from its third to its seventh call; warn if there are fewer calls.

    A trace opens in TensorBoard (with its plugin for profiles), XProf or Perfetto.
    """
    calls, tracing = 0, contextlib.ExitStack()

    def traced(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == SKIPPED + 1:
            tracing.enter_context(jax.profiler.trace(folder))
        result = update(*arguments)
        if calls == SKIPPED + TRACED:
            jax.block_until_ready(result)
            tracing.close()
        return result

    with tracing:
        yield traced
    if calls <= SKIPPED:
        LOG.warning(
            "%s: nothing is traced in %d iterations, of which the first %d do not count", folder, calls, SKIPPED
        )
