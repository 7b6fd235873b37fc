"""Windows of a file with a damaged chunk: an error that names the frame, or left out and counted."""

import json

import numpy as np
import pytest
import xarray as xr
from tiny import QUICK, without_page

from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train
from predjax.radar.config import DataConfig
from predjax.radar.readers import read_movies
from predjax.radar.windows.batches import BatchSource, read_windows
from predjax.radar.windows.index import Window, WindowIndex
from predjax.radar.windows.runs import find_periods

FRAMES, BAD = 60, 10


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A compressed file whose frame 10, a chunk of its own, does not unpack."""
    rng = np.random.default_rng(0)
    rain = rng.integers(0, 200, (FRAMES, 16, 16)).astype("u1")
    times = np.datetime64("2026-06-01", "ns") + np.arange(FRAMES) * np.timedelta64(300, "s")
    rain[BAD] = np.arange(256).reshape(16, 16)
    data = xr.Dataset({"dbz": (("time", "y", "x"), rain, {"units": "dBZ", "scale_factor": 0.3})}, {"time": times})
    path = tmp_path_factory.mktemp("damaged") / "a.nc"
    # Stored as it is, with a checksum: its bytes are found in the file and one of them is changed.
    data.to_netcdf(path, encoding={"dbz": {"chunksizes": (1, 16, 16), "fletcher32": True}})
    contents = bytearray(path.read_bytes())
    contents[contents.index(rain[BAD].tobytes())] ^= 1
    path.write_bytes(contents)
    return path


def test_a_window_that_cannot_be_read_names_file_and_frame(damaged):
    sources = read_movies(damaged)
    with pytest.raises(ValueError, match=rf"a\.nc: dbz: frame {BAD} cannot be read"):
        read_windows(sources, [Window(0, 0, 7, 0, 0)], 6)


@pytest.mark.parametrize("limit", [0, 2**30])
def test_training_batches_stop_or_skip(damaged, limit, monkeypatch):
    monkeypatch.setattr("predjax.radar.windows.batches.MEMORY_LIMIT", limit)
    sources = read_movies(damaged)
    periods = find_periods(sources)

    def read_epoch(on_bad_window):
        source = BatchSource(WindowIndex(sources, periods, 6, DataConfig(on_bad_window=on_bad_window)), 5, 0)
        return source, [source.batch(step) for step in range(source.num_windows // 5)]

    with pytest.raises(ValueError, match=f"frame {BAD} cannot be read"):
        read_epoch("stop")
    source, batches = read_epoch("skip")
    starts = [window.start for batch in batches for window in batch.windows]
    assert len(starts) == 55 and not any(start <= BAD < start + 6 for start in starts)
    assert source.bad.count >= 6  # each of the windows that hold it had a turn
    assert all(np.isfinite(batch.frames).all() for batch in batches)


@pytest.mark.ci
def test_commands_stop_with_a_line_or_skip_and_say_how_many(damaged, tmp_path, capsys):
    flags = [*QUICK, "--crop", "0", "--data_path", str(damaged), "--max_iterations", "6", "--valid_fraction", "0.3"]
    assert train([*flags, "--save_dir", str(tmp_path / "stop")]) == 2
    error = capsys.readouterr().err
    assert f"frame {BAD} cannot be read" in error and error.count("\n") == 1
    assert train([*flags, "--save_dir", str(tmp_path / "run"), "--on_bad_window", "skip"]) == 0
    assert "could not be read and were skipped" in capsys.readouterr().out

    output = tmp_path / "skill"
    command = ["--checkpoint", str(tmp_path / "run"), "--data_path", str(damaged), "--output", str(output)]
    with without_page():
        assert evaluate([*command, "--window_stride", "1"]) == 0  # as the run was told
    assert "warning: 6 windows could not be read and count nowhere" in capsys.readouterr().out
    assert json.loads((output / "skill.json").read_text())["attributes"]["cases"] == 49
