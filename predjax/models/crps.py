"""The almost fair CRPS of drawn members: of pixels, of means over areas, and of the mean over time."""

import jax
import jax.numpy as jnp

ALPHA = 0.95  # of Lang et al. (2024); 1 is the fair score, 0 the plain one
AREAS = (1, 2, 4, 8, 16)  # sides in pixels, each twice the one before


def almost_fair_crps(members: jax.Array, observed: jax.Array, alpha: float = ALPHA) -> jax.Array:
    """Return the almost fair CRPS of M members x `(M, ...)` for an observation y `(...)`.

        1/M sum_j |x_j - y| - (1 - eps) / (2 M (M - 1)) sum_{j != k} |x_j - x_k|,   eps = (1 - alpha) / M

    (Lang et al., 2024, https://arxiv.org/abs/2412.15832). With alpha = 1 the expected score does not depend on M, but a
    member has no gradient where all others equal the observation. With a smaller alpha it has one, and the expected
    score is larger by eps/2 E|x_j - x_k|. The score of one member is its absolute error.
    """
    count = len(members)
    error = jnp.abs(members - observed).mean(0)
    if count == 1:
        return error
    pairs = sum(jnp.abs(members[lag:] - members[:-lag]).sum(0) for lag in range(1, count))
    return error - (1 - (1 - alpha) / count) / (count * (count - 1)) * pairs


def ensemble_error(num_steps: int, members: jax.Array, observed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the sums `(means,)` of the almost fair CRPS of several means of frames, and their weights `(means,)`.

    The means are over squares with the sides `AREAS` that fit into the frame, and, for several forecast frames
    (`num_steps`, the last ones), of each pixel over time. A mean is over the pixels that `observed` covers, in members
    and observation, and its weight is their share: pixels without coverage give neither a loss nor a gradient.

    Args:
      members: frames `(M, B, T, H, W, C)`.
      observed: frames `(B, T, H, W, C)`, NaN = no coverage.
    """
    exists = jnp.isfinite(observed)
    known, drawn = (jnp.where(exists, frames, 0.0) for frames in (observed, members))
    fields = squares = [drawn, known, exists.astype(drawn.dtype)]
    sums = [_score(fields, 1)]
    for side in AREAS[1:]:
        if side <= min(observed.shape[2:4]):
            squares = [_add_squares(field) for field in squares]
            sums.append(_score(squares, side**2))
    steps = min(num_steps, observed.shape[1])
    if steps > 1:
        sums.append(_score([field[..., -steps:, :, :, :].sum(-4) for field in fields], steps))
    totals, weights = zip(*sums)
    return jnp.stack(totals), jnp.stack(weights)


def _score(sums: list[jax.Array], largest: int) -> tuple[jax.Array, jax.Array]:
    """Return the weighted sum of the scores of means, and the sum of the weights.

    `sums` are sums of members, sums of observations, and the number of pixels in each. A mean is a sum over its number
    of pixels; its weight is this number over the `largest` possible one.
    """
    drawn, known, number = sums
    present = jnp.maximum(number, 1.0)
    weights = number / largest
    return (weights * almost_fair_crps(drawn / present, known / present)).sum(), weights.sum()


def _add_squares(field: jax.Array) -> jax.Array:
    """Return the sums `(..., H/2, W/2, C)` of squares of 2 x 2 of a field `(..., H, W, C)`; beyond it there is 0."""
    *lead, height, width, channels = field.shape
    rows, columns = -(-height // 2), -(-width // 2)
    pads = [(0, 0)] * len(lead) + [(0, 2 * rows - height), (0, 2 * columns - width), (0, 0)]
    return jnp.pad(field, pads).reshape(*lead, rows, 2, columns, 2, channels).sum((-4, -2))
