"""Which models there are, and what each can do. Imports nothing."""

MODELS = {
    "predrnn": "PredRNN (Wang et al. 2017)",
    "predrnn_v2": "PredRNN-V2: PredRNN with decoupled memories (Wang et al. 2022)",
    "action_cond_predrnn": "action-conditioned PredRNN (Wang et al. 2022)",
    "action_cond_predrnn_v2": "action-conditioned PredRNN-V2 (Wang et al. 2022)",
    "predrnn_pp": "PredRNN++: causal LSTMs and a gradient highway (Wang et al. 2018)",
    "mim": "memory in memory (Wang et al. 2019)",
    "conv_lstm": "convolutional LSTM (Shi et al. 2015)",
    "elman": "simple recurrence (Elman 1990)",
    "leaky_elman": "simple recurrence of leaky units (Jaeger et al. 2007)",
    "wilson_cowan": "firing rates (Wilson & Cowan 1972)",
    "ind_rnn": "independent neurons (Li et al. 2018)",
    "lstm": "long short-term memory (Hochreiter & Schmidhuber 1997, Gers et al. 2000)",
    "gru": "gated recurrent unit (Cho et al. 2014)",
    "antisymmetric": "antisymmetric RNN (Chang et al. 2019)",
    "gated_antisymmetric": "antisymmetric RNN with a gate (Chang et al. 2019)",
    "clockwork": "modules of neurons with clocks of their own (Koutnik et al. 2014)",
    "lipschitz": "Lipschitz RNN (Erichson et al. 2021)",
    "unitary": "unitary evolution RNN (Arjovsky et al. 2016)",
    "exp_rnn": "orthogonal recurrence by the exponential map (Lezcano-Casado & Martinez-Rubio 2019)",
    "nn_rnn": "non-normal RNN (Kerg et al. 2019)",
    "co_rnn": "coupled oscillators (Rusch & Mishra 2021)",
    "hetero_co_rnn": "coupled oscillators, each with constants of its own (Ceni et al. 2023)",
    "ct_rnn": "continuous-time rate network with noise (Sompolinsky et al. 1988, Song et al. 2016)",
    "simple_ct_rnn": "rate network with a time constant for each neuron (Beer 1995)",
    "lru": "blocks of linear recurrent units (Orvieto et al. 2023)",
    "s5": "blocks of state spaces (Smith et al. 2023)",
    "conv_s5": "blocks of convolutional state spaces (Smith et al. 2023)",
    "tidhy": "latent dynamics that a hypernetwork mixes (Abe & Brunton 2024)",
    "physical": "material points between an encoder and a decoder of strain (Maia et al. 2023)",
}
PARALLEL = ("lru", "s5", "conv_s5")  # linear in time: all steps with known inputs at once, by associative scan
NORMED = ("predrnn", "predrnn_v2", "action_cond_predrnn", "action_cond_predrnn_v2", "predrnn_pp", "mim", "conv_lstm")
ONE_WIDTH = {
    **dict.fromkeys((name for name in NORMED if name != "conv_lstm"), "one memory passes through all layers"),
    **dict.fromkeys(PARALLEL, "every block adds to what the one below it gives"),
}
WITHOUT_FORCINGS = ("predrnn", "predrnn_v2", "tidhy")
TWO_LAYERS = ("predrnn_pp", "mim")  # differ from a PredRNN from the second layer on
# What a model cannot do otherwise, or does better: in the place of the defaults, where a flag says nothing.
USUAL = {
    "physical": {"task": "sequence", "num_hidden": (16,), "patch_size": 1, "filter_size": 1},
    "tidhy": {"num_hidden": (8,), "patch_size": 1, "filter_size": 1},
}
USUAL_RATE = {"physical": 0.1}  # of learning: its few weights are far from where they begin
