"""The program of a GPU, compiled without one: `JAX_PLATFORMS=cpu python -m pytest -m gpu_program -n0`, by hand."""

import importlib
import importlib.util
import sys

import pytest
from tiny import ROOT

sys.path.append(str(ROOT / "benchmarks"))
pytestmark = [
    pytest.mark.gpu_program,
    pytest.mark.skipif(
        importlib.util.find_spec("jax_cuda12_plugin") is None, reason="the extra gpu-check is not installed"
    ),
]

# Launches of a train step, at most: the flagship, the recipe of the packaged network, one model of each file of cells.
LAUNCHES = {
    ("M", "float32"): 1780,
    ("M", "bfloat16"): 1823,
    ("packaged", "float32"): 1684,
    ("predrnn_pp", "float32"): 467,
    ("mim", "float32"): 423,
    ("elman", "float32"): 217,
    ("gru", "float32"): 296,
    ("antisymmetric", "float32"): 236,
    ("clockwork", "float32"): 247,
    ("lipschitz", "float32"): 254,
    ("unitary", "float32"): 637,
    ("co_rnn", "float32"): 222,
    ("ct_rnn", "float32"): 212,
    ("lru", "float32"): 496,
    ("physical", "float32"): 331,
    ("tidhy", "float32"): 271,
}
# Loops that end when all points of the material, or the latent states, have converged: the host is asked.
SEARCHES = {"physical": 1, "tidhy": 2}


@pytest.fixture(scope="module")
def program():
    return importlib.import_module("gpu_program")


@pytest.mark.parametrize("case,precision", LAUNCHES)
def test_a_train_step_compiles_to_few_launches_and_no_loop_but_a_search_asks_the_host(program, case, precision):
    found = program.compile_program(program.make_cases()[case], "step", precision)
    assert "error" not in found, found["error"]
    assert found["launches"] <= LAUNCHES[case, precision]
    assert (found["float64"], found["callbacks"]) == (0, 0)
    assert found["loops_of_unknown_length"] == SEARCHES.get(case, 0)
    dtype = {"float32": "f32", "bfloat16": "bf16"}[precision]
    assert set(found["convolutions"]) <= {f"{dtype} b01f_o01i->b01f"}
    if precision == "float32":  # and not less inside
        assert found["tf32"] == 0 and set(found["products"]) <= {"f32"}
