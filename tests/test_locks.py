"""A folder has one writer, who is named to the second."""

import json
import logging
import os
import subprocess
import sys

import pytest

from predjax.locks import LOCK, hold

WAITS = """
import sys
from predjax.locks import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds a folder until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_process_is_refused_by_the_name_of_the_first(tmp_path, other):
    with pytest.raises(ValueError, match=rf"run: process {other.pid} on '.+' \(since 20.+\) writes to this folder"):
        hold(tmp_path / "run").__enter__()
    other.communicate()
    assert not (tmp_path / "run").exists()
    with hold(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / LOCK).read_text())["pid"] == os.getpid()


def test_what_a_killed_process_leaves_behind_is_taken_over(tmp_path, other, caplog):
    other.kill()
    other.wait()
    assert (tmp_path / "run" / LOCK).exists()
    with caplog.at_level(logging.WARNING, "predjax"), hold(tmp_path / "run"):
        pass
    assert f"process {other.pid} on" in caplog.text and "ended without its last step; going on" in caplog.text
    assert list((tmp_path / "run").iterdir()) == []  # which this process did not make


def test_one_process_may_not_hold_a_folder_twice(tmp_path):
    with hold(tmp_path), pytest.raises(ValueError, match=rf"process {os.getpid()} on .* writes to this folder"):
        hold(tmp_path).__enter__()


def test_a_folder_that_something_was_written_to_stays(tmp_path):
    with hold(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "best.npz").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["best.npz"]


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    target = tmp_path / "precious.txt"
    target.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(target)
    with pytest.raises(OSError, match=r"\.predjax\.lock"):
        hold(tmp_path / "run").__enter__()
    assert target.read_text() == "mine"


def test_a_lock_file_of_nonsense_names_nobody(tmp_path, caplog):
    for content in (b"\xff\xfe", b"[1]", b'{"pid": "x"}', b"["):
        (tmp_path / LOCK).write_bytes(content)
        with caplog.at_level(logging.WARNING, "predjax"), hold(tmp_path):
            pass
    assert caplog.text.count("another process ended without its last step") == 4
