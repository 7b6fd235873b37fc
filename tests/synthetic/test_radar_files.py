"""Files of synthetic radar movies: the samples of the package, their labels, and errors."""

import dataclasses
import pathlib

import netCDF4
import numpy as np
import pytest

from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.synthetic.__main__ import main
from predjax.synthetic.radar import RadarConfig, make_radar_movie

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"


CONFIG = RadarConfig()


OPEN = dataclasses.replace(CONFIG, coverage_radius=0.0)  # no mask, so that frames can be interpolated


@pytest.fixture(scope="module")
def movies():
    return [make_radar_movie(OPEN, 3, movie) for movie in range(6)]


def read_counts(path):
    with NETCDF_LOCK, netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return file["reflectivity"][:], file.history


def assert_same_counts(found, expected):
    """Equal but for a rounding that another machine's arithmetic may tip over."""
    assert np.abs(found.astype(int) - expected).max() <= 1 and np.mean(found != expected) < 1e-3


def test_the_netcdf_sample_is_what_its_command_makes(tmp_path):
    sample, history = read_counts(DATA / "radar_movies.nc")
    assert history == "python -m predjax.synthetic radar --output data/radar_movies.nc --seed 1"
    assert history in (DATA / "README.md").read_text()
    assert main(["radar", "--output", str(tmp_path / "few.nc"), "--seed", "1", "--num_movies", "4"]) == 0
    assert_same_counts(read_counts(tmp_path / "few.nc")[0], sample[:4])
    last = make_radar_movie(CONFIG, 1, len(sample) - 1).dbz
    assert_same_counts(np.where(np.isnan(last), 255, np.round((last + 32) * 2)).astype(np.uint8), sample[-1])


def test_the_npy_sample_is_what_its_command_makes(tmp_path):
    sample = np.load(DATA / "radar_movies.npy")
    assert sample.shape == (40, 40, 40, 5) and sample.min() == 0 and sample.max() <= 1
    arguments = "--seed 2 --num_movies 40 --num_frames 5 --coverage_radius 0"
    assert (
        f"python -m predjax.synthetic radar --output data/radar_movies.npy {arguments}"
        in (DATA / "README.md").read_text()
    )
    arguments = arguments.replace("40", "3").split()
    assert main(["radar", "--output", str(tmp_path / "few.npy"), *arguments]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "few.npy"), sample[:3], atol=1e-4)


def test_samples_are_small():
    for name in ("radar_movies.nc", "radar_movies.npy"):
        assert (DATA / name).stat().st_size < 2e6


def test_netcdf_says_what_it_holds():
    with NETCDF_LOCK, netCDF4.Dataset(DATA / "radar_movies.nc") as file:
        assert file.Conventions == "CF-1.11" and file.title and file.source
        rain = file["reflectivity"]
        assert rain.dimensions == ("movie", "time", "y", "x") and rain.dtype == np.uint8
        assert (rain.standard_name, rain.units) == ("equivalent_reflectivity_factor", "dBZ")
        assert file[rain.grid_mapping].grid_mapping_name == "lambert_azimuthal_equal_area"
        values = rain[0]  # decoded by the library
        assert values.min() == 0 and values.mask[0, 0, 0] and not values.mask[0, 20, 20]
        y, x, time = file["y"][:], file["x"][:], file["time"][:]
        assert y[0] > y[-1] and x[0] < x[-1] and np.diff(x)[0] == 1000
        assert (np.diff(time, axis=1) == 300).all()
        assert len(set((time // 86400)[:, 0])) == len(set((time // 86400).ravel())) == len(time)


def test_an_existing_file_is_replaced_only_when_asked(tmp_path, capsys):
    output = tmp_path / "movies.npy"
    output.write_text("mine")
    arguments = ["radar", "--output", str(output), "--num_movies", "1", "--num_frames", "2"]
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"predjax: {output} exists; --overwrite replaces it\n"
    assert output.read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert np.load(output).shape == (1, 40, 40, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["movies.npy"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--output", "movies.txt"], "movies.txt: radar movies are written as .nc or .npy, not .txt"),
        (["--output", "movies.nc", "--num_movies", "0"], "num_movies 0 must be at least 1 and seed 0 at least 0"),
        (["--output", "movies.nc", "--seed", "-1"], "num_movies 160 must be at least 1 and seed -1 at least 0"),
        (
            ["--output", "movies.nc", "--coverage_radius", "1"],
            "coverage_radius 1.0 must be at least 2 pixels (0 covers everything)",
        ),
        (["--output", "movies.nc", "--size", "4"], "size 4 and num_frames 20 must be at least 8 and 1"),
    ],
)
def test_errors_are_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["radar", *arguments]) == 2
    assert capsys.readouterr().err == f"predjax: {message}\n"
    assert list(tmp_path.iterdir()) == []
