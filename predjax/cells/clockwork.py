"""The clockwork recurrence (Koutnik et al. 2014): modules of neurons, each with a clock of its own."""

import dataclasses
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.options import choose_activation, read_counts


class ClockworkState(NamedTuple):
    """The hidden state h `(B, *S, F)`, and the number of steps so far, t `(B,)`."""

    hidden: jax.Array
    step: jax.Array


def split_features(features: int, modules: int) -> tuple[int, ...]:
    """Return the sizes of `modules` modules, as equal as possible, larger ones first."""
    return tuple(features // modules + (i < features % modules) for i in range(modules))


@dataclasses.dataclass(eq=False)
class Clockwork(RecurrentCell):
    """The clockwork recurrence: `(B, *S, I)` to h' `(B, *S, F)`; the state is `ClockworkState`.

        h_i' = f(sum_{j>=i} W_ij h_j + W_i x + b_i) where t mod T_i = 0, else h_i, for each module i

    Koutnik et al. (2014), "A Clockwork RNN", arXiv:1402.3511, eqs. 1 to 3. Periods T_i increase with i: fast modules
    see slow ones, slow modules do not see fast ones. Every module fires at the first step, t = 0 (the paper does not
    say).

    A module is a block of channels, also where W convolves. `periods` lists T_i, "1,2,4,8" being the paper's 2^(i-1)
    for four modules; `block_sizes` lists the channels of each module, and is empty for equal modules.
    """

    periods: str = "1,2,4,8"
    block_sizes: str = ""
    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        features = self.features
        clocks = read_counts("periods", self.periods)
        if any(slow <= fast for fast, slow in itertools.pairwise(clocks)):
            raise ValueError(f"periods must increase, not {clocks}")
        if features < len(clocks):
            raise ValueError(f"periods must be at most one for each of the {features} features, not {clocks}")
        given = self.block_sizes
        sizes = read_counts("block_sizes", given) if given else split_features(features, len(clocks))
        if len(sizes) != len(clocks) or sum(sizes) != features:
            raise ValueError(f"block_sizes must be {len(clocks)} that add to {features}, not {sizes}")
        module = np.repeat(np.arange(len(sizes)), sizes)
        self.period = np.repeat(clocks, sizes)
        self.sees = module[:, None] >= module[None, :]  # [from, to], as kernels are
        self.activate = choose_activation(self.activation)
        self.recurrent = self.linear(features, "recurrent")
        self.input = self.linear(features, "input", with_bias=True)

    def initial_state(self, batch_size: int) -> ClockworkState:
        """Return zeros."""
        return ClockworkState(self.zeros(batch_size), jnp.zeros(batch_size, jnp.int32))

    def __call__(self, inputs: jax.Array, state: ClockworkState) -> tuple[jax.Array, ClockworkState]:
        hidden, step = state

        def make_kernel() -> jax.Array:
            return jnp.where(self.sees, self.recurrent.kernel(self.features, hidden.dtype), 0)

        recurrent = self.context.apply_kernel(f"{self.module_name}/clockwork", hidden, make_kernel, self.kernel_shape)
        fresh = self.activate(recurrent + self.input(inputs))
        fires = step.reshape(-1, *[1] * (hidden.ndim - 1)) % self.period == 0
        hidden = jnp.where(fires, fresh, hidden)
        return hidden, ClockworkState(hidden, step + 1)
