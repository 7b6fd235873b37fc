"""When a network sees the truth and when its own prediction: scheduled and reverse scheduled sampling.

Scheduled sampling (Bengio et al. 2015) makes the forecaster's true inputs rarer as training goes on; reverse scheduled
sampling (Wang et al. 2022) makes the encoder's true inputs more frequent. All is computed inside jit from the
iteration number, so that nothing but seed and iteration decides it.
"""

import jax
import jax.numpy as jnp

from predjax.models.config import SamplingConfig


def truth_probabilities(step, config: SamplingConfig, input_length: int, total_length: int):
    """The probability that input t of a window is the true frame, `(T-1,)`, at iteration `step` (the first is 1).

    Reverse, with s1, s2, alpha for the steps and the time constant: inputs 1 .. input_length-1 have

        r_eta = 1/2 before s1;  1 - exp(-(step - s1)/alpha)/2 before s2;  then 1

    and later ones eta = 1/2; 1/2 - (step - s1)/(s2 - s1)/2; 0. Forward: 1 up to input_length, later ones
    start - step rate before the stop, then 0. Input 0 is always true, with teacher forcing all are.
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


def draw_truth(probabilities, uniforms):
    """The mask of `(T-1,)` probabilities and `(B, T-1)` uniforms in [0, 1): True where the true frame is fed."""
    return uniforms < probabilities


def truth_mask(rng, step, config: SamplingConfig, batch_size: int, input_length: int, total_length: int, offset=0):
    """`(B, T-1)` bool; sample b of the batch is sample `offset + b` of the global batch and has its own draws."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(rng, offset + jnp.arange(batch_size))
    uniforms = jax.vmap(lambda key: jax.random.uniform(key, (total_length - 1,)))(keys)
    return draw_truth(truth_probabilities(step, config, input_length, total_length), uniforms)


def forecast_mask(batch_size: int, input_length: int, total_length: int):
    """Inference: the truth before `input_length`, then the network's own predictions; `(B, T-1)` bool."""
    return jnp.broadcast_to(jnp.arange(total_length - 1) < input_length, (batch_size, total_length - 1))
