"""Work on a dask cluster, whose workers see the same files under the same names."""

import operator
from collections.abc import Callable, Generator, Iterable
from typing import Any

from tqdm import tqdm

CONNECT_SECONDS = 30
AHEAD = 2  # parts under way for each thread of the cluster


def map_parts(
    scheduler: str, function: Callable[[Any, Any], Any], options: Any, parts: Iterable, title: str
) -> Generator[Any, None, None]:
    """Yield `function(options, part)` of every part, in the order of the parts, computed by a cluster.

    Few parts are under way at any time, so that neither the cluster nor this process holds many results. The function
    is in a module of predjax, which the workers have installed too; options and parts travel to them. `scheduler` is
    the address of the cluster, `tcp://host:port`. Without a `title` there is no progress bar.

    Raises:
      ValueError: dask is not installed, the scheduler does not answer, it has no workers, or a worker was lost.
      Any error of `function`.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ValueError("dask_scheduler needs dask: pip install 'predjax[dask]'") from None
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"dask_scheduler {scheduler} does not answer: {error}") from None
    total, hidden = operator.length_hint(parts) or None, None if title else True
    with client, tqdm(total=total, desc=title, unit="part", disable=hidden, leave=False) as bar:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ValueError(f"dask_scheduler {scheduler} has no workers")
        waiting, rest = [], iter(parts)
        try:
            while True:
                for part in rest:
                    waiting.append(client.submit(function, options, part, pure=False))
                    if len(waiting) >= AHEAD * threads:
                        break
                if not waiting:
                    return
                yield waiting.pop(0).result()
                bar.update()
        except KilledWorker as error:
            raise ValueError(f"dask_scheduler {scheduler}: workers died again and again ({error})") from None
