"""Metrics are read late, so that nothing waits; what is logged, and when the run gives up."""

import pytest
from training.linear_run import make_run

from predjax.training import monitor
from predjax.training.monitor import Log, Monitor, read_log


class Metric:
    """A number that notes when it is read."""

    def __init__(self, value, name, read):
        self.value, self.name, self.read = value, name, read

    def __float__(self):
        self.read.append(self.name)
        return float(self.value)


class Bar:
    def set_postfix_str(self, text):
        self.text = text


def add(watch, iteration, read, bad=0.0):
    watch.add(iteration, [], {name: Metric(bad, iteration, read) for name in ("loss", "bad")})


def test_metrics_are_read_when_the_next_iteration_is_under_way(tmp_path):
    log = Log(tmp_path / "log.jsonl", 0)
    watch, read = Monitor(make_run(tmp_path, "u1"), log, Bar(), 0), []
    add(watch, 1, read)
    assert not read
    for iteration in (2, 3, 4):
        add(watch, iteration, read)
        assert set(read) == set(range(1, iteration))
    assert [record["iteration"] for record in read_log(log.path)] == [2]
    watch.settle()
    assert set(read) == {1, 2, 3, 4} and [record["iteration"] for record in read_log(log.path)] == [2, 4]
    watch.settle()
    assert len(read_log(log.path)) == 2


@pytest.mark.parametrize("line", [b"[1]", b"5", b'{"a": 1}', b'{"iteration": "4"}', b"\xff\x00\x9f", b"[" * 10**5])
def test_lines_that_are_no_records_are_left_out(line, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"iteration": 1, "loss": 2.0}\n' + line + b'\n{"iteration": 3}\n{"iteration": 5, "lo')
    assert [record["iteration"] for record in read_log(path)] == [1, 3]
    Log(path, 2).add(iteration=3, loss=1.0)
    assert read_log(path) == [{"iteration": 1, "loss": 2.0}, {"iteration": 3, "loss": 1.0}]


def test_bad_updates_count_in_a_row(tmp_path):
    run = make_run(tmp_path, "u1")
    watch, read = Monitor(run, Log(tmp_path / "log.jsonl", 0), Bar(), 0), []
    for iteration, bad in enumerate((1.0, 0.0, 1.0, 1.0), 1):
        add(watch, iteration, read, bad)
    with pytest.raises(ValueError, match="2 updates in a row without a finite gradient"):
        watch.settle()


def test_waiting_is_the_time_between_batches(tmp_path, monkeypatch):
    """By a clock of our own: a batch takes 3 s to come, an iteration 5 s, a validation 100 s that are left out."""
    clock = [0.0]
    monkeypatch.setattr(monitor.time, "perf_counter", lambda: clock[0])

    def read():
        for _ in range(4):
            clock[0] += 3
            yield None

    log, bar = Log(tmp_path / "log.jsonl", 0), Bar()
    watch = Monitor(make_run(tmp_path, "u1"), log, bar, 0)
    for iteration, _ in enumerate(watch.wait(read()), 1):
        clock[0] += 5
        add(watch, iteration, [])
        if iteration == 2:
            watch.settle()
            clock[0] += 100
            watch.leave_out(100)
    watch.settle()
    first, second = read_log(log.path)
    assert first["waited"] == second["waited"] == round(3 / 8, 4)
    assert first["frames_per_second"] == second["frames_per_second"] == 8 * 4 / 8
    assert "38% waiting for data" in bar.text


def test_the_rate_of_slow_updates_keeps_its_digits(tmp_path, monkeypatch):
    """A comparison of models divides by it."""
    clock = [0.0]
    monkeypatch.setattr(monitor.time, "perf_counter", lambda: clock[0])
    watch = Monitor(make_run(tmp_path, "u1"), Log(tmp_path / "log.jsonl", 0), Bar(), 0)
    for iteration in (1, 2):
        clock[0] += 900
        add(watch, iteration, [])
    watch.settle()
    assert read_log(tmp_path / "log.jsonl")[0]["frames_per_second"] == 0.03556  # 2 x 32 frames in 1800 s
