"""The costs of one structure as functions of its sizes, counted in the program that is trained."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from metagen_jax.synth import named_axes
from metagen_jax.synth.costs import effort, memory, wide
from metagen_jax.synth.costs.effort import Effort, Tally
from metagen_jax.synth.costs.latency import Predictor
from metagen_jax.synth.costs.memory import Cases, Ranges
from metagen_jax.synth.costs.operations import Trace, trace
from metagen_jax.synth.costs.polynomials import Polynomial, Rulers, evaluate, rulers_for
from metagen_jax.synth.costs.wide import Wide
from metagen_jax.synth.costs.work import work_of
from metagen_jax.synth.named_axes import Leaf

T = TypeVar("T")
U = TypeVar("U")
FLOAT_BYTES = 4
OPTIMIZER_ARRAYS = 2  # AdamW keeps two moments of each weight
BLOCK = 1024  # networks whose costs are computed at once


class Costs(NamedTuple):
    """Costs of N networks, every field `(N,)`.

    Attributes:
      params: exact.
      flops: float32, of one forward pass over one example; a multiply and an add are two, everything counts.
      training_flops: float32, of the loss of a batch and its gradients.
      memory_bytes: float32, of a training step at its peak: weights, gradients, AdamW's moments, activations.
      activation_bytes: float32, of what a training step computes from a batch and is alive at once, without gradients of
        weights.
      optimizer_bytes: float32, of AdamW's moments.
      cache_bytes: float32, of the keys and values of a full context; 0 where nothing is generated.
      inference_bytes: float32, of answering one example: weights, activations, keys and values.
      latency_ms: float32, predicted for one example on the spec's device.
    """

    params: Wide
    flops: Any
    training_flops: Any
    memory_bytes: Any
    activation_bytes: Any
    optimizer_bytes: Any
    cache_bytes: Any
    inference_bytes: Any
    latency_ms: Any


@dataclasses.dataclass(frozen=True)
class Program:
    """What is counted: the functions of a structure, and examples of what goes in.

    Attributes:
      build: lengths of the searched axes to the model; called under `nnx.eval_shape`.
      loss: model and a batch to a number.
      batch: what a training step reads, abstract.
      example: what the model is called with to answer one example, abstract.
    """

    build: Callable[[Mapping[str, int]], nnx.Module]
    loss: Callable[..., Any]
    batch: tuple[jax.ShapeDtypeStruct, ...]
    example: tuple[jax.ShapeDtypeStruct, ...]


@dataclasses.dataclass(frozen=True)
class ByDepth(Generic[T]):
    """What is counted at several depths; each further layer of a list adds the same, however deep the others are.

    Attributes:
      two: with two layers in each list.
      others: with one and with three layers in a list and two in the others, by the axis that counts the list.
    """

    two: T
    others: Mapping[str, tuple[T, T]]

    def map(self, function: Callable[[T], U]) -> "ByDepth[U]":
        """Applies a function at each depth."""
        others = {axis: (function(one), function(three)) for axis, (one, three) in self.others.items()}
        return ByDepth(function(self.two), others)

    def at(self, sizes: Mapping[str, Any]) -> T:
        """The quantity, a number or a tree of them, at depths that are `(N,)` float32."""
        apart = [
            jax.tree.map(functools.partial(_at_depth, sizes[axis]), one, self.two, three)
            for axis, (one, three) in self.others.items()
        ]
        more = len(apart) - 1
        return jax.tree.map(lambda two, *each: sum(each[1:], each[0]) - more * two, self.two, *apart)


def _at_depth(depth: Any, one: Any, two: Any, three: Any) -> Any:
    """A quantity at `depth` layers, from what it is at one, two and three."""
    return jnp.where(depth < 1.5, one, two + (depth - 2) * (three - two))


def _evaluated(count: ByDepth[Polynomial], sizes: Mapping[str, Any]) -> Any:
    """The polynomial at lengths that are `(N,)` float32."""
    return count.map(lambda each: evaluate([each], sizes)[0]).at(sizes)


def _highest(taken: ByDepth[Cases], sizes: Mapping[str, Any], which: str = "all") -> Any:
    """The bytes at the peak at lengths that are `(N,)` float32."""
    return taken.map(lambda each: each.highest(which, sizes)).at(sizes)


@dataclasses.dataclass(frozen=True)
class CostModel:
    """The costs of one structure.

    Attributes:
      leaves: the parameters at the largest sizes of the space.
      cached: those among them whose products are kept while a text is generated.
      positions: of one example, of which each has its keys and values.
      predictor: of the latency.
      forward, training: FLOPs of one example, of a batch.
      answering, learning: bytes taken beside the weights.
      batch_bytes: of what a training step reads.
      tallies: what the latency is predicted from.
    """

    leaves: tuple[Leaf, ...]
    cached: tuple[Leaf, ...]
    positions: int
    predictor: Predictor
    forward: ByDepth[Polynomial]
    training: ByDepth[Polynomial]
    answering: ByDepth[Cases]
    learning: ByDepth[Cases]
    batch_bytes: int
    tallies: ByDepth[Tally]

    @functools.cached_property
    def layer_axes(self) -> tuple[str, ...]:
        """The axes that count layers."""
        return named_axes.layer_axes(self.leaves)

    def __call__(self, sizes: Mapping[str, Any]) -> Costs:
        """Returns the costs; every entry of `sizes` is `(N,)` int32."""
        params = count_params(self.leaves, sizes)
        real = {axis: jnp.asarray(length).astype(jnp.float32) for axis, length in sizes.items()}
        weights = FLOAT_BYTES * params.rounded()
        cache = (
            FLOAT_BYTES
            * self.positions
            * sum((_per_position(leaf, real) for leaf in self.cached), jnp.zeros_like(weights))
        )
        optimizer = OPTIMIZER_ARRAYS * weights
        return Costs(
            params=params,
            flops=_evaluated(self.forward, real),
            training_flops=_evaluated(self.training, real),
            memory_bytes=weights + optimizer + self.batch_bytes + _highest(self.learning, real),
            activation_bytes=_highest(self.learning, real, "without_results"),
            optimizer_bytes=optimizer,
            cache_bytes=cache,
            inference_bytes=weights + cache + _highest(self.answering, real),
            latency_ms=self.predictor.predicted_ms(self.effort_of(real)),
        )

    def compiled(self, sizes: Mapping[str, np.ndarray]) -> Costs:
        """The same as NumPy arrays, by a program that is compiled once for any number of networks."""
        count = len(next(iter(sizes.values())))
        num_blocks = -(-max(count, 1) // BLOCK)
        filled = {axis: np.resize(np.append(lengths, 1), num_blocks * BLOCK) for axis, lengths in sizes.items()}
        blocks = [
            self._of_block({axis: own[first : first + BLOCK].astype(np.int32) for axis, own in filled.items()})
            for first in range(0, num_blocks * BLOCK, BLOCK)
        ]
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *blocks)

    @functools.cached_property
    def _of_block(self) -> Callable[[Mapping[str, np.ndarray]], Costs]:
        return jax.jit(self.__call__)

    def __getstate__(self) -> dict[str, Any]:
        # What was compiled stays in this process.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def effort_of(self, real: Mapping[str, Any]) -> Effort:
        """What the latency is predicted from, at lengths that are `(N,)` float32."""
        return self.tallies.map(lambda tally: effort.amounts(tally, real)).at(real).effort()


def count_params(leaves: tuple[Leaf, ...], sizes: Mapping[str, Any]) -> Wide:
    """Counts the parameters of networks exactly; `sizes` are `(N,)` int32, or integers."""
    products = (wide.product(factors) for factors in named_axes.count_factors(leaves, sizes))
    return functools.reduce(lambda a, b: a + b, products)


def build_cost_model(
    program: Program,
    leaves: tuple[Leaf, ...],
    searched: Ranges,
    *,
    fixed: Sequence[int],
    causal: bool,
    predictor: Predictor,
) -> CostModel:
    """Counts the costs in the program itself, traced at three depths of each list of layers.

    Args:
      leaves: the parameters at the largest sizes of the space.
      searched: the axes whose lengths are searched, with the shortest and the longest.
      fixed: numbers that come up in shapes and are no searched axis.
      causal: whether a text is generated, position after position.
    Raises:
      ValueError: no axis counts layers, or the program has a loop in it.
    """
    depths = named_axes.layer_axes(leaves)
    if not depths:
        raise ValueError("layers are counted by no axis: costs need at least one")
    rulers = rulers_for(tuple(axis for axis in searched if axis not in depths), (*_numbers(program), *fixed))

    def traced(changed: dict[str, int]) -> tuple[Trace, Trace]:
        return _traces(program, dict(rulers.lengths) | dict.fromkeys(depths, 2) | changed)

    traces = ByDepth(traced({}), {depth: (traced({depth: 1}), traced({depth: 3})) for depth in depths})
    forward, training = traces.map(lambda each: each[0]), traces.map(lambda each: each[1])
    cached = [leaf for leaf in leaves if causal and leaf.path[-1] in ("key", "value")]
    return CostModel(
        leaves=leaves,
        cached=tuple(cached),
        positions=program.example[0].shape[1] if causal else 0,
        predictor=predictor,
        forward=forward.map(lambda each: work_of(each, rulers).flops),
        training=training.map(lambda each: work_of(each, rulers).flops),
        answering=_taken(forward, rulers, searched),
        learning=_taken(training, rulers, searched),
        batch_bytes=sum(int(np.prod(each.shape)) * each.dtype.itemsize for each in program.batch),
        tallies=forward.map(lambda each: effort.tally(each, rulers)),
    )


def _taken(traces: ByDepth[Trace], rulers: Rulers, searched: Ranges) -> ByDepth[Cases]:
    """The bytes, in the cases that two layers show."""
    elements = memory.unsettled(traces.two, rulers, searched)
    return traces.map(lambda each: memory.cases(each, rulers, elements))


def effort_of(model: nnx.Module, example: tuple[jax.ShapeDtypeStruct, ...]) -> Effort:
    """What one answer of an abstract model takes, in numbers."""
    return effort.amounts(effort.tally(_answering(model, example), Rulers({})), {}).effort()


def _answering(model: nnx.Module, example: tuple[jax.ShapeDtypeStruct, ...]) -> Trace:
    graph, params = nnx.split(model)
    return trace(lambda params, *example: nnx.merge(graph, params)(*example), params, *example)


def _traces(program: Program, sizes: Mapping[str, int]) -> tuple[Trace, Trace]:
    """Answering one example, and the gradients of a batch, of the network of these sizes."""
    model = nnx.eval_shape(lambda: program.build(sizes))
    graph, params = nnx.split(model)

    def learn(params: Any, *batch: Any) -> Any:
        return jax.value_and_grad(lambda weights: program.loss(nnx.merge(graph, weights), *batch))(params)

    return _answering(model, program.example), trace(learn, params, *program.batch)


def _numbers(program: Program) -> tuple[int, ...]:
    return tuple(itertools.chain.from_iterable(each.shape for each in (*program.batch, *program.example)))


def _per_position(leaf: Leaf, sizes: Mapping[str, Any]) -> Any:
    """Numbers that a layer's product with a parameter has for each position; 0 where the layer is not there."""
    lengths = dict(zip(leaf.axes, leaf.lengths(sizes), strict=True))
    outgoing = [length for axis, length in lengths.items() if axis not in leaf.fan_in]
    return functools.reduce(lambda a, b: a * b, outgoing) * leaf.present(sizes)
