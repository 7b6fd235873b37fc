"""The composite: its geometry and its mechanics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.plasticity import Material, elastic_stress, rest, update_stress
from predjax.synthetic import micromodel
from predjax.synthetic.strain_paths import make_strain_path
from predjax.synthetic.stress_strain import StressStrainConfig, find_stress

SMALL = StressStrainConfig(pixels=9, num_fibres=1, fibre_fraction=0.4, length=8)


EPOXY = {"fibre_young": 3130.0, "fibre_poisson": 0.37}


def make_paths(path_type, count=2, length=8, max_strain=0.04):
    return np.stack([make_strain_path(path_type, i, length, max_strain, 0) for i in range(count)]).astype(np.float32)


def test_fibres_fill_their_part_of_the_cell_and_do_not_touch(monkeypatch):
    fibre = micromodel.lay_fibres(StressStrainConfig(fibre_fraction=0.35))  # which fit after few attempts
    assert abs(fibre.mean() - 0.35) < 0.02
    seen, count = np.zeros_like(fibre), 0
    for start in np.argwhere(fibre):
        count += not seen[tuple(start)]
        stack = [tuple(start)]
        while stack:
            place = stack.pop()
            if fibre[place] and not seen[place]:
                seen[place] = True
                stack += [((place[0] + i) % 25, (place[1] + j) % 25) for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0))]
    assert count == 4
    monkeypatch.setattr(micromodel, "ARRANGEMENTS", 3)
    with pytest.raises(ValueError, match="9 fibres do not fit into the cell"):
        micromodel.lay_fibres(StressStrainConfig(num_fibres=9, fibre_fraction=0.69))


def test_fibres_like_the_matrix_make_a_homogeneous_material_while_it_is_elastic():
    strain = make_paths("gaussian", max_strain=0.005)
    config = StressStrainConfig(pixels=9, num_fibres=1, fibre_fraction=0.4, **EPOXY)
    np.testing.assert_allclose(find_stress(strain, config), elastic_stress(strain, Material()), rtol=1e-4, atol=1e-4)


def test_a_composite_is_stiffer_than_its_matrix_yields_and_keeps_a_plastic_strain():
    strain = make_paths("proportional", 2, 60)
    stress = find_stress(strain, SMALL)
    state, matrix, update = rest((2,)), [], jax.jit(update_stress)
    for step in range(60):
        found, state = update(jnp.asarray(strain[:, step]), state)
        matrix.append(found)
    matrix = np.stack(matrix, 1)
    work = (stress[:, 0] * strain[:, 0]).sum(1)
    stiff = (np.asarray(elastic_stress(strain[:, 0], Material(74000.0, 0.2))) * strain[:, 0]).sum(1)
    soft = (matrix[:, 0] * strain[:, 0]).sum(1)
    assert (soft < work).all() and (work < 0.4 * stiff + 0.6 * soft).all()  # Voigt's bound
    assert np.abs(stress).max() > 40  # beyond the yield of the matrix
    norms, lowest = np.linalg.norm(strain, axis=-1), np.argmin(np.linalg.norm(strain[:, 30:], axis=-1), axis=1) + 30
    for path, turn in enumerate(lowest):
        loading = np.interp(norms[path, turn], norms[path, :10], (stress[path] * strain[path]).sum(1)[:10])
        assert (stress[path, turn] * strain[path, turn]).sum() < 0.5 * loading  # it does not go back as it came


def test_a_turned_cell_answers_as_the_cell_does(monkeypatch):
    strain = make_paths("gaussian")
    stress = find_stress(strain, SMALL)
    fibre = micromodel.lay_fibres(SMALL)
    monkeypatch.setattr(micromodel, "lay_fibres", lambda config: fibre.T)
    turned = find_stress(strain[..., [1, 0, 2]], StressStrainConfig(pixels=9, num_fibres=1, fibre_fraction=0.4))
    np.testing.assert_allclose(turned[..., [1, 0, 2]], stress, rtol=2e-3, atol=0.05)


def test_fields_that_a_displacement_has_are_projected_on_themselves():
    project = micromodel._make_projection(9)
    field = jnp.asarray(np.random.default_rng(0).normal(size=(2, 9, 9, 3)), jnp.float32)
    tensor = jnp.array([1.0, 1.0, 0.5])
    once = project(field)
    np.testing.assert_allclose(project(once * tensor), once, atol=1e-5)  # stress-like: the shear of a tensor
    np.testing.assert_allclose(once.mean((1, 2)), 0, atol=1e-6)
    rest_of_it = field - once * tensor
    np.testing.assert_allclose((rest_of_it * once).sum((1, 2, 3)), 0, atol=1e-4)  # orthogonal: it does no work
