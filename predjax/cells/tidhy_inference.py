"""Inference, forecast and training objective of TiDHy: r and r2 of each step by proximal gradient descent."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.cells.descent import descend
from predjax.cells.tidhy import (
    Networks,
    Regularisers,
    TiDHyConfig,
    decode,
    magnitude,
    measure_error,
    mix,
    mix_dynamics,
    regularise,
)

FIRST_PENALTY = 0.01  # of |r2|^2 and |w|^2 in the first step, as in the authors' code
SMALL_NORM = 1e-8


class Codes(NamedTuple):
    """r `(..., R)` and r2 `(..., Q)`."""

    r: jax.Array
    r2: jax.Array


class Inferred(NamedTuple):
    """Codes `(B, ...)` or `(B, T, ...)`, the number of updates, and whether they ended by the tolerance, for each."""

    codes: Codes
    iterations: jax.Array
    converged: jax.Array


def soften(x, threshold: float):
    """sign(x) max(|x| - threshold, 0): the proximal map of threshold |x|_1."""
    return jnp.sign(x) * jax.nn.relu(jnp.abs(x) - threshold)


def saturate(x, kind: str, scale: float = 1.0):
    """x in bounds: (0, 1) for "sigmoid", +-1 or +-s for the others; about x near 0 but for the two sigmoids."""
    if kind == "sigmoid":
        return jax.nn.sigmoid(x)
    if kind == "shifted_sigmoid":
        return 2 * jax.nn.sigmoid(x) - 1
    if kind == "tanh":
        return jnp.tanh(x)
    if kind == "scaled_tanh":
        return scale * jnp.tanh(x / scale)
    if kind == "softsign":
        return x / (1 + jnp.abs(x))
    if kind == "scaled_softsign":
        return scale * x / (scale + jnp.abs(x))
    if kind == "clip":
        return jnp.clip(x, -scale, scale)
    return x


def constrain(codes: Codes, config: TiDHyConfig) -> Codes:
    """What follows every update: the soft threshold, then the saturation."""
    r, r2 = codes
    r = soften(r, config.threshold_r) if config.threshold_r else r
    r2 = soften(r2, config.threshold_r2) if config.threshold_r2 else r2
    return Codes(saturate(r, config.saturate_r, config.scale_r), saturate(r2, config.saturate_r2, config.scale_r2))


def first_objective(networks: Networks, config: TiDHyConfig, x, codes: Codes):
    """s(decode(r), x) + 0.01 |r2|^2 + 0.01 |w|^2 of one sample: r2 has no data to fit yet."""
    w = mix(networks, codes.r2, config.weights)
    penalty = jnp.square(codes.r2).sum() + jnp.square(w).sum()
    return measure_error(decode(networks, codes.r, config.loss), x, config.loss) + FIRST_PENALTY * penalty


def step_objective(networks: Networks, config: TiDHyConfig, x, before: Codes, codes: Codes):
    """What inference minimises over r and r2 of one sample, given those of the step before.

    s(decode(r), x) + temp_weight |r - V(r2) r_before|^2 + l1_w |w|_1 + l1_r |r|_1 + l1_r2 |r2|_1
    + smoothness |r2 - r2_before|^2
    """
    w = mix(networks, codes.r2, config.weights)
    change = codes.r - mix_dynamics(networks, w) @ before.r
    value = measure_error(decode(networks, codes.r, config.loss), x, config.loss)
    value += config.temp_weight * jnp.square(change).sum() + config.l1_w * magnitude(w).sum()
    value += config.l1_r * magnitude(codes.r).sum() + config.l1_r2 * magnitude(codes.r2).sum()
    return value + config.smoothness * jnp.square(codes.r2 - before.r2).sum()


def minimise(objective, start: Codes, config: TiDHyConfig, clip: float = jnp.inf) -> Inferred:
    """Proximal gradient descent with Nesterov's momentum on `objective(codes)` of one sample.

    m' = g + a m, v' = constrain(v - lr (g + a m')) for v = r and r2 at once, g their gradients at the same point
    (components clipped to +-`clip`), a = `momentum`; m starts at 0 and is not thresholded. It ends at `max_iter`, or
    when |v' - v| < tol |v| for both (|v' - v| < tol for |v| < 1e-8); the last v' is kept.

    That is the authors'. Where the dynamics are steep (the curvature in r2 grows as |r_before|^2) its steps may go up
    without end. With `config.backtracking` they do not: `cells.descent`.
    """
    rates = Codes(config.lr_r, config.lr_r2)  # type: ignore[arg-type]  # a number in the place of each code

    def settled(new, old):
        norm = jnp.sqrt(jnp.square(old).sum())
        change = jnp.sqrt(jnp.square(new - old).sum())
        return change < config.tol * jnp.where(norm < SMALL_NORM, 1.0, norm)

    def update(carry):
        old, momenta, iterations, _ = carry
        gradient = jax.tree.map(lambda g: jnp.clip(g, -clip, clip), jax.grad(objective)(old))
        momenta = jax.tree.map(lambda g, m: g + config.momentum * m, gradient, momenta)
        new = jax.tree.map(lambda v, g, m, lr: v - lr * (g + config.momentum * m), old, gradient, momenta, rates)
        new = constrain(new, config)
        return new, momenta, iterations + 1, settled(new.r, old.r) & settled(new.r2, old.r2)

    def unfinished(carry):
        *_, iterations, converged = carry
        return ~converged & (iterations < config.max_iter)

    if config.backtracking:
        found = descend(
            objective, start, rates, momentum=config.momentum, max_iter=config.max_iter, clip=clip,
            settled=lambda new, old: settled(new.r, old.r) & settled(new.r2, old.r2),
            project=lambda codes: constrain(codes, config),
        )  # fmt: skip
        return Inferred(found.point, found.iterations, found.converged)

    zeros = jax.tree.map(jnp.zeros_like, start)
    codes, _, iterations, converged = jax.lax.while_loop(
        unfinished, update, (start, zeros, jnp.array(0), jnp.array(False))
    )
    return Inferred(codes, iterations, converged)


def infer_first(networks: Networks, config: TiDHyConfig, x, r2) -> Inferred:
    """r and r2 of the first step of sequences: x `(B, D)`, from r = 0 and the given r2 `(B, Q)`.

    The authors draw r2 from N(0, 0.01^2): `TiDHy.draw_first`. No gradient passes.
    """
    networks, x, r2 = jax.lax.stop_gradient((networks, x, r2))

    def infer(x, r2):
        start = Codes(jnp.zeros(config.r_dim, r2.dtype), r2)
        return minimise(lambda codes: first_objective(networks, config, x, codes), start, config, config.first_clip)

    return jax.vmap(infer)(x, r2)


def infer_step(networks: Networks, config: TiDHyConfig, x, before: Codes) -> Inferred:
    """r and r2 of x `(B, D)` given those of the step before, from r = 0 and the r2 before; each sample ends by itself.

    No gradient passes.
    """
    networks, x, before = jax.lax.stop_gradient((networks, x, before))

    def infer(x, before):
        start = before._replace(r=jnp.zeros_like(before.r))
        return minimise(lambda codes: step_objective(networks, config, x, before, codes), start, config)

    return jax.vmap(infer)(x, before)


def infer_series(networks: Networks, config: TiDHyConfig, x, r2) -> Inferred:
    """Codes `(B, T, ...)` of sequences x `(B, T, D)`, step after step, from the r2 `(B, Q)` of `infer_first`."""
    first = infer_first(networks, config, x[:, 0], r2)

    def step(codes, x):
        inferred = infer_step(networks, config, x, codes)
        return inferred.codes, inferred

    _, rest = jax.lax.scan(step, first.codes, jnp.moveaxis(x[:, 1:], 1, 0))
    return jax.tree.map(lambda a, b: jnp.concatenate([a[:, None], jnp.moveaxis(b, 0, 1)], 1), first, rest)


def bound_radius(matrices, radius: float):
    """Matrices `(..., R, R)` divided by what their spectral radius is larger by than `radius`.

    The spectral radius is |M^n|^(1/n) with n = 1024, by repeated squares (Gelfand 1941): never too small, and too large
    by less than 1 % for eigenvectors of condition 1e4. Their powers so have a bound, even where r2 holds for ever.
    """
    if radius == jnp.inf:
        return matrices

    def norm(powers):
        return jnp.maximum(jnp.sqrt(jnp.square(powers).sum((-2, -1), keepdims=True)), jnp.finfo(powers.dtype).tiny)

    powers, log = matrices / norm(matrices), jnp.log(norm(matrices))
    for _ in range(10):
        powers = powers @ powers
        size = norm(powers)
        powers, log = powers / size, 2 * log + jnp.log(size)
    return matrices * jnp.minimum(radius / jnp.exp(log / 1024), 1.0)


def hold_dynamics(networks: Networks, config: TiDHyConfig, r2):
    """V(r2) `(..., R, R)` for forecasts: its spectral radius is at most `config.radius`."""
    return bound_radius(mix_dynamics(networks, mix(networks, r2, config.weights)), config.radius)


def forecast(networks: Networks, config: TiDHyConfig, codes: Codes, num_steps: int):
    """x^ `(B, num_steps, D)` after the codes `(B, ...)`: each is decoded of r' = V r, V that of `hold_dynamics`."""
    dynamics = hold_dynamics(networks, config, codes.r2)

    def step(r, _):
        r = jnp.einsum("bij,bj->bi", dynamics, r)
        return r, decode(networks, r, config.loss)

    _, x = jax.lax.scan(step, codes.r, length=num_steps)
    return jnp.moveaxis(x, 0, 1)


class TrainingTerms(NamedTuple):
    """Of the training loss: those of the data `(B,)`, summed over steps, and the regularisers, without weights."""

    inferred: jax.Array
    predicted: jax.Array
    temporal: jax.Array
    regularisers: Regularisers


def training_loss(networks: Networks, config: TiDHyConfig, x, codes: Codes):
    """The loss of parameters given sequences x `(B, T, D)` and their inferred codes `(B, T, ...)`.

    mean over samples of [sum_t s(decode(r_t), x_t) + sum_{t>0} s(decode(r^_t), x_t) + temp_weight |r_t - r^_t|^2]
    + the weighted `Regularisers`, with r^_t = V(r2_t) r_{t-1}: of the r2 inferred from x_t. r and r2 are constants:
    no gradient passes through them.

    Returns:
      The loss and its `TrainingTerms`.
    """
    r, r2 = jax.lax.stop_gradient(codes)
    w = mix(networks, r2[:, 1:], config.weights)
    predicted = jnp.einsum("btij,btj->bti", mix_dynamics(networks, w), r[:, :-1])
    terms = TrainingTerms(
        measure_error(decode(networks, r, config.loss), x, config.loss).sum(1),
        measure_error(decode(networks, predicted, config.loss), x[:, 1:], config.loss).sum(1),
        jnp.square(r[:, 1:] - predicted).sum((1, 2)),
        regularise(networks, w),
    )
    weights = (config.cos_eta, config.w_sparsity, config.decoder_orthogonality, config.w_continuity)
    loss = (terms.inferred + terms.predicted + config.temp_weight * terms.temporal).mean()
    return loss + sum(weight * term for weight, term in zip(weights, terms.regularisers) if weight), terms
