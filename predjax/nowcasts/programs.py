"""Programs of a nowcast that are compiled in the background, and traced only at the first start.

A traced program is kept beside the compiled ones (see `kept`), as `jax.export` writes it, without parameters. Later
processes read it instead of tracing, if the package `flatbuffers` is installed.
"""

import concurrent.futures
import contextlib
import importlib.util
import json
import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import export

from predjax import parallel
from predjax.kept import keep, read_kept


class Programs:
    """The compiled programs of `function(params, arrays, number)` on one device, by shapes and number.

    Parameters and arrays are trees of arrays; `number` is static. `origin`, JSON values, identifies all else that
    decides what the function computes; None: the programs are not kept. The results are those of the function compiled
    as usual, bit for bit.
    """

    def __init__(self, function: Callable, params: Any, origin: Any) -> None:
        self._function, self._origin = function, origin
        self._device = parallel.choose_local()[0]
        self._params = jax.device_put(params, self._device)
        self._found: dict[tuple[str, int], concurrent.futures.Future] = {}
        self._lock = threading.Lock()

    def prepare(self, arrays: Any, number: int) -> concurrent.futures.Future:
        """Begin to compile the program for arrays of these shapes, unless it exists already; return it as a Future."""
        shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arrays)
        key, config = _describe(shapes), jax.config
        with self._lock:
            found = self._found.get((key, number))
            if found is None:
                pool = concurrent.futures.ThreadPoolExecutor(1)
                found = pool.submit(self._compile, shapes, number, key, config.jax_enable_x64)  # type: ignore[attr-defined]
                pool.shutdown(wait=False)
                self._found[key, number] = found
        return found

    def __call__(self, arrays: Any, number: int) -> np.ndarray:
        """Return the result of the function for arrays `(B, ...)`, as an array of numpy."""
        return np.asarray(self.prepare(arrays, number).result()(self._params, arrays))

    def _compile(self, shapes: Any, number: int, key: str, wide: bool) -> Any:
        def run(params: Any, arrays: Any) -> Any:
            return self._function(params, arrays, number)

        with jax.enable_x64(wide):  # a thread has options of its own
            found: Any = jax.jit(run)
            if self._origin is not None and importlib.util.find_spec("flatbuffers"):
                device = parallel.describe([self._device])
                found = self._find_exported(found, shapes, [self._origin, _describe(self._params), key, number, device])
            compiled = found.lower(self._params, shapes).compile()
        parallel.return_memory()
        return compiled

    def _find_exported(self, function: Any, shapes: Any, key: Any) -> Any:
        """Return the function of the exported program that is kept, or else of a new one, which is then kept."""
        with contextlib.suppress(Exception):  # no program of this jax, whatever it is: it is written anew
            if kept := read_kept("program", key):
                return jax.jit(export.deserialize(bytearray(kept)).call)
        try:
            found = export.export(function)(self._params, shapes)
            keep("program", key, bytes(found.serialize()))
        except Exception:  # not everything can be exported, and what is wrong with the shapes is said when it is run
            return function
        return jax.jit(found.call)


def _describe(tree: Any) -> str:
    """Return the structure, the shapes and the types of a tree of arrays as text."""
    return json.dumps([str(jax.tree.structure(tree)), [[a.shape, str(a.dtype)] for a in jax.tree.leaves(tree)]])
