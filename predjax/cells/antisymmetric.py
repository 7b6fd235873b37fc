"""Antisymmetric recurrences (Chang et al. 2019): steps of a differential equation that neither grows nor forgets."""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import Initializer, transpose_kernel
from predjax.cells.options import option


def start_by_inputs(variance: float) -> Initializer:
    """Return an initialiser that draws from N(0, variance / fan_in)."""
    return hk.initializers.VarianceScaling(variance, "fan_in", "normal")


@dataclasses.dataclass(eq=False)
class Antisymmetric(RecurrentCell):
    """The antisymmetric recurrence: `(B, *S, I)` to `(B, *S, F)`; h is the state and the output.

        h' = h + e tanh((W - W^T - g I) h + V x + b)

    Chang et al. (2019), "AntisymmetricRNN", arXiv:1902.09689, eq. 12, with e = `step_size` and g = `diffusion`. On maps
    W and V are convolutions and W^T is the adjoint of W: the spectrum of W - W^T is imaginary on every grid.

    As in the paper, W starts as N(0, `recurrent_variance` / F), V as N(0, 1 / I), and b at zero; the paper tunes e, g
    and the variance to each task. On maps F and I also count the pixels of a kernel.
    """

    step_size: float = option(0.1, above=0)
    diffusion: float = option(0.01, low=0)
    recurrent_variance: float = option(1.0, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recurrent = self.linear(self.features, "recurrent", w_init=start_by_inputs(self.recurrent_variance))
        self.input = self.linear(self.features, "input", jnp.zeros, start_by_inputs(1.0))

    def rotate(self, hidden: jax.Array) -> jax.Array:
        """Return (W - W^T - g I) h."""

        def make_kernel() -> jax.Array:
            w = self.recurrent.kernel(self.features, hidden.dtype)
            return w - transpose_kernel(w)

        rotated = self.context.apply_kernel(f"{self.module_name}/antisymmetric", hidden, make_kernel, self.kernel_shape)
        return rotated - self.diffusion * hidden

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = state + self.step_size * jnp.tanh(self.rotate(state) + self.input(inputs))
        return hidden, hidden


class GatedAntisymmetric(Antisymmetric):
    """The `Antisymmetric` recurrence with a gate z that uses the same W (Chang et al. 2019, eqs. 14 and 15).

        z = sigmoid((W - W^T - g I) h + V_z x + b_z)    h' = h + e z tanh((W - W^T - g I) h + V x + b)

    All else is as in `Antisymmetric`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gate = self.linear(self.features, "gate", jnp.zeros, start_by_inputs(1.0))

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        rotated = self.rotate(state)
        gate = jax.nn.sigmoid(rotated + self.gate(inputs))
        hidden = state + self.step_size * gate * jnp.tanh(rotated + self.input(inputs))
        return hidden, hidden
