"""What follows from parameters alone: computed once for all steps of a sequence."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import jax

_shared: contextvars.ContextVar[dict | None] = contextvars.ContextVar("derived", default=None)


@contextlib.contextmanager
def derived_once(known: dict | None = None) -> Iterator[dict]:
    """In this block `derive` makes each array once, and takes those that are `known`; gives the dict of all of them.

    The arrays belong to the trace that makes them: run one step outside a scan first, so that its steps find them.
    """
    found = dict(known or {})
    token = _shared.set(found)
    try:
        yield found
    finally:
        _shared.reset(token)


def derive(name: str, make: Callable[[], jax.Array]) -> jax.Array:
    """`make()`, or what it gave before under that name; `make` depends on parameters alone."""
    found = _shared.get()
    if found is None:
        return make()
    if name not in found:
        found[name] = make()
    return found[name]
