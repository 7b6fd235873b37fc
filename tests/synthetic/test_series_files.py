"""Series as files: names, times and sources are read back, and nothing is replaced unasked."""

import numpy as np
import pytest
import xarray as xr

from predjax import read_movies
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.synthetic.__main__ import main
from predjax.synthetic.dynamics import HenonConfig, Lorenz63Config
from predjax.synthetic.movie_file import MovieFile
from predjax.synthetic.series_files import write_series
from predjax.synthetic.switching_linear import SwitchingLinearConfig
from predjax.synthetic.systems import SYSTEMS, make_series, name_features
from predjax.synthetic.two_rossler import TwoRosslerConfig


def load(path):
    with NETCDF_LOCK, xr.open_dataset(path) as data:
        return data.load()


def make(path, *arguments):
    assert main([arguments[0], "--output", str(path), *arguments[1:]]) == 0
    return load(path)


def test_netcdf_says_what_it_holds(tmp_path):
    path = tmp_path / "lorenz.nc"
    data = make(path, "lorenz63", "--num_movies", "2", "--length", "30", "--seed", "4", "--transient", "1")
    assert data["lorenz63"].dims == ("movie", "time", "feature") and data["lorenz63"].dtype == np.float32
    assert list(data["feature"].values) == ["x", "y", "z"]
    np.testing.assert_allclose(data["time"], 0.02 * np.arange(30))
    assert data["time"].attrs == {"long_name": "time in model time units", "units": "1"}
    expected = make_series("lorenz63", Lorenz63Config(length=30, transient=1.0), 4, 1).values
    np.testing.assert_array_equal(data["lorenz63"][1], expected)
    assert data.attrs["lyapunov_exponent"] == 0.9056 and data.attrs["sigma"] == 10
    assert data.attrs["title"] == "Lorenz-63 series" and data.attrs["license"] == "Apache-2.0"
    assert data.attrs["source"] == "predjax.synthetic.dynamics.make_lorenz63" and "Lorenz" in data.attrs["references"]
    history = "--num_movies 2 --length 30 --seed 4 --transient 1"
    assert data.attrs["history"] == f"python -m predjax.synthetic lorenz63 --output {path} {history}"


def test_other_parameters_have_no_known_exponent(tmp_path):
    data = make(tmp_path / "a.nc", "henon", "--num_movies", "1", "--length", "9", "--a", "1.2")
    assert "lyapunov_exponent" not in data.attrs and data.attrs["a"] == 1.2


def test_features_of_a_circle_are_numbered(tmp_path):
    data = make(tmp_path / "a.nc", *"lorenz96 --num_movies 1 --length 9 --num_variables 5 --transient 0".split())
    assert list(data["feature"].values) == ["x_0", "x_1", "x_2", "x_3", "x_4"]


@pytest.mark.parametrize("name, feature", [("narma", "y"), ("sine_wave", "sine")])
def test_what_drives_a_system_stands_beside_it(tmp_path, name, feature):
    data = make(tmp_path / "a.nc", name, "--num_movies", "3", "--length", "20")
    assert data["input"].dims == ("movie", "time", "channel") and data["input"].shape == (3, 20, 1)
    assert list(data["feature"].values) == [feature]
    expected = make_series(name, SYSTEMS[name].config(length=20), 0, 2)
    np.testing.assert_array_equal(data["input"][2], expected.inputs)
    np.testing.assert_array_equal(data[name][2], expected.values)


@pytest.mark.parametrize("suffix", [".nc", ".npy"])
def test_the_same_seed_gives_the_same_bytes(tmp_path, suffix):
    paths = [tmp_path / f"{number}{suffix}" for number in range(2)]
    for path in paths:
        write_series(MovieFile(str(path), 2, 7), HenonConfig(length=40))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_movie_is_the_same_among_few_and_many(tmp_path):
    for path, num_movies in (("few.npy", 2), ("many.npy", 5)):
        write_series(MovieFile(str(tmp_path / path), num_movies, 7), HenonConfig(length=40))
    few, many = np.load(tmp_path / "few.npy"), np.load(tmp_path / "many.npy")
    assert many.shape == (5, 40, 2) and many.dtype == np.float32
    np.testing.assert_array_equal(few, many[:2])


def test_an_existing_file_is_replaced_only_when_asked(tmp_path, capsys):
    output = tmp_path / "series.npy"
    output.write_text("mine")
    arguments = ["henon", "--output", str(output), "--num_movies", "1", "--length", "5"]
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"predjax: {output} exists; --overwrite replaces it\n"
    assert output.read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert np.load(output).shape == (1, 5, 2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("henon --output a.txt", "a.txt: series are written as .nc or .npy, not .txt"),
        ("narma --output a.npy", "a.npy: narma has an input, which .npy cannot hold; write it as .nc"),
        ("henon --output a.nc --num_movies 0", "num_movies 0 must be at least 1 and seed 0 at least 0"),
        ("henon --output a.nc --length 1", "length 1 must be at least 2"),
        ("lorenz63 --output a.nc --dt 0", "dt 0.0 must be positive"),
        ("rossler --output a.nc --transient -1", "transient -1.0 must be at least 0"),
        ("henon --output a.nc --observation_noise -1", "observation_noise -1.0 must be at least 0"),
        ("lorenz96 --output a.nc --num_variables 3", "num_variables 3 must be at least 4"),
        ("mackey_glass --output a.nc --tau 0", "tau 0.0 must be positive"),
        ("kuramoto_sivashinsky --output a.nc --num_points 33", "num_points 33 must be even and at least 16"),
        ("sine_wave --output a.nc --lowest 0.7", "lowest 0.7 must be above 0 and below highest 0.6"),
        ("mackey_glass --output a.nc --beta -3", "beta -3.0 must be positive"),
        ("double_scroll --output a.nc --alpha 30", "double_scroll grows without bound with these parameters"),
        ("henon --output a.nc --a 3", "henon grows without bound with these parameters"),
    ],
)
def test_errors_are_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    assert capsys.readouterr().err == f"predjax: {message}\n"
    assert list(tmp_path.iterdir()) == []


def test_parameters_are_finite(capsys):
    with pytest.raises(SystemExit, match="2"):
        main("lorenz63 --output a.nc --rho nan".split())
    assert "argument --rho: expected a finite number, got 'nan' (--help" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(ValueError, match="rho nan must be finite"):
        Lorenz63Config(rho=float("nan"))


SMALL = {
    "switching_linear": (SwitchingLinearConfig(length=200), "mode", ("movie", "time"), np.int32),
    "two_rossler": (TwoRosslerConfig(length=60, transient=5.0), "latent", ("movie", "time", "state"), np.float32),
}


@pytest.mark.parametrize("name", SMALL)
def test_what_is_hidden_stands_in_the_file_and_is_not_taken_for_the_series(tmp_path, name):
    config, truth, dims, dtype = SMALL[name]
    path = tmp_path / "a.nc"
    write_series(MovieFile(str(path), 2, 4), config)
    expected = [make_series(name, config, 4, movie) for movie in range(2)]
    with NETCDF_LOCK, xr.open_dataset(path) as data:
        assert data[truth].dims == dims and data[truth].dtype == dtype
        np.testing.assert_array_equal(data[truth], np.stack([series.truths[truth] for series in expected]))
        assert data[name].attrs["ancillary_variables"] == truth and data.attrs["system_seed"] == 0
    for variable in ("", name):
        (movies,) = read_movies(path, variable=variable)
        np.testing.assert_array_equal(movies.frames[:, :, 0, 0], np.stack([series.values for series in expected]))
        assert movies.channel.values.tolist() == list(name_features(name, config))


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_gives_the_same_bytes_also_of_what_is_hidden(tmp_path, name):
    paths = [tmp_path / f"{number}.nc" for number in range(3)]
    for path, seed in zip(paths, (7, 7, 8)):
        write_series(MovieFile(str(path), 2, seed), SMALL[name][0])
    first, second, other = [path.read_bytes() for path in paths]
    assert first == second != other


def test_npy_holds_what_is_seen_alone(tmp_path):
    config = SMALL["switching_linear"][0]
    write_series(MovieFile(str(tmp_path / "a.npy"), 1), config)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy")[0], make_series("switching_linear", config, 0, 0).values)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("switching_linear --modes 1", "modes 1 must be at least 2"),
        ("switching_linear --latent 3", "latent 3 must be even and at least 2"),
        ("switching_linear --features 0", "features 0 must be at least 1"),
        ("switching_linear --contraction 1", "contraction 1.0 must be at least 0 and below 1"),
        ("switching_linear --shortest_period 2", "shortest_period 2.0 must be above 2"),
        ("switching_linear --longest_period 5", "longest_period 5.0 must be above shortest_period 6.0"),
        ("switching_linear --dwell_min 0", "dwell_min 0 must be at least 1"),
        ("switching_linear --dwell_max 9", "dwell_max 9 must be at least dwell_min 50"),
        ("switching_linear --system_seed -1", "system_seed -1 must be at least 0"),
        ("two_rossler --ratio 1", "ratio 1.0 must be above 1"),
        ("two_rossler --features 0", "features 0 must be at least 1"),
        ("two_rossler --superposed 9", "superposed 9 must be from 0 to features 8"),
        ("two_rossler --system_seed -1", "system_seed -1 must be at least 0"),
    ],
)
def test_parameters_outside_their_rule_are_one_line(tmp_path, capsys, arguments, message):
    name, *options = arguments.split()
    assert main([name, "--output", str(tmp_path / "a.nc"), *options]) == 2
    assert capsys.readouterr().err == f"predjax: {message}\n"
