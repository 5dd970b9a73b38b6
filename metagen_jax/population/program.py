"""One compiled program that trains a chunk of candidates of one structure, whatever their sizes."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from metagen_jax.population.devices import AXIS
from metagen_jax.population.flat import Flat, Layout
from metagen_jax.population.modes import LOOP, VMAP
from metagen_jax.population.parts import Parts
from metagen_jax.population.scores import Sums, sums
from metagen_jax.population.weights import Structure, Weights, cut, pad
from metagen_jax.synth import named_axes


class Hyperparameters(NamedTuple):
    """Numbers of the training that differ between candidates; every field is `(N,)` float32."""

    learning_rate: Any
    weight_decay: Any
    warmup_steps: Any


State = tuple[np.ndarray, ...]  # of one candidate: parameters, optimiser and all; only `Program.resume` looks inside


class Population(NamedTuple):
    """N candidates in training; the leading axis of every leaf is sharded over the mesh.

    Attributes:
      params: the padded parameters, `(N, M, 1)` and `(N, V)`.
      mask: which of these numbers the candidate has, the rest is padding: bool.
      opt_state: the optimiser's state, every leaf `(N, ...)`.
      sizes: true length of each searched axis, `(N,)` int32.
      hyperparameters: fields `(N,)`.
      alive: `(N,)` bool, False from the step on at which a loss or gradient was not finite; its numbers stay frozen.
    """

    params: Flat
    mask: Flat
    opt_state: Any
    sizes: dict[str, jax.Array]
    hyperparameters: Hyperparameters
    alive: jax.Array


@dataclasses.dataclass(frozen=True)
class Job:
    """One candidate as the trainer sees it: how large, how trained, from which weights."""

    sizes: Mapping[str, int]
    hyperparameters: Hyperparameters
    weights: Weights


class Program:
    """A structure built at allocated sizes; trains chunks of `num_devices * width` candidates.

    Args:
      structure: the rendered program.
      allocated: length of each searched axis, at least that of every candidate.
      width: candidates of a chunk on each device.
      mesh: the devices, from `population_mesh`.
      mode: how a device goes through them: `VMAP`, side by side, through as many layers as the deepest of them has, or
        `LOOP`, one after the other, each through its own.
    """

    def __init__(
        self,
        structure: Structure,
        allocated: Mapping[str, int],
        width: int,
        mesh: jax.sharding.Mesh,
        mode: str = LOOP,
    ):
        self.allocated = dict(allocated)
        self._mode = mode
        self.capacity = width * mesh.size
        mesh = _partitioned(mesh)
        self._num_slots = width * mesh.size
        self._module = structure.module
        self._mesh = mesh
        model = structure.abstract(self.allocated)
        self.leaves = named_axes.leaves(model)
        self.layout = Layout(self.leaves)
        named_axes.install_sizes(model, frozenset(self.allocated))
        self._parts = Parts(model, self.layout, mode)
        sharded, replicated = P(AXIS), P()
        over_mesh = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)
        self._slots = _dealt(width, self.capacity // width)
        self._start = jax.jit(jax.vmap(self._start_one))
        self._compiled: dict[int, Any] = {}  # by the number of steps
        self._compiled_scores: dict[Any, Any] = {}  # by the shapes of the examples
        self._train = jax.jit(
            over_mesh(
                self._train_chunk,
                in_specs=(sharded, replicated, replicated, replicated),
                out_specs=(sharded, P(None, AXIS)),
            ),
            donate_argnums=0,
        )
        self._logits = jax.jit(
            over_mesh(self._logits_chunk, in_specs=(sharded, sharded, replicated), out_specs=sharded)
        )
        self._score = jax.jit(over_mesh(self._score_chunk, in_specs=(sharded, replicated), out_specs=sharded))

    # -- in and out ---------------------------------------------------------------------------------------------------

    def start(self, jobs: Sequence[Job]) -> Population:
        """Packs up to `capacity` candidates; free slots are filled up with copies of the first, which count as failed
        from the start, so that the shape of the program never changes. Neighbours in `jobs` go to different devices."""
        if not 0 < len(jobs) <= self.capacity:
            raise ValueError(f"a chunk takes 1 to {self.capacity} candidates, got {len(jobs)}.")
        filled = [jobs[0]] * self._num_slots
        for slot, job in zip(self._slots, jobs, strict=False):
            filled[slot] = job
        taken = np.isin(np.arange(self._num_slots), self._slots[: len(jobs)])
        params = _stack([self.layout.pack(pad(self.leaves, job.weights)) for job in filled])
        mask = _stack([self._mask(job.weights) for job in filled])
        sizes = {axis: np.array([job.sizes[axis] for job in filled], np.int32) for axis in self.allocated}
        hyper = Hyperparameters(
            *(np.array(v, np.float32) for v in zip(*(j.hyperparameters for j in filled), strict=True))
        )
        placed = jax.device_put((params, mask, sizes, hyper, taken), NamedSharding(self._mesh, P(AXIS)))
        return jax.device_put(self._start(*placed), NamedSharding(self._mesh, P(AXIS)))

    def states(self, population: Population, count: int) -> list[State]:
        """The first candidates one by one, parameters, optimiser and all, in the memory of the host."""
        held = [np.asarray(leaf) for leaf in jax.tree.leaves(population)]
        return [tuple(leaf[slot] for leaf in held) for slot in self._slots[:count].tolist()]

    def resume(self, states: Sequence[State]) -> Population:
        """Packs up to `capacity` candidates as `states` left them; they go on bit for bit as if never taken out."""
        if not 0 < len(states) <= self.capacity:
            raise ValueError(f"a chunk takes 1 to {self.capacity} candidates, got {len(states)}.")
        structure = jax.tree.structure(self._abstract_population())
        candidates = [jax.tree.unflatten(structure, state) for state in states]
        filled = [candidates[0]._replace(alive=np.bool_(False))] * self._num_slots
        for slot, candidate in zip(self._slots, candidates, strict=False):
            filled[slot] = candidate
        return jax.device_put(_stack(filled), NamedSharding(self._mesh, P(AXIS)))

    def weights(self, population: Population, sizes: Sequence[Mapping[str, int]]) -> list[Weights]:
        """Cuts the first candidates out again, one for each entry of `sizes`."""
        params = Flat(*map(np.asarray, population.params))
        slots = self._slots[: len(sizes)].tolist()
        one_by_one = [self.layout.unpack(Flat(*(array[slot] for array in params))) for slot in slots]
        return [cut(self.leaves, values, true) for values, true in zip(one_by_one, sizes, strict=True)]

    def alive(self, population: Population) -> np.ndarray:
        """Which candidates have met nothing but finite numbers, `(N,)` bool; free slots have not."""
        return np.asarray(population.alive)[self._slots]

    # -- training -----------------------------------------------------------------------------------------------------

    def train(
        self,
        population: Population,
        batches: Sequence[tuple[np.ndarray, ...]],
        num_steps: int,
        length: int,
    ) -> tuple[Population, np.ndarray]:
        """Takes one optimiser step for each batch; the population that is passed in is consumed.

        Args:
          population: the state before the first of them; the optimiser's own count says which step that is.
          batches: at most `length` batches, the same for all candidates.
          num_steps: the length of the whole schedule.
          length: the compiled number of steps; a shorter list of batches is filled up with steps that change nothing.
        Returns:
          The state afterwards and the losses, `(len(batches), N)` float32, NaN from the step on at which one failed.
        """
        arguments = _training_arguments(batches, length, num_steps)
        self.compile(batches, length)
        population, losses = self._compiled[length](population, *arguments)
        return population, np.asarray(losses)[: len(batches), self._slots]

    def compile(self, batches: Sequence[tuple[np.ndarray, ...]], length: int) -> None:
        """Compiles `train` for batches of this shape and `length` steps, unless that has been done."""
        if length not in self._compiled:
            arguments = _training_arguments(batches, length, length)
            self._compiled[length] = self._train.lower(self._abstract_population(), *arguments).compile()

    def compile_score(self, arrays: tuple[np.ndarray, ...], batch_size: int) -> None:
        """Compiles `score` for arrays of this shape, unless that has been done."""
        self._score_of(tuple(evaluation_batches(arrays, batch_size)))

    def _score_of(self, examples: tuple[np.ndarray, ...]) -> Any:
        shapes = tuple(array.shape for array in examples)
        if shapes not in self._compiled_scores:
            self._compiled_scores[shapes] = self._score.lower(self._abstract_population(), examples).compile()
        return self._compiled_scores[shapes]

    def compiled_text(self, batches: Sequence[tuple[np.ndarray, ...]], length: int) -> str:
        """The optimised program of `train` as text."""
        self.compile(batches, length)
        return self._compiled[length].as_text() or ""

    def score(self, population: Population, arrays: tuple[np.ndarray, ...], batch_size: int) -> dict[str, np.ndarray]:
        """The mean of each score of the program's `score_fn` over all examples, by name: `(N,)` float32.

        NaN for a candidate that has failed.
        """
        examples = tuple(evaluation_batches(arrays, batch_size))
        means = self._score_of(examples)(population, examples)
        return {name: np.asarray(mean)[self._slots] for name, mean in means.items()}

    def logits(self, population: Population, *inputs: np.ndarray) -> np.ndarray:
        """What every candidate answers to one batch of what the model is called with: `(N, B, ...)` float32."""
        return np.asarray(self._logits(population.params, population.sizes, inputs))[self._slots]

    def let_go(self) -> None:
        """Drops what was compiled, of which JAX may outlive the last reference; it would be compiled again if needed."""
        self._compiled.clear()
        self._compiled_scores.clear()
        for jitted in (self._start, self._train, self._logits, self._score):
            jitted.clear_cache()  # type: ignore[attr-defined]

    @property
    def num_compilations(self) -> int:
        """How often the training step has been compiled: once for each number of steps."""
        return len(self._compiled)

    def _abstract_population(self) -> Any:
        def rows(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((self._num_slots, *shape), dtype)

        matrices, vectors = (self.layout.lengths.matrices, 1), (self.layout.lengths.vectors,)
        params = Flat(rows(matrices, jnp.float32), rows(vectors, jnp.float32))
        mask = Flat(rows(matrices, jnp.bool_), rows(vectors, jnp.bool_))
        sizes = {axis: rows((), jnp.int32) for axis in self.allocated}
        hyper = Hyperparameters(*(rows((), jnp.float32) for _ in Hyperparameters._fields))
        population = jax.eval_shape(self._start, params, mask, sizes, hyper, rows((), jnp.bool_))
        sharding = NamedSharding(self._mesh, P(AXIS))
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), population)

    # -- one candidate ------------------------------------------------------------------------------------------------

    def _model(self, params: Flat, sizes: Mapping[str, jax.Array], depths: Mapping[str, jax.Array]) -> nnx.Module:
        return self._parts.build(self.layout.split(params), sizes, depths)

    def _over_slots(self, function: Callable[..., Any], sizes: Mapping[str, jax.Array], *arguments: Any) -> Any:
        """Calls `function(*arguments, depths)` for each candidate of these `(N,)` sizes, in the way of the mode."""
        depths = {stack.axis: sizes[stack.axis] for stack in self.layout.stacks}
        if self._mode == LOOP:
            return jax.lax.map(lambda slot: function(*slot), (*arguments, depths))
        deepest = {axis: jnp.max(numbers) for axis, numbers in depths.items()}  # the same for all, so a loop stays one
        return jax.vmap(lambda *slot: function(*slot, deepest))(*arguments)

    def _mask(self, weights: Weights) -> Flat:
        ones = {path: np.ones_like(value) for path, value in weights.items()}
        return Flat(*(array != 0 for array in self.layout.pack(pad(self.leaves, ones))))

    def _start_one(
        self, params: Flat, mask: Flat, sizes: dict[str, jax.Array], hyper: Hyperparameters, taken: jax.Array
    ) -> Population:
        opt_state = self._module.make_optimizer(*hyper, 1).init(params)
        return Population(params, mask, opt_state, sizes, hyper, taken)

    def _step_one(
        self,
        candidate: Population,
        batch: tuple,
        real: jax.Array,
        num_steps: jax.Array,
        depths: Mapping[str, jax.Array],
    ) -> tuple:
        optimizer = self._module.make_optimizer(*candidate.hyperparameters, num_steps)

        def loss_of(split: Any) -> jax.Array:
            return self._module.loss_fn(self._parts.build(split, candidate.sizes, depths), *batch)

        # Not with respect to the long arrays: the derivative of a slice is a sum over arrays as long as the whole.
        loss, gradients = jax.value_and_grad(loss_of)(self.layout.split(candidate.params))
        gradients = self.layout.join(*gradients)
        gradients = jax.tree.map(lambda g, m: jnp.where(m, g, 0.0), gradients, candidate.mask)
        updates, opt_state = optimizer.update(gradients, candidate.opt_state, candidate.params)
        params = optax.apply_updates(candidate.params, updates)
        finite = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradients))
        alive = candidate.alive & (finite | ~real)
        keep = functools.partial(jnp.where, alive & real)
        params, opt_state = jax.tree.map(keep, (params, opt_state), (candidate.params, candidate.opt_state))
        after = candidate._replace(params=params, opt_state=opt_state, alive=alive)
        return after, jnp.where(alive, loss, jnp.nan)

    def _train_chunk(self, chunk: Population, batches: tuple, real_steps: jax.Array, num_steps: jax.Array) -> tuple:
        if self._mode == VMAP:  # steps outside, candidates inside, so that a step of all of them is one large operation

            def one_step(carry: Population, xs: tuple) -> tuple:
                batch, real = xs

                def step(candidate: Population, depths: Mapping[str, jax.Array]) -> tuple:
                    return self._step_one(candidate, batch, real, num_steps, depths)

                return self._over_slots(step, carry.sizes, carry)

            return jax.lax.scan(one_step, chunk, (batches, real_steps))

        def all_steps(candidate: Population, depths: Mapping[str, jax.Array]) -> tuple:
            def one_more(step: jax.Array, carry: tuple) -> tuple:
                batch = jax.tree.map(lambda array: array[step], batches)
                after, loss = self._step_one(carry[0], batch, jnp.bool_(True), num_steps, depths)
                return after, carry[1].at[step].set(loss)

            # None for a candidate that has failed and for a free slot.
            num_real = jnp.where(candidate.alive, jnp.sum(real_steps), 0)
            return jax.lax.fori_loop(0, num_real, one_more, (candidate, jnp.full(len(real_steps), jnp.nan)))

        chunk, losses = self._over_slots(all_steps, chunk.sizes, chunk)
        return chunk, losses.T  # (steps, N)

    def _logits_chunk(self, params: Any, sizes: dict[str, jax.Array], inputs: tuple) -> jax.Array:
        return self._over_slots(lambda p, s, depths: self._model(p, s, depths)(*inputs), sizes, params, sizes)

    def _score_chunk(self, chunk: Population, batches: tuple) -> dict[str, jax.Array]:
        def of_batch(candidate: Population, depths: Mapping[str, jax.Array], batch: tuple) -> Sums:
            *examples, real = batch
            model = self._model(candidate.params, candidate.sizes, depths)
            return sums(self._module.score_fn(model, *examples), real)

        def score_if_alive(candidate: Population, depths: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
            first = jax.tree.map(lambda array: array[0], batches)
            nothing = jax.tree.map(jnp.zeros_like, jax.eval_shape(of_batch, candidate, depths, first))

            def score() -> dict[str, jax.Array]:
                def one_more(total: Sums, batch: tuple) -> tuple[Sums, None]:
                    return jax.tree.map(jnp.add, total, of_batch(candidate, depths, batch)), None

                total, _ = jax.lax.scan(one_more, nothing, batches)
                return total.means()

            failed = jax.tree.map(lambda total: jnp.full_like(total, jnp.nan), nothing.scores)
            return jax.lax.cond(candidate.alive, score, lambda: failed)

        return self._over_slots(score_if_alive, chunk.sizes, chunk)


def _partitioned(mesh: jax.sharding.Mesh) -> jax.sharding.Mesh:
    """The mesh, but where it is one of several host devices a second one is added, whose slots stay free.

    XLA compiles for one device without partitioning, and rounds differently then; any larger number gives the same bits.
    """
    devices = jax.local_devices()
    if mesh.size > 1 or len(devices) == 1 or devices[0].platform != "cpu":
        return mesh
    alone = mesh.devices.ravel()[0]
    return jax.sharding.Mesh(np.array([alone, next(d for d in devices if d != alone)]), mesh.axis_names)


def _dealt(width: int, num_devices: int) -> np.ndarray:
    """The slot of each candidate, `(num_devices * width,)`: row by row over the devices, there and back again, so that
    candidates in the order of their cost give every device about as much to do."""
    rows = np.arange(num_devices * width).reshape(num_devices, width).T.copy()
    rows[1::2] = rows[1::2, ::-1]
    return rows.ravel()


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *values: np.stack(values), *trees)


def _training_arguments(batches: Sequence[tuple[np.ndarray, ...]], length: int, num_steps: int) -> tuple:
    """Stacked batches, which of them are real, and the length of the schedule."""
    filled = [*batches, *[batches[-1]] * (length - len(batches))]
    stacked = tuple(np.stack(arrays) for arrays in zip(*filled, strict=True))
    return stacked, np.arange(length) < len(batches), np.float32(num_steps)


def evaluation_batches(arrays: tuple[np.ndarray, ...], batch_size: int) -> Iterable[np.ndarray]:
    """Yields each array as `(num_batches, batch_size, ...)`, filled up with zeros, and the mask of real examples."""
    count = len(arrays[0])
    num_batches = -(-count // batch_size)
    missing = num_batches * batch_size - count
    for array in (*arrays, np.ones(count, np.float32)):
        filled = np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
        yield filled.reshape(num_batches, batch_size, *array.shape[1:])
