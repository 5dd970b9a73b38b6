"""Two long arrays hold what many short ones do, and an optimiser cannot tell the difference."""

import jax
import numpy as np
import optax
import pytest

from metagen_jax.automl.pipeline import prepare
from metagen_jax.population.flat import Layout
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen
from metagen_jax.synth.named_axes import Leaf
from tests.population.conftest import SPECS, Trained

LEAVES = (
    Leaf(("blocks", 0, "scale"), (3,), ("width",), (), (("depth", 0),), ("blocks",)),
    Leaf(("blocks", 0, "up"), (3, 2), ("width", "hidden"), (), (("depth", 0),), ("blocks",)),
    Leaf(("blocks", 1, "scale"), (3,), ("width",), (), (("depth", 1),), ("blocks",)),
    Leaf(("blocks", 1, "up"), (3, 2), ("width", "hidden"), (), (("depth", 1),), ("blocks",)),
    Leaf(("heads", 0), (2, 2), ("classes", "width"), (), (("num_heads", 0),), ("heads",)),
    Leaf(("stem",), (2, 1, 3), ("row", "column", "width"), (), (), ()),
)


def _random(leaves: tuple[Leaf, ...], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]


def test_what_is_packed_comes_out_again_in_the_order_of_the_leaves():
    layout, values = Layout(LEAVES), _random(LEAVES, 0)
    flat = layout.pack(values)
    assert flat.matrices.shape == (layout.lengths.matrices, 1) == (12 + 4 + 6, 1)
    assert flat.vectors.shape == (layout.lengths.vectors,) == (6,)
    for value, again in zip(values, layout.unpack(flat), strict=True):
        np.testing.assert_array_equal(again, value)
    for array, again in zip(flat, layout.join(*layout.split(flat)), strict=True):
        np.testing.assert_array_equal(again, array)


def test_the_rows_of_a_stack_are_its_layers():
    layout, values = Layout(LEAVES), _random(LEAVES, 1)
    (stem,), (blocks, heads) = layout.split(layout.pack(values))
    np.testing.assert_array_equal(stem, values[5])
    assert [(stack.path, stack.axis, stack.depth) for stack in layout.stacks] == [
        (("blocks",), "depth", 2),
        (("heads",), "num_heads", 1),
    ]
    for layer in range(2):
        unpacked = layout.stacks[0].packing.unpack(jax.tree.map(lambda rows, layer=layer: rows[layer], blocks))
        for value, again in zip(values[2 * layer :], unpacked, strict=False):
            np.testing.assert_array_equal(again, value)
    np.testing.assert_array_equal(
        layout.stacks[1].packing.unpack(jax.tree.map(lambda rows: rows[0], heads))[0], values[4]
    )


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_every_optimiser_takes_the_same_steps_with_two_long_arrays_as_with_the_leaves(schedule: str):
    space = prepare(load_spec(SPECS / "image_digits_demo.yaml", (f"training.schedule={schedule}",))).space
    (source,) = space.sources.values()
    optimizer = codegen.load_module(source).make_optimizer(0.02, 0.1, 3.0, 10)
    layout, leaves = Layout(LEAVES), _random(LEAVES, 2)
    flat = layout.pack(leaves)
    state, flat_state = optimizer.init(leaves), optimizer.init(flat)
    for step in range(10):
        gradients = _random(LEAVES, 100 + step)  # of a norm above the clip
        updates, state = optimizer.update(gradients, state, leaves)
        flat_updates, flat_state = optimizer.update(layout.pack(gradients), flat_state, flat)
        leaves, flat = optax.apply_updates(leaves, updates), optax.apply_updates(flat, flat_updates)
    for leaf, start, value, again in zip(LEAVES, _random(LEAVES, 2), leaves, layout.unpack(flat), strict=True):
        assert np.abs(value - start).max() > 1e-2  # it moved, so that the rest is not vacuous
        np.testing.assert_allclose(again, value, rtol=1e-5, atol=1e-6, err_msg=str(leaf.path))


def test_a_candidate_has_as_many_numbers_outside_of_the_padding_as_weights(trained: Trained):
    mask = jax.tree.map(np.asarray, trained.population.mask)
    real = [sum(int(part[slot].sum()) for part in mask) for slot in range(len(mask[0]))]
    assert sorted(real) == sorted(sum(value.size for value in job.weights.values()) for job in trained.jobs)
    assert max(real) < sum(trained.program.layout.lengths)
