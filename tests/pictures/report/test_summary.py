"""The top of the report: what it says is what the scores say."""

from reports import judge, measure_all, write

from predjax.pictures.report.summary import show_summary
from predjax.verification.bootstrap import VERDICTS


def test_one_method_alone_is_held_against_nothing(tmp_path, small):
    alone = [of.isel(method=[1]) for of in small]
    _, page = write(tmp_path / "a.html", *alone)
    assert page.sections == ["summary", "scores", "tables"]
    first = float(alone[0].rmse[0, 0])
    assert any(f"RMSE of persistence: {first:.3g} mm/h at 5 min" in text for text in page.texts)


def test_the_score_card_marks_every_finding(full, measured):
    common, _ = measured
    _, page = full
    card = page.tables[1]
    assert card[0] == ["lead time (min)", "5", "10", "15"]
    assert [row[0] for row in card[1:]] == [
        *("RMSE", "MAE", "CSI ≥ 0.1 mm/h", "CSI ≥ 5 mm/h"),
        *("FSS ≥ 0.1 mm/h, 1 px", "FSS ≥ 0.1 mm/h, 3 px", "FSS ≥ 5 mm/h, 1 px", "FSS ≥ 5 mm/h, 3 px"),
        *("CRPS", "Brier ≥ 0.1 mm/h", "Brier ≥ 5 mm/h"),
    ]
    own = common.sel({"method": "predrnn_v2"})
    for lead, cell in enumerate(card[3][1:]):
        better = float(own.csi_difference[lead, 0]) > 0
        word = str(own.csi_verdict[lead, 0].item())
        assert cell.split("\n")[1] == f"{'better' if better else 'worse'}, {word}"
        assert (cell[0] in "▲▼") == (word == "resolved")


def test_without_the_first_page_the_summary_says_what_the_scores_say(measured):
    common, _ = measured
    statements = show_summary(common, {}).content["statements"]
    assert statements[0][0] == "predrnn_v2 is better than persistence in RMSE at every lead time (resolved)."
    answered = show_summary(judge(common), {}).content["statements"]
    assert answered == statements[-1:] and answered[0][0] == "The best of all methods, by the number alone:"


def test_words_of_certainty_are_explained(full):
    text = " ".join(full[1].texts)
    assert "95 % interval of the difference to persistence does not hold zero (block bootstrap over 6 blocks" in text
    assert "shaded: 95 % intervals" in text


def test_too_few_cases_are_said_to_be(tmp_path):
    _, page = write(tmp_path / "a.html", *(bare_with_verdicts(part) for part in measure_all(blocks=2, windows=(1,))))
    text = " ".join(page.texts)
    assert "predrnn_v2 is better than persistence in RMSE at every lead time (too few cases to be sure)." in text
    assert "Too few cases for intervals (block bootstrap over 2 blocks of cases)" in text
    assert "(△) better, too few cases" in text and "shaded" not in text


def bare_with_verdicts(comparison):
    return comparison[[name for name in comparison.data_vars if str(name).startswith("rmse")]]


def test_without_intervals_nothing_is_claimed(tmp_path, small):
    text = " ".join(write(tmp_path / "a.html", *small)[1].texts)
    assert "predrnn_v2 is better than persistence in RMSE at every lead time." in text
    assert "There are no intervals: whether a difference to persistence is luck cannot be told." in text
    assert not any(f"({word})" in text for word in VERDICTS)
