"""TiDHy: the original's numbers, and what inference, forecast and training are."""

import functools
import re

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, compile_quickly, draw

from predjax.cells.tidhy import TiDHy, TiDHyConfig, advance, decode, mix, mix_dynamics, normalise, row_cosines
from predjax.cells.tidhy_inference import (
    Codes,
    bound_radius,
    constrain,
    first_objective,
    forecast,
    infer_first,
    infer_series,
    infer_step,
    minimise,
    saturate,
    soften,
    step_objective,
    training_loss,
)

SIZES = {"r_dim": 4, "r2_dim": 3, "mix_dim": 3, "hyper_dim": 6}
COMMON = SIZES | {
    "weights": "relu",
    "lr_r": 0.02,
    "lr_r2": 0.02,
    "smoothness": 0.0,
    "max_iter": 30,
    "cos_eta": 0.5,
    "first_clip": 10.0,
}
SPARSE = {"threshold_r": 0.004, "threshold_r2": 0.003, "l1_w": 0.05, "l1_r2": 0.03, "smoothness": 0.2}
CASES = {
    "basic": {},
    "bce": {"loss": "bce"},
    "nonlin": {"nonlinear_decoder": True},
    "sparse": SPARSE | {"saturate_r2": "scaled_tanh", "scale_r2": 3.0},
}


def configure(case="basic", **options):
    return TiDHyConfig(**COMMON | CASES[case] | options)


def read_params(arrays, prefix="w"):
    """Arrays of flax as Haiku parameters of the module "tidhy"."""
    params = {"tidhy": {"temporal": arrays[f"{prefix}/temporal"]}}
    for theirs, ours in (("hypernet", "hyper"), ("spatial_decoder", "decoder")):
        for layer, name in (("dense", ours), *((f"dense{i}", f"{ours}_{i}") for i in (1, 2, 3))):
            key = f"{prefix}/{theirs}/{layer}"
            if f"{key}/kernel" in arrays:
                params[f"tidhy/~/{name}"] = {"w": arrays[f"{key}/kernel"], "b": arrays[f"{key}/bias"]}
        key = f"{prefix}/{theirs}/norm1"
        if f"{key}/scale" in arrays:
            params["tidhy"] |= {f"{ours}_scale": arrays[f"{key}/scale"], f"{ours}_offset": arrays[f"{key}/bias"]}
    return params


def get_networks(params, config, features=5):
    return apply_method(lambda: TiDHy(features, config), params, TiDHy.networks)


@functools.cache
def start_params(config, features, dtype):
    del dtype  # that of the numbers by default, for which the cache has an entry each
    return compile_quickly(hk.transform(lambda: TiDHy(features, config).networks()).init)(jax.random.key(0))


def make_params(config, features=5, lively=False):
    """Initial parameters, to be changed at will; lively ones have biases, and orthonormal matrices."""
    params = {module: dict(leaves) for module, leaves in start_params(config, features, jnp.result_type(float)).items()}
    if lively:
        params["tidhy/~/hyper_1"]["b"] = draw(config.hyper_dim)
        params["tidhy"]["temporal"] = 10 * (params["tidhy"]["temporal"] - np.eye(config.r_dim).ravel() / config.mix_dim)
    return params


go_on = compile_quickly(forecast, static_argnums=(1, 3))


@functools.cache
def run_series(config):
    return compile_quickly(lambda networks, x, r2: infer_series(networks, config, x, r2))


def infer(params, config, x, r2):
    return run_series(config)(get_networks(params, config), x, r2)


def loss_of(params, config, x, codes):
    return training_loss(get_networks(params, config), config, x, codes)


close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-4)  # that of the fixtures


def agree(mine, theirs, rtol=1e-3):
    """Every array within rtol of its largest number."""
    assert jax.tree.structure(mine) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs)):
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())


@pytest.mark.parametrize("case", CASES)
def test_networks_are_the_originals(read, case):
    arrays, config = read(f"F_TiDHy_{case}"), configure(case)
    params = jax.tree.map(jnp.asarray, read_params(arrays))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, make_params(config))
    networks = get_networks(params, config)
    assert sum(key.startswith("w/") for key in arrays) == len(jax.tree.leaves(networks))

    def apply(method, *arguments):
        return apply_method(lambda: TiDHy(5, config), params, method, *arguments)

    close(apply(TiDHy.decode, arrays["r_prev"]), arrays["decoder/out"])
    close(apply(TiDHy.mix, arrays["r2_in"]), arrays["hypernet/w"])
    close(arrays["temporal/w"], arrays["hypernet/w"])
    close(mix_dynamics(networks, arrays["hypernet/w"]), arrays["temporal/V"])
    close(apply(TiDHy.advance, arrays["r_prev"], arrays["r2_in"]), arrays["temporal/r_bar"])


@pytest.mark.parametrize("case", CASES)
def test_inference_of_a_step_is_the_originals(read, case):
    arrays = read(f"F_TiDHy_{case}")
    before = Codes(arrays["r_prev"][None], arrays["r2_in"][None])
    for name, count in (("inf_iter3", 3), ("inf_full", 30)):
        config = configure(case, max_iter=count)
        networks = get_networks(read_params(arrays), config)
        found = compile_quickly(infer_step, static_argnums=1)(networks, config, arrays["x"][None], before)
        close(found.codes.r[0], arrays[f"{name}/r"])
        close(found.codes.r2[0], arrays[f"{name}/r2"])
        assert found.iterations[0] == arrays[f"{name}/n_iter"]


def infer_and_train(config, x, r2):
    """The training loss of parameters, with all that led to it."""

    def objective(params):
        networks = get_networks(params, config)
        found = infer_series(networks, config, x, r2)
        loss, terms = training_loss(networks, config, x, found.codes)
        return loss, (terms, found.codes, mix(networks, found.codes.r2))

    return compile_quickly(jax.value_and_grad(objective, has_aux=True))


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.ci] * (case in ("bce", "nonlin"))) for case in CASES]
)
def test_series_losses_and_gradients_are_the_originals(read, case, double):
    """In float64, to which the original's float32 is closer than two compilations in float32 are to each other."""
    arrays, config = {k: np.float64(v) for k, v in read(f"F_TiDHy_{case}").items()}, configure(case)
    params = jax.tree.map(jnp.asarray, read_params(arrays))
    (loss, (terms, codes, w)), gradient = infer_and_train(config, arrays["X"], arrays["r2_first_init"])(params)
    close(codes.r[:, 0], arrays["first/r"])
    close(codes.r2[:, 0], arrays["first/r2"])
    close(codes.r, arrays["full/r"])
    close(codes.r2, arrays["full/r2"])
    close(w[:, 1:], arrays["full/w"][:, 1:])  # the original reports 0 for the first step, which has no dynamics
    assert not arrays["full/w"][:, 0].any()
    close(terms.inferred, arrays["full/spatial_rhat"])
    close(terms.predicted, arrays["full/spatial_rbar"])
    close(config.temp_weight * terms.temporal, arrays["full/temp(weighted)"])
    close(terms.regularisers.cosines, arrays["full/cos_reg"])
    close(loss, arrays["full/total_loss"])
    agree(gradient, read_params(arrays, "grad"))


@pytest.mark.ci
def test_single_precision_is_close(read):
    """Of the case in which rounding grows the most."""
    arrays, config = read("F_TiDHy_nonlin"), configure("nonlin")
    params = jax.tree.map(jnp.asarray, read_params(arrays))
    (loss, (_, codes, _)), gradient = infer_and_train(config, arrays["X"], arrays["r2_first_init"])(params)
    close(codes.r, arrays["full/r"], atol=1e-3)
    close(codes.r2, arrays["full/r2"], atol=1e-3)
    np.testing.assert_allclose(loss, arrays["full/total_loss"], rtol=1e-4)
    agree(gradient, read_params(arrays, "grad"))


def make_data(loss, *shape):
    """Observations that the loss is for: numbers, counts, or probabilities."""
    x = draw(*shape)
    return {"mse": x, "poisson": jnp.round(jnp.exp(x)), "bce": jax.nn.sigmoid(x)}[loss]


TERMS = ("cos_eta", "w_sparsity", "decoder_orthogonality", "w_continuity")


@pytest.mark.parametrize(("loss", "nonlinear"), [("mse", False), pytest.param("poisson", True, marks=pytest.mark.ci)])
def test_gradient_of_training_is_the_finite_difference(loss, nonlinear, double):
    """Along a direction in each parameter, with inference fixed and all the regularisers."""
    weights = dict(zip(TERMS, (0.5, 0.2, 0.3, 0.4)))
    config = configure(loss=loss, nonlinear_decoder=nonlinear, **weights)
    params, x = make_params(config, lively=True), make_data(loss, 2, 4, 5)
    codes = Codes(draw(2, 4, 4), draw(2, 4, 3))
    value = compile_quickly(lambda params: loss_of(params, config, x, codes))
    loss, terms = value(params)
    regularised = sum(weights[name] * term for name, term in zip(TERMS, terms.regularisers))
    data = (terms.inferred + terms.predicted + config.temp_weight * terms.temporal).mean()
    np.testing.assert_allclose(loss, data + regularised, rtol=1e-12)
    gradient = compile_quickly(jax.grad(lambda params: loss_of(params, config, x, codes)[0]))(params)
    leaves, tree = jax.tree.flatten(params)
    for i, (leaf, slope) in enumerate(zip(leaves, jax.tree.leaves(gradient))):
        direction = draw(*leaf.shape, seed=i)
        ahead, behind = (
            value(tree.unflatten([*leaves[:i], leaf + step * direction, *leaves[i + 1 :]]))[0] for step in (1e-6, -1e-6)
        )
        np.testing.assert_allclose((slope * direction).sum(), (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-6)


def test_what_moves_parameters_in_training(double):
    """Penalties on r and r2 never do; each regulariser that is offered does; inference counts as fixed."""
    config = configure(cos_eta=0.0, max_iter=5)
    params, x, start = make_params(config, lively=True), draw(2, 4, 5), draw(2, 3, scale=0.01)

    def penalise(params):
        r, r2 = infer_series(get_networks(params, config), config, x, start).codes
        flat = r.reshape(-1, config.r_dim)
        changes = jnp.square(jnp.diff(r2, axis=1)).sum()
        return jnp.abs(r).sum() + jnp.abs(r2).sum() + jnp.square(flat.T @ flat).sum() + changes, Codes(r, r2)

    (size, codes), gradient = compile_quickly(jax.value_and_grad(penalise, has_aux=True))(params)
    assert size > 1 and not any(leaf.any() for leaf in jax.tree.leaves(gradient))

    _, through = infer_and_train(config, x, start)(params)
    fixed = compile_quickly(jax.grad(lambda params: loss_of(params, config, x, codes)[0]))(params)
    agree(through, fixed, 1e-9)

    moves = compile_quickly(jax.jacrev(lambda params: loss_of(params, config, x, codes)[1].regularisers))(params)
    parts = ("tidhy/temporal", "tidhy/hyper|tidhy/~/hyper", "tidhy/~/decoder/w", "tidhy/hyper|tidhy/~/hyper")
    for term, part in zip(moves, parts):
        moved = [f"{module}/{name}" for module, leaf in term.items() for name, a in leaf.items() if a.any()]
        assert moved and all(re.match(part, name) for name in moved)


@pytest.mark.parametrize("loss", ["mse", "poisson"])
def test_inference_lowers_its_objective(loss, double):
    """And ends where no gradient is left, without thresholds and saturation."""
    config = configure(loss=loss, max_iter=2000, tol=1e-8, smoothness=0.1)
    networks = get_networks(make_params(config, lively=True), config)
    x, before = make_data(loss, 1, 5), Codes(draw(1, 4), draw(1, 3))
    found = compile_quickly(infer_step, static_argnums=1)(networks, config, x, before)
    one = functools.partial(jax.tree.map, lambda a: a[0])
    objective = compile_quickly(functools.partial(step_objective, networks, config, x[0], one(before)))
    slope = compile_quickly(jax.grad(functools.partial(step_objective, networks, config, x[0], one(before))))
    assert found.converged[0] and found.iterations[0] < config.max_iter
    assert objective(one(found.codes)) < objective(one(before)._replace(r=jnp.zeros(4)))
    assert max(jnp.abs(g).max() for g in slope(one(found.codes))) < 1e-5

    first = compile_quickly(infer_first, static_argnums=1)(networks, config, x, before.r2)
    objective = compile_quickly(functools.partial(first_objective, networks, config, x[0]))
    assert objective(one(first.codes)) < objective(Codes(jnp.zeros(4), before.r2[0]))


def test_samples_of_a_batch_end_on_their_own(double):
    """Those that are done keep what they have while others go on."""
    config = configure(max_iter=120, tol=1e-2, temp_weight=0.5)
    params, x, r2 = make_params(config), draw(4, 3, 5) * jnp.array([0.01, 1.0, 3.0, 10.0])[:, None, None], draw(4, 3)
    together = infer(params, config, x, r2)
    assert together.codes.r.shape == (4, 3, 4) and together.iterations.shape == (4, 3)
    assert len(np.unique(together.iterations[:, 0])) > 2 and len(np.unique(together.iterations[:, 1])) > 2
    np.testing.assert_array_equal(together.converged | (together.iterations == config.max_iter), True)
    for i in range(4):
        alone = infer(params, config, x[i : i + 1], r2[i : i + 1])
        np.testing.assert_array_equal(alone.iterations[0], together.iterations[i])
        for a, b in zip(alone.codes, together.codes):
            np.testing.assert_allclose(a[0], b[i], rtol=1e-9, atol=1e-9)


def test_inference_ends_by_the_relative_change(double):
    """A norm below 1e-8 counts as 1; the update that ended it is kept."""
    config = configure(max_iter=50, tol=0.1, momentum=0.0, lr_r=0.25, lr_r2=0.25)
    start = Codes(jnp.zeros(1), jnp.ones(1))
    found = minimise(lambda codes: jnp.square(codes.r - 1).sum() + jnp.square(codes.r2 - 1).sum(), start, config)
    # r = 1 - 2^-n; the change 2^-n is less than a tenth of 1 - 2^-(n-1) from n = 4
    assert found.iterations == 4 and found.converged
    np.testing.assert_allclose(found.codes, [[1 - 2**-4], [1]], rtol=1e-12)
    small = minimise(lambda codes: jnp.square(codes.r - 0.1).sum(), start, config)
    assert small.iterations == 1  # from 0 to 0.05: an absolute change below 0.1
    clipped = minimise(lambda codes: jnp.square(codes.r - 9).sum(), start, configure(max_iter=1, lr_r=0.1), clip=2.0)
    np.testing.assert_allclose(clipped.codes.r, 0.1 * 2 * 1.9)


def hold_dynamics(matrix, config):
    """Parameters with V = `matrix` for every r2, and r observed as it is."""
    params = jax.tree.map(jnp.zeros_like, make_params(config, config.r_dim))
    params["tidhy/~/hyper_3"]["b"] = jnp.eye(config.mix_dim)[0]
    params["tidhy"]["temporal"] = params["tidhy"]["temporal"].at[0].set(matrix.ravel())
    params["tidhy/~/decoder"]["w"] = jnp.eye(config.r_dim)
    return get_networks(params, config, config.r_dim)


def test_a_linear_system_is_forecast_exactly(double):
    """x' = A x seen as it is: inference finds r = x, and the forecast goes on with A."""
    config = configure(max_iter=2000, tol=1e-10)
    matrix, _ = np.linalg.qr(draw(4, 4))
    states = [draw(2, 4)]
    for _ in range(8):
        states.append(states[-1] @ matrix.T)
    states = jnp.stack(states, 1)
    networks = hold_dynamics(matrix, config)
    found = compile_quickly(infer_series, static_argnums=1)(networks, config, states[:, :4], draw(2, 3, scale=0.01))
    close(found.codes.r, states[:, :4], atol=1e-8)
    last = jax.tree.map(lambda a: a[:, -1], found.codes)
    close(go_on(networks, config, last, 5), states[:, 4:], atol=1e-8)
    close(go_on(networks, config, Codes(states[:, 3], last.r2), 5), states[:, 4:], atol=1e-12)


def test_no_forecast_grows_where_the_radius_is_bounded(double):
    """V is scaled to the radius if its own, the largest |eigenvalue|, is larger; else it stays exactly as it is."""
    matrices = draw(6, 5, 5) * jnp.array([1e-30, 0.1, 0.3, 1.0, 10.0, 1e30])[:, None, None]
    own = np.abs(np.linalg.eigvals(matrices)).max(-1)
    bounded = bound_radius(matrices, 0.9)
    assert (own < 0.9).any() and (own > 0.9).any()
    np.testing.assert_array_equal(bounded[own < 0.9], matrices[own < 0.9])
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(bounded)).max(-1)[own > 0.9], 0.9, rtol=0.01)
    assert np.isfinite(bound_radius(jnp.zeros((2, 2)), 1.0)).all()

    config = configure(radius=1.0)
    params = make_params(config, lively=True)
    networks, codes = get_networks(params, config), Codes(draw(2, 4), draw(2, 3))
    free, held = (go_on(networks, configure(radius=radius), codes, 200) for radius in (np.inf, 1.0))
    assert np.abs(free[:, -1]).max() > 1e20 and np.abs(held).max() < 100


def test_forecast_advances_and_decodes(double):
    config = configure("nonlin", loss="bce")
    networks, r, r2 = get_networks(make_params(config), config), draw(2, 4), draw(2, 3)
    predicted = go_on(networks, config, Codes(r, r2), 3)
    for step in range(3):
        r = advance(networks, r, r2)
        close(predicted[:, step], decode(networks, r, "bce"), atol=1e-12)


def test_soft_threshold_is_the_proximal_map(double):
    """The minimum of (v - x)^2 / 2 + threshold |v|."""
    v = np.linspace(-3, 3, 60001)
    for x in (-2.0, -0.4, 0.0, 0.3, 1.7):
        close(soften(x, 0.5), v[np.argmin((v - x) ** 2 / 2 + 0.5 * np.abs(v))])


@pytest.mark.parametrize(
    ("kind", "low", "high", "centre", "slope"),
    [
        ("sigmoid", 0, 1, 0.5, 0.25),
        ("shifted_sigmoid", -1, 1, 0, 0.5),
        ("tanh", -1, 1, 0, 1),
        ("scaled_tanh", -3, 3, 0, 1),
        ("softsign", -1, 1, 0, 1),
        ("scaled_softsign", -3, 3, 0, 1),
        ("clip", -3, 3, 0, 1),
    ],
)
def test_saturations_are_bounded_and_rise(kind, low, high, centre, slope, double):
    x = jnp.linspace(-2.9, 2.9, 59)
    assert (jnp.diff(saturate(x, kind, 3.0)) > 0).all()
    values = saturate(jnp.array([-1e9, 0.0, 1e-6, 1e9]), kind, 3.0)
    np.testing.assert_allclose(values[jnp.array([0, 1, 3])], [low, centre, high], atol=1e-7)
    np.testing.assert_allclose((values[2] - values[1]) / 1e-6, slope, rtol=1e-5)


def test_threshold_comes_before_saturation(double):
    config = configure(threshold_r=0.5, saturate_r="sigmoid", threshold_r2=0.25)
    codes = constrain(Codes(jnp.array([0.4, 1.5]), jnp.array([0.2, -1.25])), config)
    np.testing.assert_allclose(codes.r, jax.nn.sigmoid(jnp.array([0.0, 1.0])))
    np.testing.assert_allclose(codes.r2, [0.0, -1.0])


def test_a_state_at_zero_is_not_pushed(double):
    """Where r = 0 explains everything, a penalty on |r| keeps it there, exactly."""
    config = configure(l1_r=0.5, max_iter=3)
    networks = get_networks(make_params(config), config)
    before = Codes(jnp.zeros((1, 4)), draw(1, 3))
    found = compile_quickly(infer_step, static_argnums=1)(networks, config, decode(networks, before.r), before)
    assert not found.codes.r.any()


def test_dead_dynamics_leave_no_gradient(double):
    config = configure()
    params = make_params(config)
    params["tidhy/~/hyper_3"]["b"] -= 100.0
    networks, r, r2 = get_networks(params, config), draw(4), draw(3)
    assert not mix(networks, r2).any()
    assert not compile_quickly(jax.jacrev(lambda r2: advance(networks, r, r2)))(r2).any()


def test_cosines_of_rows(double):
    cosines = jax.jit(row_cosines)
    matrix, _ = np.linalg.qr(draw(4, 4))
    close(cosines(np.array([1.0, 2.0, 3.0, 4.0])[:, None] * matrix), np.zeros(6), atol=1e-12)
    close(cosines(np.stack([matrix[0], -2 * matrix[0], 0 * matrix[0]])), [-1, 0, 0], atol=1e-12)
    assert np.isfinite(jax.jit(jax.grad(lambda a: row_cosines(a).sum()))(np.zeros((3, 4)))).all()


def test_normalising_leaves_only_scales_of_latents_to_r(double):
    """Unit rows and matrices; observations stay as they were if r grows by what its rows shrank by."""
    params = {"other": {"w": draw(2, 2)}} | jax.tree.map(lambda p: 3 * p, make_params(configure()))
    scaled = normalise(params)
    lengths = np.linalg.norm(params["tidhy/~/decoder"]["w"], axis=1)
    np.testing.assert_allclose(np.linalg.norm(scaled["tidhy/~/decoder"]["w"], axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(scaled["tidhy"]["temporal"], axis=1), 1, rtol=1e-12)
    r = draw(4)
    old, new = (
        decode(get_networks({k: v for k, v in p.items() if k != "other"}, configure()), z)
        for p, z in ((params, r), (scaled, lengths * r))
    )
    np.testing.assert_allclose(new, old, rtol=1e-12)
    ratio = scaled["tidhy"]["temporal"] / params["tidhy"]["temporal"]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-9)
    kept = {m: {k: v for k, v in leaf.items() if (m, k) not in CHANGED} for m, leaf in params.items()}
    assert all(scaled[m][k] is v for m, leaf in kept.items() for k, v in leaf.items())
    nonlinear = make_params(configure("nonlin"))
    assert {m for m in nonlinear if normalise(nonlinear)[m] is not nonlinear[m]} == {"tidhy"}


CHANGED = {("tidhy", "temporal"), ("tidhy/~/decoder", "w")}


def test_first_guess_is_small_and_each_samples_own():
    drawn = hk.transform(lambda size: TiDHy(5, configure()).draw_first(size)).apply
    few, many = (np.asarray(drawn({}, jax.random.key(1), size)) for size in (3, 500))
    np.testing.assert_array_equal(few, many[:3])
    assert 0.009 < many.std() < 0.011
    assert not drawn({}, None, 3).any()


def test_matrices_start_as_identities_and_a_tenth_of_orthonormal_vectors():
    temporal = make_params(configure())["tidhy"]["temporal"]
    apart = 10 * (temporal - np.eye(4).ravel() / 3)
    close(apart @ apart.T, np.eye(3), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mix_dim": 0}, "mix_dim must be a whole number of at least 1, not 0"),
        ({"loss": "mae"}, "loss must be one of mse, poisson, bce, not 'mae'"),
        ({"saturate_r": "relu"}, "saturate_r must be one of none, sigmoid, .*, not 'relu'"),
        ({"nonlinear_decoder": 1}, "nonlinear_decoder must be true or false, not 1"),
        ({"momentum": 1.0}, "momentum must be less than 1, not 1.0"),
        ({"lr_r2": 0.0}, "lr_r2 must be more than 0, not 0.0"),
        ({"w_sparsity": -1.0}, "w_sparsity must be at least 0, not -1.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        configure(**options)
