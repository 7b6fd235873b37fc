"""The Moving-MNIST benchmark: its scores, its test set, that the sides do the same, and that a stopped run goes on."""

import importlib
import itertools
import json
import sys
import types

import numpy as np
import pytest
from tiny import ROOT

from predjax.synthetic.moving_mnist import make_mnist_movie

sys.path.append(str(ROOT / "benchmarks"))
benchmark, results, sides = (
    importlib.import_module(name) for name in ("moving_mnist", "moving_mnist_results", "moving_mnist_sides")
)
DIGITS = np.random.default_rng(0).integers(0, 256, (10, 28, 28), np.uint8)
FILES = ("none.npz", "digits.npz", "frames.npy")
SETTINGS = sides.Settings((2, 2), batch_size=2, lr=0.01, iterations=4, reverse_input=False)


@pytest.fixture(scope="module")
def ours():
    return sides.PredjaxSide(SETTINGS)


def train(side, folder, minutes=None):
    options = types.SimpleNamespace(output=folder, minutes=minutes, save_interval=0)
    return benchmark.train(side, SETTINGS, DIGITS, 3, options)


def structural_similarity(x, y):
    """Wang et al. (2004) over all windows of 7 x 7 inside the frame, with unbiased variances, for values in [0, 1]."""
    x, y = (np.lib.stride_tricks.sliding_window_view(a.astype(float), (7, 7)).reshape(-1, 49) for a in (x, y))
    mean_x, mean_y = x.mean(1), y.mean(1)
    covariance = ((x - mean_x[:, None]) * (y - mean_y[:, None])).sum(1) / 48
    spread = x.var(1, ddof=1) + y.var(1, ddof=1)
    c1, c2 = 0.01**2, 0.03**2
    brightness = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (brightness * (2 * covariance + c2) / (spread + c2)).mean()


def test_scores_of_a_frame():
    rng = np.random.default_rng(1)
    observed = rng.uniform(size=(2, 3, 16, 16, 1)).astype(np.float32)
    predicted = (observed + rng.normal(0, 0.3, observed.shape)).astype(np.float32)
    assert predicted.min() < 0 and predicted.max() > 1
    scores = results.score_frames(predicted, observed)
    for b, t in np.ndindex(2, 3):
        frame, truth = np.clip(predicted[b, t, :, :, 0], 0, 1).astype(float), observed[b, t, :, :, 0]
        np.testing.assert_allclose(scores["mse"][b, t], np.sum((frame - truth) ** 2), rtol=1e-6)
        np.testing.assert_allclose(scores["mae"][b, t], np.sum(np.abs(frame - truth)), rtol=1e-6)
        np.testing.assert_allclose(scores["ssim"][b, t], structural_similarity(frame, truth), rtol=1e-4)


def test_scores_are_means_over_just_the_movies_asked_for():
    """With a blank forecast the MSE is the sum of the squares of the frames; 18 movies are not whole batches."""
    scores = results.score_forecasts(lambda observed: 0 * observed, DIGITS, 18)
    movies = [make_mnist_movie(DIGITS, 20, results.TEST_SEED, number) for number in range(18)]
    frames = np.array(movies)[:, 10:] / 255
    np.testing.assert_allclose(scores["mse"], (frames**2).sum((2, 3)).mean(0), rtol=1e-5)
    np.testing.assert_allclose(scores["mae"], frames.sum((2, 3)).mean(0), rtol=1e-5)


def test_a_perfect_forecast():
    frames = np.array([make_mnist_movie(DIGITS, 20, results.TEST_SEED, number) for number in range(16)]) / np.float32(
        255
    )
    scores = results.score_forecasts(lambda observed: frames[:, 10:, ..., None], DIGITS, 16)
    assert scores == {"mse": [0.0] * 10, "mae": [0.0] * 10, "ssim": [1.0] * 10}


def test_no_digit_of_the_test_is_trained_on():
    digits = np.arange(23)
    train, test = benchmark.split_digits(digits, "digits.npz")
    assert sorted([*train, *test]) == list(digits) and list(test) == [4, 9, 14, 19]
    with pytest.raises(ValueError, match=r"digits\.npz: at least 5 digits.*found 4"):
        benchmark.split_digits(digits[:4], "digits.npz")


def test_no_movie_is_seen_twice():
    batches = [results.make_batch(DIGITS, 3, iteration, 2) for iteration in (1, 2, 3)]
    assert len({movie.tobytes() for batch in batches for movie in batch}) == 6
    assert batches[0].shape == (2, 20, 64, 64, 1) and batches[0].dtype == np.float32 and batches[0].max() == 1


def test_the_difference_of_two_curves():
    theirs = np.full(60, 0.5)
    near, far = theirs.copy(), theirs.copy()
    near[50] = 0.6  # beyond the first 50
    far[49] = 0.501
    scores = {"torch": {0: {"mse": [10.0, 20.0]}}, "predjax": {0: {"mse": [10.0, 21.0]}}}

    def compare(losses):
        return results.compare({"torch": {0: theirs}, "predjax": {0: losses}}, scores)

    assert compare(near)["largest_loss_difference"] == {0: 0} and compare(near)["losses_agree"]
    np.testing.assert_allclose(compare(far)["largest_loss_difference"][0], 0.002, rtol=1e-9)
    assert not compare(far)["losses_agree"]
    np.testing.assert_allclose(compare(near)["mse_difference"], 1 / 30)
    assert not compare(near)["mse_agrees"]
    assert "mse_difference" not in compare(near[:55])  # not as many iterations
    assert "rounding_difference" not in compare(near)
    curves = {"torch": {0: theirs}, "torch_moved": {0: far[:50]}, "predjax": {0: near}}
    moved = results.compare(curves, scores)
    np.testing.assert_allclose(moved.pop("rounding_difference")[0], 0.002, rtol=1e-9)
    assert moved == compare(near)
    assert results.compare({"predjax": {0: near}}, scores) is None


def test_a_long_curve_is_drawn_by_means_of_blocks():
    iterations, means = results.thin_out(np.arange(1, 2501))
    np.testing.assert_allclose(iterations, means)
    assert len(means) <= results.MOST_POINTS and means[0] == 2
    np.testing.assert_array_equal(results.thin_out([3.0, 5.0]), [[1, 2], [3, 5]])


@pytest.mark.ci
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(ours, tmp_path):
    """1 + 3 iterations are 4, bit for bit; what the log has beyond the last checkpoint is made again."""
    whole = train(ours, tmp_path / "whole")
    assert [record["iteration"] for record in whole] == [1, 2, 3, 4]
    assert len(train(ours, tmp_path / "stopped", minutes=1e-9)) == 1
    log = tmp_path / "stopped" / "predjax_seed3" / "log.jsonl"
    with log.open("a") as file:
        file.write('{"iteration": 2, "loss": 7.0, "seconds": 1.0}\n{"iterat')
    resumed = train(ours, tmp_path / "stopped")
    assert [record["loss"] for record in resumed] == [record["loss"] for record in whole]
    states = [dict(np.load(tmp_path / name / "predjax_seed3" / "state.npz")) for name in ("whole", "stopped")]
    assert states[0].keys() == states[1].keys()
    for name, array in states[0].items():
        np.testing.assert_array_equal(states[1][name], array, err_msg=name)
    log.write_text("")
    with pytest.raises(ValueError, match=r"log\.jsonl: 0 records, but the checkpoint .* iteration 4"):
        train(ours, tmp_path / "stopped")


def test_a_test_is_made_once(ours, tmp_path, monkeypatch):
    """Its scores are kept, and made again where the run has gone on or other movies are asked for."""
    (tmp_path / "predjax_seed3").mkdir()
    ours.start(sides.draw_weights(SETTINGS, 3), 3)
    calls = itertools.count(1)
    monkeypatch.setattr(benchmark, "score_forecasts", lambda *given: {"mse": [next(calls)]})

    def test(movies):
        return benchmark.test(ours, 3, DIGITS, types.SimpleNamespace(output=tmp_path, test_movies=movies))["mse"]

    assert [test(2), test(2), test(3), test(3)] == [[1], [1], [2], [2]]
    ours.step(results.make_batch(DIGITS, 3, 1, 2))
    assert [test(3), test(3)] == [[3], [3]]


def test_both_sides_train_alike(ours, tmp_path):
    """The same weights, movies and masks: with other masks the losses would differ in the first digits."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the benchmarks alone need it")
    torch.set_num_threads(1)  # on a busy machine its threads wait for each other
    theirs = sides.TorchSide(SETTINGS)
    ours_losses, theirs_losses = (
        [record["loss"] for record in train(side, tmp_path / "both")] for side in (ours, theirs)
    )
    np.testing.assert_allclose(ours_losses, theirs_losses, rtol=1e-5)
    theirs.start(sides.draw_weights(SETTINGS, 3), 3)
    theirs.draw_mask = lambda seed, iteration: np.ones((2, 19), bool)
    assert abs(theirs.step(results.make_batch(DIGITS, 3, 1, 2)) / ours_losses[0] - 1) > 1e-4


def test_moved_weights_are_the_next_numbers(tmp_path):
    """Half of them, and such a run ends where rounding is no longer told apart."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the benchmarks alone need it")
    torch.set_num_threads(1)  # on a busy machine its threads wait for each other
    weights = sides.draw_weights(SETTINGS, 3)
    side = sides.MovedTorchSide(SETTINGS)
    side.start(weights, 3)
    moved = {name: array.numpy() for name, array in side.model.state_dict().items()}
    share = np.mean(np.concatenate([(moved[name] != array).ravel() for name, array in weights.items()]))
    assert 0.4 < share < 0.6
    for name, array in weights.items():
        np.testing.assert_array_max_ulp(moved[name], array, 1)
    side.most = 2
    assert len(train(side, tmp_path)) == 2


def test_a_whole_run_is_tabled_and_drawn(ours, tmp_path, monkeypatch, capsys):
    """predjax stands in for all sides."""

    class Twin:
        def __init__(self, name, most):
            self.name, self.most, self.suffix = name, most, ours.suffix

        def __getattr__(self, name):
            return getattr(ours, name)

        def release(self):
            pass

    twins = {name: Twin(name, most) for name, most in (("torch", np.inf), ("torch_moved", 2), ("predjax", np.inf))}
    monkeypatch.setattr(benchmark, "SIDES", {name: lambda settings, twin=twin: twin for name, twin in twins.items()})
    monkeypatch.setattr(benchmark.importlib.util, "find_spec", lambda name: True)
    np.savez(tmp_path / "digits.npz", digits=DIGITS)
    arguments = ["--digits", str(tmp_path / "digits.npz"), "--output", str(tmp_path / "run"), "--seeds", "3"]
    arguments += ["--num_hidden", "2,2", "--lr", "0.01", "--iterations", "4", "--test_movies", "2"]
    assert benchmark.main(arguments) == 0
    table = capsys.readouterr().out
    assert "| predjax | 4 |" in table and "torch_moved" not in table
    assert "first 4 iterations: largest relative difference 0.0e+00, within 0.001" in table
    assert "moved to the next float32: 0.0e+00" in table and "MSE of the test, mean of all seeds: 0.00% apart" in table
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["iterations_done"] == {"torch": {"3": 4}, "torch_moved": {"3": 2}, "predjax": {"3": 4}}
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_is_one_line(tmp_path, capsys):
    np.savez(tmp_path / "digits.npz", digits=DIGITS)
    np.save(tmp_path / "frames.npy", np.zeros((5, 64, 64), np.uint8))
    (tmp_path / "run").mkdir()
    options = benchmark.parse_options(["--digits", "", "--output", str(tmp_path / "run"), "--lr", "0.5"])
    made = benchmark.settle(options, benchmark.split_digits(DIGITS, "")[0])
    assert made == benchmark.dataclasses.replace(options.preset, lr=0.5)

    for arguments, reason in (
        (["--digits", "none.npz", "--output", "new"], "none.npz: there is no such file of digits"),
        (["--digits", "frames.npy", "--output", "new"], "frames.npy: digits are uint8 (N, 28, 28)"),
        (
            ["--digits", "digits.npz", "--output", "new", "--sides", "jax"],
            "--sides 'jax' is not one of torch, torch_moved, predjax",
        ),
        (["--digits", "digits.npz", "--output", "new", "--sides", "torch_moved"], "with torch, which is missing"),
        (["--digits", "digits.npz", "--output", "new", "--lr", "0"], "lr must be positive, got 0.0"),
        (["--digits", "digits.npz", "--output", "new", "--num_hidden", "4,8"], "num_hidden 4,8"),
        (["--digits", "digits.npz", "--output", "new", "--test_movies", "0"], "--test_movies must be positive, got 0"),
        (["--digits", "digits.npz", "--output", "run"], "run holds a run; --resume goes on with it"),
        (["--digits", "digits.npz", "--output", "run", "--resume", "--lr", "1"], "run was made with 0.5"),
    ):
        here = [str(tmp_path / word) if word in ("new", "run") or word in FILES else word for word in arguments]
        assert benchmark.main(here) == 2
        error = capsys.readouterr().err
        assert reason in error and error.count("\n") == 1, error
    assert not (tmp_path / "new").exists()
