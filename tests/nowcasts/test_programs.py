"""Programs are traced once for all processes, give the bits of a function that is traced, and never fail a nowcast."""

import dataclasses
import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax import parallel
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.nowcasts.model import make_nowcast
from predjax.nowcasts.programs import Programs

INPUTS = (np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4), None)
PARAMS = {"layer": {"w": np.float32(0.3)}}


@pytest.fixture
def folder(tmp_path):
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


@pytest.fixture
def traced():
    """The numbers with which the function was traced."""
    return []


@pytest.fixture
def make(traced):
    """Make programs as another process does, for a function that counts how often it is traced."""

    def function(params, arrays, number):
        traced.append(number)
        return jnp.tanh(arrays[0] * params["layer"]["w"]) * number

    return lambda origin: Programs(function, PARAMS, origin)


EXPORTS = pytest.mark.skipif(not importlib.util.find_spec("flatbuffers"), reason="flatbuffers is not installed")


@EXPORTS
def test_a_second_process_does_not_trace_and_computes_the_same_bits(make, traced, folder):
    plain = make(None)(INPUTS, 2)
    assert not [*folder.glob("program-*")]
    first, second = make("origin")(INPUTS, 2), make("origin")(INPUTS, 2)
    assert traced == [2, 2] and plain.tobytes() == first.tobytes() == second.tobytes()


@EXPORTS
def test_what_differs_is_traced_anew(make, traced, folder):
    make("origin")(INPUTS, 2)
    make("origin")(INPUTS, 3)
    make("another")(INPUTS, 2)
    make("origin")((INPUTS[0][:2], None), 2)
    make("origin")((INPUTS[0], INPUTS[0]), 2)
    assert traced == [2, 3, 2, 2, 2] and len([*folder.glob("program-*")]) == 5


@EXPORTS
@pytest.mark.parametrize("foreign", [False, True])
def test_a_damaged_or_foreign_file_is_written_again(make, traced, folder, foreign, monkeypatch):
    expected = make("origin")(INPUTS, 2)
    [path] = folder.glob("program-*")
    content = path.read_bytes()
    if foreign:
        monkeypatch.setattr("predjax.nowcasts.programs.read_kept", lambda kind, key: b"no program of jax")
    else:
        path.write_bytes(content[:-1])
    assert make("origin")(INPUTS, 2).tobytes() == expected.tobytes()
    assert traced == [2, 2] and path.read_bytes() == content


def test_programs_are_compiled_once_and_ahead(make, traced):
    programs = make(None)
    compiled = programs.prepare(INPUTS, 2).result()
    assert traced == [2] and compiled is programs.prepare(INPUTS, 2).result()
    assert programs(INPUTS, 2).tobytes() == np.asarray(compiled(PARAMS, INPUTS)).tobytes() and traced == [2]


def test_an_error_of_the_function_is_the_error_of_the_call(folder):
    def function(params, arrays, number):
        raise ValueError("patch_size 64 is larger than the frame")

    with pytest.raises(ValueError, match="patch_size 64"):
        Programs(function, PARAMS, "origin")(INPUTS, 2)


def test_a_nowcast_of_one_device_is_that_of_several(monkeypatch, folder):
    config = ModelConfig("elman", (2,), filter_size=1, patch_size=2, input_length=2, total_length=4)
    forecaster = make_forecaster(config)
    frames = np.random.default_rng(0).uniform(size=(4, 2, 8, 8, 1)).astype(np.float32)
    frames[:, :, 0] = np.nan
    params = forecaster.init(jax.random.key(0), frames)
    expected = make_nowcast(forecaster, params)(frames, 2)
    monkeypatch.setattr(parallel, "choose_local", lambda: jax.devices()[:1])
    found = [make_nowcast(forecaster, params, 3, origin=dataclasses.asdict(config))(frames, 2) for _ in range(2)]
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    assert found[0].tobytes() == found[1].tobytes()
