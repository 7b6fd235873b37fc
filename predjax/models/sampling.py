"""Scheduled and reverse scheduled sampling: whether an input is the true frame or the network's own prediction.

Scheduled sampling (Bengio et al. 2015) makes true inputs after the observed frames rarer as training goes on; reverse
scheduled sampling (Wang et al. 2022) makes true inputs among the observed frames more frequent. Everything is computed
inside jit from the iteration number, so that seed and iteration alone decide it.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from predjax.models.config import SamplingConfig


def truth_probabilities(step: ArrayLike, config: SamplingConfig, input_length: int, total_length: int) -> jax.Array:
    """Return the probability that input t of a window is the true frame, `(T-1,)`, at iteration `step` (from 1 on).

    Reverse sampling has two steps s1, s2 and a time constant alpha. Inputs 1 .. input_length-1 are true with the
    probability

        r_eta = 1/2 before s1;  1 - exp(-(step - s1)/alpha)/2 before s2;  then 1

    and later inputs with eta = 1/2; 1/2 - (step - s1)/(s2 - s1)/2; 0 in these three periods. Forward sampling has 1
    before input_length and start - step rate after it until the stop, then 0. Input 0 is always true; with teacher
    forcing all inputs are.
    """
    if config.teacher_forcing != "scheduled":
        return jnp.ones(total_length - 1)
    step = jnp.asarray(step, float)
    if config.reverse_scheduled_sampling:
        s1, s2, alpha = config.r_sampling_step_1, config.r_sampling_step_2, config.r_exp_alpha
        assert s1 is not None and s2 is not None and alpha is not None, "resolve the configuration first"
        since = step - s1
        grown = 1.0 - 0.5 * jnp.exp(-jnp.maximum(since, 0.0) / max(alpha, 1e-9))
        faded = 0.5 - 0.5 * since / max(s2 - s1, 1e-9)
        observed = jnp.where(step < s1, 0.5, jnp.where(step < s2, grown, 1.0))
        predicted = jnp.where(step < s1, 0.5, jnp.where(step < s2, faded, 0.0))
    else:
        observed = jnp.ones_like(step)
        rate, stop = config.sampling_changing_rate, config.sampling_stop_iter
        assert rate is not None and stop is not None, "resolve the configuration first"
        faded = config.sampling_start_value - step * rate
        on = config.scheduled_sampling & (step < stop)
        predicted = jnp.where(on, jnp.maximum(faded, 0.0), 0.0)
    t = jnp.arange(total_length - 1)
    return jnp.where(t == 0, 1.0, jnp.where(t < input_length, observed, predicted))


def draw_truth(probabilities: jax.Array, uniforms: jax.Array) -> jax.Array:
    """Return the mask `(B, T-1)` of true inputs, from probabilities `(T-1,)` and uniforms `(B, T-1)` in [0, 1)."""
    return uniforms < probabilities


def truth_mask(
    rng: jax.Array, step: ArrayLike, config: SamplingConfig, samples: jax.Array, input_length: int, total_length: int
) -> jax.Array:
    """Draw which inputs are true frames, `(B, T-1)` bool; `samples` `(B,)` are numbers in the global batch.

    The draws of a sample depend on the key `rng` and its number alone, not on the device that it is on.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(rng, samples)
    uniforms = jax.vmap(lambda key: jax.random.uniform(key, (total_length - 1,)))(keys)
    return draw_truth(truth_probabilities(step, config, input_length, total_length), uniforms)


def forecast_mask(batch_size: int, input_length: int, total_length: int) -> jax.Array:
    """Return the mask of a forecast, `(B, T-1)` bool: inputs before `input_length` are true, then predictions."""
    return jnp.broadcast_to(jnp.arange(total_length - 1) < input_length, (batch_size, total_length - 1))
