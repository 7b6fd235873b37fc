"""Fixed points of a trained series model by the command."""

import numpy as np
import pytest
import xarray as xr
from tiny import without_scores

from predjax.commands.analyse import main as analyse
from predjax.commands.train import main as train
from predjax.synthetic.__main__ import main as make


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sine")
    assert make(["sine_wave", "--output", str(folder / "sine.nc"), "--num_movies", "8", "--length", "20"]) == 0
    command = [
        "--data_path",
        folder / "sine.nc",
        "--variable",
        "sine_wave",
        "--model_name",
        "ct_rnn",
        "--num_hidden",
        3,
    ]
    command += ["--task", "sequence", "--forcings", "input", "--max_iterations", 2, "--batch_size", 2, "--n_gpu", 1]
    with without_scores():
        assert train([str(part) for part in (*command, "--save_dir", folder / "run")]) == 0
    return folder / "run"


def test_fixed_points_are_printed_written_and_drawn(run, tmp_path, capsys):
    command = ["--checkpoint", str(run), "--output", str(tmp_path / "out"), "--num_starts", "32"]
    assert analyse(command) == 0
    assert "ct_rnn: 3 state variables; 1 fixed points, 1 of them stable, |F(h) - h| at most" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["fixed_points.nc", "portrait.png", "run.json"]
    with xr.open_dataset(tmp_path / "out" / "fixed_points.nc") as fixed:
        values = fixed.eigenvalue_real.values + 1j * fixed.eigenvalue_imag.values
        np.testing.assert_allclose(
            np.sort_complex(np.linalg.eigvals(fixed.jacobian.values)), values, rtol=1e-6, atol=1e-9
        )
        assert fixed.residual.max() < 1e-6 and (fixed.stable == (np.abs(values) < 1).all(1)).all()
    assert analyse(command) == 2 and "exists" in capsys.readouterr().err


def test_the_gallery_needs_no_run(tmp_path, capsys):
    assert analyse(["--gallery", str(tmp_path / "gallery.png"), "--num_starts", "16"]) == 0
    assert "strange attractor:" in capsys.readouterr().out and (tmp_path / "gallery.png").is_file()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ([], "analyse needs --checkpoint, --gallery or both"),
        (["--gallery", "a.png", "--num_starts", "0"], "num_starts must be"),
    ],
)
def test_what_cannot_be_analysed_is_refused(flags, reason, capsys):
    assert analyse(flags) == 2 and reason in capsys.readouterr().err
