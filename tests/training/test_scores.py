"""The score that a run is judged by."""

import jax.numpy as jnp
import numpy as np
import pytest
from training.linear_run import make_run

from predjax.models.scaling import Scaling
from predjax.training.config import TrainConfig
from predjax.training.loop import Start, train
from predjax.training.monitor import read_log
from predjax.training.run import Progress
from predjax.training.scores import make_score

DBZ = Scaling("dBZ", 0.0, 60.0, "dBZ")
OBSERVED = jnp.array([0.0, 10.0, 30.0, 40.0, jnp.nan])  # dBZ
PREDICTED = jnp.array([0.0, 31.0, 29.0, 50.0, 60.0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mae", 8.0),
        ("rmse", (542 / 4) ** 0.5),
        ("csi_30", 1 / 3),
        ("pod_30", 1 / 2),
        ("far_30", 1 / 2),
        ("csi_20", 2 / 3),
    ],
)
def test_scores_by_hand(name, expected):
    score = make_score(name, DBZ)
    total, count = score.error(DBZ.scale(PREDICTED), DBZ.scale(OBSERVED))
    assert score.finish(float(total / count)) == pytest.approx(expected, rel=1e-5)
    assert score.more_is_better == (name[:3] in ("csi", "pod"))


@pytest.mark.parametrize("name", ["csi", "rmse_3", "csi_x", "skill", "csi_nan", ""])
def test_unknown_scores_are_refused(name):
    with pytest.raises(ValueError, match=f"stop_on must be loss, rmse, mae, or one of .*, not '{name}'"):
        TrainConfig(stop_on=name)


def test_a_run_stops_where_the_score_gets_no_better(tmp_path):
    """The greatest CSI is the best, although the loss falls on."""
    run = make_run(tmp_path, "u1", stop_on="csi_30", patience=2, test_interval=1)
    losses, scores = iter(np.linspace(1, 0, 9)), iter([0.1, np.nan, 0.3, 0.2, 0.3, 0.9])
    run.valid_batches = [None]
    run.validate, run.validate_score = (lambda params: float(next(losses))), (lambda params: float(next(scores)))
    said = []
    state, reason = train(run, Start(run.init(), Progress(), run.update), said.append)
    assert reason == "no better validation csi_30 for 2 checks" and int(state.step) == 5
    assert said[2] == "iteration 3: validation loss 0.75000, csi_30 0.3 (best)" and "best" not in said[4]
    records = [record for record in read_log(tmp_path / "log.jsonl") if "valid_loss" in record]
    assert [record["valid_csi_30"] for record in records][2:] == [0.3, 0.2, 0.3]
