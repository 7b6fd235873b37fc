"""What a training tells, and how it listens."""

import csv
import struct

import numpy as np
import pytest
from training.linear_run import make_run

from predjax import checkpoint
from predjax.checkpoint_names import step_path
from predjax.training.loggers import Start as LogStart
from predjax.training.loggers import check_loggers, make_loggers
from predjax.training.loop import Start, train
from predjax.training.monitor import read_log
from predjax.training.run import Progress


def go(run, *callbacks, state=None):
    return train(run, Start(run.init() if state is None else state, Progress(), run.update), str, callbacks)


def read_events(folder):
    """The scalars of event files, without a library: records of a length, a checksum, an Event, a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (size,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + size])
            found += [(event.step, v.tag, v.simple_value) for v in event.summary.value if v.HasField("simple_value")]
            data = data[16 + size :]
    return found


def test_callbacks_hear_of_all_and_may_end_the_run(tmp_path):
    run, heard = make_run(tmp_path, "u1"), []
    run.record["model"] = {}
    measured = []
    run.validate = lambda params: measured.append(float(params["linear"]["w"])) or 0.5
    run.valid_batches = [None]
    run.config = run.config.__class__(**{**vars(run.config), "test_interval": 3})

    def listen(event):
        weight = None if event.params is None else float(event.params["linear"]["w"])
        heard.append((event.kind, event.iteration, dict(event.values), weight))
        return event.kind == "validation" and event.iteration == 6

    state, reason = go(run, listen)
    assert reason == "a callback asked" and int(state.step) == 6 and step_path(tmp_path, 6).is_file()
    assert [one[:2] for one in heard] == [
        ("begin", 0), ("update", 2), ("validation", 3), ("update", 4), ("update", 6), ("validation", 6), ("end", 6)
    ]  # fmt: skip
    assert heard[0][2] == run.record and heard[-1][2:] == ({"reason": reason}, float(state.params["linear"]["w"]))
    assert [one[3] for one in heard if one[0] == "validation"] == measured
    updates = [{"iteration": n} | values for kind, n, values, _ in heard if kind in ("update", "validation")]
    assert updates == read_log(tmp_path / "log.jsonl")


def test_an_error_of_a_callback_ends_the_run_and_all_hear_of_it(tmp_path):
    heard = []

    def fail(event):
        if event.kind == "update":
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        go(make_run(tmp_path, "u1"), fail, heard.append)
    assert [event.kind for event in heard] == ["begin", "end"] and heard[1].values == {"reason": "RuntimeError: no"}


def test_two_loggers_of_one_run_are_read_back_also_when_it_goes_on(tmp_path):
    pytest.importorskip("tensorboardX", reason="of the extra tensorboard")
    run = make_run(tmp_path, "u1")
    go(run, *make_loggers(["csv", "tensorboard"], LogStart(tmp_path, 0, {"model": {}})))

    def read_csv():
        with (tmp_path / "metrics.csv").open(newline="") as file:
            return [(int(row["iteration"]), row["name"], float(row["value"])) for row in csv.DictReader(file)]

    logged = [
        (r["iteration"], k, v) for r in read_log(tmp_path / "log.jsonl") for k, v in r.items() if k != "iteration"
    ]
    assert read_csv() == logged and {n for n, _, _ in logged} == {2, 4, 6, 8}
    events = read_events(tmp_path / "tensorboard")
    assert [event[:2] for event in events] == [line[:2] for line in logged]
    np.testing.assert_allclose([event[2] for event in events], [line[2] for line in logged], rtol=1e-6)

    state = run.restore(checkpoint.load(step_path(tmp_path, 7))[0], tmp_path)
    go(run, *make_loggers(["csv"], LogStart(tmp_path, 7, {})), state=state)
    again = read_csv()
    assert [line[:2] for line in again] == [line[:2] for line in logged]
    assert [line for line in again if line[0] < 8] == [line for line in logged if line[0] < 8]


def test_a_line_that_a_killed_process_left_half_written_is_left_out(tmp_path):
    (tmp_path / "metrics.csv").write_text("iteration,name,value\n2,loss,0.5\n\n3,lo")
    make_loggers(["csv"], LogStart(tmp_path, 4, {}))
    assert (tmp_path / "metrics.csv").read_text() == "iteration,name,value\n2,loss,0.5\n"


def test_a_logger_that_fails_is_left_out(tmp_path, caplog):
    run = make_run(tmp_path, "u1")
    (logger,) = make_loggers(["csv"], LogStart(tmp_path, 0, {}))

    def remove(event):
        if event.kind == "begin":
            (tmp_path / "metrics.csv").unlink()
            (tmp_path / "metrics.csv").mkdir()

    assert go(run, remove, logger)[1] == "finished"
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("metrics_log csv failed at iteration 2 (")


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_an_extra_that_is_missing_is_named(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    with pytest.raises(ValueError, match=rf"metrics_log {name} needs the extra: pip install 'predjax\[{name}\]'"):
        check_loggers(["csv", name])
