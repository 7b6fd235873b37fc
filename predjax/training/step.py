"""One update of the parameters: a pure function, the same on one device and under a mapped axis."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from predjax.models.sampling import SamplingConfig, truth_mask
from predjax.training.config import TrainConfig


class TrainState(NamedTuple):
    """All that changes in training: a checkpoint of it and the seed go on where it stopped."""

    params: dict
    opt_state: tuple
    step: jax.Array  # iterations done, int32
    rng: jax.Array  # the run's key, never changed: draws fold in the iteration


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """Adam or AdamW, with warm-up, cosine decay and clipping as configured."""
    config = config.resolve()
    updates = 2 if config.reverse_input else 1  # of an iteration
    warmup, total = config.warmup_iterations * updates, config.max_iterations * updates
    if config.lr_schedule == "cosine":
        rate = optax.warmup_cosine_decay_schedule(
            0.0 if warmup else config.lr, config.lr, warmup, max(total, warmup + 1)
        )
    else:
        rate = optax.linear_schedule(0.0, config.lr, warmup) if warmup else config.lr
    decay = {"weight_decay": config.weight_decay} if config.optimizer == "adamw" else {}
    optimizer = getattr(optax, config.optimizer)(rate, **decay)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), optimizer) if config.clip_norm else optimizer


def init_state(params, optimizer, seed: int) -> TrainState:
    """The state before the first iteration."""
    return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(seed))


def make_update(forecaster, optimizer, sampling: SamplingConfig, reverse_input: bool = False):
    """The update of a forecaster: `(state, frames (B,T,H,W,C), forcings or None, axis_name=None) -> (state, metrics)`.

    The draws of sample b depend on the run's key, the iteration and the place of b in the global batch only. An update
    whose loss or gradient is not finite is left out and counted in `metrics["bad"]`. With `reverse_input` a second
    update on the windows backwards in time follows, with the same draws; its loss and the first one's are averaged.
    """
    input_length, total_length = forecaster.config.input_length, forecaster.config.total_length
    differentiate = jax.value_and_grad(forecaster.loss, has_aux=True)

    def descend(params, opt_state, rng, frames, use_truth, forcings, axis_name):
        (loss, metrics), grads = differentiate(params, rng, frames, use_truth, forcings, axis_name)
        if axis_name is not None:
            loss, metrics, grads = jax.lax.psum((loss, metrics, grads), axis_name)
        norm = optax.tree.norm(grads)
        good = jnp.isfinite(loss) & jnp.isfinite(norm)
        updates, new_opt_state = optimizer.update(grads, opt_state, params)
        new = (optax.apply_updates(params, updates), new_opt_state)
        params, opt_state = jax.tree.map(lambda n, o: jnp.where(good, n, o), new, (params, opt_state))
        return params, opt_state, {**metrics, "loss": loss, "grad_norm": norm, "bad": 1.0 - good}

    def update(state, frames, forcings=None, axis_name=None):
        batch = len(frames)
        iteration = state.step + 1
        rng = jax.random.fold_in(state.rng, iteration)
        offset = 0 if axis_name is None else jax.lax.axis_index(axis_name) * batch
        use_truth = truth_mask(rng, iteration, sampling, batch, input_length, total_length, offset)
        params, opt_state = state.params, state.opt_state
        directions = [(frames, forcings)]
        if reverse_input:
            directions.append(jax.tree.map(lambda x: jnp.flip(x, 1), (frames, forcings)))
        metrics = []
        for frames, forcings in directions:
            params, opt_state, m = descend(params, opt_state, rng, frames, use_truth, forcings, axis_name)
            metrics.append(m)
        metrics = jax.tree.map(lambda *m: sum(m) / len(m), *metrics)
        return TrainState(params, opt_state, iteration, state.rng), metrics

    return update
