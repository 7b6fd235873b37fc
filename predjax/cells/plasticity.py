"""J2 elastoplasticity in plane stress: pure functions of strains and histories.

Strains, plastic strains too, are (xx, yy, xy) with engineering shear, gamma_xy = 2 eps_xy; stresses are (xx, yy, xy)
in the unit of the elastic modulus. The return mapping is from Simo & Taylor (1986), in the form of de Souza Neto, Peric
& Owen (2008), section 9.4, which solves one equation for each point.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

MOST_ITERATIONS = 60  # Newton takes 5 to 10; bisection alone would take as many as a float64 has bits
Parts = tuple[jax.Array, jax.Array]


@dataclasses.dataclass(frozen=True)
class ExponentialHardening:
    """The yield stress sigma_y(k) = last - (last - first) exp(-k / scale) of the equivalent plastic strain k.

    The default is the epoxy resin of Maia et al. (2023), doi:10.1016/j.cma.2023.115934, in MPa.
    """

    first: float = 31.2
    last: float = 64.8
    scale: float = 0.003407

    def __call__(self, kappa: jax.Array) -> jax.Array:
        return self.last - (self.last - self.first) * jnp.exp(-kappa / self.scale)


@dataclasses.dataclass(frozen=True)
class Material:
    """An isotropic elastoplastic material; `hardening` gives the yield stress at an equivalent plastic strain k.

    The yield stress never decreases with k. The default is the epoxy resin of Maia et al. (2023), in MPa.
    """

    young: float = 3130.0
    poisson: float = 0.37
    hardening: ExponentialHardening = ExponentialHardening()

    @property
    def shear(self) -> float:
        """Return the shear modulus G = E / 2(1 + nu)."""
        return self.young / (2 * (1 + self.poisson))

    @property
    def slopes(self) -> tuple[float, float]:
        """Return E / 3(1 - nu) and 2 G: how fast a plastic step relaxes the two parts of the stress."""
        return self.young / (3 * (1 - self.poisson)), 2 * self.shear


class PlasticState(NamedTuple):
    """The history of points: plastic strain `(..., 3)` and equivalent plastic strain k `(...)`."""

    strain: jax.Array
    kappa: jax.Array


def elastic_stress(strain: jax.Array, material: Material) -> jax.Array:
    """Return sigma = C eps in plane stress."""
    xx, yy, xy = jnp.moveaxis(strain, -1, 0)
    c = material.young / (1 - material.poisson**2)
    return jnp.stack([c * (xx + material.poisson * yy), c * (yy + material.poisson * xx), material.shear * xy], -1)


def von_mises(stress: jax.Array) -> jax.Array:
    """Return the equivalent stress q = sqrt(xx^2 - xx yy + yy^2 + 3 xy^2); its gradient is finite at zero."""
    xx, yy, xy = jnp.moveaxis(stress, -1, 0)
    square = xx**2 - xx * yy + yy**2 + 3 * xy**2
    exists = square > 0  # double where: the gradient of the root at 0 would be infinite
    return jnp.where(exists, jnp.sqrt(jnp.where(exists, square, 1.0)), 0.0)


def relax(multiplier: jax.Array, parts: Parts, material: Material) -> jax.Array:
    """Return the equivalent stress q after a plastic step with this `multiplier`.

    q^2 = 3 xi / 2 with xi = a_1 / 6 f_1^2 + a_2 / f_2^2 and f_i = 1 + slope_i multiplier. `parts` are (a_1, a_2), the
    squares of the parts of the trial stress.
    """
    first, second = material.slopes
    xi = parts[0] / (6 * (1 + first * multiplier) ** 2) + parts[1] / (1 + second * multiplier) ** 2
    return jnp.sqrt(1.5 * xi)


def solve_multiplier(parts: Parts, kappa: jax.Array, material: Material) -> jax.Array:
    """Return the plastic multiplier `(...)` that brings the stress of yielding points back to the yield surface.

    The multiplier is the root of sigma_y(k') / q - 1 with k' = k + 2/3 multiplier q. `kappa` `(...)` is k before the
    step; q follows from `parts`, each `(...)`, see `relax`. The function rises almost linearly, from below 0 at the
    multiplier 0 to above 0 at the multiplier of a material without hardening. Newton's method searches between these
    two, and bisection replaces a step that would leave them, so the search always converges. The gradient is the
    derivative of the root (the consistent tangent); the iterations are not differentiated.
    """
    low_slope = min(material.slopes)

    def residual(multiplier: jax.Array) -> jax.Array:
        q = relax(multiplier, parts, material)
        return material.hardening(kappa + multiplier * q * (2 / 3)) / q - 1

    def solve(function: Callable[[jax.Array], jax.Array], guess: jax.Array) -> jax.Array:
        del function
        elastic_q = relax(jnp.zeros_like(guess), parts, material)
        high = (elastic_q / material.hardening(kappa) - 1) / low_slope
        precision = 4 * jnp.finfo(guess.dtype).eps

        def unfinished(carry: Any) -> jax.Array:
            iteration, _, _, _, done = carry
            return (iteration < MOST_ITERATIONS) & ~done.all()

        def iterate(carry: Any) -> Any:
            iteration, low, high, x, done = carry
            value, slope = jax.jvp(residual, (x,), (jnp.ones_like(x),))
            low, high = jnp.where(value < 0, x, low), jnp.where(value < 0, high, x)
            step = x - value / slope
            inside = (step > low) & (step < high)
            new = jnp.where(inside, step, (low + high) / 2)
            done |= (jnp.abs(value) < precision) | (jnp.abs(new - x) <= precision * jnp.abs(x))
            return iteration + 1, low, high, jnp.where(done, x, new), done

        start = (0, jnp.zeros_like(guess), high, guess, jnp.zeros(guess.shape, bool))
        return jax.lax.while_loop(unfinished, iterate, start)[3]

    def solve_tangent(linear: Callable[[jax.Array], jax.Array], y: jax.Array) -> jax.Array:
        return y / linear(jnp.ones_like(y))  # every point is on its own

    return jax.lax.custom_root(residual, jnp.zeros_like(kappa), solve, solve_tangent)


def update_stress(
    strain: jax.Array, state: PlasticState, material: Material = Material()
) -> tuple[jax.Array, PlasticState]:
    """Return the stress `(..., 3)` and the new history of points that are brought to a strain `(..., 3)`.

    The step is elastic where the trial stress is inside the yield surface q = sigma_y(k). Elsewhere the stress returns
    to the surface: sigma' = A sigma_trial, eps_p' = eps_p + multiplier P sigma', k' = k + 2/3 multiplier q.
    """
    trial = elastic_stress(strain - state.strain, material)
    yields = von_mises(trial) > material.hardening(state.kappa)
    # Double where: points that stay elastic go through the plastic equations with a stress that yields.
    pulled = material.hardening(state.kappa) * 2
    uniaxial = jnp.stack([pulled, 0 * pulled, 0 * pulled], -1)
    stress = jnp.where(yields[..., None], trial, uniaxial)
    xx, yy, xy = jnp.moveaxis(stress, -1, 0)
    parts = (xx + yy) ** 2, (yy - xx) ** 2 / 2 + 2 * xy**2
    multiplier = solve_multiplier(parts, state.kappa, material)
    u, v = (1 / (1 + slope * multiplier) for slope in material.slopes)
    mean, half = u * (xx + yy) / 2, v * (xx - yy) / 2
    returned = jnp.stack([mean + half, mean - half, v * xy], -1)
    xx, yy, xy = jnp.moveaxis(returned, -1, 0)
    flow = jnp.stack([(2 * xx - yy) / 3, (2 * yy - xx) / 3, 2 * xy], -1)  # P sigma
    plastic = PlasticState(
        state.strain + multiplier[..., None] * flow,
        state.kappa + multiplier * relax(multiplier, parts, material) * (2 / 3),
    )
    state = PlasticState(
        jnp.where(yields[..., None], plastic.strain, state.strain), jnp.where(yields, plastic.kappa, state.kappa)
    )
    return jnp.where(yields[..., None], returned, trial), state


def rest(shape: Sequence[int], dtype: Any = float) -> PlasticState:
    """Return the state of points that have not been strained yet."""
    return PlasticState(jnp.zeros((*shape, 3), dtype), jnp.zeros(shape, dtype))
