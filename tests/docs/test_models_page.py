"""The page about models has a section of every model, with its paper and its options, and of no other."""

import re

import pytest
from tiny import ROOT

from predjax.models.catalogue import MODELS
from predjax.models.stacks import list_options

PAGE = (ROOT / "docs" / "models.md").read_text()
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S))
WITH_THOSE_OF = {"gated_antisymmetric": "antisymmetric", "nn_rnn": "exp_rnn"}  # options that stand at another model
ELSEWHERE = ("tidhy",)  # says where its many options are explained


def test_every_model_has_one_section_and_no_other_has():
    assert sorted(re.findall(r"^### (.+)$", PAGE, re.M)) == sorted(f"`{name}`" for name in MODELS)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ELSEWHERE])
def test_a_section_names_the_options_of_its_cells(name):
    text = SECTIONS[name] + SECTIONS.get(WITH_THOSE_OF.get(name, ""), "")
    assert [option for option in list_options(name) if f"`{option}`" not in text] == []


@pytest.mark.parametrize("name", [name for name in MODELS if name != "action_cond_predrnn_v2"])
def test_a_section_has_a_formula_and_the_year_of_its_paper(name):
    formula = "`co_rnn` with" if name == "hetero_co_rnn" else "$$"
    assert formula in SECTIONS[name]
    years = re.findall(r"\b\d{4}\b", MODELS[name].title)
    assert years and [year for year in years if year not in SECTIONS[name]] == []


def test_links_lead_to_files():
    for page in ("models", "training", "pytorch", "cells"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "docs" / f"{page}.md").read_text()):
            assert (ROOT / "docs" / target).exists(), (page, target)
