"""`predjax train` as a user runs it: what it writes, what it accepts, how it refuses; and what both commands refuse."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT, TINY, have_devices

from predjax import __main__ as predjax_command
from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train
from predjax.jobs.held_out import Verified
from predjax.jobs.train import NOT_TRAINED, TrainResult
from predjax.nowcasts.model import TrainedModel

SAMPLE = str(ROOT / "data" / "radar_movies.nc")


@pytest.fixture
def frames_of_numbers(tmp_path):
    """A .npy of 6 movies (movie, time, y, x), 8 frames of 16x16 values in [0, 1]."""
    path = tmp_path / "movies.npy"
    np.save(path, np.random.default_rng(0).random((6, 8, 16, 16), dtype=np.float32))
    return path


def refusal(capsys, command, *arguments):
    """The one line of a refused command."""
    try:
        code = command([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2
    assert error.count("\n") == 1 and "Traceback" not in error, error
    return error


def run_alone(*arguments):
    """A command as a process of its own, with one device (tests of the wheel compile as users do)."""
    command, environment = [sys.executable, *map(str, arguments)], os.environ | {"XLA_FLAGS": have_devices(1)}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)


def test_training_writes_model_log_curve_and_table(tiny_run):
    names = {path.name for path in tiny_run.iterdir()}
    assert {"best.npz", "step_00000004.npz", "config.json", "log.jsonl", "losses.png", "schedule.png"} <= names
    assert {"skill.nc", "skill.json", "skill.png"} <= names
    assert len([name for name in names if name.startswith("step_")]) == 3  # keep_checkpoints
    records = [json.loads(line) for line in (tiny_run / "log.jsonl").read_text().splitlines()]
    assert [r["iteration"] for r in records if "loss" in r] == [1, 2, 3, 4]
    assert all(r["loss"] > 0 for r in records if "loss" in r)
    skill = json.loads((tiny_run / "skill.json").read_text())
    assert set(skill["methods"]) == {"predrnn_v2", "persistence", "extrapolation"}
    config = json.loads((tiny_run / "config.json").read_text())
    assert config["model"]["scaling"] == {"kind": "dBZ", "low": 0.0, "high": 60.0, "units": "dBZ"}


def test_dry_run_writes_nothing(tmp_path, capsys):
    assert train([*TINY, "--dry_run", "--save_dir", str(tmp_path / "run")]) == 0
    text = capsys.readouterr().out
    assert "parameters" in text and "MB a device" in text and "s an iteration" in text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("part", "remark"), [("test", ""), ("valid", " (the model was chosen on them)")])
def test_scores_are_told_at_the_end(part, remark, tmp_path, monkeypatch, capsys):
    def run_training(request, listener):
        assert not request.options.is_training and request.options.gen_frm_dir == "frames"
        model = TrainedModel(None, None, tmp_path / "best.npz", {})
        return TrainResult(tmp_path, 0, NOT_TRAINED, "", model=model, verified=Verified(part, None, "scores", "frames"))

    monkeypatch.setattr("predjax.jobs.train.run_training", run_training)
    monkeypatch.chdir(tmp_path)
    assert train(["--is_training", "0", "--pretrained_model", "best.npz", "--gen_frm_dir", "frames"]) == 0
    assert capsys.readouterr().out == f"\nverified on the {part} data{remark}\nscores\nframes\n"


def test_fine_tuning_starts_from_given_weights(tiny_run, unverified, real_pictures, frames_of_numbers, tmp_path):
    flags = ["--pretrained_model", str(tiny_run), "--data_path", str(frames_of_numbers), "--visual", "1"]
    flags += ["--max_iterations", "1", "--batch_size", "2", "--n_gpu", "1", "--lr", "1e-9"]
    assert train([*flags, "--scaling", "linear", "--save_dir", str(tmp_path / "run")]) == 0
    from predjax import checkpoint

    before, after = (checkpoint.load(checkpoint.find(path))[0] for path in (tiny_run, tmp_path / "run"))
    name = "params/predrnn/~/cell_0/~/conv_x/w"
    np.testing.assert_allclose(after[name], before[name], atol=1e-7)
    assert (tmp_path / "run" / "visual" / "decoupling.png").stat().st_size > 1000


@pytest.mark.ci
def test_a_script_of_the_pytorch_code_runs(tmp_path):
    digits = tmp_path / "digits.npy"
    np.save(digits, np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8))
    for name in ("train", "valid"):
        command = f"-m predjax.synthetic moving_mnist --digits {digits} --output {tmp_path}/{name}.npz --num_movies 6"
        subprocess.run([sys.executable, *command.split()], cwd=ROOT, check=True, capture_output=True)
    script = f"""
        --is_training 1 --device cuda --dataset_name mnist
        --train_data_paths {tmp_path}/train.npz --valid_data_paths {tmp_path}/valid.npz
        --save_dir {tmp_path}/checkpoints --gen_frm_dir {tmp_path}/results
        --model_name predrnn_v2 --reverse_input 1 --img_width 64 --img_channel 1 --input_length 10 --total_length 20
        --num_hidden 8,8 --filter_size 5 --stride 1 --patch_size 4 --layer_norm 0 --decouple_beta 0.1
        --reverse_scheduled_sampling 1 --r_sampling_step_1 25000 --r_sampling_step_2 50000 --r_exp_alpha 2500
        --lr 0.0001 --batch_size 2 --max_iterations 4 --display_interval 1 --test_interval 2 --snapshot_interval 2
        --num_save_samples 1
    """
    result = run_alone("train.py", *script.split())
    assert result.returncode == 0, result.stderr
    assert "--device cuda: none here" in result.stdout or "cuda" in result.stdout
    assert "SSIM" in result.stdout and "PSNR" in result.stdout
    assert len(list((tmp_path / "results").glob("*.gif"))) == 1


@pytest.mark.ci
def test_the_command_of_the_original_jax_port_runs(tmp_path):
    script = f"""
        -u train.py --model_name predrnn --num_hidden 16,16 --num_layers 2 --patch_size 4 --img_channel 1
        --img_width 40 --total_length 5 --input_length 4 --lr 0.001 --batch_size 16 --reverse_scheduled_sampling 0
        --decouple_beta 0.1 --save_dir {tmp_path}/checkpoints --visual 1 --max_iterations 3
        --valid_fraction 0.02 --test_fraction 0 --max_valid_cases 2
    """
    result = run_alone(*script.split())
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "checkpoints" / "visual" / "decoupling.png").is_file()


@pytest.mark.parametrize(
    ("files", "flags"),
    [
        ("bom_frames/*.nc", "--crop 64"),
        ("knmi_20100826.nc", "--crop 64"),
        ("fmi_20160928.nc", "--crop 64"),
    ],
)
@pytest.mark.slow  # files of other offices, and a composite, are trained on in CI
def test_files_of_met_offices(shared, tmp_path, files, flags, unverified):
    data, run = shared / "radar" / files, tmp_path / "run"
    tiny = "--num_hidden 4,4 --filter_size 3 --patch_size 8 --input_length 4 --total_length 8 --batch_size 4"
    flags += " --n_gpu 1 --max_iterations 3"
    assert train([*tiny.split(), *flags.split(), "--train_data_paths", str(data), "--save_dir", str(run)]) == 0
    arguments = ["--checkpoint", run, "--data_path", data, "--output", tmp_path / "skill", "--export", tmp_path / "out"]
    arguments += ["--max_cases", 2, "--num_save_samples", 1]
    units = [] if "fmi" in files else ["--thresholds", "0.1,1,5"]
    assert evaluate([str(a) for a in [*arguments, *units]]) == 0
    with xr.open_dataset(next((tmp_path / "out").glob("*.nc"))) as forecast:
        name = {"b": "precip_intensity", "k": "rainrate", "f": "reflectivity"}[files[0]]
        assert forecast[name].dims == ("time", "y", "x") and forecast.sizes["time"] == 4
        assert np.issubdtype(forecast.time.dtype, np.datetime64)
        assert forecast[name].attrs["units"] == ("dBZ" if "fmi" in files else "mm h-1")
        missing = float(np.isnan(forecast[name].values).mean())
        assert (missing > 0.7) == ("knmi" in files)


def test_missing_file(capsys, tmp_path):
    assert "nowhere.nc" in refusal(capsys, train, "--data_path", tmp_path / "nowhere.nc")
    assert "nowhere" in refusal(capsys, evaluate, "--checkpoint", tmp_path / "nowhere")


def test_text_named_npy(capsys, tmp_path):
    path = tmp_path / "text.npy"
    path.write_text("these are not frames\n")
    message = refusal(capsys, train, "--data_path", path)
    assert "text.npy" in message and "pickle" not in message


def test_object_array(capsys, tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    message = refusal(capsys, train, "--data_path", tmp_path / "objects.npy")
    assert "objects.npy" in message and "object" in message


def test_truncated_files(capsys, tmp_path, frames_of_numbers):
    whole = frames_of_numbers.read_bytes()
    frames_of_numbers.write_bytes(whole[: len(whole) // 2])
    assert "movies.npy" in refusal(capsys, train, "--data_path", frames_of_numbers)
    cut = tmp_path / "cut.nc"
    cut.write_bytes(pathlib.Path(SAMPLE).read_bytes()[:20000])
    assert "cut.nc" in refusal(capsys, train, "--data_path", cut)


def test_ambiguous_layout(capsys, tmp_path):
    np.save(tmp_path / "cube.npy", np.zeros((4, 8, 8, 8), np.float32))
    message = refusal(capsys, train, "--data_path", tmp_path / "cube.npy")
    assert "cube.npy" in message and "movie,time,y,x" in message and "movie,y,x,time" in message


def test_patch_and_window_too_large(capsys, frames_of_numbers):
    flags = ["--data_path", frames_of_numbers, "--input_length", 3, "--total_length", 6, "--n_gpu", 1]
    assert "patch_size 64 is larger than the frame 16x16" in refusal(capsys, train, *flags, "--patch_size", 64)
    assert "movies.npy" in refusal(capsys, train, "--data_path", frames_of_numbers, "--total_length", 30)


def test_unknown_names(capsys, frames_of_numbers):
    assert "did you mean predrnn" in refusal(capsys, train, "--model_name", "predrn")
    assert "did you mean --patch_size" in refusal(capsys, train, "--patchsize", 4)
    assert "num_hidden" in refusal(capsys, train, "--num_hidden", "4,8")
    assert "movies.npy" in refusal(capsys, train, "--data_path", frames_of_numbers, "--img_channel", 3)
    assert "unknown command" in refusal(capsys, predjax_command.main, "trian")


def test_checkpoint_of_another_configuration(capsys, tiny_run, tmp_path):
    message = refusal(capsys, train, "--pretrained_model", tiny_run, "--num_hidden", "8,8")
    assert "num_hidden 4,4" in message and str(tiny_run) in message
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy)
    message = refusal(capsys, train, "--resume", "--save_dir", copy, "--num_hidden", "8,8")
    assert "num_hidden 4,4" in message and "step_00000004.npz" in message
    (copy / "best.npz").write_bytes((copy / "best.npz").read_bytes()[:-500])
    assert "best.npz" in refusal(capsys, evaluate, "--checkpoint", copy)


def test_existing_run(capsys, tiny_run):
    message = refusal(capsys, train, *TINY, "--save_dir", tiny_run)
    assert "--resume" in message and "--overwrite" in message


def test_a_refusal_in_a_process_of_its_own(tmp_path):
    refused = run_alone("evaluate.py", "--data_path", tmp_path / "none.nc")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "none.nc" in refused.stderr
