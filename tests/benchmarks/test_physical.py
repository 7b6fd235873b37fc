"""The benchmarks of physical networks: both sides compute the same, and the learning curves are of what they say."""

import importlib
import json
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from tiny import ROOT

from predjax.cells.plasticity import rest, update_stress

sys.path.append(str(ROOT / "benchmarks"))
physical, learning = (importlib.import_module(name) for name in ("physical", "material_learning"))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(physical, "STEPS", 12)
    monkeypatch.setattr(physical, "EPOCHS", 1)
    monkeypatch.setenv("PREDJAX_COMPILATION_CACHE", "0")
    return physical.make_data(2)


def test_both_sides_make_the_same_updates(short):
    pytest.importorskip("torch", reason="PyTorch is not installed; the benchmarks alone need it")
    theirs, ours = physical.measure_torch(short, 1), physical.measure_predjax(short, 1)
    assert len(theirs["losses"]) == 6 and min(theirs["losses"]) > 0 and len(ours["warm"]) == physical.WARM_CALLS
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-3)
    assert short["order"].shape == (6, 3) and sorted(short["order"].ravel()) == list(range(18))


def test_the_rival_returns_to_the_yield_surface_as_the_cell_does():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the benchmarks alone need it")
    rival = importlib.import_module("torch_physical")
    strains = np.cumsum(np.random.default_rng(0).normal(0, 0.01, (6, 20, 3)), 0).astype(np.float32)
    plastic, kappa, state = torch.zeros(20, 3), torch.zeros(20), rest((20,))
    for strain in strains:
        stress, plastic, kappa = rival.update_stress(torch.from_numpy(strain), plastic, kappa)
        expected, state = update_stress(jnp.asarray(strain), state)
        np.testing.assert_allclose(stress, expected, rtol=1e-3, atol=1e-2)
    assert kappa.min() > 0 and kappa.max() > 0.05


@pytest.fixture
def small(monkeypatch):
    """The paths of an elastic sheet, few and short, in the place of the composite's."""

    def respond(strain, config):
        return 3000 * strain

    monkeypatch.setattr(learning, "find_stress", respond)
    monkeypatch.setattr(learning, "PATHS", learning.StressStrainConfig(length=6))
    for name, value in {"COUNTS": (1, 2), "MANY": (3,), "TESTED": 2, "SEEDS": 2, "POINTS": 8}.items():
        monkeypatch.setattr(learning, name, value)
    learning.make_data.cache_clear()
    yield learning.make_data()
    learning.make_data.cache_clear()


@pytest.mark.slow
def test_training_and_test_paths_differ_and_all_networks_have_about_the_same_size(small):
    assert {name: len(strain) for name, (strain, _) in small.items()} == {
        "canonical": 18, "proportional": 2, "gaussian": 2, "many": 3
    }  # fmt: skip
    assert not (small["many"][0][:, None] == small["gaussian"][0]).all((2, 3)).any()
    budget = learning.count_of(learning.configure("soft", 8, *small["canonical"]))
    for name in ("gru", "lstm"):
        width = learning.choose_width(name, *small["canonical"])
        found = [learning.count_of(learning.configure(name, size, *small["canonical"])) for size in (width, width + 1)]
        assert found[0] <= budget < found[1]
    assert learning.choose_width("gru_32", *small["canonical"]) == 32


@pytest.mark.slow
def test_the_table_has_an_error_for_each_number_of_paths(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learning, "ITERATIONS", {"physical": 2, "gru": 2})
    path, picture = tmp_path / "figures.json", tmp_path / "curves.png"
    arguments = ["--json", str(path), "--picture", str(picture), "--models", "sparse_norm,gru"]
    monkeypatch.setattr(sys, "argv", ["material_learning.py", *arguments])
    learning.main()
    found = json.loads(path.read_text())
    assert np.shape(found["gru"]["rmse"]["gaussian from many"]) == (1, 2)
    assert np.shape(found["sparse_norm"]["rmse"]["proportional from canonical"]) == (2, 2)
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + 2 * 3 and "| unloading | gru |" in rows[3]
    assert float(rows[4].split("|")[5]) < 0.01  # the linear map of an elastic sheet
    assert picture.stat().st_size > 10_000
