"""What `moving_mnist.py` finds: scores of the test, how alike two sides are, as a table and a picture."""

import pathlib

import numpy as np
from matplotlib.ticker import MaxNLocator
from moving_mnist_sides import FIRST, INPUT, LENGTH
from skimage.metrics import structural_similarity

from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import style_axes, style_methods
from predjax.pictures.panels import FAINT, INK
from predjax.synthetic.moving_mnist import make_mnist_movie

# Moving MNIST, 10 -> 10 frames, scored like here (see moving_mnist.py) on the authors' own test movies
PROTOCOL = (
    "PredRNN-V2 as published: 128,128,128,128 features, batch 8, lr 0.0001, 80,000 iterations with reversed input, "
    "reverse scheduled sampling (mnist_script/predrnn_v2_mnist_train.sh of thuml/predrnn-pytorch)"
)
PUBLISHED = {
    "PredRNN-V2, Wang et al. (2022), arXiv:2103.09504": {"mse": 48.4, "mae": None, "ssim": 0.891},
    "PredRNN, Wang et al. (2017)": {"mse": 56.8, "mae": 126.1, "ssim": 0.867},
}
TEST_SEED, TEST_BATCH = 1_000_000_007, 16  # the seed of the test movies; how many are forecast at once
LOSS_BOUND, MSE_BOUND = 1e-3, 0.02  # the losses of the first iterations agree to 1e-3, the MSE to 2 %
SCORES = {"mse": "MSE", "mae": "MAE", "ssim": "SSIM"}
DPI, MOST_POINTS = 130, 1000  # beyond so many iterations a curve is drawn by means of blocks
SMOOTHED = 25  # iterations: losses over time are running means, which show what noise hides


def make_batch(digits: np.ndarray, seed: int, iteration: int, batch_size: int) -> np.ndarray:
    """The movies of iteration 1, 2, ...: (B, 20, 64, 64, 1) float32 in [0, 1]; no two iterations share one."""
    first = (iteration - 1) * batch_size
    movies = [make_mnist_movie(digits, LENGTH, seed, first + b) for b in range(batch_size)]
    return np.stack(movies)[..., None] / np.float32(255)


def score_forecasts(forecast, digits: np.ndarray, num_movies: int) -> dict[str, list[float]]:
    """Scores per lead frame of `forecast(observed (B,10,64,64,1))`, means over the first movies of the test."""
    totals = {name: np.zeros(LENGTH - INPUT) for name in SCORES}
    for number in range(-(-num_movies // TEST_BATCH)):
        movies = make_batch(digits, TEST_SEED, number + 1, TEST_BATCH)
        kept = num_movies - number * TEST_BATCH  # the last batch is whole too, so that one program does for all
        scores = score_frames(forecast(movies[:, :INPUT])[:kept], movies[:kept, INPUT:])
        totals = {name: total + scores[name].sum(0) for name, total in totals.items()}
    return {name: (total / num_movies).tolist() for name, total in totals.items()}


def score_frames(predicted: np.ndarray, observed: np.ndarray) -> dict[str, np.ndarray]:
    """MSE and MAE, sums over a frame's pixels, and SSIM: (B, T) from frames (B, T, H, W, 1), observed in [0, 1]."""
    predicted, observed = np.clip(predicted[..., 0], 0, 1), observed[..., 0]
    error = predicted.astype(float) - observed
    similarity = [
        [structural_similarity(frame, truth, data_range=1.0) for frame, truth in zip(*pair)]
        for pair in zip(predicted, observed)
    ]
    return {"mse": (error**2).sum((2, 3)), "mae": np.abs(error).sum((2, 3)), "ssim": np.array(similarity)}


def compare(curves: dict, scores: dict) -> dict | None:
    """How far predjax is from PyTorch: losses of the first iterations, by seed, and the MSE of the test, mean of all.

    Beside it, how far PyTorch is from itself with moved weights. The MSE is compared only where both sides have done
    the same iterations.
    """
    if not {"torch", "predjax"} <= set(curves):
        return None

    def largest(side):
        return {
            seed: float(relative_difference(losses[:FIRST], curves["torch"][seed][:FIRST]).max())
            for seed, losses in curves[side].items()
        }

    differences = largest("predjax")
    lengths = [len(losses) for side in ("torch", "predjax") for losses in curves[side].values()]
    result = {
        "iterations_compared": min(FIRST, *lengths),
        "largest_loss_difference": differences,
        "losses_agree": max(differences.values()) <= LOSS_BOUND,
    }
    if "torch_moved" in curves:
        result["rounding_difference"] = largest("torch_moved")
    if all(len(curves["torch"][seed]) == len(losses) for seed, losses in curves["predjax"].items()):
        ours, theirs = (mean_score(scores[side], "mse") for side in ("predjax", "torch"))
        result["mse_difference"] = abs(ours - theirs) / theirs
        result["mse_agrees"] = result["mse_difference"] <= MSE_BOUND
    return result


def relative_difference(ours, theirs) -> np.ndarray:
    """|ours - theirs| / |theirs| as far as both go."""
    length = min(len(ours), len(theirs))
    ours, theirs = np.array(ours[:length]), np.array(theirs[:length])
    return np.abs(ours - theirs) / np.abs(theirs)


def mean_score(by_seed: dict, name: str) -> float:
    return float(np.mean([scores[name] for scores in by_seed.values()]))


def format_result(result: dict) -> str:
    """The scores as Markdown tables, and how alike the sides are."""
    scores = result["scores_per_lead_frame"]
    features = ",".join(map(str, result["num_hidden"]))
    lines = [
        f"{features} features, batch {result['batch_size']}, lr {result['lr']:g}, {result['iterations']:,} iterations "
        f"{'with' if result['reverse_input'] else 'without'} reversed input, {result['device']}; "
        f"test of {result['test_movies']:,} movies",
        "| | iterations done | s an iteration | MSE | MAE | SSIM |\n|---|---|---|---|---|---|",
    ]
    for side, by_seed in scores.items():
        done = [f"{n:,}" for n in result["iterations_done"].get(side, {}).values()]
        seconds = [f"{value:.2f}" for value in result["seconds_an_iteration"].get(side, {}).values()]
        means = {name: mean_score(by_seed, name) for name in SCORES}
        label = f"{side}, mean of {len(by_seed)} seeds" if len(by_seed) > 1 else side
        lines.append(f"| {label} | {', '.join(done)} | {', '.join(seconds)} | {_spell(means)} |")
    lines += [f"| {label}, published | | | {_spell(means)} |" for label, means in PUBLISHED.items()]
    lines.append(f"\n{PROTOCOL}")
    frames = range(1, LENGTH - INPUT + 1)
    lines.append("\n| per lead frame | " + " | ".join(map(str, frames)) + " |\n|---|" + "---|" * len(frames))
    for name, title in SCORES.items():
        for side, by_seed in scores.items():
            means = np.mean([seed[name] for seed in by_seed.values()], 0)
            lines.append(f"| {title}, {side} | " + " | ".join(_spell_score(name, value) for value in means) + " |")
    return "\n".join(lines + _spell_comparison(result["comparison"]))


def _spell(means: dict) -> str:
    return " | ".join(_spell_score(name, means[name]) for name in SCORES)


def _spell_score(name: str, value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if name == "ssim" else f"{value:.1f}"


def _spell_comparison(comparison: dict | None) -> list[str]:
    if comparison is None:
        return []

    def verdict(holds):
        return "within" if holds else "NOT within"

    largest = max(comparison["largest_loss_difference"].values())
    lines = [
        f"\nlosses of the first {comparison['iterations_compared']} iterations: largest relative difference "
        f"{largest:.1e}, {verdict(comparison['losses_agree'])} {LOSS_BOUND:g}"
    ]
    if "rounding_difference" in comparison:
        rounding = max(comparison["rounding_difference"].values())
        lines.append(f"PyTorch and itself from weights moved to the next float32: {rounding:.1e}")
    if "mse_difference" in comparison:
        difference, agrees = comparison["mse_difference"], verdict(comparison["mse_agrees"])
        lines.append(f"MSE of the test, mean of all seeds: {difference:.2%} apart, {agrees} {MSE_BOUND:.0%}")
    else:
        lines.append("MSE of the test: not compared, the sides have not done the same iterations")
    return lines


def draw_result(path: pathlib.Path, result: dict) -> None:
    """Draws a column for each seed and one for the test (PNG).

    Of a seed: losses by iteration, their relative difference, and losses by the minutes that the updates took.
    """
    scores = result["scores_per_lead_frame"]
    curves, moved = dict(result["losses"]), result["losses"].get("torch_moved", {})
    curves.pop("torch_moved", None)
    minutes = result["minutes"]
    seeds = list(next(iter(curves.values())))
    styles = style_methods(scores)
    columns, both = len(seeds) + 1, result["comparison"] is not None
    width, height = 3.1 * columns + 0.3, 7.6
    figure = new_figure(width * DPI, height * DPI, DPI)
    grid = figure.subplots(3, columns, squeeze=False)
    edges = {"left": 0.62 / width, "right": 1 - 0.15 / width, "bottom": 0.06, "top": 0.9}
    figure.subplots_adjust(**edges, wspace=0.28, hspace=0.36)
    for axes in grid.flat:
        style_axes(axes)
    for column, seed in enumerate(seeds):
        above, below, clock = grid[:, column]
        losses = {side: by_seed[seed] for side, by_seed in curves.items()}
        _draw_losses(above, {side: thin_out(values) for side, values in losses.items()}, styles)
        above.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        above.set_title(f"seed {seed}: training loss", fontsize=8, color=INK, loc="left", pad=4)
        if both:
            _draw_difference(below, curves["predjax"][seed], curves["torch"][seed], moved.get(seed), above.get_xlim())
        else:
            below.set_axis_off()
        (below if both else above).set_xlabel("iteration", fontsize=7.5, color=INK, labelpad=2)
        timed = {side: smooth(minutes[side][seed], values) for side, values in losses.items()}
        _draw_losses(clock, timed, styles)
        clock.set_title(f"training loss, means of {SMOOTHED} iterations", fontsize=8, color=INK, loc="left", pad=4)
        clock.set_xlabel("minutes of updates", fontsize=7.5, color=INK, labelpad=2)
    for axes, name in zip(grid[:, -1], ("mse", "ssim")):
        _draw_test(axes, name, scores, styles)
    grid[2, -1].set_axis_off()
    grid[1, -1].set_xlabel("lead time (frames)", fontsize=7.5, color=INK, labelpad=2)
    _label(figure, grid[0, -1], styles, result)
    save_png(figure, path, overwrite=True)


def _draw_losses(axes, curves: dict[str, tuple[np.ndarray, np.ndarray]], styles: dict) -> None:
    """Places and losses by side: PyTorch's curve wide and pale, predjax's thin on top of it."""
    for side, (places, values) in curves.items():
        look = {"linewidth": 3.4, "alpha": 0.4} if side == "torch" else {"linewidth": 0.9}
        axes.plot(places, values, color=styles[side]["color"], **look)
    least, most = (edge([edge(values) for _, values in curves.values()]) for edge in (min, max))
    if least > 0 and most >= 10 * least:
        axes.set_yscale("log")
    axes.set_xlim(0, 1.03 * max(max(places) for places, _ in curves.values()))


def _draw_difference(axes, ours, theirs, moved, limits: tuple[float, float]) -> None:
    """Of two lists of losses, and, wide and pale, of PyTorch's with `moved` weights where there are such."""
    for losses, look in ((moved, {"color": FAINT, "linewidth": 3.0, "alpha": 0.5}), (ours, {"color": INK})):
        if losses:
            # A difference of 0 has no place on a logarithmic axis; float32 cannot tell what is below this.
            difference = np.maximum(relative_difference(losses, theirs), np.finfo(np.float32).eps / 4)
            axes.plot(*thin_out(difference), **{"linewidth": 0.8} | look)
    axes.plot([0, min(FIRST, limits[1])], [LOSS_BOUND] * 2, color=FAINT, linewidth=1.0, linestyle="--")
    axes.set_yscale("log")
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title("relative difference of the losses", fontsize=8, color=INK, loc="left", pad=4)
    look = {"textcoords": "offset points", "ha": "right", "va": "bottom", "size": 6.5, "color": FAINT}
    text = f"dashed: {LOSS_BOUND:g} for {FIRST} iterations"
    if moved:
        text += "\npale: torch and itself,\nfrom weights moved to the next float32"
    axes.annotate(text, (1, 0), (-3, 3), xycoords="axes fraction", **look)


def _draw_test(axes, name: str, scores: dict, styles: dict) -> None:
    """A score of the test against lead time: means over the seeds."""
    lead = np.arange(1, LENGTH - INPUT + 1)
    for side, by_seed in scores.items():
        means = np.mean([seed[name] for seed in by_seed.values()], 0)
        look = {"linewidth": 3.4, "alpha": 0.4, "markersize": 6} if side == "torch" else {"markersize": 3}
        axes.plot(lead, means, **{"linewidth": 1.0} | styles[side] | look)
    axes.set_xticks(lead)
    axes.set_title(f"test: {SCORES[name]} per frame", fontsize=8, color=INK, loc="left", pad=4)


def thin_out(values) -> tuple[np.ndarray, np.ndarray]:
    """Iterations from 1 and values; of a long run, their means over blocks, at most 1000."""
    values = np.asarray(values, float)
    size = -(-len(values) // MOST_POINTS)
    starts = np.arange(0, len(values), size)
    counts = np.diff([*starts, len(values)])
    return starts + (1 + counts) / 2, np.add.reduceat(values, starts) / counts


def smooth(minutes, values) -> tuple[np.ndarray, np.ndarray]:
    """Minutes at the ends of the last SMOOTHED iterations, and the means of their values; of a short run, all."""
    if len(values) < SMOOTHED:
        return np.asarray(minutes), np.asarray(values)
    means = np.convolve(values, np.full(SMOOTHED, 1 / SMOOTHED), "valid")
    return thin_out(minutes[SMOOTHED - 1 :])[1], thin_out(means)[1]


def _label(figure, scores, styles: dict, result: dict) -> None:
    """A title with what was trained, and a legend of the lines of the panel of scores."""
    features = ",".join(map(str, result["num_hidden"]))
    title = f"PredRNN-V2 on Moving MNIST: {features} features, batch {result['batch_size']}, lr {result['lr']:g}"
    figure.text(0.5, 0.99, title, size=9.5, weight="bold", ha="center", va="top", color=INK)
    look = {"frameon": False, "fontsize": 8, "labelcolor": INK}
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.97), "ncols": len(styles)}
    figure.legend(scores.lines, list(styles), **look, **place)
