"""The loop: what it writes, when it stops, what it goes on from."""

import json
import os

import jax
import numpy as np
import pytest
from tiny import QUICK
from training.linear_run import make_run

from predjax import checkpoint, parallel
from predjax.checkpoint_names import best_path, list_steps, step_path
from predjax.commands.train import main
from predjax.radar.windows import batches
from predjax.training.loop import Start, estimate, train
from predjax.training.run import Progress


def run(folder, *flags):
    return main([*QUICK, "--save_dir", str(folder), *map(str, flags)])


def test_patience_stops_and_keeps_the_best(unverified, tmp_path, capsys):
    flags = ["--lr", 1e-12, "--patience", 2, "--test_interval", 1, "--max_iterations", 20]
    assert run(tmp_path, *flags) == 0
    shown = capsys.readouterr()
    assert "no better validation loss for 2 checks" in shown.out
    assert shown.err == "" and not {"\r", "\x1b"} & set(shown.out)  # no bars into a pipe
    last = checkpoint.load_latest(tmp_path)[2]
    assert last["iteration"] < 20
    assert last["iteration"] == last["progress"]["best_iteration"] + 2
    assert checkpoint.load(best_path(tmp_path))[1]["iteration"] == last["progress"]["best_iteration"]


def test_updates_without_finite_gradients_stop_the_run(tmp_path, capsys):
    flags = ["--lr", 1e30, "--lr_schedule", "constant", "--clip_norm", 0, "--max_bad_steps", 3, "--max_iterations", 50]
    assert run(tmp_path, *flags) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("predjax: 3 updates in a row") and "radar_movies.nc" in error and "--lr" in error


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(tiny_run, tmp_path, caplog):
    for name in ("step_00000003.npz", "step_00000004.npz"):
        (tmp_path / name).write_bytes((tiny_run / name).read_bytes())
    damaged = bytearray((tmp_path / "step_00000004.npz").read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    (tmp_path / "step_00000004.npz").write_bytes(damaged)
    path, arrays, record = checkpoint.load_latest(tmp_path)
    assert path.name == "step_00000003.npz" and record["iteration"] == 3 and int(arrays["step"]) == 3
    assert "step_00000004.npz" in caplog.text


@pytest.mark.ci
def test_overwrite_starts_anew(unverified, tmp_path):
    assert run(tmp_path, "--max_iterations", 3) == 0
    assert run(tmp_path, "--max_iterations", 2, "--overwrite") == 0
    assert [path.name for path in list_steps(tmp_path)] == ["step_00000001.npz", "step_00000002.npz"]
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert max(record["iteration"] for record in records) == 2


@pytest.mark.slow  # two processes of two devices train like one in CI
def test_more_devices_draw_the_same_batches(unverified, tmp_path):
    """A run on four devices is the run on one to rounding: every draw belongs to a sample, not to a device."""
    assert run(tmp_path / "one", "--max_iterations", 3) == 0
    assert run(tmp_path / "four", "--max_iterations", 3, "--n_gpu", 4) == 0
    one, four = (checkpoint.load(step_path(tmp_path / name, 3))[0] for name in ("one", "four"))
    for name, array in one.items():
        if name.startswith("params"):
            np.testing.assert_allclose(four[name], array, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("name", ["step_00000007.npz", "best.npz"])
def test_foreign_files_are_no_checkpoints(tmp_path, name):
    np.savez(tmp_path / name, frames=np.zeros(3))
    with pytest.raises(ValueError, match=f"{name} is not a predjax checkpoint"):
        checkpoint.load(tmp_path / name)


def test_a_checkpoint_holds_what_was_saved(tmp_path):
    tree = {"params": {"a/b": {"w": np.arange(6.0).reshape(2, 3)}}, "opt_state": (np.int32(3), [np.zeros(0)])}
    checkpoint.save(tmp_path / "x.npz", tree, {"model": {"k": [1, 2]}})
    arrays, record = checkpoint.load(tmp_path / "x.npz")
    assert record["model"] == {"k": [1, 2]} and record["version"] == checkpoint.VERSION
    np.testing.assert_array_equal(checkpoint.nest(arrays, "params")["a/b"]["w"], tree["params"]["a/b"]["w"])
    back = checkpoint.unflatten(arrays, "opt_state", tree["opt_state"])
    assert back[0] == 3 and back[1][0].shape == (0,)
    with pytest.raises(ValueError, match="has shape"):
        checkpoint.unflatten(arrays, "params", {"a/b": {"w": np.zeros((3, 3))}})
    with pytest.raises(ValueError, match="missing"):
        checkpoint.unflatten(arrays, "params", {"a/b": {"w": np.zeros((2, 3)), "b": np.zeros(3)}})


@pytest.mark.parametrize("slowest,updates", [(499, 2), (500, 1)])
def test_a_long_update_tells_the_time_alone(slowest, updates, tmp_path, monkeypatch):
    """Where it is long in any process; a copy of the state is made to compile with, and one for each update."""
    run = make_run(tmp_path, "u1")
    state, copies = run.init(), []
    replicate = parallel.replicate
    monkeypatch.setattr(parallel, "gather", lambda own: [0, slowest])
    monkeypatch.setattr(parallel, "replicate", lambda *given: copies.append(given) or replicate(*given))
    assert estimate(run, state)[1].iteration_seconds > 0
    assert len(copies) == 1 + updates


@pytest.mark.parametrize("fault", ["truncated", "gone"])
def test_data_that_shrink_or_vanish_leave_a_checkpoint_to_go_on_from(fault, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MEMORY_LIMIT", 0)  # so that batches are read from the file
    run, path = make_run(tmp_path, np.uint8), tmp_path / "movies.npy"
    update, content = run.update, path.read_bytes()
    whole, _ = train(run, Start(run.init(), Progress(), update), str)
    read = run.batches.batch

    def fail(step, *place, **form):
        if step == 5:
            os.truncate(path, 200) if fault == "truncated" else path.unlink()
        return read(step, *place, **form)

    monkeypatch.setattr(run.batches, "batch", fail)
    with pytest.raises(ValueError, match=r"movies\.npy: .*; iteration 5 is saved, --resume goes on from"):
        train(run, Start(run.init(), Progress(), update), str)

    path.write_bytes(content)
    run = make_run(tmp_path, np.uint8)
    arrays, record = checkpoint.load(step_path(tmp_path, 5))
    assert record["iteration"] == 5
    again, reason = train(run, Start(run.restore(arrays, tmp_path), Progress(), run.update), str)
    assert reason == "finished" and float(again.params["linear"]["w"]) == float(whole.params["linear"]["w"])


def test_a_run_with_everything_goes_on_bit_for_bit(tmp_path):
    """Accumulation, averages, OneCycle and updates backwards in time: 7 iterations and 2 more are 9."""
    options = {"batch_size": 4, "accumulate": 2, "ema": 0.9, "lr_schedule": "onecycle", "reverse_input": True}
    run = make_run(tmp_path, np.uint8, **options)
    whole, _ = train(run, Start(run.init(), Progress(), run.update), str)
    arrays, _ = checkpoint.load(step_path(tmp_path, 7))
    assert arrays["not_averaged/linear/w"] != arrays["params/linear/w"]
    state = run.restore(arrays, tmp_path)
    assert float(state.best_params["linear"]["w"]) == arrays["params/linear/w"]
    again, _ = train(run, Start(state, Progress(), run.update), str)
    for one, other in zip(jax.tree.leaves(whole._replace(rng=0)), jax.tree.leaves(again._replace(rng=0)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(again.step) == 9
