"""The first page: may I use it?"""

import numpy as np
import pytest
from reports import judge, measure_all

from predjax.pictures.report.answer import find_answers, format_answer, show_answer, spell_until


@pytest.fixture(scope="module")
def few():
    return judge(measure_all(blocks=2, windows=(1,))[0], cases=12, movies=1)


def state(common, states):
    """The comparison with states (lead_time, threshold) of predrnn_v2, which alone is judged."""
    use = common["use"].astype(object).copy()
    use[{"method": 0}] = np.array(states)
    window = common["use_window"].where(~use.isin(["not useful", "no event"]), 0)
    return common.assign(use=use, use_window=window).assign_attrs(judged="predrnn_v2")


def test_the_page_shows_the_states_in_words_and_as_a_matrix(full, measured):
    use = judge(measured[0]).use.sel({"method": "predrnn_v2"})
    _, page = full
    head, *rows = page.tables[0]
    assert head == ["lead time (min)", "5", "10", "15"] and [row[0] for row in rows] == ["≥ 0.1 mm/h", "≥ 5 mm/h"]
    signs = {"better and useful": "yes", "perhaps better": "?", "useful": "="}
    for row, states in zip(rows, use.transpose("threshold", "lead_time").values.tolist()):
        assert [cell.split("\n")[0] for cell in row[1:]] == [signs[one] for one in states]
    assert "Yes, predrnn_v2 is better than persistence and useful for" in " ".join(page.texts)


def test_each_state_has_its_sentence(measured):
    common = judge(measured[0])
    yes, perhaps, useful, no, nothing = ("better and useful", "perhaps better", "useful", "not useful", "no event")
    mixed = find_answers(state(common, [[yes, no], [yes, no], [perhaps, nothing]]))[0]
    assert mixed.sentence == (
        "Yes, predrnn_v2 is better than persistence and useful for ≥ 0.1 mm/h up to 10 min. "
        "Perhaps for ≥ 0.1 mm/h at 15 min. Not useful for ≥ 5 mm/h up to 10 min."
    )
    assert mixed.lines[1] == ("≥ 5 mm/h", "not useful up to 10 min; no event was observed at 15 min.")
    for one, start in (
        (perhaps, "Not shown: "),
        (useful, "No gain: "),
        (no, "No, "),
        (nothing, "No event was observed."),
    ):
        answer = find_answers(state(common, [[one] * 2] * 3))[0]
        assert answer.sentence.startswith(start)
    assert "as good or better" in find_answers(state(common, [[useful] * 2] * 3))[0].lines[0][1]


def test_too_few_cases_are_said_once(few):
    lines = format_answer(few)
    text = " ".join("\n".join(lines).split())
    assert text.startswith(
        "May I use it? Not enough cases to be sure: 12 cases of one event. The numbers of predrnn_v2"
    )
    assert (
        text.count("enough cases") == 1 and text.count("too few cases") == 1 and "yes " not in text.split("steps")[-1]
    )
    assert show_answer(few).content["doubt"] == "Not enough cases to be sure: 12 cases of one event."


def test_all_but_the_reference_are_judged_where_none_is_named(measured):
    common = judge(measured[0])
    assert [answer.method for answer in find_answers(common)] == ["predrnn_v2", "steps"]
    assert [answer.method for answer in find_answers(common.assign_attrs(judged="steps"))] == ["steps"]
    assert [answer.method for answer in find_answers(common.assign_attrs(reference="steps"))] == ["predrnn_v2"]
    assert find_answers(measured[0]) == [] == format_answer(measured[0]) and show_answer(measured[0]) is None


def test_windows_are_named_in_km_where_pixels_have_a_size(measured):
    text = find_answers(judge(measured[0], judged="predrnn_v2"))[0].lines[1][1]
    assert "(in windows of 1 px)" in text
    text = find_answers(judge(measured[0], judged="predrnn_v2", pixel_size=500.0))[0].lines[1][1]
    assert "(in windows of 0.5 km)" in text


def test_the_text_for_a_terminal_is_narrow_and_ascii(few):
    lines = "\n".join(format_answer(few)).splitlines()
    assert max(map(len, lines)) <= 110 and all(map(str.isascii, lines))
    assert "lead time, min   5  10  15" in lines


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ([1, 1, 1, 1], "at every lead time"),
        ([1, 1, 0, 0], "up to 10 min"),
        ([0, 1, 1, 1], "from 10 min on"),
        ([0, 0, 0, 1], "at 20 min"),
        ([1, 0, 1, 1], "at 5 and 15–20 min"),
    ],
)
def test_until_when(chosen, text):
    assert spell_until([5, 10, 15, 20], np.array(chosen, bool), "min") == text
