"""The launcher, with small scripts in the place of a training: who is started, when, and with which arguments."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from tiny import ROOT

from predjax.commands import launch
from predjax.commands.launch import Life, judge, main

# Notes its arguments, shows life, and does what its part of PLAN says in the attempt it is in.
SCRIPT = """
import json, os, pathlib, signal, subprocess, sys, threading, time
folder = pathlib.Path(sys.argv[sys.argv.index("--save_dir") + 1])
place = sys.argv[sys.argv.index("--process_id") + 1]
pathlib.Path(os.environ["PREDJAX_HEARTBEAT"]).touch()
def beat():
    while True:
        pathlib.Path(os.environ["PREDJAX_HEARTBEAT"]).touch()
        time.sleep(0.05)
threading.Thread(target=beat, daemon=True).start()
attempt = len(list(folder.glob(f"start_{place}_*")))
def stop(number, frame):
    (folder / f"signal_{place}").write_text(str(number))
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
begun = folder / f"begun_{place}"
begun.write_text(json.dumps([sys.argv[1:], os.getpid()]))
begun.rename(folder / f"start_{place}_{attempt}")
plan = json.loads((folder / "plan.json").read_text())
todo = plan.get(place, [])
todo = todo[attempt] if attempt < len(todo) else "finish"
while todo != "finish" and len(list(folder.glob(f"start_*_{attempt}"))) < 2:  # nobody dies before all have begun
    time.sleep(0.01)
if todo == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if todo == "save and kill":
    (folder / f"step_{attempt + 1:08d}.npz").touch()
    os.kill(os.getpid(), signal.SIGKILL)
if todo == "stop":
    os.kill(os.getpid(), signal.SIGSTOP)
if todo == "bad input":
    sys.exit(2)
if todo == "start another":
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    (folder / "other").write_text(str(other.pid))
    os.kill(os.getpid(), signal.SIGKILL)
if todo == "wait deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / f"deaf_{place}").touch()
if todo.startswith("wait"):
    time.sleep(120)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(plan, *flags)`: the exit code; the arguments of every start are in `starts`."""
    monkeypatch.setattr(launch, "START_SECONDS", 20.0)
    script, folder = tmp_path / "script.py", tmp_path / "run"
    script.write_text(SCRIPT)
    folder.mkdir()

    def command(plan, *flags):
        (folder / "plan.json").write_text(json.dumps(plan))
        return ["-n", "2", *flags, "--", str(script), "--save_dir", str(folder), "--overwrite"]

    def run(plan, *flags):
        return main(command(plan, *flags))

    def starts(place):
        found = sorted(folder.glob(f"start_{place}_*"))
        return [json.loads(path.read_text())[0] for path in found]

    run.starts, run.folder, run.command = starts, folder, command
    return run


def is_alive(number):
    try:
        return pathlib.Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def ends(number):
    """Whether a process is gone, at the latest in a while."""
    deadline = time.monotonic() + 10
    while is_alive(number) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(number)


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_processes_know_their_places_and_where_they_meet(run):
    assert run({}) == 0
    (first,), (second,) = run.starts(0), run.starts(1)
    for place, arguments in enumerate((first, second)):
        assert arguments[2:3] == ["--overwrite"] and "--resume" not in arguments
        assert arguments[-4:] == ["--num_processes", "2", "--process_id", str(place)]
    assert first[:-1] == second[:-1] and first[3] == "--coordinator" and first[4].startswith("127.0.0.1:")


def test_one_dies_and_all_go_on_from_the_last_checkpoint(run, capfd):
    assert run({"0": ["wait"], "1": ["save and kill"]}) == 0
    for place in (0, 1):
        before, after = run.starts(place)
        assert "--resume" in after and "--overwrite" not in after
        assert before[before.index("--coordinator") + 1] != after[after.index("--coordinator") + 1]
    assert capfd.readouterr().err == "launch: process 1 ended with SIGKILL; all start again from iteration 1\n"


def test_a_run_that_is_replaced_is_not_gone_on_from(run, capfd):
    (run.folder / "step_00000900.npz").touch()
    assert run({"1": ["kill", "save and kill"]}, "--max_restarts", "1") == 0
    died_at_once, died_later = run.starts(1)[1:]
    assert "--overwrite" in died_at_once and "--resume" not in died_at_once
    assert "--overwrite" not in died_later and "--resume" in died_later
    assert [line[-1] for line in capfd.readouterr().err.splitlines()] == ["0", "2"]  # the iterations


def test_a_stopped_process_is_noticed(run, capfd):
    assert run({"0": ["wait"], "1": ["stop"]}, "--heartbeat_timeout", "1") == 0
    assert "process 1 gave no sign of life for 1 s" in capfd.readouterr().err
    assert len(run.starts(0)) == len(run.starts(1)) == 2


def test_bad_input_is_not_tried_again(run):
    assert run({"0": ["wait"], "1": ["bad input"]}) == 2
    assert len(run.starts(0)) == 1


def test_it_gives_up_but_not_while_there_are_new_checkpoints(run, capfd):
    assert run({"1": ["kill"] * 9}, "--max_restarts", "2") == 1
    assert len(run.starts(1)) == 3
    assert "giving up after 2 restarts" in capfd.readouterr().err


def test_progress_counts_anew(run):
    assert run({"1": ["kill", "save and kill", "save and kill"]}, "--max_restarts", "1") == 0
    assert len(run.starts(1)) == 4


def test_what_a_process_started_ends_with_it(run):
    assert run({"0": ["wait"], "1": ["start another"]}) == 0
    assert ends(int((run.folder / "other").read_text()))


def test_a_signal_while_all_are_being_killed_starts_nothing(run, monkeypatch):
    kill = launch._kill
    monkeypatch.setattr(launch, "_kill", lambda processes: (signal.raise_signal(signal.SIGTERM), kill(processes)))
    assert run({"1": ["kill"]}) == 143
    assert len(run.starts(1)) == 1


def start(run, *flags, todo="wait"):
    command = [sys.executable, "-m", "predjax", "launch", *run.command({"0": [todo], "1": [todo]}, *flags)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    for place in (0, 1):
        wait_for(run.folder / f"start_{place}_0")
    numbers = [json.loads((run.folder / f"start_{place}_0").read_text())[1] for place in (0, 1)]
    return process, numbers


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_are_handed_on(run, number, code):
    process, numbers = start(run)
    process.send_signal(number)
    assert process.wait(timeout=20) == code and process.communicate()[1] == ""
    assert [int((run.folder / f"signal_{place}").read_text()) for place in (0, 1)] == [number, number]
    assert not any(map(is_alive, numbers))


@pytest.mark.parametrize(("grace", "signals"), [("0.3", 1), ("60", 2)])
def test_who_does_not_heed_a_signal_is_killed_after_the_grace_or_at_the_second(run, grace, signals):
    process, numbers = start(run, "--grace", grace, todo="wait deaf")
    for place in (0, 1):
        wait_for(run.folder / f"deaf_{place}")
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    assert process.wait(timeout=20) == 143
    assert process.communicate()[1] == "launch: killed 2 processes that had not ended\n"
    assert not any(map(is_alive, numbers))


@pytest.mark.skipif(sys.platform != "linux", reason="a process learns of its parent's death on Linux only")
def test_a_killed_launcher_leaves_nobody_behind(run):
    process, numbers = start(run)
    assert all(map(is_alive, numbers))
    process.kill()
    process.wait()
    assert all(map(ends, numbers))  # long before they would end by themselves
    process.communicate()


def test_silence_is_counted_by_the_launcher_itself(tmp_path, monkeypatch):
    """Neither files of another clock nor a launcher that was itself stopped make a process look dead."""
    now, beat = [0.0], tmp_path / "beat"
    monkeypatch.setattr(launch.time, "monotonic", lambda: now[0])
    pulse = launch._Pulse(beat)

    def after(seconds):
        now[0] += seconds
        return pulse.measure_silence()

    assert after(0.5) is None
    beat.touch()
    os.utime(beat, (1.0, 1.0))
    assert after(0.5) == 0.0 and after(0.5) == 0.5 and after(0.5) == 1.0
    assert after(1000.0) == 2.0
    os.utime(beat, (2.0, 2.0))
    assert after(0.5) == 0.0


def test_a_process_that_never_gives_a_sign_is_noticed_at_last(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "START_SECONDS", 0.0)
    pulse = launch._Pulse(tmp_path / "beat")
    time.sleep(0.01)
    assert pulse.measure_silence() > 0.0


def test_the_folder_is_the_one_that_the_command_reads():
    assert launch.find_folder(["train.py", "--save_dir", "a", "--seed", "1", "--save_dir=b"]) == pathlib.Path("b")


def test_the_process_that_died_first_is_the_reason():
    lives = [Life(-signal.SIGABRT, 1.0), Life(-signal.SIGKILL, 1.0), Life(None, 1.0)]
    assert judge(lives, 60.0) == ("again", "process 1 ended with SIGKILL")
    assert judge([Life(-40, 1.0)], 60.0) == ("again", "process 0 ended with exit code -40")  # a signal without a name
    assert judge([Life(134, 1.0), Life(0, 1.0)], 60.0) == ("again", "process 0 ended with exit code 134")
    assert judge([Life(0, 99.0), Life(None, None)], 60.0) == ("wait", "")
    assert judge([Life(0, 99.0), Life(None, 61.0)], 60.0)[0] == "again"
    assert judge([Life(0, 0.0), Life(0, 0.0)], 60.0) == ("end", 0)
    assert judge([Life(2, 0.0), Life(-9, 0.0)], 60.0) == ("end", 2)


def test_gpus_are_shared_out():
    share = launch.share_gpus
    assert share(2, 0, {"CUDA_VISIBLE_DEVICES": "3"}) == [{}, {}]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in share(2, 2, {})] == ["0,1", "2,3"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in share(2, 1, {"CUDA_VISIBLE_DEVICES": "5, 7,8"})] == ["5", "7"]
    with pytest.raises(ValueError, match="2 processes of 2 GPUs need 4, CUDA_VISIBLE_DEVICES has '5,7'"):
        share(2, 2, {"CUDA_VISIBLE_DEVICES": "5,7"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-n 2 -- train.py", "needs --save_dir"),
        ("-n 2 -- train.py --save_dir=", "needs --save_dir"),
        ("-n 2 -- train.py --save_dir --overwrite", "--save_dir: expected one argument"),
        ("-n 2 --heartbeat_timeout nan -- train.py --save_dir x", "heartbeat_timeout must be at least 1, not nan"),
        ("-n 0 -- train.py --save_dir x", "n must be at least 1"),
        ("-n 1 --max_restarts -1 -- train.py --save_dir x", "max_restarts must be at least 0"),
    ],
)
def test_what_it_cannot_do_is_one_line(arguments, message, capsys):
    try:
        code = main(arguments.split())
    except SystemExit as end:  # of the parser
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error


def test_it_starts_without_jax():
    code = "import sys, predjax.commands.launch; print({'jax', 'numpy', 'xarray'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
