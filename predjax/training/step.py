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
from predjax.models.shares import Share
from predjax.radar.windows.codes import decode
from predjax.training.balance import balance
from predjax.training.config import TrainConfig
from predjax.training.schedules import Schedule, make_schedule


class TrainState(NamedTuple):
    """All that changes in training. A checkpoint of it, together with the seed, is enough to continue."""

    params: dict
    opt_state: tuple
    step: jax.Array  # iterations done, int32
    rng: jax.Array  # the run's key, never changed: draws fold in the iteration
    average: Any = None  # the exponential moving average of the parameters, if there is one

    @property
    def best_params(self) -> dict:
        """The parameters to validate and to forecast with: the averages if there are any, else the parameters."""
        return self.params if self.average is None else self.average


def scale_by_adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> optax.GradientTransformation:
    """Return the transformation of gradients to Adam's direction (Kingma & Ba 2015).

    After n updates this is m / (1 - b1^n) / (sqrt(v / (1 - b2^n)) + eps). It is like `optax.scale_by_adam`, with the
    same state, but with 1 - b^n = -expm1(n log b): the plain difference is off by 3e-5 in float32 for the first
    updates, which is enough to leave the published code's trajectory.
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
DEFAULTS = TrainConfig()
TASKS = 3  # of tidhy, see `models.abilities.make_objectives`


def make_optimizer(
    config: TrainConfig, own: optax.GradientTransformation | None = None, schedule: Schedule | None = None
) -> optax.GradientTransformation:
    """Return Adam or AdamW with the learning rate and clipping of the configuration, or `own` in their place.

    `schedule` is the learning rate by iterations, in the place of the configured one. With `grad_norm` the optimizer
    takes the gradients of each loss, see `balance`. Errors: see `make_schedule`.
    """
    optimizer = own or _make_adam(config, schedule or make_schedule(config))
    return balance(optimizer, TASKS, config.grad_norm, config.grad_norm_rate) if config.grad_norm else optimizer


def _make_adam(config: TrainConfig, rate: Schedule | float) -> optax.GradientTransformation:
    if config.reverse_input and callable(rate):
        rate = _halve(rate)
    parts: list[optax.GradientTransformation] = [scale_by_adam(), optax.scale_by_learning_rate(rate)]
    if config.optimizer == "adamw":
        parts.insert(1, optax.add_decayed_weights(config.weight_decay))
    if config.clip_norm:
        parts.insert(0, optax.clip_by_global_norm(config.clip_norm))
    return optax.chain(*parts)


def _halve(schedule: Schedule) -> Schedule:
    """Return a schedule of updates from a schedule of iterations, each of which has two updates."""
    return lambda updates: schedule(updates / 2)


def init_state(params: Any, optimizer: optax.GradientTransformation, seed: int) -> TrainState:
    """Return the state before the first iteration."""
    return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(seed))


def sum_replicas(tree: Any, axis_name: str) -> Any:
    """Return the sums of float32 arrays over a mapped axis, sent as one vector: a message costs more than a copy."""
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
    """Mirror and transpose windows `(B, T, H, W, C)` at random.

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
    config: TrainConfig = DEFAULTS,
) -> Callable:
    """Return the update `(state, frames (B,T,H,W,C), forcings or None, axis_name=None) -> (state, metrics)`.

    Frames may be `CodedFrames`: they become values here, on the device. The draws of sample b depend on the run's key,
    the iteration and the place of b in the global batch only. An update whose loss or gradient is not finite is left
    out and counted in `metrics["bad"]`. These options of the configuration change the update. `reverse_input` adds a
    second update on the windows backwards in time, with the same draws; the metrics are means of the two. `augment`
    mirrors and transposes every window. `accumulate` adds up the gradients of so many parts of the batch, one after the
    other: they and the draws are those of the whole batch. `ema` d makes the average d average + (1 - d) params after
    every update.
    """
    input_length, total_length = forecaster.config.input_length, forecaster.config.total_length
    constrain = make_constraint(forecaster.config)

    def differentiate(params: Any, rng: jax.Array, window: tuple, share: Share) -> tuple[Any, tuple]:
        """Return the gradient and (loss, metrics) of a share of a batch; with GradNorm, of every task."""
        if config.grad_norm:
            jacobian = jax.jacrev(make_objectives(forecaster.config), has_aux=True)
            return jacobian(params, rng, *window, share)
        values, grads = jax.value_and_grad(forecaster.loss, has_aux=True)(params, rng, *window, share)
        return grads, values

    def differentiate_parts(params: Any, rng: jax.Array, window: tuple, axis_name: str | None) -> tuple[Any, tuple]:
        """Return the sums of `differentiate` over the parts of a batch."""
        count = config.accumulate
        if count == 1:
            return differentiate(params, rng, window, Share(axis_name))
        parts = jax.tree.map(lambda a: a.reshape(count, len(a) // count, *a.shape[1:]), window)

        def find(number: Any, part: tuple) -> tuple[Any, tuple]:
            return differentiate(params, rng, part, Share(axis_name, number, count, window[0]))

        def add(total: tuple, at: tuple) -> tuple[tuple, None]:
            return jax.tree.map(jnp.add, total, find(*at)), None

        first = jax.eval_shape(find, 0, jax.tree.map(lambda a: a[0], parts))
        zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), first)
        return jax.lax.scan(add, zeros, (jnp.arange(count), parts))[0]

    def descend(changing: tuple, rng: jax.Array, window: tuple, axis_name: str | None) -> tuple:
        grads, (losses, metrics) = differentiate_parts(changing[0], rng, window, axis_name)
        if axis_name is not None:
            losses, metrics, grads = sum_replicas((losses, metrics, grads), axis_name)
        loss, norm = losses.sum(), optax.tree.norm(grads)
        good = jnp.isfinite(loss) & jnp.isfinite(norm)
        given = {"losses": losses} if config.grad_norm else {}

        def apply(params: Any, opt_state: Any, average: Any) -> tuple[Any, Any, Any]:
            updates, opt_state = optimizer.update(grads, opt_state, params, **given)
            params = constrain(optax.apply_updates(params, updates))
            average = optax.incremental_update(params, average, 1 - config.ema) if config.ema else None
            return params, opt_state, average

        changing = change_if(good, apply, *changing)
        return changing, {**metrics, "loss": loss, "grad_norm": norm, "bad": 1.0 - good}

    def update(
        state: TrainState, frames: Any, forcings: Any = None, axis_name: str | None = None
    ) -> tuple[TrainState, dict]:
        frames = decode(frames)
        batch = len(frames)
        iteration = state.step + 1
        rng = jax.random.fold_in(state.rng, iteration)
        offset = 0 if axis_name is None else jax.lax.axis_index(axis_name) * batch
        if config.augment:
            frames, forcings = augment(jax.random.fold_in(rng, AUGMENTATION), frames, forcings, offset)
        use_truth = None  # every input is true, and all steps are computed at once
        if sampling.teacher_forcing != "parallel" and not forecaster.config.sequence:
            samples = offset + jnp.arange(batch)
            use_truth = truth_mask(rng, iteration, sampling, samples, input_length, total_length)
        changing: tuple = state.params, state.opt_state, state.average
        directions = [(frames, forcings)]
        if config.reverse_input:
            directions.append(jax.tree.map(lambda x: jnp.flip(x, 1), (frames, forcings)))
        metrics = []
        for frames, forcings in directions:
            changing, m = descend(changing, rng, (frames, use_truth, forcings), axis_name)
            metrics.append(m)
        metrics = jax.tree.map(lambda *m: sum(m) / len(m), *metrics)
        params, opt_state, average = changing
        return TrainState(params, opt_state, iteration, state.rng, average), metrics

    return update
