"""One update of the parameters: a pure function, the same on one device and under a mapped axis."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from predjax.models.abilities import make_constraint, make_objectives
from predjax.models.forecaster import Forecaster
from predjax.models.sampling import SamplingConfig, truth_mask
from predjax.radar.windows.codes import decode
from predjax.training.balance import BalanceState, balance
from predjax.training.config import TrainConfig


class TrainState(NamedTuple):
    """All that changes in training: a checkpoint of it, with the seed, is enough to go on."""

    params: dict
    opt_state: tuple
    step: jax.Array  # iterations done, int32
    rng: jax.Array  # the run's key, never changed: draws fold in the iteration


def scale_by_adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> optax.GradientTransformation:
    """Return Adam's direction m / (1 - b1^n) / (sqrt(v / (1 - b2^n)) + eps) after n updates (Kingma & Ba 2015).

    Like `optax.scale_by_adam`, with the same state, but with 1 - b^n = -expm1(n log b): the plain difference is off by
    3e-5 in float32 for the first updates, which is enough to leave the published code's trajectory.
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        count = state.count + 1
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, updates)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * jnp.square(g), state.nu, updates)
        c1, c2 = (-jnp.expm1(count * math.log(b)) for b in (b1, b2))
        direction = jax.tree.map(lambda m, v: m / c1 / (jnp.sqrt(v / c2) + eps), mu, nu)
        return direction, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam(b1, b2, eps).init, update)


AUGMENTATION = 2**31 - 1  # folded into its key, which so differs from the keys of samples, numbered from 0
TASKS = 3  # of tidhy, see `models.abilities.make_objectives`


def make_optimizer(
    config: TrainConfig, own: optax.GradientTransformation | None = None
) -> optax.GradientTransformation:
    """Return Adam or AdamW with warm-up, decay and clipping as configured, or `own` in their place.

    With `grad_norm` the optimizer takes the gradients of each loss, see `balance`.
    """
    optimizer = own or _make_adam(config.resolve())
    return balance(optimizer, TASKS, config.grad_norm, config.grad_norm_rate) if config.grad_norm else optimizer


def _make_adam(config: TrainConfig) -> optax.GradientTransformation:
    updates = 2 if config.reverse_input else 1  # of an iteration
    assert config.warmup_iterations is not None, "resolved"
    warmup, total = config.warmup_iterations * updates, config.max_iterations * updates
    if config.lr_schedule == "cosine":
        start = 0.0 if warmup else config.lr
        rate: Any = optax.warmup_cosine_decay_schedule(start, config.lr, warmup, max(total, warmup + 1))
    else:
        rate = optax.linear_schedule(0.0, config.lr, warmup) if warmup else config.lr
    if config.lr_milestones:
        drops = optax.piecewise_constant_schedule(1.0, {n * updates: config.lr_drop for n in config.lr_milestones})
        before = rate if warmup else optax.constant_schedule(rate)
        rate = lambda count: before(count) * drops(count)  # noqa: E731
    parts = [scale_by_adam(), optax.scale_by_learning_rate(rate)]
    if config.optimizer == "adamw":
        parts.insert(1, optax.add_decayed_weights(config.weight_decay))
    if config.clip_norm:
        parts.insert(0, optax.clip_by_global_norm(config.clip_norm))
    return optax.chain(*parts)


def init_state(params: Any, optimizer: optax.GradientTransformation, seed: int) -> TrainState:
    """Return the state before the first iteration."""
    return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(seed))


def sum_replicas(tree: Any, axis_name: str) -> Any:
    """Return the sums of float32 arrays over a mapped axis, as one vector: a message each costs more than a copy."""
    if jax.lax.axis_size(axis_name) == 1:
        return tree
    vector, split = ravel_pytree(tree)
    return split(jax.lax.psum(vector, axis_name))


def change_if(good: jax.Array, change: Callable, *state: Any) -> Any:
    """Return `change(*state)` where `good`, else the state.

    CPUs take a branch, which changes the state in its place; a choice between two states needs copies of both. Other
    devices choose, because they would wait for the host to take the branch.
    """

    def choose(good: jax.Array, *state: Any) -> Any:
        return jax.tree.map(lambda new, old: jnp.where(good, new, old), change(*state), state)

    def branch(good: jax.Array, *state: Any) -> Any:
        return jax.lax.cond(good, change, lambda *state: state, *state)

    return jax.lax.platform_dependent(good, *state, cpu=branch, default=choose)


def augment(rng: jax.Array, frames: jax.Array, forcings: jax.Array | None = None, offset: Any = 0) -> tuple:
    """Mirror and turn windows `(B, T, H, W, C)` at random.

    Each window is flipped upside down or not, left for right or not, and, if it is square, transposed or not: one of
    the eight symmetries of a square. Forcings that are maps go with the frames. Sample b of the batch draws as sample
    `offset` + b of the global batch.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(rng, offset + jnp.arange(len(frames)))
    drawn = jax.vmap(lambda key: jax.random.bernoulli(key, shape=(3,)))(keys)

    def turn(maps: jax.Array) -> jax.Array:
        chosen = drawn.T.reshape(3, -1, *[1] * (maps.ndim - 1))
        maps = jnp.where(chosen[0], jnp.flip(maps, 2), maps)
        maps = jnp.where(chosen[1], jnp.flip(maps, 3), maps)
        return jnp.where(chosen[2], maps.swapaxes(2, 3), maps) if maps.shape[2] == maps.shape[3] else maps

    return turn(frames), turn(forcings) if forcings is not None and forcings.ndim == 5 else forcings


def make_update(
    forecaster: Forecaster,
    optimizer: optax.GradientTransformation,
    sampling: SamplingConfig,
    reverse_input: bool = False,
    augmented: bool = False,
) -> Callable:
    """Return the update `(state, frames (B,T,H,W,C), forcings or None, axis_name=None) -> (state, metrics)`.

    Frames may be `CodedFrames`: they become values here, on the device. The draws of sample b depend on the run's key,
    the iteration and the place of b in the global batch only. An update whose loss or gradient is not finite is left
    out and counted in `metrics["bad"]`. With `reverse_input` a second update on the windows backwards in time follows,
    with the same draws; the metrics are means of the two. With `augmented` every window is mirrored and turned as
    `augment` draws it.
    """
    input_length, total_length = forecaster.config.input_length, forecaster.config.total_length
    differentiate, constrain = jax.value_and_grad(forecaster.loss, has_aux=True), make_constraint(forecaster.config)

    def descend(params: Any, opt_state: Any, rng: jax.Array, window: tuple, axis_name: str | None) -> tuple:
        frames, use_truth, forcings = window
        balanced = isinstance(opt_state, BalanceState)
        if balanced:  # gradients of every task
            jacobian = jax.jacrev(make_objectives(forecaster.config), has_aux=True)
            grads, (losses, metrics) = jacobian(params, rng, frames, use_truth, forcings, axis_name)
        else:
            (losses, metrics), grads = differentiate(params, rng, frames, use_truth, forcings, axis_name)
        if axis_name is not None:
            losses, metrics, grads = sum_replicas((losses, metrics, grads), axis_name)
        loss, norm = losses.sum(), optax.tree.norm(grads)
        good = jnp.isfinite(loss) & jnp.isfinite(norm)
        given = {"losses": losses} if balanced else {}

        def apply(params: Any, opt_state: Any) -> tuple[Any, Any]:
            updates, opt_state = optimizer.update(grads, opt_state, params, **given)
            params = optax.apply_updates(params, updates)
            return constrain(params), opt_state

        params, opt_state = change_if(good, apply, params, opt_state)
        return params, opt_state, {**metrics, "loss": loss, "grad_norm": norm, "bad": 1.0 - good}

    def update(
        state: TrainState, frames: Any, forcings: Any = None, axis_name: str | None = None
    ) -> tuple[TrainState, dict]:
        frames = decode(frames)
        batch = len(frames)
        iteration = state.step + 1
        rng = jax.random.fold_in(state.rng, iteration)
        offset = 0 if axis_name is None else jax.lax.axis_index(axis_name) * batch
        if augmented:
            frames, forcings = augment(jax.random.fold_in(rng, AUGMENTATION), frames, forcings, offset)
        use_truth = None  # every input is true, and all steps are computed at once
        if sampling.teacher_forcing != "parallel" and not forecaster.config.sequence:
            samples = offset + jnp.arange(batch)
            use_truth = truth_mask(rng, iteration, sampling, samples, input_length, total_length)
        params, opt_state = state.params, state.opt_state
        directions = [(frames, forcings)]
        if reverse_input:
            directions.append(jax.tree.map(lambda x: jnp.flip(x, 1), (frames, forcings)))
        metrics = []
        for frames, forcings in directions:
            params, opt_state, m = descend(params, opt_state, rng, (frames, use_truth, forcings), axis_name)
            metrics.append(m)
        metrics = jax.tree.map(lambda *m: sum(m) / len(m), *metrics)
        return TrainState(params, opt_state, iteration, state.rng), metrics

    return update
