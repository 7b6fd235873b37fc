"""Published protocols from options to scores."""

import json

import numpy as np
import pytest

from predjax.commands.evaluate import main
from predjax.jobs.cases import CaseRequest, choose_cases
from predjax.jobs.published import add_protocol
from predjax.models.scaling import Scaling
from predjax.verification.cases import add_scoring, forecast_by
from predjax.verification.protocols.config import ProtocolOptions
from predjax.verification.verify import verify


def digits(folder):
    """A file as the published test set of Moving MNIST: whole grey levels (time, movie, y, x)."""
    frames = np.random.default_rng(0).integers(0, 256, (8, 3, 9, 9)).astype(np.uint8)
    np.save(folder / "mnist_test_seq.npy", frames)
    return folder / "mnist_test_seq.npy", frames


def choose(path, **options):
    cases, _ = choose_cases(CaseRequest(str(path), (("layout", "time,movie,y,x"),), 4, 4), None)
    return add_protocol(add_scoring(cases, ()), ProtocolOptions(**options), None)


def test_grey_levels_of_the_published_test_set_are_scored_on_zero_to_one(tmp_path):
    path, frames = digits(tmp_path)
    cases = choose(path, protocol="openstl")

    def persist(observed, steps):
        return np.repeat(observed[:, -1:], steps, axis=1)

    scores = verify({"persistence": forecast_by(persist, cases)}, cases).protocol
    scaled = frames / 255
    expected = ((scaled[4:] - scaled[3]) ** 2).sum((2, 3)).mean()
    assert scores["mse_mean"].item() == pytest.approx(expected, rel=1e-6)
    assert scores.attrs["protocol"] == "openstl" and scores.attrs["scaling"] == "linear 0..255 1"


def test_lpips_is_made_of_the_given_weights(tmp_path, monkeypatch):
    path, _ = digits(tmp_path)
    seen = []
    monkeypatch.setattr("predjax.jobs.published.read_state_dict", lambda name: {"weights of": name})
    monkeypatch.setattr("predjax.jobs.published.Lpips", lambda weights, name: seen.append(weights) or len)
    assert choose(path, protocol="predrnn", lpips="alex.pth").protocol.lpips is len
    assert seen == [{"weights of": "alex.pth"}]
    for options in ({}, {"protocol": "sevir"}):
        with pytest.raises(ValueError, match=r"--lpips alex\.pth needs --protocol predrnn or openstl"):
            choose(path, lpips="alex.pth", **options)


def test_without_a_protocol_nothing_is_added_and_the_models_scaling_is_taken(tmp_path):
    path, _ = digits(tmp_path)
    cases = choose(path)
    assert cases.protocol is None and verify({"p": lambda batch: batch.frames[:, 4:]}, cases).protocol is None
    scaling = Scaling("linear", -1.0, 1.0)
    assert add_protocol(cases, ProtocolOptions("predrnn"), scaling).protocol.scaling is scaling


@pytest.mark.ci
def test_report_files_and_text_say_the_protocol(tmp_path, capsys):
    path, _ = digits(tmp_path)
    arguments = ["--data_path", path, "--layout", "time,movie,y,x", "--num_steps", "4", "--baselines", "persistence"]
    assert main([*map(str, arguments), "--protocol", "predrnn", "--output", str(tmp_path / "skill")]) == 0
    assert "\nprotocol predrnn: forecasts cut to [0, 1]" in capsys.readouterr().out
    found = json.loads((tmp_path / "skill" / "skill.json").read_text())["protocol"]
    assert found["attributes"]["protocol"] == "predrnn" and len(found["methods"]["persistence"]["mse"]) == 4
    page = (tmp_path / "skill" / "report.html").read_text()
    assert "Published protocol" in page and "arXiv:2103.09504" in page
