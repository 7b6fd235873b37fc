"""The network that comes with the package."""

import re

import numpy as np
import pytest
import xarray as xr

from predjax import checkpoint
from predjax.commands.forecast import main as forecast
from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.model import load_model, make_nowcast
from predjax.nowcasts.persistence import persist

CARD = checkpoint.PRETRAINED.parent / "README.md"
TRAINED = {"knmi_20100826.nc", "fmi_20160928.nc", "fmi_20170509.nc"}


@pytest.fixture(scope="module")
def model():
    return load_model("pretrained")


def test_it_is_small_holds_weights_alone_and_says_what_it_was_trained_on(model):
    assert checkpoint.PRETRAINED.stat().st_size < 8 * 2**20
    assert all(name.startswith("params/") for name in checkpoint.load(checkpoint.PRETRAINED)[0])
    data = model.record["data"]
    assert set(data["train_data_paths"].split(",")) == TRAINED
    assert data["sampling"]["steps"] == [300.0]
    text = str(model.record)
    assert not re.search(r"(^|[\s'\",])/\w+/", text), "a folder of the machine that it was trained on"


def test_the_card_has_what_a_card_must_have(model):
    text = CARD.read_text()
    for words in ("CC BY 4.0", "KNMI", "FMI", "bom_20201031", "mch_20160711", "Limits", *TRAINED):
        assert words.removesuffix(".nc") in text, words
    weights = sum(array.size for group in model.params.values() for array in group.values())
    assert f"{weights:,} weights" in text


def test_a_name_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pretrained").mkdir()
    with pytest.raises(FileNotFoundError, match="pretrained holds no checkpoint"):
        checkpoint.find("pretrained")


def showers(frames, height, width, seed=0):
    """Rain in mm/h that moves by (0.5, 1.5) pixels a frame, without growth."""
    rng = np.random.default_rng(seed)
    waves = np.fft.rfftfreq(256)[None, :], np.fft.fftfreq(256)[:, None]
    spectrum = (waves[0] ** 2 + waves[1] ** 2 + 1e-3) ** -1.2
    field = np.fft.rfft2(rng.normal(size=(256, 256))) * spectrum
    shown = []
    for t in range(frames):
        moved = field * np.exp(-2j * np.pi * (waves[1] * 0.5 * t + waves[0] * 1.5 * t))
        shown.append(np.fft.irfft2(moved)[:height, :width])
    shown = np.array(shown) / np.std(shown)
    return np.where(shown > 0.5, np.exp(1.5 * shown) - 1, 0).astype(np.float32)[None, ..., None]


def test_rain_that_only_moves_is_followed(model):
    """Frames of any size. Extrapolation alone is best here, where nothing grows or decays; rain does."""
    frames = showers(10, 150, 133)
    nowcast = make_nowcast(model.forecaster, model.params)(frames[:, :4], 6)
    moved, still = extrapolate(frames[:, :4], 6, units="mm/h"), persist(frames[:, :4], 6)
    known = np.isfinite(nowcast) & np.isfinite(moved)
    errors = [np.abs(f - frames[:, 4:])[known].mean() for f in (nowcast, moved, still)]
    assert errors[1] < errors[0] < 0.3 * errors[2]
    assert np.isfinite(nowcast).mean() > 0.9 and nowcast[known].min() >= 0


def test_one_command_makes_a_nowcast_of_two_hours(tmp_path, capsys):
    times = np.datetime64("2024-07-01T12:00", "ns") + np.arange(5) * np.timedelta64(5, "m")
    frames = showers(5, 96, 80)[0, ..., 0]
    data = xr.Dataset(
        {"rainrate": (("time", "y", "x"), frames, {"units": "mm/h"})},
        {
            "time": times,
            "y": ("y", np.arange(96) * -1000.0, {"units": "m", "standard_name": "projection_y_coordinate"}),
            "x": ("x", np.arange(80) * 1000.0, {"units": "m", "standard_name": "projection_x_coordinate"}),
        },
    )
    data.to_netcdf(tmp_path / "frames.nc")
    output = tmp_path / "nowcast.nc"
    flags = ["--checkpoint", "pretrained", "--data_path", str(tmp_path / "frames.nc"), "--lead_time", "120"]
    assert forecast([*flags, "--output", str(output)]) == 0, capsys.readouterr().err
    with xr.open_dataset(output) as nowcast:
        assert nowcast.sizes["time"] == 24
        assert nowcast.time.values[-1] == times[-1] + np.timedelta64(120, "m")
        assert np.isfinite(nowcast.rainrate.values).any()
