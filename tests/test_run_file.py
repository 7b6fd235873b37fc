"""Flags in files: what a file may set, and what it may not."""

import json
import logging

import pytest

from predjax import run_file
from predjax.commands.evaluate import COMMAND as EVALUATE
from predjax.commands.prepare import COMMAND as PREPARE


@pytest.mark.parametrize("command", [EVALUATE, PREPARE], ids=lambda command: command.name)
def test_a_cluster_is_typed_and_never_taken_from_a_file(command, tmp_path, caplog):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"data_path": "a.nc", "dask_scheduler": "tcp://203.0.113.9:8786"}))
    with caplog.at_level(logging.WARNING, "predjax"):
        assert run_file.read_flags(path, command) == ["--data_path=a.nc"]
    assert caplog.messages == [
        f"{path}: dask_scheduler is not taken from a file: type --dask_scheduler, if you trust that address"
    ]
    values = {"data_path": "a.nc", "dask_scheduler": "tcp://203.0.113.9:8786"}
    assert "dask_scheduler" not in run_file.list_changed(command, values)


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(tmp_path):
    target, path = tmp_path / "precious.json", tmp_path / "run.json"
    target.write_text("mine")
    path.symlink_to(target)
    run_file.write(path, {"seed": 1})
    assert target.read_text() == "mine" and json.loads(path.read_text()) == {"seed": 1}
