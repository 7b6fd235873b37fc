"""Several networks that forecast together."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from predjax.models.config import ModelConfig
from predjax.models.forecaster import Forecaster


class Ensemble(NamedTuple):
    """Networks of one configuration, whose parameters are stacked along a first axis of E members.

    predict(params, rng, observed (B,T_in,H,W,C), num_steps, forcings=None) -> (B,E,num_steps,H,W,C)
      With rng each network draws with its own key.
    """

    config: ModelConfig
    predict: Callable


def make_ensemble(forecaster: Forecaster) -> Ensemble:
    """Make the ensemble of a forecaster's networks."""

    def predict(params: dict, rng: Any, observed: Any, num_steps: int, forcings: Any = None) -> jax.Array:
        def one(params: dict, key: Any) -> jax.Array:
            return forecaster.predict(params, key, observed, num_steps, forcings)

        keys = None if rng is None else jax.random.split(rng, len(jax.tree.leaves(params)[0]))
        return jax.vmap(one, out_axes=1)(params, keys)

    return Ensemble(forecaster.config, predict)
