"""An entry of the table says all there is to know of a model: its parts exist, and it can do what the entry says."""

import haiku as hk
import pytest

from predjax.models.catalogue import MODELS, load
from predjax.models.config import ModelConfig, find_spec, list_models, with_usual
from predjax.models.forecaster import make_forecaster
from predjax.training.config import TrainConfig

PARTS = ("cell", "stack", "forecaster", "latents", "objectives", "constraint")


def configure(name):
    spec = find_spec(name)
    known = {field: value for field, (value, _) in spec.only.items()}
    return ModelConfig(**with_usual({"model_name": name, "num_action_ch": int(spec.action), **known}))


@pytest.mark.parametrize("name", MODELS)
def test_its_parts_exist_and_make_a_forecaster(name):
    spec = MODELS[name]
    assert all(callable(load(getattr(spec, part))) for part in PARTS if getattr(spec, part))
    assert bool(spec.stack) != bool(spec.forecaster)
    assert make_forecaster(configure(name)).config.spec is spec


@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.stack])
def test_a_stack_unrolls_where_its_entry_says_so(name):
    assert hasattr(load(MODELS[name].stack), "unroll") == MODELS[name].unrolls
    assert MODELS[name].unrolls or not MODELS[name].linear


@pytest.mark.parametrize("name", MODELS)
def test_the_state_is_told_where_the_cell_alone_does_not_tell_it(name):
    spec = MODELS[name]
    layers_of_its_cell = spec.stack.split(".")[-1] in ("Layered", "StateSpaceStack")
    assert bool(spec.state) != layers_of_its_cell
    assert issubclass(load(spec.cell), hk.RNNCore) or not layers_of_its_cell


def test_the_model_with_forcings_is_the_same_but_for_them():
    for name, spec in MODELS.items():
        if spec.with_forcings:
            other = MODELS[spec.with_forcings]
            assert not spec.forcings and other.forcings, name
            assert (spec.cell, spec.stack, spec.decoupled) == (other.cell, other.stack, other.decoupled)


def test_usual_values_are_of_fields_that_exist():
    for spec in MODELS.values():
        assert set(spec.usual) | set(spec.only) <= set(ModelConfig.__dataclass_fields__)
        assert set(spec.usual_training) <= set(TrainConfig.__dataclass_fields__)


def test_models_are_found_by_what_they_can_do():
    assert list_models("linear") == ["lru", "s5", "conv_s5"]
    assert list_models("action") == ["action_cond_predrnn", "action_cond_predrnn_v2"]
    assert list_models("decoupled") == ["predrnn_v2", "action_cond_predrnn_v2"]
    assert list_models("latents") == list_models("objectives") == ["tidhy"]
