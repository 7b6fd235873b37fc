"""Every kind of bad input ends in one line that names it, or in the repair that is documented; nothing in it runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from bad_input.corpus import KINDS
from bad_input.kinds import DOORS, SENTINEL
from bad_input.readings import check_refusal, check_repair, go_through
from tiny import ROOT

NOBODY = 65534
SECONDS = 20  # for one kind; most take milliseconds
MEMORY = 4 * 2**30  # of the process that reads huge kinds
SMALL = [kind for kind in KINDS.values() if not kind.huge and kind.door != "flags"]
HUGE = [kind for kind in KINDS.values() if kind.huge]
FLAGS = [kind for kind in KINDS.values() if kind.door == "flags"]


@contextlib.contextmanager
def deadline(seconds=SECONDS):
    """Ends what hangs."""

    def stop(*_):
        raise AssertionError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def permissions_that_count(kind, folder):
    """The superuser reads every file: becomes somebody else meanwhile, who gets to the folder."""
    if kind.name != "file_that_may_not_be_read" or os.geteuid():
        yield
        return
    ways = {path: path.stat().st_mode for path in (folder, *folder.parents) if path.stat().st_uid == 0}
    closed = {path: mode for path, mode in ways.items() if not mode & 0o001}
    for path, mode in closed.items():
        path.chmod(mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in closed.items():
            path.chmod(mode)


def make(kind, folder):
    """(path, what is expected of a repair) of a kind, in its empty folder."""
    made = kind.make(folder)
    return made if kind.rule is None else (made, None)


def test_the_corpus_is_large():
    assert len(KINDS) >= 60
    assert {kind.door for kind in KINDS.values()} == set(DOORS)
    assert len(HUGE) >= 10 and sum(kind.rule is None for kind in KINDS.values()) >= 20


@pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.name)
def test_refused_on_one_line_or_repaired(kind, tmp_path):
    path, expected = make(kind, tmp_path)
    with deadline(), permissions_that_count(kind, tmp_path):
        if kind.rule is None:
            check_repair(go_through(kind, path), expected)
        else:
            try:
                result = go_through(kind, path)
            except Exception as error:
                check_refusal(error, kind.rule, path)
            else:
                pytest.fail(f"it was read: {result}")
    assert not (tmp_path / SENTINEL).exists(), "code in the file has run"


READ = """
import json, pathlib, resource, sys, time, warnings
warnings.simplefilter("error")
sys.path[:0] = {path}
import predjax.checkpoint  # with all that it imports, before memory is limited
from bad_input.corpus import KINDS
from bad_input.readings import go_through
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
for name in {names}:
    folder = pathlib.Path({folder!r}) / name
    path = json.loads((folder / "path.json").read_text())
    start = time.perf_counter()
    try:
        outcome = ["read", str(go_through(KINDS[name], path))]
    except BaseException as error:
        outcome = [type(error).__name__, str(error)]
    print(json.dumps([name, time.perf_counter() - start, *outcome]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What the huge kinds end in, by name, in a process with little memory: (seconds, type of error, message)."""
    folder, paths = tmp_path_factory.mktemp("huge"), {}
    for kind in HUGE:
        (folder / kind.name).mkdir()
        paths[kind.name] = kind.make(folder / kind.name)
        (folder / kind.name / "path.json").write_text(json.dumps(str(paths[kind.name])))
    code = READ.format(path=sys.path, memory=MEMORY, names=list(paths), folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    found = {name: (paths[name], *rest) for name, *rest in map(json.loads, done.stdout.splitlines())}
    found["stderr"] = done.stderr
    return found


@pytest.mark.parametrize("kind", HUGE, ids=lambda kind: kind.name)
def test_what_claims_to_be_huge_takes_no_memory(kind, outcomes):
    assert kind.name in outcomes, outcomes["stderr"]
    path, seconds, error, message = outcomes[kind.name]
    assert error in ("ValueError", "OSError"), f"{error}: {message}"
    check_refusal(ValueError(message), kind.rule, path)
    assert seconds < SECONDS


@pytest.mark.parametrize("kind", FLAGS, ids=lambda kind: kind.name)
def test_a_command_line_is_refused_on_one_line(kind, tmp_path, capsys, monkeypatch):
    from predjax.__main__ import main

    arguments = [str(argument) for argument in kind.make(tmp_path)]
    monkeypatch.chdir(tmp_path)
    with deadline():
        check_refused_command(main, arguments, kind.rule, capsys)


def check_refused_command(main, arguments, rule, capsys):
    """Asserts exit code 2 and one printable line on stderr."""
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2, captured
    line = captured.err.removesuffix("\n")
    assert line.isprintable() and captured.err.endswith("\n"), captured.err
    import re

    assert re.search(rule, line), line
