"""The learning-rate range test, on one number."""

import numpy as np
import pytest
from training.linear_run import make_run

from predjax import parallel
from predjax.pictures.learning_rates import draw_rates
from predjax.training import rate_test
from predjax.training.rate_test import ITERATIONS, find_rate, ramp, summarise, tabulate


def test_the_loss_falls_and_then_grows_and_nothing_is_kept(tmp_path, monkeypatch):
    """The best weight is 0.7 away at most: from rates of a tenth on Adam leaves it behind."""
    monkeypatch.setattr(rate_test, "ITERATIONS", 30)
    run = make_run(tmp_path, "u1", clip_norm=0.0, schedule=ramp)
    before = sorted(path.name for path in tmp_path.iterdir())
    test = find_rate(run, parallel.replicate(run.init(), run.devices), run.update)
    assert len(test.losses) <= 30 and test.smoothed[-1] > test.smoothed.min()
    assert 1e-3 < test.suggestion < 0.5
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    draw_rates(tmp_path / "rates.png", *test)
    with pytest.raises(FileExistsError):
        draw_rates(tmp_path / "rates.png", *test)


def test_the_running_mean_and_the_suggestion():
    losses = np.r_[np.ones(30), np.linspace(1, 0.2, 10), np.full(10, 0.2)]
    test = summarise(losses)
    mean = 0.0
    for n, loss in enumerate(losses):
        mean = 0.9 * mean + 0.1 * loss
        np.testing.assert_allclose(test.smoothed[n], mean / (1 - 0.9 ** (n + 1)))
    assert test.rates[30] < test.suggestion < test.rates[41]
    table = tabulate(test).splitlines()
    assert table[1].split() == ["1.0e-06", "1.00000", "1.00000"] and len(table) == 2 + 7
    assert table[-1] == f"the loss falls fastest at --lr {test.suggestion:.1e}"
    flat = summarise(np.ones(5))
    assert flat.suggestion is None and tabulate(flat).endswith("the loss falls at none of these rates")
    assert ramp(0) == 1e-6 and ramp(ITERATIONS - 1) == pytest.approx(1)
    with pytest.raises(ValueError, match="no update at rates from 1e-06 on has a finite loss"):
        summarise(np.array([]))
