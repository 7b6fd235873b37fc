"""Ensembles of one network that draws its members: by noise in its features, or by dropout."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from predjax import parallel
from predjax.models.forecaster import Forecaster
from predjax.models.members import make_members
from predjax.nowcasts.ensembles import EnsembleNowcast, find_group, make_key


def draw_by_network(
    forecaster: Forecaster, params: Any, members: int, seed: int, finish: Callable[[Callable], Callable]
) -> EnsembleNowcast:
    """Make the nowcast whose members a network draws.

    A draw depends on the seed, the case and the number of the member alone, as in `nowcasts.ensembles`. `finish` adds
    the moving coordinates and the matching to the newest frame to a nowcast, where the configuration of the network has
    them.
    """
    devices, draw_each = parallel.choose_local(), make_members(forecaster)

    def predict(params: Any, inputs: tuple, num_steps: int) -> jax.Array:
        observed, forcings, keys = inputs
        return draw_each(params, jax.random.wrap_key_data(keys)[:, None], observed, num_steps, forcings)[:, 0]

    predict = parallel.map_samples(predict, devices)
    params = parallel.replicate(params, devices)

    def draw_group(numbers: np.ndarray) -> Callable[..., np.ndarray]:
        def nowcast(observed: np.ndarray, num_steps: int, forcings: np.ndarray | None = None) -> np.ndarray:
            drawn = []
            for case, frames in enumerate(np.asarray(observed, np.float32)):
                key = make_key(seed, frames[-1])
                keys = jax.random.key_data(jax.vmap(jax.random.fold_in, (None, 0))(key, numbers))
                own = None if forcings is None else np.stack([forcings[case]] * len(numbers))
                inputs = (np.stack([frames] * len(numbers)), own, np.asarray(keys))
                drawn.append(predict(params, inputs, num_steps))
            return np.stack(drawn)

        return finish(nowcast)

    def groups(observed: np.ndarray, num_steps: int, forcings: Any = None) -> Iterator[np.ndarray]:
        size = find_group(members, len(devices), num_steps * np.asarray(observed)[0, 0].size)
        for start in range(0, members, size):
            # Numbers beyond the last member are a surplus that keeps the program the same.
            found = draw_group(np.arange(start, start + size))(observed, num_steps, forcings)
            yield found[:, : members - start]

    return EnsembleNowcast(groups)
