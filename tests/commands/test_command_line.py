"""The command line: one command, its help, near names, flags from a file, completion, and output into pipes."""

import importlib
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from tiny import ROOT, TINY

import predjax
from predjax import run_file
from predjax.__main__ import COMMANDS, main
from predjax.commands import make_handler, one_line_errors
from predjax.commands.evaluate import COMMAND as EVALUATE
from predjax.commands.evaluate import main as evaluate
from predjax.commands.launch import Life, judge
from predjax.commands.train import COMMAND as TRAIN
from predjax.commands.train import main as train
from predjax.completion import make_parser as make_whole_parser
from predjax.flags import make_parser
from predjax.messages import CLOSED_PIPE, show_wait
from predjax.models.catalogue import MODELS
from predjax.synthetic.__main__ import main as synthetic

SAMPLE = str(ROOT / "data" / "radar_movies.nc")
HEAVY = ("jax", "haiku", "xarray", "matplotlib", "netCDF4", "scipy")


def make_parser_of(name):
    return make_parser(importlib.import_module(f"predjax.commands.{name.replace('-', '_')}").COMMAND)


def run(command, *arguments):
    """The exit code of a command."""
    try:
        return command([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse
        return stop.code


def refusal(capsys, command, *arguments):
    """The one line of a refused command."""
    capsys.readouterr()
    assert run(command, *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.endswith("\n") and "Traceback" not in error, error
    return error


def test_models_are_printed_by_a_command_and_by_a_flag(capsys):
    assert run(main, "models") == 0
    whole = capsys.readouterr().out
    assert run(train, "--list_models") == 0
    assert capsys.readouterr().out == whole
    assert [line.split()[0] for line in whole.splitlines() if line[0] != " "] == list(MODELS)
    assert run(main, "models", "lru") == 0
    one = capsys.readouterr().out
    assert one in whole and one.startswith("lru ") and one.count("\n") == 3


def test_help_and_version(capsys):
    assert run(main, "--version") == 0
    assert capsys.readouterr().out == f"predjax {predjax.__version__}\n"
    assert run(main, "--help") == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_the_scripts_are_the_commands(capsys):
    for name in ("train", "evaluate"):
        code = compile((ROOT / f"{name}.py").read_text(), f"{name}.py", "exec")
        names = {"__name__": f"{name}.py"}
        exec(code, names)
        assert names["main"] is {"train": train, "evaluate": evaluate}[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_in_groups_with_defaults_and_units(name):
    """Every flag is in a group with a title, says what is taken without it, and what its numbers count."""
    parser = make_parser_of(name)
    plain = re.search(r"\noptions:\n(.*?)\n\n", parser.format_help(), re.S)[1]
    assert plain.split() == "-h, --help show this help message and exit".split()
    for flag, action in parser.flags:
        text = action.help % vars(action)
        typed = action.option_strings and not action.required and action.nargs != 0
        assert text and (not typed or "default" in text), (flag.name, text)
        if flag.element in (int, float):
            assert action.metavar, f"{flag.name} does not say what it counts"


def test_help_is_fast_because_nothing_heavy_is_imported():
    """One process asks every parser for its help; what it may not import are the seconds of a slow start."""
    code = f"""
import importlib, sys
from predjax.__main__ import COMMANDS, main
for name in COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as stop:
        assert stop.code == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]" and done.stderr == ""


@pytest.mark.parametrize(
    ("command", "arguments", "value", "near"),
    [
        (main, ["trian"], "trian", "train"),
        (main, ["--versoin"], "--versoin", "--version"),
        (main, ["models", "predrn"], "predrn", "predrnn"),
        (train, ["--patchsize", "4"], "--patchsize", "--patch_size"),
        (train, ["--patchsize=4"], "--patchsize", "--patch_size"),
        (train, ["--model_name", "conv_lstmm"], "conv_lstmm", "conv_lstm"),
        (train, ["--loss", "balancd"], "balancd", "balanced"),
        (train, ["--scaling", "dbz"], "dbz", "dBZ"),
        (train, ["--layout", "movie,time,y,z"], "movie,time,y,z", "movie,time,y,x"),
        (train, ["--model_name", "gru", "--cell_options", '{"reset_afer": true}'], "reset_afer", "reset_after"),
        (evaluate, ["--data_path", SAMPLE, "--baselines", "persistance"], "persistance", "persistence"),
        (synthetic, ["rosler", "--output", "a.nc"], "rosler", "rossler"),
        (synthetic, ["radar", "--output", "a.nc", "--pixel_kn", "1"], "--pixel_kn", "--pixel_km"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest_known_one(command, arguments, value, near, capsys):
    message = refusal(capsys, command, *arguments)
    assert value in message and f"did you mean {near}?" in message


def test_what_is_near_nothing_gets_no_advice(capsys):
    for command, *arguments in ((main, "zzz"), (train, "--zzz"), (train, "zzz"), (train, ""), (main,), (main, "\n")):
        assert "did you mean" not in refusal(capsys, command, *arguments)
    assert "--checkpoint" in refusal(capsys, main, "forecast")
    assert "expected one argument" in refusal(capsys, train, "--lr")
    assert "--output" in refusal(capsys, synthetic, "radar")


def test_flags_are_not_abbreviated_but_where_they_always_were(capsys, tmp_path):
    assert "--save_dir" in refusal(capsys, train, "--save_di", "x")
    flags = ["--num_mov", 1, "--num_fr", 2, "--size", 16]
    assert run(synthetic, "radar", "--output", tmp_path / "a.npy", *flags) == 0


def test_a_run_is_repeated_by_its_run_json(tiny_run):
    """Its flags are those that were typed, and all that the data decided."""
    kept = json.loads((tiny_run / "run.json").read_text())
    assert kept["num_hidden"] == [4, 4] and kept["max_iterations"] == 4 and kept["lr_schedule"] == "constant"
    assert kept["train_data_paths"] == SAMPLE and "save_dir" not in kept and "lr" not in kept
    typed = [*TINY, "--max_iterations", "4", "--lr_schedule", "constant", "--data_path", SAMPLE]
    again = run_file.collect(TRAIN, ["--config", str(tiny_run / "run.json")])
    assert again.pop("config") and again == run_file.collect(TRAIN, typed)
    assert json.loads(json.dumps(run_file.list_changed(TRAIN, again))) == kept


def test_run_json_follows_a_resumed_run(tiny_run, unverified, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run, folder)
    before = json.loads((folder / "run.json").read_text())
    assert train(["--resume", "--save_dir", str(folder), "--max_iterations", "5", "--n_gpu", "1"]) == 0
    assert json.loads((folder / "run.json").read_text()) == {**before, "max_iterations": 5}


def test_the_name_of_the_network_in_the_package_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_file.make_absolute("pretrained") == "pretrained"
    (tmp_path / "pretrained").mkdir()
    assert run_file.make_absolute("pretrained") == str(tmp_path / "pretrained")


def test_an_evaluation_writes_its_own_run_json(tiny_run, tmp_path, capsys, monkeypatch):
    flags = ["--checkpoint", tiny_run, "--max_cases", 2, "--baselines", "persistence", "--windows", "5"]
    with monkeypatch.context() as patch:
        patch.setattr("predjax.jobs.evaluate.run", lambda options, *rest: None)
        patch.setattr("predjax.jobs.evaluation_files.write_files", lambda evaluation, files: [])
        assert run(evaluate, *flags, "--output", tmp_path / "one") == 0
    own = tmp_path / "one" / "run.json"
    kept = {"checkpoint": str(tiny_run), "baselines": ["persistence"], "windows": [5], "max_cases": 2}
    assert json.loads(own.read_text()) == kept
    typed = [str(flag) for flag in (*flags, "--config", own)]
    assert run_file.collect(EVALUATE, ["--config", str(own)]) == run_file.collect(EVALUATE, typed)
    before = tmp_path / "before.json"  # as evaluations before wrote it
    before.write_text(json.dumps(kept | {"baselines": "persistence", "windows": "5"}))
    assert run_file.collect(EVALUATE, ["--config", str(before)]) | {"config": str(own)} == run_file.collect(
        EVALUATE, typed
    )
    assert "run.json" in refusal(capsys, evaluate, "--config", own, "--output", tmp_path / "one")
    # The run.json in the folder of a training stays the training's.
    before = (tiny_run / "run.json").read_text()
    assert run_file.find_own(tiny_run) is None and (tiny_run / "run.json").read_text() == before


def test_typed_flags_win_over_the_file(tmp_path):
    path = tmp_path / "flags.json"
    path.write_text('{"lr": 0.1, "num_hidden": [8, 8], "reverse_input": true, "resume": true, "data_path": "a.nc"}')
    found = run_file.collect(TRAIN, ["--lr", "0.2", "--config", str(path), "--reverse_input", "0"])
    assert (found["lr"], found["num_hidden"], found["reverse_input"]) == (0.2, (8, 8), False)
    assert found["resume"] and found["train_data_paths"] == "a.nc" and "batch_size" not in found
    path.write_text('{"cell_options": {"skip": "none"}, "thresholds": [10, 30.5], "lr": 1, "forcings": "u,v"}')
    found = run_file.collect(TRAIN, [f"--config={path}"])
    assert json.loads(found["cell_options"]) == {"skip": "none"} and found["thresholds"] == (10, 30.5)
    assert found["lr"] == 1.0 and found["forcings"] == ("u", "v")
    path.write_text('{"thresholds": "10,30.5", "scaling_range": "0,60"}')  # as runs before wrote them
    found = run_file.collect(TRAIN, [f"--config={path}"])
    assert found["thresholds"] == (10, 30.5) and found["scaling_range"] == (0, 60)


def test_required_flags_may_be_in_the_file(tmp_path, capsys):
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"checkpoint": str(tmp_path / "none"), "data_path": "a.nc", "output": "b.nc"}))
    assert "none" in refusal(capsys, main, "forecast", "--config", path)
    path.write_text(json.dumps({"data_path": str(tmp_path / "none.nc"), "output": str(tmp_path / "store")}))
    assert "none.nc" in refusal(capsys, main, "prepare", "--config", path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["not a JSON file of flags", "line 1"]),
        ("[1]", ["must hold a JSON object", "[1]"]),
        ("\xff", ["not a JSON file of flags"]),
        ('{"lr": 1, "lr": 2}', ["'lr' is there twice"]),
        ('{"patchsize": 4}', ["'patchsize' is no flag of predjax train", "did you mean patch_size?"]),
        ('{"config": "a.json"}', ["'config' is no flag"]),
        ('{"batch_size": "4"}', ["batch_size must be a whole number", '"4"']),
        ('{"batch_size": 4.5}', ["batch_size must be a whole number", "4.5"]),
        ('{"batch_size": true}', ["batch_size must be a whole number", "true"]),
        ('{"batch_size": null}', ["batch_size must be a whole number", "null"]),
        ('{"lr": "fast"}', ["lr must be a number", '"fast"']),
        ('{"lr": NaN}', ["lr expected a finite number", "nan"]),
        ('{"save_dir": 3}', ["save_dir must be text", "3"]),
        ('{"save_dir": ["a"]}', ["save_dir must be text", '["a"]']),
        ('{"num_hidden": [4, "b"]}', ["num_hidden must be a whole number, or a list", '[4, "b"]']),
        ('{"num_hidden": "4,b"}', ["num_hidden expected int values separated by commas", "4,b"]),
        ('{"resume": "yes"}', ["resume must be true or false", '"yes"']),
        ('{"layer_norm": 2}', ["layer_norm expected 0 or 1", "'2'"]),
        ('{"loss": "balancd"}', ["loss must be one of mse, balanced", "'balancd'", "did you mean balanced?"]),
        ('{"cell_options": 3}', ["cell_options must be text", "3"]),
        ('{"batch_size": -3}', ["batch_size must be positive", "-3"]),
    ],
)
def test_a_bad_file_of_flags_is_one_line(text, words, tmp_path, capsys):
    path = tmp_path / "flags.json"
    path.write_text(text, "latin-1")
    message = refusal(capsys, train, "--config", path)
    if words[0] != "batch_size must be positive":  # what any flag is checked for names the flag alone
        assert str(path) in message
    for word in words:
        assert word in message


def test_a_missing_file_of_flags_and_one_that_would_be_replaced(tmp_path, capsys):
    assert "none.json" in refusal(capsys, train, "--config", tmp_path / "none.json")
    own = tmp_path / "run.json"
    own.write_text(json.dumps({"save_dir": str(tmp_path)}))
    assert "is both --config and" in refusal(capsys, train, "--config", own)
    assert run(train, "--config", tmp_path / "none.json", "--help") == 0


def test_every_flag_survives_the_way_into_a_file_and_back(tmp_path):
    flags = [*TINY, "--scaling_range", "0,60", "--teacher_forcing", "steps", "--is_training", "0", "--lr", "1e-05"]
    flags += ["--cell_options", '{"a": 1}', "--pretrained_model", "w.npz", "--dataset_name", "mnist"]
    given = run_file.collect(TRAIN, flags)
    kept = run_file.list_changed(TRAIN, given)
    assert kept["pretrained_model"].endswith("/w.npz") and kept["pretrained_model"][0] == "/"
    run_file.write(tmp_path / "run.json", kept)
    again = run_file.collect(TRAIN, ["--config", str(tmp_path / "run.json")])
    assert again.pop("pretrained_model") == kept["pretrained_model"] and given.pop("pretrained_model") == "w.npz"
    assert again.pop("config") == str(tmp_path / "run.json") and again == given


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_commands_flags_and_models(shell, capsys):
    pytest.importorskip("shtab")
    assert run(main, "--print-completion", shell) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert all(word in script for word in ("--model_name", "--checkpoint", "--dtype", "predrnn_v2"))
    assert ("--lead_time" in script) == (shell != "tcsh")  # whose script has the flags with known values only
    if shell == "bash":
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_completion_covers_every_flag_and_says_what_it_needs(monkeypatch, capsys):
    known = {name for _, action in make_whole_parser().flags for name in action.option_strings}
    for name in COMMANDS:
        found = {name for flag, _ in make_parser_of(name).flags for name in flag.names}
        assert found <= known and (found or name in ("models", "recipes"))
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert "pip install 'predjax[completion]'" in refusal(capsys, main, "--print-completion", "bash")
    assert "bash" in refusal(capsys, main, "--print-completion", "bahs")


def test_bash_completes_a_flag(tmp_path, capsys):
    pytest.importorskip("shtab")
    assert run(main, "--print-completion", "bash") == 0
    path = tmp_path / "predjax.bash"
    path.write_text(capsys.readouterr().out)
    ask = "COMP_WORDS=(predjax {}); COMP_CWORD={}; _shtab_predjax; echo ${{COMPREPLY[@]}}"
    for words, place, expected in (("tr", 1, "train"), ("train --patch_s", 2, "--patch_size")):
        code = f"source {path}; " + ask.format(words, place)
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]


def test_a_closed_pipe_ends_a_command_in_silence():
    code = "import sys; from predjax.__main__ import main; sys.exit(main(sys.argv[1:]))"
    for arguments, codes in ((["train", "--help"], (0, CLOSED_PIPE)), (["--help"], (CLOSED_PIPE,))):
        command = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.stdin.read(); {code}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        command.stdout.close()
        command.stdin.close()
        with command.stderr:
            assert command.stderr.read() == b"" and command.wait() in codes


def test_a_closed_pipe_is_no_reason_to_start_processes_again():
    assert judge([Life(CLOSED_PIPE, 0.0), Life(None, 0.0)], 60.0) == ("end", CLOSED_PIPE)


def test_lines_reach_a_pipe_when_they_are_written(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw)))

    @one_line_errors
    def command(arguments):
        print("first")
        seen.append(raw.getvalue())
        raise BrokenPipeError(32, "Broken pipe")

    seen = []
    assert command([]) == CLOSED_PIPE and seen == [b"first\n"]


def test_a_log_that_nobody_reads_ends_the_command(monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(BrokenPipeError):
        make_handler().handle(logging.makeLogRecord({"msg": "a line"}))


def test_a_wait_is_told_on_a_terminal_alone(monkeypatch, capsys):
    termios = pytest.importorskip("termios", reason="this system has no terminals to open")
    terminal, side = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with open(side, "w", buffering=1) as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        with show_wait("drawing", after=0.05):
            assert b"drawing 00:0" in os.read(terminal, 1000)
        assert os.read(terminal, 1000).endswith(b"\r")  # gone again
        with pytest.raises(ValueError, match="what went wrong"), show_wait("short", after=60):
            raise ValueError("what went wrong")
    os.close(terminal)
    monkeypatch.undo()
    with show_wait("drawing", after=0.0):
        time.sleep(0.1)
    assert capsys.readouterr() == ("", "")
