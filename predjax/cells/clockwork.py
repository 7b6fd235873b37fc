"""The clockwork recurrence (Koutnik et al. 2014): modules of neurons that each have a clock of their own."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.options import choose_activation, read_counts


class ClockworkState(NamedTuple):
    """`hidden`: h `(B, *S, F)`; `step`: t `(B,)`, whole numbers, the steps so far."""

    hidden: jax.Array
    step: jax.Array


def split_features(features: int, modules: int) -> tuple[int, ...]:
    """The sizes of that many modules, as equal as can be, larger ones first."""
    return tuple(features // modules + (i < features % modules) for i in range(modules))


class Clockwork(RecurrentCell):
    """Module i takes h_i' = f(sum_{j>=i} W_ij h_j + W_i x + b_i) where t mod T_i = 0, and keeps h_i elsewhere.

    Koutnik et al. (2014), "A Clockwork RNN", arXiv:1402.3511, eqs. 1 to 3. `(B, *S, I)` to `(B, *S, F)`; the state is
    `ClockworkState`, the output h'. Periods T_i increase from module to module: fast modules see slow ones, slow ones
    do not see fast ones. The first step is t = 0, at which every module fires (the paper does not fix it).

    Modules are blocks of channels, also where W convolves. `periods` is a text such as "1,2,4,8", the paper's 2^(i-1)
    for four modules; `block_sizes` is one with the channels of every module, empty for equal ones.
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        periods="1,2,4,8",
        block_sizes="",
        activation="tanh",
        context=None,
        name=None,
    ):
        super().__init__(features, spatial_shape, kernel_shape, context, name)
        periods = read_counts("periods", periods)
        if any(slow <= fast for fast, slow in itertools.pairwise(periods)):
            raise ValueError(f"periods must increase, not {periods}")
        if features < len(periods):
            raise ValueError(f"periods must be at most one for each of the {features} features, not {periods}")
        sizes = read_counts("block_sizes", block_sizes) if block_sizes else split_features(features, len(periods))
        if len(sizes) != len(periods) or sum(sizes) != features:
            raise ValueError(f"block_sizes must be {len(periods)} that add to {features}, not {sizes}")
        module = np.repeat(np.arange(len(sizes)), sizes)
        self.period = np.repeat(periods, sizes)
        self.sees = module[:, None] >= module[None, :]  # [from, to], as kernels are
        self.activation = choose_activation(activation)
        self.recurrent = self.linear(features, "recurrent")
        self.input = self.linear(features, "input", with_bias=True)

    def initial_state(self, batch_size):
        """All zeros."""
        return ClockworkState(self.zeros(batch_size), jnp.zeros(batch_size, jnp.int32))

    def __call__(self, inputs, state):
        hidden, step = state

        def make_kernel():
            return jnp.where(self.sees, self.recurrent.kernel(self.features, hidden.dtype), 0)

        recurrent = self.context.apply_kernel(f"{self.module_name}/clockwork", hidden, make_kernel, self.kernel_shape)
        fresh = self.activation(recurrent + self.input(inputs))
        fires = step.reshape(-1, *[1] * (hidden.ndim - 1)) % self.period == 0
        hidden = jnp.where(fires, fresh, hidden)
        return hidden, ClockworkState(hidden, step + 1)
