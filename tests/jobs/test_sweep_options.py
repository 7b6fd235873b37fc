"""The flags that a sweep searches, read from text, and its options."""

import pytest

from predjax.jobs.sweep_options import SweepOptions, read_search


def test_ranges_and_values_are_of_the_type_of_their_flag():
    text = "lr=1e-4..1e-2:log batch_size=2..8 num_hidden=16,16|32,32 layer_norm=0|1 schedule=cosine|constant"
    lr, batch, hidden, norm, schedule = read_search(text)
    assert (lr.low, lr.high, lr.log, lr.choices) == (1e-4, 1e-2, True, ())
    assert (batch.ends, type(batch.low), batch.log) == ((2, 8), int, False)
    assert [hidden.read(one) for one in hidden.choices] == [(16, 16), (32, 32)]
    assert [norm.read(one) for one in norm.choices] == [False, True]
    assert schedule.name == "lr_schedule" and schedule.ends == ("cosine", "constant")


def test_json_is_a_value():
    [options] = read_search('cell_options={"leak":0.1}|{"leak":0.2,"rate":1}')
    assert options.read(options.choices[1]) == '{"leak":0.2,"rate":1}'


@pytest.mark.parametrize(
    "search, message",
    [
        ("", "search must be NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=VALUE|VALUE"),
        ("lr", "not 'lr'"),
        ("lr=1|2 lr=2|3", "each name once"),
        ("lr=0.1", "search: lr must have different values, at least two, not 0.1"),
        ("lr=1|1.0", "different values"),
        ("lr=a|b", "search: lr must be a number, not 'a'"),
        ("lr=0.1..inf", "search: lr: expected a finite number, got 'inf'"),
        ("batch_size=1.5..3", "search: batch_size must be a whole number, not '1.5'"),
        ("num_hidden=16,x|16", "search: num_hidden: expected int values separated by commas, got '16,x'"),
        ("optimizer=adam|adamww", "search: optimizer must be one of adam, adamw, not 'adamww'; did you mean adamw"),
        ("layer_norm=0|2", "search: layer_norm: expected 0 or 1, got '2'"),
        ("lr=2..1", "search: the range of lr must rise, not 2..1"),
        ("lr=0..1:log", "search: the range of lr must rise and start above 0, not 0..1:log"),
        ("num_hidden=1..2", r"search: num_hidden takes values, such as num_hidden=A\|B, and no range"),
        ("num_hiden=1|2", "search: 'num_hiden' is no flag of models or training; did you mean num_hidden"),
        ("coordinates=fixed|moving", "search: coordinates must be the same for all trials, which are compared"),
        ("crop=1|2", "search: crop must be the same for all trials, which are compared by their scores"),
        ("max_iterations=1|2", "search: max_iterations must be the same for all trials"),
    ],
)
def test_a_search_that_cannot_be_is_one_line(search, message):
    with pytest.raises(ValueError, match=message):
        read_search(search)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"trials": 0}, "trials must be at least 1, not 0"),
        ({"budget": "20"}, "budget must be iterations such as 500it, or minutes such as 20min, not '20'"),
        ({"objective": "csi"}, "objective must be loss, rmse, mae, or one of csi, pod, far with a threshold"),
        ({"sampler": "grid"}, r"a grid needs values, such as lr=A\|B, and no range of lr"),
        ({"search": "loss=mse|balanced"}, "search loss with objective rmse, mae or csi_X"),
    ],
)
def test_options_that_cannot_be(values, message):
    with pytest.raises(ValueError, match=message):
        SweepOptions(**{"search": "lr=1..2", "save_dir": "x", **values})


def test_a_grid_has_as_many_trials_as_combinations():
    grid = {"search": "lr=1|2 batch_size=2|4|8", "save_dir": "x", "sampler": "grid"}
    assert SweepOptions(**grid).count == 6
    assert SweepOptions(**grid, trials=4).count == 4 and SweepOptions(**grid, trials=40).count == 6
    assert SweepOptions("lr=1..2", "x").count == 20
