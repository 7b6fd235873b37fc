"""The repository, flags of small runs and their devices; runs without their scores, evaluations without their page."""

import contextlib
import os
import pathlib

import jax
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The smallest run that has everything, of a bare network.
TINY = (
    "--num_hidden 4,4 --filter_size 3 --total_length 6 --input_length 3 --batch_size 4 --crop 16 --n_gpu 1 "
    "--valid_fraction 0.04 --test_fraction 0.04 --coordinates fixed --residual 0"
).split()
QUICK = [*TINY, "--model_name", "conv_lstm", "--num_hidden", "2"]  # where any network will do


# Flags of XLA in jax 0.10, with which programs compile in four fifths of the time: one module, few passes, and the
# older code generator. An unknown flag would end the process, so other versions do without.
COMPILE_SOON = (
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 "
    "--xla_cpu_opt_preset=CPU_OPT_PRESET_FAST_COMPILE"
)


def have_devices(count: int) -> str:
    """XLA_FLAGS for so many CPU devices."""
    quick = os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS") == "1" and jax.__version_info__[:3] == (0, 10, 2)
    devices = f"--xla_force_host_platform_device_count={count}"
    return f"{devices} {COMPILE_SOON}" if quick else devices


@contextlib.contextmanager
def without_scores():
    """Trainings end without scores of the held-out data, which cost a tiny run most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("predjax.jobs.train.verify_held_out", lambda plan, options, model: None)
        yield


@contextlib.contextmanager
def without_page():
    """Evaluations write no report.html, which takes longer than the scores of a few cases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("predjax.jobs.evaluation_files.write_page", lambda *given: None)
        yield
