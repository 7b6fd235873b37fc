"""Members of an ensemble, drawn by one model."""

from collections.abc import Callable
from typing import Any

import jax

from predjax.models.ensemble import Ensemble
from predjax.models.forecaster import Forecaster


def make_members(forecaster: Forecaster | Ensemble) -> Callable:
    """Make the function that draws members of the forecasts of a model, which differ where `config.draws`.

    The function is `(params, keys (B,M), observed (B,T_in,H,W,C), num_steps, forcings=None) -> (B,M,num_steps,H,W,C)`.
    Each sample and member has its own random key, so the draws do not depend on the division into batches. An
    `Ensemble` of E networks gives E M members, M of each network one after the other.
    """

    def predict(params: dict, keys: jax.Array, observed: Any, num_steps: int, forcings: Any = None) -> jax.Array:
        def draw_sample(keys: jax.Array, sample: tuple[Any, Any]) -> jax.Array:
            observed, forcings = jax.tree.map(lambda a: a[None], sample)

            def draw(key: jax.Array) -> jax.Array:
                return forecaster.predict(params, key, observed, num_steps, forcings)[0]

            return jax.vmap(draw, out_axes=-5)(keys)

        members = jax.vmap(draw_sample)(keys, (observed, forcings))
        return members.reshape(len(members), -1, *members.shape[-4:])

    return predict
