"""The data that a run remembers: found from any folder, and named with their run where they are gone."""

import numpy as np
import pytest
from tiny import ROOT

from predjax import checkpoint
from predjax.jobs.cases import CaseRequest, choose_cases, load
from predjax.jobs.data import check_recorded
from predjax.jobs.forecast import open_forecasting
from predjax.jobs.options import ForecastOptions
from predjax.radar.config import DataConfig


def remember(run, path, **data):
    """A copy of the run's checkpoint that remembers other data."""
    arrays, record = checkpoint.load(checkpoint.find(run))
    record = {key: value for key, value in record.items() if key != "sha256"}
    checkpoint.save(path, arrays, {**record, "data": {**record["data"], **data}})
    return path


def test_relative_paths_of_older_checkpoints_are_found_where_the_run_was(tiny_run, tmp_path, monkeypatch):
    path = remember(tiny_run, tmp_path / "best.npz", train_data_paths="data/radar_movies.nc")
    monkeypatch.chdir(ROOT)
    cases, _ = choose_cases(CaseRequest(None, max_cases=2), load(path))
    assert cases.sources[0].attrs["source"] == "radar_movies.nc"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        choose_cases(CaseRequest(None), load(path))
    assert str(error.value) == (
        f"the training data of {path} are not there (no file matches data/radar_movies.nc): give --data_path"
    )


def test_the_layout_of_the_training_is_said_where_it_is_taken_for_other_data(tiny_run, tmp_path, caplog):
    config = checkpoint.load(checkpoint.find(tiny_run))[1]["data"]["config"]
    path = remember(tiny_run, tmp_path / "best.npz", config={**config, "layout": "time,movie,y,x"})
    frames, said = np.zeros((8, 2, 16, 16)), "arrays are read with the layout of the training, time,movie,y,x"
    with caplog.at_level("INFO", "predjax"):
        cases, _ = choose_cases(CaseRequest(frames, (("units", "dBZ"),)), load(path))
        assert cases.sources[0].sizes["movie"] == 2 and said in caplog.messages
        caplog.clear()
        open_forecasting(ForecastOptions(path, frames))
        assert said in caplog.messages
        caplog.clear()
        choose_cases(CaseRequest(frames.swapaxes(0, 1), (("units", "dBZ"), ("layout", "movie,time,y,x"))), load(path))
        assert said not in caplog.messages


def test_what_a_run_remembers_is_checked_before_it_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 4, 4)))
    here = str(tmp_path / "a.npy")
    assert check_recorded(here, "run/best.npz", DataConfig()) == here
    with pytest.raises(
        FileNotFoundError, match=r"training data of run/best\.npz are not there \(they were in memory\)"
    ):
        check_recorded("data in memory", "run/best.npz", DataConfig())
    with pytest.raises(FileNotFoundError, match=r"of run/best\.npz are not there \(no file matches .*b\.npy\): give"):
        check_recorded(f"{here},{tmp_path}/b.npy", "run/best.npz", DataConfig())
