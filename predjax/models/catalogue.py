"""The table of the models: all facts that the package needs about a model by name. Imports no other module."""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

ONE_MEMORY = "one memory passes through all layers"
BLOCKS_ADD = "every block adds to what the one below it gives"


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """The parts and abilities of a model. A new model needs a file with its cell or stack, and one entry of `MODELS`.

    Parts are named by import paths (see `load`), because the table is read where nothing heavy may be imported.
    """

    title: str  # name and paper
    cell: str  # class that takes `cell_options`; the usual stack is layers of it
    stack: str = "models.stacks.layered.Layered"  # empty for a model that has a `forecaster` instead
    state: str = ""  # the arrays in the state of a layer; empty: the arrays of the cell's state
    # Layers
    layer_norm: bool = False  # whether it takes `layer_norm`
    one_width: str = ""  # why all layers must have the same width; empty: they need not
    one_layer: str = ""  # what the only number of `num_hidden` counts; empty: there may be several layers
    least_layers: int = 1
    # Inputs
    action: bool = False  # whether it needs forcings (actions); convolutions may then stand around the stack
    forcings: bool = True  # whether it takes forcings
    with_forcings: str = ""  # name of the same model with forcings
    scales_forcings: bool = True  # whether forcings are standardised by default
    standardises: bool = False  # whether frames are standardised by default, because its dynamics have no offset
    sequence: bool = True  # whether it can do a sequence task, which has no frames
    # Abilities
    increments: bool = False  # whether layers have two memories, whose increments can be decoupled
    decoupled: bool = False  # whether its loss decouples them
    linear: bool = False  # whether it is linear in time: training may compute all steps at once
    unrolls: bool = False  # whether its stack computes all steps with known inputs at once
    random_option: str = ""  # the cell option which, if not 0, makes it draw at random
    # Functions of a `ModelConfig`; empty for most models
    forecaster: str = ""  # makes a `Forecaster` without a stack
    latents: str = ""  # makes the function that infers latent states
    objectives: str = ""  # makes the function of the losses that add up to the loss
    constraint: str = ""  # makes the function that every update ends with
    # Fields of a configuration
    usual: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of a `ModelConfig`, instead of the defaults
    usual_training: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of a `TrainConfig`
    only: Mapping[str, tuple[Any, str]] = dataclasses.field(
        default_factory=dict
    )  # values that fields must have, and the rule


def load(path: str) -> Any:
    """Return the object of an import path below `predjax`, such as `cells.gated.GRU`."""
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(f"predjax.{module}"), name)


_PREDRNN = ModelSpec(
    "PredRNN (Wang et al. 2017)",
    "cells.st_lstm.STLSTM",
    "models.stacks.predrnn.PredRNN",
    "H, C; one M for all layers",
    layer_norm=True,
    one_width=ONE_MEMORY,
    forcings=False,
    with_forcings="action_cond_predrnn",
    sequence=False,
    increments=True,
)
_ACTION = dataclasses.replace(
    _PREDRNN, title="action-conditioned PredRNN (Wang et al. 2022)", action=True, forcings=True, with_forcings=""
)
_LRU = ModelSpec(
    "blocks of linear recurrent units (Orvieto et al. 2023)",
    "cells.state_space.LRU",
    "models.stacks.state_space.StateSpaceStack",
    one_width=BLOCKS_ADD,
    linear=True,
    unrolls=True,
    random_option="dropout",
)
MODELS = {
    "predrnn": _PREDRNN,
    "predrnn_v2": dataclasses.replace(
        _PREDRNN,
        title="PredRNN-V2: PredRNN with decoupled memories (Wang et al. 2022)",
        with_forcings="action_cond_predrnn_v2",
        decoupled=True,
    ),
    "action_cond_predrnn": _ACTION,
    "action_cond_predrnn_v2": dataclasses.replace(
        _ACTION, title="action-conditioned PredRNN-V2 (Wang et al. 2022)", decoupled=True
    ),
    "predrnn_pp": ModelSpec(
        "PredRNN++: causal LSTMs and a gradient highway (Wang et al. 2018)",
        "cells.causal_lstm.CausalLSTM",
        "models.stacks.predrnn_pp.PredRNNPP",
        "H, C; one M for all layers, z of the highway",
        layer_norm=True,
        one_width=ONE_MEMORY,
        least_layers=2,  # differs from a PredRNN from the second layer on
    ),
    "mim": ModelSpec(
        "memory in memory (Wang et al. 2019)",
        "cells.mim.MIMBlock",
        "models.stacks.mim.MIMStack",
        "H, C; from the second layer on S, and h, c of MIM-N; one M for all layers",
        layer_norm=True,
        one_width=ONE_MEMORY,
        least_layers=2,
    ),
    "conv_lstm": ModelSpec("convolutional LSTM (Shi et al. 2015)", "cells.conv_lstm.ConvLSTM", layer_norm=True),
    "elman": ModelSpec("simple recurrence (Elman 1990)", "cells.elman.Elman"),
    "leaky_elman": ModelSpec("simple recurrence of leaky units (Jaeger et al. 2007)", "cells.elman.LeakyElman"),
    "wilson_cowan": ModelSpec("firing rates (Wilson & Cowan 1972)", "cells.elman.WilsonCowan"),
    "ind_rnn": ModelSpec("independent neurons (Li et al. 2018)", "cells.elman.IndRNN"),
    "lstm": ModelSpec("long short-term memory (Hochreiter & Schmidhuber 1997, Gers et al. 2000)", "cells.gated.LSTM"),
    "gru": ModelSpec("gated recurrent unit (Cho et al. 2014)", "cells.gated.GRU"),
    "antisymmetric": ModelSpec("antisymmetric RNN (Chang et al. 2019)", "cells.antisymmetric.Antisymmetric"),
    "gated_antisymmetric": ModelSpec(
        "antisymmetric RNN with a gate (Chang et al. 2019)", "cells.antisymmetric.GatedAntisymmetric"
    ),
    "clockwork": ModelSpec(
        "modules of neurons with clocks of their own (Koutnik et al. 2014)", "cells.clockwork.Clockwork"
    ),
    "lipschitz": ModelSpec("Lipschitz RNN (Erichson et al. 2021)", "cells.lipschitz.Lipschitz"),
    "unitary": ModelSpec("unitary evolution RNN (Arjovsky et al. 2016)", "cells.unitary.Unitary"),
    "exp_rnn": ModelSpec(
        "orthogonal recurrence by the exponential map (Lezcano-Casado & Martinez-Rubio 2019)", "cells.unitary.ExpRNN"
    ),
    "nn_rnn": ModelSpec("non-normal RNN (Kerg et al. 2019)", "cells.unitary.NnRNN"),
    "co_rnn": ModelSpec("coupled oscillators (Rusch & Mishra 2021)", "cells.oscillatory.CoRNN"),
    "hetero_co_rnn": ModelSpec(
        "coupled oscillators, each with constants of its own (Ceni et al. 2023)", "cells.oscillatory.HeteroCoRNN"
    ),
    "ct_rnn": ModelSpec(
        "continuous-time rate network with noise (Sompolinsky et al. 1988, Song et al. 2016)",
        "cells.continuous_time.CTRNN",
        random_option="noise",
    ),
    "simple_ct_rnn": ModelSpec(
        "rate network with a time constant for each neuron (Beer 1995)", "cells.continuous_time.SimpleCTRNN"
    ),
    "lru": _LRU,
    "s5": dataclasses.replace(_LRU, title="blocks of state spaces (Smith et al. 2023)", cell="cells.state_space.S5"),
    "conv_s5": dataclasses.replace(
        _LRU, title="blocks of convolutional state spaces (Smith et al. 2023)", cell="cells.state_space.ConvS5"
    ),
    "tidhy": ModelSpec(
        "latent dynamics that a hypernetwork mixes (Abe & Brunton 2024)",
        "cells.tidhy_config.TiDHyConfig",
        "",
        "r and r2, inferred; no layers",
        one_layer="of latent states",
        forcings=False,
        standardises=True,
        forecaster="models.tidhy.make_tidhy",
        latents="models.tidhy.make_inference",
        objectives="models.tidhy.make_objectives",
        constraint="models.tidhy.make_constraint",
        usual={"num_hidden": (8,), "patch_size": 1, "filter_size": 1},
        only={
            "task": ("forecast", "forecast: tidhy infers its states from frames"),
            "patch_size": (1, "1: tidhy is for series"),
            "coverage_channel": (False, "0: what is missing has no error"),
            "noise": (0.0, "0: tidhy has no layers"),
        },
    ),
    "physical": ModelSpec(
        "material points between an encoder and a decoder of strain (Maia et al. 2023)",
        "cells.physical.Physical",
        "models.stacks.physical.PhysicalStack",
        "plastic strains and equivalent plastic strain of every point",
        one_layer="of material points",
        scales_forcings=False,  # materials know what a strain is
        unrolls=True,
        usual={"task": "sequence", "num_hidden": (16,), "patch_size": 1, "filter_size": 1},
        usual_training={"lr": 0.1},  # its few weights are far from where they begin
        only={
            "task": ("sequence", "sequence: physical takes strains and no frames"),
            "patch_size": (1, "1: physical takes one point of a map"),
            "img_channel": (3, "3, the stresses xx, yy and xy"),
            "num_action_ch": (3, "3, strains xx, yy, xy of --forcings"),
            "loss": ("mse", "mse: a strain has one stress"),
            "noise": (0.0, "0: a strain has one stress"),
        },
    ),
}
