"""`predjax inspect` as a user runs it."""

import subprocess
import sys

import pytest
from tiny import ROOT

from predjax.commands.inspect import main

SAMPLE = str(ROOT / "data" / "radar_movies.nc")


def test_the_sample_and_a_picture(tmp_path, capsys):
    assert main([SAMPLE, "--picture", str(tmp_path / "a.png"), "--total_length", "10"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("radar_movies.nc\n  format     netCDF\n")
    assert "  windows    1,760, each of 10 frames\n" in text
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_exit_code_says_whether_anything_can_be_read(tmp_path, capsys):
    bad = tmp_path / "bad.nc"
    bad.write_bytes(b"<html>")
    assert main([str(bad), SAMPLE]) == 0
    assert f"cannot be read: 1 of the files\n  {bad}: " in capsys.readouterr().out
    assert main([str(bad)]) == 2
    assert capsys.readouterr().out.startswith(f"cannot be read: 1 of the files\n  {bad}: ")
    assert main([str(tmp_path / "nothing.nc")]) == 2
    assert "no file matches" in capsys.readouterr().err


@pytest.mark.ci
def test_no_network_is_imported():
    code = "import sys; from predjax.commands.inspect import main; main(sys.argv[1:]); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, SAMPLE], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse\n") and done.stderr == ""
