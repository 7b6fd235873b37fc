"""Configuration dataclasses as flags and as JSON."""

import argparse
import dataclasses
import json

import pytest

from predjax.flags import flag_fields, from_dict, list_flags, select, to_dict
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.scaling import Scaling


def flag(default, **metadata):
    return dataclasses.field(default=default, metadata={"help": "a help text", **metadata})


@dataclasses.dataclass(frozen=True)
class Everything:
    """One field of every kind."""

    number: int = flag(3, metavar="N")
    rate: float | None = flag(None)
    switch: bool = flag(True, metavar="0|1")
    sizes: tuple[int, ...] = flag((4, 4), aliases=("layers",))
    names: tuple[str, ...] = flag(())
    mode: str = flag("grid", choices=("grid", "random"))
    share: float = flag(0.15)
    scaling: Scaling = dataclasses.field(default=Scaling())


def add_flags(parser, config_class, title):
    group = parser.add_argument_group(title)
    for one in list_flags(config_class):
        one.add_to(group)


def parse(*arguments):
    parser = argparse.ArgumentParser(prog="predjax", exit_on_error=False)
    add_flags(parser, Everything, "everything")
    return select(Everything, vars(parser.parse_args(arguments)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), {}),
        (("--number", "7"), {"number": 7}),
        (("--rate", "1e-3"), {"rate": 0.001}),
        (("--switch", "0"), {"switch": False}),
        (("--switch", "True"), {"switch": True}),
        (("--switch", "no"), {"switch": False}),
        (("--sizes", "16,16,16"), {"sizes": (16, 16, 16)}),
        (("--layers", "8"), {"sizes": (8,)}),
        (("--names", "wind, height"), {"names": ("wind", "height")}),
        (("--names", ""), {"names": ()}),
        (("--mode", "random"), {"mode": "random"}),
    ],
)
def test_what_is_typed_is_what_is_got_and_nothing_more(arguments, expected):
    assert parse(*arguments) == expected
    assert Everything(**parse(*arguments)) == dataclasses.replace(Everything(), **expected)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--switch", "2"), "expected 0 or 1, got '2'"),
        (("--sizes", "16,big"), "expected int values separated by commas, got '16,big'"),
        (("--number", "2.5"), "invalid int value: '2.5'"),
        (("--mode", "spiral"), "invalid choice: 'spiral'"),
    ],
)
def test_what_cannot_be_is_refused(arguments, reason):
    with pytest.raises(argparse.ArgumentError, match=reason):
        parse(*arguments)


def test_the_help_says_what_is_there_and_what_is_the_default():
    parser = argparse.ArgumentParser(prog="predjax", formatter_class=argparse.RawDescriptionHelpFormatter)
    add_flags(parser, Everything, "everything")
    text = " ".join(parser.format_help().split())
    assert "everything:" in text
    assert "--number N a help text (default 3)" in text
    assert "--switch 0|1 a help text (default 1)" in text
    assert "a help text (default 4,4)" in text and "--layers" in text
    assert "{grid,random}" in text and "(default grid)" in text
    assert "--scaling" not in text
    assert "None" not in text


@pytest.mark.parametrize("config_class", [ModelConfig, SamplingConfig])
def test_the_help_of_the_models_is_complete(config_class):
    parser = argparse.ArgumentParser(prog="predjax")
    add_flags(parser, config_class, "model")
    text = parser.format_help()
    for field in flag_fields(config_class):
        assert f"--{field.name} " in text
        assert len(field.metadata["help"]) > 5


@pytest.mark.parametrize(
    "config",
    [
        Everything(),
        Everything(number=1, rate=0.5, switch=False, sizes=(), names=("a", "b"), scaling=Scaling("dBZ", 0, 60, "dBZ")),
        ModelConfig("action_cond_predrnn", (8, 8), num_action_ch=2, scaling=Scaling("rain_rate", 0.1, 100, "mm/h")),
        SamplingConfig(r_exp_alpha=10),
    ],
)
def test_json_and_back_is_the_same(config):
    assert from_dict(type(config), json.loads(json.dumps(to_dict(config)))) == config


def test_flags_and_back_are_the_same():
    config = Everything(number=9, rate=0.25, switch=False, sizes=(2, 3), names=("a",), mode="random", share=0.5)
    arguments = []
    for field in flag_fields(Everything):
        value = getattr(config, field.name)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        arguments += [f"--{field.name}", text]
    assert Everything(**parse(*arguments)) == config


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match="Everything has no colour; it has number, rate, switch"):
        from_dict(Everything, {"colour": 3})
    with pytest.raises(ValueError, match="Scaling has no top; it has kind, low, high, units"):
        from_dict(Everything, {"scaling": {"top": 3}})
