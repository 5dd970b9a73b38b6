"""What the zero-cost proxies read off initial weights."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from metagen_jax.automl.pipeline import prepare
from metagen_jax.population import zero_cost
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.population.zero_cost import grad_norm, synflow
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen
from tests.population.conftest import FAMILIES, SPECS
from tests.short import in_short


@dataclasses.dataclass(frozen=True)
class Network:
    """The largest network of a small space, its weights, and a batch."""

    structure: Structure
    weights: Weights
    batch: tuple[np.ndarray, ...]

    @property
    def inputs(self) -> np.ndarray:
        first = self.batch[0]
        return first / np.float32(255) if first.dtype == np.uint8 else first

    def build(self, weights: Weights | None = None) -> nnx.Module:
        return self.structure.apply(self.structure.largest, weights or self.weights)

    def synflow(self, weights: Weights | None = None) -> float:
        return synflow(self.build(weights), self.inputs)


@pytest.fixture(
    scope="module", params=in_short(["vit", "vit with layer norm and silu", "cnn", "decoder_transformer"], ["cnn"])
)
def network(request: pytest.FixtureRequest) -> Network:
    file, overrides = FAMILIES[request.param]
    prepared = prepare(load_spec(SPECS / file, overrides))
    space = prepared.space
    (source,) = space.sources.values()
    structure = Structure(codegen.load_module(source), space.family.model_class, space.largest)
    batch = structure.module.train_batch(*space.modality.train_arrays(prepared.dataset), 0)
    return Network(structure, structure.initial_weights(jax.random.key(0), space.largest), batch)


def changed(weights: Weights, names: tuple[str, ...], factor: Any) -> Weights:
    """Those parameters times a factor; at least one of them is there."""
    chosen = [path for path in weights if path[-1] in names]
    assert chosen
    return weights | {path: (weights[path] * factor).astype(np.float32) for path in chosen}


def test_synflow_grows_with_the_head_alone_as_the_head_does(network: Network):
    assert network.synflow(changed(network.weights, ("head",), 3)) == pytest.approx(network.synflow() + math.log(3))


def test_synflow_reads_no_signs_no_labels_and_no_pixels(network: Network):
    rng = np.random.default_rng(0)
    flipped = {path: np.copysign(value, rng.normal(size=value.shape)) for path, value in network.weights.items()}
    assert any((flipped[path] != value).any() for path, value in network.weights.items())
    assert network.synflow(flipped) == pytest.approx(network.synflow(), rel=1e-12)
    if network.inputs.dtype == np.float32:
        assert synflow(network.build(), 0.5 * network.inputs[:1]) == pytest.approx(network.synflow(), rel=1e-12)


def test_synflow_sees_neither_norms_nor_where_attention_looks(network: Network):
    unseen = changed(network.weights, ("scale",), 7)
    if ("blocks", 0, "attention", "query") in unseen:
        unseen = changed(changed(unseen, ("query",), 7), ("key",), 7)
    assert network.synflow(unseen) == pytest.approx(network.synflow(), rel=1e-12)
    assert network.synflow(changed(network.weights, ("up", "down"), 7)) > network.synflow() + 1  # but all else


def test_synflow_leaves_the_model_as_it_is(network: Network):
    model = network.build()
    synflow(model, network.inputs)
    for path, param in nnx.to_flat_state(nnx.state(model, nnx.Param)):
        assert (np.asarray(param[...]) == network.weights[path]).all()


class Chain(nnx.Module):
    """Matrices one after another."""

    def __init__(self, *matrices: Any):
        self.matrices = nnx.List([nnx.Param(jnp.asarray(matrix, jnp.float32)) for matrix in matrices])

    def __call__(self, x: jax.Array) -> jax.Array:
        for matrix in self.matrices:
            x = x @ matrix
        return x


def test_synflow_of_a_chain_of_matrices_is_their_number_times_the_sum_of_their_product():
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=shape) for shape in ((5, 4), (4, 7), (7, 2))]
    product = np.linalg.multi_dot([np.abs(matrix.astype(np.float32), dtype=np.float64) for matrix in matrices])
    assert synflow(Chain(*matrices), np.zeros((3, 5), np.float32)) == pytest.approx(math.log(3 * product.sum()))


def test_synflow_of_products_beyond_float32_is_finite():
    assert synflow(Chain([[1e30]], [[1e30]]), jnp.ones((1, 1))) == pytest.approx(math.log(2) + 60 * math.log(10))


def test_other_weights_of_the_same_shape_compile_nothing(network: Network):
    def measure(seed: int) -> None:
        weights = network.structure.initial_weights(jax.random.key(seed), network.structure.largest)
        model = network.build(weights)
        synflow(model, network.inputs)
        grad_norm(model, network.structure.module.loss_fn, network.batch)

    measure(1)
    compiled = zero_cost._saliency._cache_size(), zero_cost._sum_of_norms._cache_size()
    measure(2)
    assert (zero_cost._saliency._cache_size(), zero_cost._sum_of_norms._cache_size()) == compiled


def test_grad_norm_of_logistic_regression_is_that_of_its_closed_form():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(16, 3)).astype(np.float32), rng.integers(2, size=16)
    slope = rng.normal(size=(3, 1))

    def loss_fn(model: nnx.Module, x: jax.Array, labels: jax.Array) -> jax.Array:
        logits = model(x)[:, 0]
        return jnp.mean(jnp.logaddexp(0, logits) - labels * logits)

    error = 1 / (1 + np.exp(-x @ slope))[:, 0] - labels
    expected = np.linalg.norm(x.T @ error / 16)
    assert grad_norm(Chain(slope), loss_fn, (x, labels)) == pytest.approx(expected, rel=1e-5)


def test_grad_norm_adds_up_the_lengths_of_all_gradients(network: Network):
    loss_fn = network.structure.module.loss_fn
    gradients = jax.jit(nnx.grad(loss_fn))(network.build(), *network.batch)
    lengths = [float(jnp.linalg.norm(gradient.ravel())) for gradient in jax.tree.leaves(gradients)]
    assert grad_norm(network.build(), loss_fn, network.batch) == pytest.approx(sum(lengths), rel=1e-5)
    backwards = tuple(array[::-1] for array in network.batch)
    assert grad_norm(network.build(), loss_fn, backwards) == pytest.approx(sum(lengths), rel=1e-5)
