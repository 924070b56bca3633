"""Networks of images, graphs and experts by plain formulas, one number after the other; errors."""

from typing import Any

import numpy as np
import pytest
import scipy.special

from tensorproof_reference.blocks import autoencoders, experts, federated, graphs, residual, u_nets
from tensorproof_reference.blocks._kinks import beside_kinks
from tensorproof_reference.blocks.autoencoders import variational_autoencoder
from tensorproof_reference.blocks.experts import mixture_of_experts
from tensorproof_reference.blocks.federated import federated_average
from tensorproof_reference.blocks.graphs import graph_convolution
from tensorproof_reference.blocks.residual import residual_block
from tensorproof_reference.blocks.u_nets import u_net_step
from tensorproof_reference.stream import Stream


def inputs_of(module: Any, name: str) -> dict[str, Any]:
    """Those of a sample."""
    samples = module.OPERATIONS[0].samples(Stream(7))
    return dict(next(sample.inputs for sample in samples if sample.name == name))


IDENTITY = inputs_of(residual, "plain_block")
PROJECTION = inputs_of(residual, "plain_projection")
GRAPH = inputs_of(graphs, "plain_weights_of_edges")
EXPERTS = inputs_of(experts, "plain_chosen")
U_NET = inputs_of(u_nets, "plain_step")
CLIENTS = inputs_of(federated, "plain_clients")
AUTOENCODER = inputs_of(autoencoders, "plain_rows")


def near(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def maps(x: Any, weight: Any, stride: int, padding: int) -> Any:
    """Convolution, one position of one map after the other."""
    size = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows, columns = ((side + 2 * padding - size) // stride + 1 for side in x.shape[2:])
    y = np.zeros((len(x), len(weight), rows, columns))
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = np.sum(padded[n, :, i * stride :, j * stride :][:, :size, :size] * weight[o])
    return y


def normed(x: Any, given: dict[str, Any], name: str) -> Any:
    """In training."""
    p = given["parameters"]
    z = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5)
    return z * p[f"{name}_scale"][:, None, None] + p[f"{name}_offset"][:, None, None]


@pytest.mark.parametrize(("given", "stride"), [(IDENTITY, 1), (PROJECTION, 2), (PROJECTION, 1)])
def test_a_residual_block_adds_what_passes_both_convolutions(given: Any, stride: int) -> None:
    x, p = given["x"], given["parameters"]
    active = np.maximum(normed(maps(x, p["first_weight"], stride, 1), given, "first"), 0)
    second = maps(active, p["second_weight"], 1, 1)
    passed = normed(maps(x, p["shortcut_weight"], stride, 0), given, "shortcut") if "shortcut_weight" in p else x
    y, after = residual_block(**given, stride=stride)
    near(y, np.maximum(normed(second, given, "second") + passed, 0))
    assert after.keys() == given["statistics"].keys()
    near(after["second_mean"], 0.9 * given["statistics"]["second_mean"] + 0.1 * second.mean((0, 2, 3)))
    near(after["second_variance"], 0.9 * given["statistics"]["second_variance"] + 0.1 * second.var((0, 2, 3), ddof=1))


def test_at_inference_a_residual_block_keeps_its_statistics() -> None:
    _, after = residual_block(**PROJECTION, stride=2, training=False)
    assert all(np.array_equal(after[name], known) for name, known in PROJECTION["statistics"].items())


def test_a_residual_block_needs_a_projection_where_shapes_change() -> None:
    with pytest.raises(ValueError, match="stride: expected 1 without a projection"):
        residual_block(**IDENTITY, stride=2)
    fewer = {**IDENTITY, "x": IDENTITY["x"][:, :2]}
    fewer["parameters"] = {**IDENTITY["parameters"], "first_weight": IDENTITY["parameters"]["first_weight"][:, :2]}
    with pytest.raises(ValueError, match="first_weight: expected 2 channels without a projection"):
        residual_block(**fewer)
    with pytest.raises(ValueError, match="statistics: expected mean and variance of first, second"):
        residual_block(**{**IDENTITY, "statistics": {}})


def test_a_graph_convolution_takes_the_weighted_mean_of_neighbours_and_itself() -> None:
    x, joined, p = GRAPH["x"], GRAPH["adjacency"] + np.eye(7), GRAPH["parameters"]

    def neighbours(z: Any) -> Any:
        y = np.zeros_like(z)
        for i, j in np.ndindex(7, 7):
            y[i] += joined[i, j] / np.sqrt(joined[i].sum() * joined[j].sum()) * z[j]
        return y

    active = np.maximum(neighbours(x @ p["first_weight"]) + p["first_bias"], 0)
    near(graph_convolution(**GRAPH), neighbours(active @ p["second_weight"]) + p["second_bias"])


def test_a_graph_convolution_has_both_biases_or_none() -> None:
    parameters = {name: array for name, array in GRAPH["parameters"].items() if name != "first_bias"}
    with pytest.raises(ValueError, match="parameters: expected first_bias, first_weight"):
        graph_convolution(GRAPH["x"], GRAPH["adjacency"], parameters)


@pytest.mark.parametrize("softmax_over", ["chosen", "all"])
@pytest.mark.parametrize("chosen", [1, 2, 4])
def test_experts_of_the_largest_scores_are_weighted(chosen: int, softmax_over: str) -> None:
    x, p = EXPERTS["x"], EXPERTS["parameters"]
    expected = np.zeros_like(x)
    for n, row in enumerate(x):
        scores = row @ p["gate_weight"]
        best = sorted(range(4), key=lambda k: -scores[k])[:chosen]
        shares = scipy.special.softmax(scores)
        for k in best:
            whole = 1.0 if softmax_over == "all" else sum(shares[best])
            active = np.maximum(row @ p["up_weight"][k] + p["up_bias"][k], 0)
            expected[n] += shares[k] / whole * (active @ p["down_weight"][k] + p["down_bias"][k])
    near(mixture_of_experts(**EXPERTS, chosen=chosen, softmax_over=softmax_over), expected)


def test_of_equal_scores_the_first_experts_are_chosen() -> None:
    tied = inputs_of(experts, "ties_first_of_equal")
    parameters = {name: array if name == "gate_weight" else array[:2] for name, array in tied["parameters"].items()}
    parameters["gate_weight"] = parameters["gate_weight"][:, :2]
    near(mixture_of_experts(**tied), mixture_of_experts(tied["x"], parameters))


def test_as_many_experts_are_chosen_as_there_may_be() -> None:
    for chosen in (0, 5):
        with pytest.raises(ValueError, match="chosen: expected 1 to 4"):
            mixture_of_experts(**EXPERTS, chosen=chosen)
    with pytest.raises(ValueError, match="softmax_over: expected one of"):
        mixture_of_experts(**EXPERTS, softmax_over="none")


def test_an_autoencoder_gives_reconstruction_and_divergence() -> None:
    x, noise, p = AUTOENCODER["x"], AUTOENCODER["noise"], AUTOENCODER["parameters"]

    def layer(z: Any, name: str) -> Any:
        return z @ p[f"{name}_weight"] + p[f"{name}_bias"]

    hidden = np.tanh(layer(x, "encoder"))
    mean, deviation = layer(hidden, "mean"), np.exp(layer(hidden, "log_variance") / 2)
    reconstruction, divergence = variational_autoencoder(**AUTOENCODER)
    near(reconstruction, scipy.special.expit(layer(np.tanh(layer(mean + deviation * noise, "decoder")), "output")))
    # The expectation of log q - log p, by Gauss-Hermite quadrature in each latent number.
    points, weights = np.polynomial.hermite_e.hermegauss(12)
    latent = mean[..., None] + deviation[..., None] * points
    terms = (latent**2 - points**2) / 2 - np.log(deviation)[..., None]
    near(divergence, (terms @ weights / weights.sum()).sum(1))


def test_noise_of_an_autoencoder_is_as_wide_as_what_it_is_added_to() -> None:
    with pytest.raises(ValueError, match="noise: expected shape"):
        variational_autoencoder(**{**AUTOENCODER, "noise": AUTOENCODER["noise"][:, :2]})


def test_a_step_of_a_u_net_goes_down_and_up_and_joins_both() -> None:
    p = U_NET["parameters"]

    def twice(z: Any, name: str) -> Any:
        for layer in (f"{name}_first", f"{name}_second"):
            z = np.maximum(maps(z, p[f"{layer}_weight"], 1, 1) + p[f"{layer}_bias"][:, None, None], 0)
        return z

    passed = twice(U_NET["x"], "down")
    pooled = np.max([passed[:, :, i::2, j::2] for i, j in np.ndindex(2, 2)], 0)
    bottom, raised = twice(pooled, "bottom"), np.zeros_like(passed)
    for i, j in np.ndindex(2, 2):
        raised[:, :, i::2, j::2] = np.einsum("nchw,co->nohw", bottom, p["up_weight"][:, :, i, j]) + p["up_bias"][:, None, None]
    near(u_net_step(**U_NET), twice(np.concatenate([passed, raised], 1), "join"))


def test_sides_of_a_step_of_a_u_net_are_even() -> None:
    with pytest.raises(ValueError, match="x: expected even sides"):
        u_net_step(U_NET["x"][:, :, :3], U_NET["parameters"])


def test_clients_count_as_much_as_they_have_examples() -> None:
    repeated = [weights for weights, n in zip(CLIENTS["clients"], (40, 25, 7), strict=True) for _ in range(n)]
    for place, found in enumerate(federated_average(**CLIENTS)):
        near(found, np.mean([weights[place] for weights in repeated], 0))
    for place, found in enumerate(federated_average(CLIENTS["clients"])):
        near(found, np.mean([weights[place] for weights in CLIENTS["clients"]], 0))


def test_clients_have_the_same_weights() -> None:
    first = CLIENTS["clients"][0]
    with pytest.raises(ValueError, match="clients: expected lists of 4"):
        federated_average([first, first[:3]])
    with pytest.raises(ValueError, match=r"clients\[1\]\[1\]: expected shape"):
        federated_average([first, [first[0], first[0], *first[2:]]])
    with pytest.raises(ValueError, match="clients: expected at least one"):
        federated_average([])


def test_no_unit_lies_near_a_kink() -> None:
    values = Stream(7).normal((5, 40))
    moved = values + beside_kinks(values, 0)[:, None]
    assert np.all((moved < 0).any(1) & (moved > 0).any(1))
    assert np.abs(moved).min() > 0.04
    assert np.array_equal(beside_kinks(np.array([[3.0]]), 0), [-2.5])
