"""The Lipschitz recurrence (Erichson et al. 2021): a linear part of known spectrum plus a bounded nonlinear part."""

import dataclasses
import math
from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import DType, Shape, transpose_kernel
from predjax.cells.options import option


def mix_symmetric(m: jax.Array, beta: float) -> jax.Array:
    """Return (1 - beta) (M + M^T) + beta (M - M^T), for kernels of dense maps and of convolutions."""
    transposed = transpose_kernel(m)
    return (1 - beta) * (m + transposed) + beta * (m - transposed)


Slope = Callable[[jax.Array, str], jax.Array]  # (h, which use in the step) -> dh/dt


def step_euler(slope: Slope, state: jax.Array, step_size: float) -> jax.Array:
    """Take one step of Euler's method, whose error is of second order in `step_size`."""
    return state + step_size * slope(state, "first")


def step_midpoint(slope: Slope, state: jax.Array, step_size: float) -> jax.Array:
    """Take one step of the midpoint rule (Runge-Kutta, second order), whose error is of third order in `step_size`."""
    return state + step_size * slope(state + step_size / 2 * slope(state, "first"), "second")


@dataclasses.dataclass(eq=False)
class Lipschitz(RecurrentCell):
    """The Lipschitz recurrence, a step of dh/dt = A h + tanh(W h + U x + b): `(B, *S, I)` to `(B, *S, F)`.

        A = (1 - beta_a) (M_a + M_a^T) + beta_a (M_a - M_a^T) - gamma_a I
        W = (1 - beta_w) (M_w + M_w^T) + beta_w (M_w - M_w^T) - gamma_w I

    Erichson et al. (2021), "Lipschitz recurrent neural networks", arXiv:2006.12070, eqs. 3, 7 and 8; h is the state and
    the output. With e = `step_size` and F(h) = dh/dt a step is Euler's, h + e F(h), or with `rk2` the midpoint rule,
    h + e F(h + e/2 F(h)), both at the input x of the step. On maps M and U are convolutions, and M^T is the adjoint of
    M. The authors' code has one beta and one gamma for both matrices.

    As in the paper, M starts as N(0, (`scale` / F)^2), U Glorot normal, and b at zero; on maps F also counts the pixels
    of a kernel.
    """

    step_size: float = option(0.03, above=0)
    beta_a: float = option(0.75, low=0, high=1)
    gamma_a: float = option(0.001, low=0)
    beta_w: float = option(0.75, low=0, high=1)
    gamma_w: float = option(0.001, low=0)
    rk2: bool = option(False)
    scale: float = option(0.1, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.betas, self.gammas = (self.beta_a, self.beta_w), (self.gamma_a, self.gamma_w)
        self.step = step_midpoint if self.rk2 else step_euler

        def start_small(shape: Shape, dtype: DType) -> jax.Array:
            return hk.initializers.RandomNormal(self.scale / math.prod(shape[:-1]))(shape, dtype)

        glorot = hk.initializers.VarianceScaling(1.0, "fan_avg", "normal")
        self.maps = [self.linear(self.features, name, w_init=start_small) for name in ("m_a", "m_w")]
        self.input = self.linear(self.features, "input", jnp.zeros, glorot)

    def split(self, hidden: jax.Array, use: str = "first") -> list[jax.Array]:
        """Return A h and W h. `use` names the evaluation within a step; each evaluation has its own shared kernel."""

        def make_kernel() -> jax.Array:
            kernels = (linear.kernel(self.features, hidden.dtype) for linear in self.maps)
            return jnp.concatenate([mix_symmetric(m, beta) for m, beta in zip(kernels, self.betas)], -1)

        both = self.context.apply_kernel(f"{self.module_name}/{use}", hidden, make_kernel, self.kernel_shape)
        return [h - gamma * hidden for h, gamma in zip(jnp.split(both, 2, axis=-1), self.gammas)]

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        from_inputs = self.input(inputs)

        def slope(hidden: jax.Array, use: str) -> jax.Array:
            linear, recurrent = self.split(hidden, use)
            return linear + jnp.tanh(recurrent + from_inputs)

        hidden = self.step(slope, state, self.step_size)
        return hidden, hidden
