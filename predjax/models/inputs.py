"""The inputs of every step of a window: patches of frames, their coverage, and forcings."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from predjax.models.config import ModelConfig
from predjax.models.patches import pad_frames, patch_grid, to_patches


class Window(NamedTuple):
    """The frames of a window, its forcings, and which of its inputs are true frames.

    Frames are scaled, `(B, T, H, W, C)`; `use_truth` is `(B, T-1)`, None in a sequence task; forcings are `(B, T, A)`,
    `(B, T, H, W, A)` or None. The first `known` inputs are true for all samples, so that a stack which unrolls can take
    them at once. A forecast starts from the first `num_observed` frames.
    """

    frames: jax.Array
    use_truth: jax.Array | None
    forcings: jax.Array | None
    known: int
    num_observed: int

    @property
    def observed(self) -> jax.Array:
        """The frames that a forecast starts from."""
        return self.frames[:, : self.num_observed]


class Inputs(NamedTuple):
    """Patches of frames and of forcings, `(steps, B, h, w, features)`; either may be None."""

    frames: jax.Array | None
    forcings: jax.Array | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the patches without the axis of features."""
        return jax.tree.leaves(self)[0].shape[:-1]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        rows, columns = self.shape[-2:]
        return rows, columns


class Masks(NamedTuple):
    """The coverage of the last true frame, and which samples get the true frame, `(steps, B)`; None without frames."""

    covered: jax.Array | None = None
    truth: jax.Array | None = None


def split_window(config: ModelConfig, window: Window) -> tuple[Inputs, Masks]:
    """Return the inputs and masks of all steps, time-major."""
    scaled = window.frames
    if config.sequence:
        return Inputs(None, _patch_forcings(config, window, scaled.shape[1])), Masks()
    frames = to_patches(pad_frames(scaled, config.patch_size)[:, :-1], config.patch_size).swapaxes(0, 1)
    assert window.use_truth is not None, "frames go in"
    exists, truth = jnp.isfinite(frames), window.use_truth.swapaxes(0, 1)

    def fill(covered: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        exists, truth = at
        covered = jnp.where(truth[:, None, None, None], exists, covered)
        return covered, covered

    _, covered = jax.lax.scan(fill, exists[0], (exists, truth))
    return Inputs(frames, _patch_forcings(config, window, len(frames))), Masks(covered, truth)


def _patch_forcings(config: ModelConfig, window: Window, steps: int) -> jax.Array | None:
    """Scale the forcings of the first `steps` and patch them; a vector is the same in every patch."""
    if window.forcings is None:
        return None
    dtype: DTypeLike = window.frames.dtype
    forcings = config.forcing_scaling.scale(jnp.asarray(window.forcings, dtype)[:, :steps])
    if forcings.ndim == 3:
        batch, _, channels = forcings.shape
        height, width = window.frames.shape[2:4]
        grid = patch_grid(height, width, config.patch_size)
        return jnp.broadcast_to(forcings[:, :, None, None], (batch, steps, *grid, channels)).swapaxes(0, 1)
    return to_patches(pad_frames(forcings, config.patch_size, 0.0), config.patch_size).swapaxes(0, 1)


def gather(config: ModelConfig, inputs: Inputs, masks: Masks, previous: jax.Array | None = None) -> jax.Array:
    """Return the features that go into the stack: frames, then coverage if it is an input, then forcings.

    The masks choose for each sample the true frame or `previous`, the last prediction. Without `previous` all frames
    are true.
    """
    if inputs.frames is None:
        assert inputs.forcings is not None, "a sequence task has them"
        return inputs.forcings
    # Double where: a NaN that is only masked afterwards would still make the gradient NaN.
    frame = jnp.where(jnp.isfinite(inputs.frames), inputs.frames, 0.0)
    assert masks.covered is not None and masks.truth is not None, "frames go in"
    features = [frame if previous is None else jnp.where(masks.truth[:, None, None, None], frame, previous)]
    if config.coverage_channel:
        features.append(masks.covered.astype(frame.dtype))
    if inputs.forcings is not None:
        features.append(inputs.forcings)
    return jnp.concatenate(features, -1)


def take(tree: Any, index: int | slice) -> Any:
    """Take one step, or some, of time-major arrays."""
    return jax.tree.map(lambda a: a[index], tree)
