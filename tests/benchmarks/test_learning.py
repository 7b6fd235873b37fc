"""The benchmarks of long memory and of chaos: what they set and measure, at sizes that say nothing about learning."""

import importlib
import json
import sys

import jax
import numpy as np
import pytest
from tiny import ROOT

sys.path.append(str(ROOT / "benchmarks"))
long_memory, lorenz = (importlib.import_module(name) for name in ("long_memory", "lorenz"))


def test_the_target_is_the_sum_of_two_marked_numbers_one_in_each_half():
    inputs, targets = map(np.asarray, long_memory.make_sequences(jax.random.key(0), 300, 20))
    values, mask = inputs[..., 0], inputs[..., 1]
    assert (mask[:, :10].sum(1) == 1).all() and (mask[:, 10:].sum(1) == 1).all()
    np.testing.assert_allclose([values[i][mask[i] == 1].sum() for i in range(300)], targets, rtol=1e-6)
    assert values.min() >= 0 and values.max() < 1
    assert (mask.sum(0) > 0).all()  # every place is drawn
    np.testing.assert_allclose(np.square(targets - 1).mean(), long_memory.CHANCE, rtol=0.2)


@pytest.mark.ci
def test_cells_of_any_kind_have_about_the_same_number_of_parameters():
    for name in ("lstm", "lru"):
        features = long_memory.choose_features(name, 1000)
        assert long_memory.count_parameters(name, features) <= 1000
        assert long_memory.count_parameters(name, features + 2) > 1000
    config = lorenz.choose_width("gru", 3000)
    assert lorenz.count_of(config) <= 3000 < lorenz.count_of(lorenz.configure("gru", config.num_hidden[0] + 2))


@pytest.mark.ci
def test_a_cell_that_the_file_has_is_not_trained_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(long_memory, "ROUND", 2)
    path, picture = tmp_path / "figures.json", tmp_path / "curves.png"
    arguments = ["--json", str(path), "--parameters", "60", "--length", "6", "--iterations", "4"]
    long_memory.main([*arguments, "--cells", "elman"])
    first = json.loads(path.read_text())
    assert len(first["elman"]["errors"]) == 2 and np.isfinite(first["elman"]["errors"]).all()
    long_memory.main([*arguments, "--cells", "elman,lru", "--picture", str(picture)])
    both = json.loads(path.read_text())
    assert both["elman"] == first["elman"] and set(both) == {"elman", "lru"}
    table = capsys.readouterr().out
    assert "| `lru` |" in table and "not in 4" in table
    assert picture.stat().st_size > 1000


def test_a_forecast_is_valid_until_its_error_is_above_the_limit():
    test = np.zeros((4, lorenz.OBSERVED + lorenz.STEPS, 3))
    forecasts = np.zeros((4, lorenz.STEPS, 3))
    forecasts[1, 55:] = 1  # an error of 1 in each feature
    forecasts[2, 10:] = lorenz.LIMIT
    forecasts[3, 7] = np.nan
    times = np.array(lorenz.valid_times(forecasts, test)) / lorenz.LYAPUNOV_TIMES
    np.testing.assert_allclose(times, [lorenz.STEPS, 55, lorenz.STEPS, 7])


def test_every_vector_model_is_compared():
    names = ("elman", "lstm", "gru", "unitary", "lru", "s5", "simple_ct_rnn", "hetero_co_rnn")
    assert set(names) < set(lorenz.VECTOR_MODELS) and "conv_lstm" not in lorenz.VECTOR_MODELS
    assert set(lorenz.VECTOR_MODELS) == set(long_memory.VECTOR_CELLS)


def test_the_table_is_in_order_of_the_medians(tmp_path):
    row = {"width": 8, "parameters": 99, "one_step_rmse": 0.1, "seconds": 1.0}
    results = {"gru": row | {"times": [1.0, 2.0, 3.0]}, "lru": row | {"times": [3.0, 4.0, 5.0]}}
    results["persistence"] = {"times": [0.1, 0.2, 0.3]}
    lines = lorenz.format_table(results).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["`lru`", "`gru`", "persistence"]
    assert "4.00 (3.50 to 4.50)" in lines[2]
    lorenz.draw(tmp_path / "times.png", results)
    assert (tmp_path / "times.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_small_model_beats_persistence_on_lorenz():
    train, test = lorenz.make_data(10)
    row = lorenz.measure(lorenz.configure("gru", 16), train, test, 300)
    persistence = lorenz.valid_times(np.repeat(test[:, 99:100], lorenz.STEPS, 1), test)
    assert np.median(row["times"]) > 3 * np.median(persistence)
