"""`predjax.evaluate`: what the command does, on files and on datasets in memory; its options."""

import dataclasses
import logging
import pickle

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT
from verified import rain

import predjax
from predjax import checkpoint
from predjax.checkpoint_names import list_steps
from predjax.commands.evaluate import COMMAND
from predjax.commands.evaluate import main as evaluate_command
from predjax.flags import list_flags
from predjax.jobs import evaluate as jobs
from predjax.jobs.evaluation_files import write_scores
from predjax.jobs.options import EvaluateOptions, EvaluationFiles, RunFlags
from predjax.nowcasts.baselines import BASELINES, Baseline
from predjax.nowcasts.forecast import to_forecast
from predjax.radar.areas.config import AreaScoringOptions
from predjax.radar.config import DataConfig
from predjax.radar.windows.index import Window
from predjax.radar.writers import write_forecast
from predjax.run_file import collect
from predjax.verification.protocols.config import ProtocolOptions

SAMPLE = str(ROOT / "data" / "radar_movies.nc")


@pytest.fixture(scope="module")
def sample():
    with xr.open_dataset(SAMPLE) as dataset:
        yield dataset


def test_evaluate_gives_what_the_command_writes(tiny_run, sample, tmp_path, monkeypatch, caplog):
    flags = ["--max_cases", "4", "--num_steps", "2", "--thresholds", "10,30", "--windows", "5", "--crop", "16"]
    options = {"max_cases": 4, "num_steps": 2, "thresholds": (10, 30), "windows": (5,), "crop": 16}
    evaluations, run = [], jobs.run
    monkeypatch.setattr(jobs, "run", lambda *given: evaluations.append(run(*given)) or evaluations[-1])
    found = predjax.evaluate(str(tiny_run), SAMPLE, **options)
    [evaluation] = evaluations
    write_scores(evaluation.verification, tmp_path)  # as the command does
    with xr.open_dataset(tmp_path / "skill.nc") as written:
        xr.testing.assert_equal(found, written)
        assert found.attrs.keys() == written.attrs.keys()
        assert all(np.array_equal(value, written.attrs[name]) for name, value in found.attrs.items())
    assert "overlap the training data" in found.attrs["warning"]
    assert [record.levelno for record in caplog.records if "overlap" in record.message] == [logging.WARNING]
    of_dataset = predjax.evaluate(tiny_run, sample, **options)
    xr.testing.assert_identical(of_dataset, found)

    monkeypatch.setattr(jobs, "run", lambda options, *rest: evaluations.append(options))
    monkeypatch.setattr("predjax.jobs.evaluation_files.write_files", lambda *given: [])
    assert evaluate_command(["--checkpoint", str(tiny_run), "--data_path", SAMPLE, *flags]) == 0
    assert evaluations[-1] == evaluation.options


def test_several_networks_stand_in_one_table(tiny_run, tmp_path):
    """Each as it is scored alone, with paired intervals, whatever it observes; two names for one file are refused."""
    few = {"max_cases": 2, "num_steps": 1, "baselines": ["persistence"], "windows": (5,), "thresholds": (30.0,)}
    [last] = list_steps(tiny_run)[-1:]
    short, arrays, record = tmp_path / "short.npz", *checkpoint.load(last)
    record["model"] |= {"input_length": 2, "total_length": 5}
    checkpoint.save(short, arrays, {name: value for name, value in record.items() if name != "sha256"})
    found = predjax.evaluate([tiny_run, short], SAMPLE, reference="short", **few)
    assert found.method.values.tolist() == ["run", "short", "persistence"] and found.attrs["judged"] == ["run", "short"]
    alone = predjax.evaluate(tiny_run, SAMPLE, **few)
    np.testing.assert_allclose(found.rmse[0], alone.rmse[0], rtol=1e-6)
    assert (found.rmse_verdict.sel({"method": "short"}) == "reference").all() and "of short" in found.attrs["warning"]
    with pytest.raises(ValueError, match=r"best\.npz twice"):
        predjax.evaluate([tiny_run, tiny_run / "best.npz"], SAMPLE, **few)
    with pytest.raises(ValueError, match="--checkpoint is given twice: give several values once"):
        collect(COMMAND, ["--checkpoint", "a", "--checkpoint=b"])


def test_forecasts_of_others_leave_out_damaged_windows_where_this_is_asked_for(tmp_path):
    movies = rain(movies=1, frames=6)
    frames = movies["frames"].values[0, 2:4]
    write_forecast(tmp_path / "a.nc", to_forecast(frames, movies, Window(0, 0, 0, 0, 0), 2, "theirs", ""))
    skip = (("on_bad_window", "skip"),)
    options = EvaluateOptions(
        None, movies, forecasts=str(tmp_path / "a.nc"), input_length=2, baselines=(), reading=skip
    )
    assert jobs.compare(options).cases.on_bad_window == "skip"
    with pytest.raises(ValueError, match="num_steps 0: the forecasts have 2 lead times"):
        jobs.compare(dataclasses.replace(options, num_steps=0))


def test_values_that_were_changed_are_named_at_the_end(caplog):
    frames = np.ones((8, 8, 8), np.float32)
    frames[:, 0] = -3
    options = {"layout": "time,y,x", "units": "mm/h", "input_length": 2, "num_steps": 1, "windows": (3,)}
    predjax.evaluate(None, frames, baselines="persistence", **options)
    line = "array: -3 is taken as no coverage, though nothing declares it: "
    assert [record.getMessage().startswith(line) for record in caplog.records][-1]


def test_skill_and_verdicts_refer_to_the_reference(sample):
    options = {"baselines": "persistence,extrapolation", "num_steps": 1, "max_cases": 6, "windows": (5,)}
    for reference in (None, "extrapolation"):
        found = predjax.evaluate(None, sample.isel(movie=range(6)), reference=reference, **options)
        name = reference or "persistence"
        own = found.sel({"method": name})
        assert found.attrs["reference"] == name and (own.rmse_skill == 0).all() and (own.use == "reference").all()
        assert (own.rmse_verdict == "reference").all() and (own.fss_difference == 0).all()


def test_evaluate_without_data_or_without_a_model(tiny_run, sample):
    held_out = predjax.evaluate(tiny_run, max_cases=2, baselines=["persistence"], windows=(5,))
    assert held_out.method.values.tolist() == ["predrnn_v2", "persistence"] and "warning" not in held_out.attrs
    array = sample["reflectivity"][:2]
    alone = predjax.evaluate(None, array, baselines="persistence", num_steps=3, window_stride=8)
    assert alone.method.values.tolist() == ["persistence"] and alone.lead_time.values.tolist() == [5, 10, 15]
    values = array.values
    squares = [np.square(values[:, s + 6] - values[:, s + 3]) for s in (0, 8)]
    np.testing.assert_allclose(alone.rmse[0, 2], np.sqrt(np.nanmean(squares)), rtol=1e-5)
    reading = {"layout": "movie,time,y,x", "units": "dBZ", "window_stride": 8}
    plain = predjax.evaluate(None, values, baselines="persistence", num_steps=3, **reading)
    np.testing.assert_array_equal(plain.rmse, alone.rmse)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"baselines": ["climatology"]}, "baseline 'climatology' is not one of"),
        ({"thresholds": ["wet"]}, "thresholds must be a number, or several, not \\('wet',\\)"),
        ({"thresholds": "wet"}, "expected float values"),
        ({"thresholds": [500.0]}, "threshold 500 dBZ"),
        ({"num_steps": 2.5}, "num_steps must be a whole number, not 2.5"),
        ({"num_steps": 0}, "num_steps must be positive"),
        ({"input_length": 0}, "input_length must be at least 1"),
        ({"max_cases": -1}, "max_cases must not be negative"),
        ({"steps_members": 1}, "steps_members must be at least 2, not 1"),
        (
            {"reference": "persistance"},
            "--reference persistance is not one of the methods persistence, extrapolation; did",
        ),
        ({"seed": -1}, "seed must not be negative"),
        ({"area_totals": (float("nan"),)}, "area_totals must be above 0 mm, not nan"),
        ({"stride": 3}, "has no stride; did you mean window_stride"),
        ({"crop": -1}, "crop must be 0"),
        ({"crop": "x"}, "crop"),
        ({"units": "K"}, "units must be one of"),
        ({"data": None}, "evaluate needs"),
        ({"checkpoint": []}, "checkpoint is an empty list: None evaluates the baselines alone"),
        ({"data_path": SAMPLE}, "evaluate has no data_path: give the data as its second argument, data"),
    ],
)
def test_evaluate_refuses_in_one_line(sample, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        predjax.evaluate(**{"checkpoint": None, "data": sample.isel(movie=[0]), **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["modes", "states"])
def test_true_states_are_for_latents(name):
    with pytest.raises(ValueError, match=f"--{name} needs --latents"):
        EvaluationFiles(**{name: "truth"})
    assert EvaluationFiles(latents="folder", **{name: "truth"})


def test_baselines_get_the_members_the_seed_and_the_sampling_of_the_data(sample, monkeypatch):
    asked = []

    def make(setting):
        asked.append(setting)
        return lambda observed, num_steps: np.stack([predjax.persist(observed, num_steps)] * setting.members, axis=1)

    monkeypatch.setitem(BASELINES, "pysteps_steps", Baseline(make))
    options = {"baselines": ["pysteps_steps"], "steps_members": 3, "seed": 7, "num_steps": 2, "max_cases": 1}
    found = predjax.evaluate(None, sample.isel(movie=[0]), **options)
    assert found.members.item() == 3 and (found.spread == 0).all()
    np.testing.assert_allclose(found.crps, found.mae, rtol=1e-6)
    [setting] = asked
    pixel_km = abs(float(sample.x[1] - sample.x[0])) / 1000
    assert (setting.members, setting.seed, setting.sampling) == (3, 7, (pixel_km, 5.0, ""))


def test_the_fields_are_the_flags_and_the_keywords(sample):
    """So that an option is one field: nothing else lists options."""
    classes = (EvaluateOptions, EvaluationFiles, RunFlags, ProtocolOptions, AreaScoringOptions, DataConfig)
    assert {flag.name for flag in COMMAND.flags} == {flag.name for one in classes for flag in list_flags(one)}
    for flag in list_flags(EvaluateOptions)[2:]:
        with pytest.raises(ValueError, match=f"^{flag.name} must be "):
            predjax.evaluate(None, sample, **{flag.name: [object()]})


def test_options_travel_to_workers_and_are_keys():
    """As the cache of a worker needs them: equal and with one hash after a pickle."""
    reading = (("crop", 8), ("forcings", ("u", "v")))
    options = EvaluateOptions("run", "a.nc", baselines=("persistence",), thresholds=(1.0,), reading=reading)
    again = pickle.loads(pickle.dumps(options))
    assert again == options and hash(again) == hash(options) and len({options, again}) == 1
    with pytest.raises(ValueError, match="dask_scheduler needs data that the workers can read"):
        EvaluateOptions(data_path=[1], dask_scheduler="tcp://a:1")
