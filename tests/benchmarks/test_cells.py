"""The benchmarks of cells, at sizes that say nothing about speed."""

import importlib
import json
import sys

import haiku as hk
import jax
import jax.numpy as jnp
import pytest
from tiny import ROOT

from predjax.cells import CELLS

sys.path.append(str(ROOT / "benchmarks"))
cells, parallel_scan = (importlib.import_module(name) for name in ("cells", "parallel_scan"))
TINY = {"vectors": {"batch": 1, "length": 2, "features": 4}}
TINY["maps"] = TINY["vectors"] | {"pixels": 3}
SIZES = [f"--{kind}_{name}={size}" for kind, sizes in TINY.items() for name, size in sizes.items()]


@pytest.fixture
def without_draws(monkeypatch):
    """Parameters of the right shapes: drawing those of all cells takes longer than all else here."""

    def fill_params(case, work, inputs):
        def begin(inputs):
            cell = cells.make_cell(case, work)
            return cell(inputs, cell.initial_state(len(inputs)))

        shapes = jax.eval_shape(hk.transform(begin).init, jax.random.key(0), inputs)
        return jax.tree.map(lambda leaf: jnp.full(leaf.shape, -0.1, leaf.dtype), shapes)

    monkeypatch.setattr(cells, "draw_params", fill_params)


@pytest.fixture
def run(tmp_path):
    """The figures that a benchmark writes."""

    def run(benchmark, *arguments):
        path = tmp_path / "figures.json"
        benchmark.main([*arguments, "--rounds=1", f"--json={path}"])
        return json.loads(path.read_text())

    return run


@pytest.mark.slow
def test_every_cell_has_a_row_of_positive_times(run, without_draws, capsys):
    on_vectors = run(cells, *SIZES, "--on=vectors", "--calls=forward")["vectors"]["cells"]
    on_maps = run(cells, *SIZES, "--on=maps", "--calls=forward", "--cells=conv_lstm,st_lstm")["maps"]["cells"]
    table = capsys.readouterr().out
    assert {*on_vectors} == {*CELLS, "gru reset_after"} and {*on_maps} == {"conv_lstm", "st_lstm"}
    for case, row in (*on_vectors.items(), *on_maps.items()):
        assert row["forward"]["seconds_per_step"]["predjax"] > 0
        assert row["compile_seconds"]["forward"] > 0
        assert f"| {case} |" in table
    assert "3x3x4 maps, 3x3 convolutions, batch 1, 2 steps" in table


def test_pytorch_is_beside_three_cells_in_both_calls(run, capsys):
    pytest.importorskip("torch")
    rows = run(cells, *SIZES, "--on=vectors", "--cells=elman,lstm,gru")["vectors"]["cells"]
    for row in rows.values():
        for call in cells.CALLS:
            seconds = row[call]["seconds_per_step"]
            assert row[call]["ratio_to_pytorch"] == pytest.approx(seconds["torch"] / seconds["predjax"])
    assert "PyTorch / predjax, gradient" in capsys.readouterr().out


def test_scans_are_timed_at_every_length(run, without_draws, capsys):
    result = run(parallel_scan, "--lengths=1,3", "--batch=1", "--features=2", "--calls=forward")
    table = capsys.readouterr().out
    for name in ("lru", "s5"):
        for length in (1, 3):
            row = result["cells"][name][str(length)]["forward"]
            assert all(row[kind][way] > 0 for kind in row for way in ("scan", "steps"))
            assert f"| {name} | {length} | forward |" in table


@pytest.mark.parametrize(
    "benchmark,option,words",
    [
        (cells, "--cells=lstm,gur", "'gur'"),
        (cells, "--maps_kernel=2", "must be odd, not 2"),
        (parallel_scan, "--lengths=10,0", "at least 1, not '0'"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(benchmark, option, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        benchmark.main([option])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
