"""The composite: its geometry, its mechanics, and the files of its paths."""

import jax.numpy as jnp
import netCDF4
import numpy as np
import pytest

from predjax.cells.plasticity import Material, elastic_stress, rest, update_stress
from predjax.synthetic import micromodel
from predjax.synthetic.__main__ import main
from predjax.synthetic.strain_paths import PATH_TYPES, list_canonical, make_strain_path
from predjax.synthetic.stress_strain import StressStrainConfig, find_stress

SMALL = StressStrainConfig(pixels=9, num_fibres=1, fibre_fraction=0.4, length=8)
EPOXY = {"fibre_young": 3130.0, "fibre_poisson": 0.37}


def make_paths(path_type, count=2, length=8, max_strain=0.04):
    return np.stack([make_strain_path(path_type, i, length, max_strain, 0) for i in range(count)]).astype(np.float32)


def test_there_are_eighteen_canonical_directions():
    directions = list_canonical()
    assert directions.shape == (18, 3) and len(np.unique(directions, axis=0)) == 18
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert (np.count_nonzero(directions[:6], axis=1) == 1).all() and (
        np.count_nonzero(directions[6:], axis=1) == 2
    ).all()


@pytest.mark.parametrize("path_type", PATH_TYPES)
def test_paths_go_as_far_as_they_may_and_turn_where_they_should(path_type):
    paths = make_paths(path_type, 18, 60)
    norms = np.linalg.norm(paths, axis=-1)
    np.testing.assert_allclose(norms.max(1), 0.04, rtol=1e-5)
    turns = np.diff(np.sign(np.diff(norms, axis=1)), axis=1) != 0
    expected = {"canonical": turns.sum(1) == 0, "proportional": turns.sum(1) == 2, "gaussian": turns.sum(1) > 0}
    assert expected[path_type].all() and norms[:, 0].max() < 0.02
    assert len(np.unique(paths[:, -1], axis=0)) == 18
    np.testing.assert_array_equal(make_paths(path_type, 3, 60), paths[:3])


def test_fibres_fill_their_part_of_the_cell_and_do_not_touch():
    fibre = micromodel.lay_fibres(StressStrainConfig())
    assert abs(fibre.mean() - 0.45) < 0.02
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
    with pytest.raises(ValueError, match="9 fibres do not fit into the cell"):
        micromodel.lay_fibres(StressStrainConfig(num_fibres=9, fibre_fraction=0.69))


def test_fibres_like_the_matrix_make_a_homogeneous_material_while_it_is_elastic():
    strain = make_paths("gaussian", max_strain=0.005)
    config = StressStrainConfig(pixels=9, num_fibres=1, fibre_fraction=0.4, **EPOXY)
    np.testing.assert_allclose(find_stress(strain, config), elastic_stress(strain, Material()), rtol=1e-4, atol=1e-4)


def test_a_composite_is_stiffer_than_its_matrix_yields_and_keeps_a_plastic_strain():
    strain = make_paths("proportional", 2, 60)
    stress = find_stress(strain, SMALL)
    state, matrix = rest((2,)), []
    for step in range(60):
        found, state = update_stress(jnp.asarray(strain[:, step]), state)
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


def test_the_command_writes_what_the_reader_reads(tmp_path, capsys):
    path = tmp_path / "paths.nc"
    command = ["stress_strain", "--output", str(path), "--num_movies", "2", "--length", "4", "--pixels", "9"]
    command += ["--num_fibres", "1", "--fibre_fraction", "0.3", "--path_type", "gaussian"]
    assert main(command) == 0
    with netCDF4.Dataset(path) as file:
        assert file["stress"].dimensions == ("path", "time", "component") and file["stress"].units == "MPa"
        assert file["stress"].shape == file["strain"].shape == (2, 4, 3) and file.path_type == "gaussian"
    assert main(command) == 2 and "exists; --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--num_movies", "19"], "num_movies 19 must be from 1 to 18"),
        (["--pixels", "8"], "pixels must be odd, and at least 3, not 8"),
        (["--max_strain", "2"], "max_strain must be above 0 and at most 0.2"),
        (["--output", "paths.txt"], "paths.txt: stress-strain paths are written as .nc, not .txt"),
    ],
)
def test_paths_that_cannot_be_are_refused(flags, reason, tmp_path, capsys):
    assert main(["stress_strain", "--output", str(tmp_path / "a.nc"), *flags]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1


def test_a_cell_out_of_balance_is_refused(monkeypatch):
    monkeypatch.setattr(micromodel, "MOST_ITERATIONS", 1)
    with pytest.raises(ValueError, match="step 0 of paths from 0: the cell is out of balance by"):
        find_stress(make_paths("canonical"), StressStrainConfig(pixels=11, num_fibres=1, fibre_fraction=0.4))
