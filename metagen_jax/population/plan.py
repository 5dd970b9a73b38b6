"""Which candidates share a program, decided before any training from counted work alone."""

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metagen_jax.errors import RunError
from metagen_jax.population.coefficients import Coefficients
from metagen_jax.population.modes import LOOP, VMAP
from metagen_jax.synth.costs import FLOAT_BYTES, CostModel, exact

SCHEMA_VERSION = 2
MAX_PROGRAMS = 8  # of one structure
MAX_BOXES = 4096
LOOP_WIDTH = 1  # candidates of a chunk on each device: a chunk is what an interruption loses, and nothing is gained
MIN_VMAP_WIDTH, MAX_VMAP_WIDTH = 8, 256  # nothing narrower was measured
VMAP_MEMORY_BYTES = 4e9  # of a chunk on one device
STATE_ARRAYS = 3  # parameters and the two moments of AdamW


@dataclasses.dataclass(frozen=True)
class ProgramPlan:
    """One program: what it holds and how it runs.

    Attributes:
      structure: values of the structural choices.
      allocated: length of each searched axis.
      mode: `LOOP` or `VMAP`.
      width: candidates of a chunk on each device.
      candidates: how many of the budget are expected to fall to it.
      compile_s, run_s: estimates of its compilation and of training those.
      step_s: estimate of a training step of one of them, on one device.
      memory_bytes: estimate for a chunk on one device.
    """

    structure: tuple[Any, ...]
    allocated: Mapping[str, int] = dataclasses.field(hash=False)
    mode: str
    width: int
    candidates: float = 0.0
    compile_s: float = 0.0
    run_s: float = 0.0
    step_s: float = 0.0
    memory_bytes: float = 0.0

    def holds(self, structure: tuple[Any, ...], sizes: Mapping[str, int]) -> bool:
        """Whether a network fits into the program."""
        return structure == self.structure and all(sizes[axis] <= length for axis, length in self.allocated.items())


@dataclasses.dataclass(frozen=True)
class Plan:
    """All programs of a search, those of each structure from the cheapest to the one that holds every network.

    Attributes:
      backend: of JAX.
      devices: how many the plan counts on; it holds on any number.
      padding_efficiency: true FLOPs over executed FLOPs, expected.
      programs: in the order in which a candidate is offered to them.
    """

    backend: str
    devices: int
    padding_efficiency: float
    programs: tuple[ProgramPlan, ...]

    @property
    def compile_s(self) -> float:
        return sum(program.compile_s for program in self.programs)

    @property
    def run_s(self) -> float:
        return sum(program.run_s for program in self.programs)

    def choose(self, structure: tuple[Any, ...], sizes: Mapping[str, int]) -> ProgramPlan:
        """The first program that holds a network; depends on that network alone.

        Raises:
          RunError: none does.
        """
        for program in self.programs:
            if program.holds(structure, sizes):
                return program
        named = ", ".join(f"{axis} {length}" for axis, length in sizes.items())
        raise RunError(
            f"no program of the plan holds a network of structure {structure} with {named}\n"
            "  The plan was made for another spec; `metagen plan SPEC --json` prints one for this."
        )

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON knows it; `read_plan` takes it back."""
        return json.loads(json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}))


def read_plan(content: Any) -> Plan:
    """Takes a plan from the JSON of `Plan.to_json`.

    Raises:
      ValueError: it is none.
    """
    try:
        fields = dict(content)
        if fields.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("it has another schema_version")
        programs = [
            ProgramPlan(**program | {"structure": tuple(program["structure"])}) for program in fields["programs"]
        ]
        return Plan(**fields | {"programs": tuple(programs)})
    except (TypeError, KeyError) as error:
        raise ValueError(str(error)) from None


@dataclasses.dataclass(frozen=True)
class StructureFacts:
    """What a plan has to know of a structure.

    Attributes:
      key: values of the structural choices.
      cost_model: costs from sizes.
      sample: sizes of networks that the search may propose, `(S,)` int each.
      allocated: the largest length of each searched axis that it may propose.
      share: of the budget that falls to this structure.
    """

    key: tuple[Any, ...]
    cost_model: CostModel
    sample: Mapping[str, np.ndarray]
    allocated: Mapping[str, int]
    share: float

    @property
    def layer_axes(self) -> frozenset[str]:
        """Axes that count layers, of which absent ones are skipped."""
        return frozenset(self.cost_model.layer_axes)

    def work(self, sizes: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """FLOPs and bytes of a training step, `(N,)` float64 each."""
        costs = self.cost_model.compiled(sizes)
        return np.asarray(costs.training_flops, np.float64), np.asarray(costs.memory_bytes, np.float64)


@dataclasses.dataclass(frozen=True)
class Workload:
    """How much is to be trained: `budget` candidates in `rounds`, each for `steps`."""

    budget: int
    rounds: int
    steps: int


def make_plan(
    structures: Sequence[StructureFacts],
    workload: Workload,
    modes: Mapping[str, Coefficients],
    backend: str,
    devices: int,
    compilers: int | None = None,
) -> Plan:
    """Plans the programs of a search; a pure function of its arguments.

    Each structure starts with one program that holds every network of its sample. A smaller one is added as long as
    it is expected to save more time than its compilation costs. Both modes are tried; the faster is taken.

    Args:
      compilers: programs that are compiled at the same time; by default as many as devices.
    """
    programs: list[ProgramPlan] = []
    true_flops = executed_flops = 0.0
    for facts in structures:
        options = [
            _Packing(facts, workload, mode, modes[mode], devices, compilers or devices) for mode in sorted(modes)
        ]
        best = min(options, key=lambda packing: packing.total_s)
        programs += best.programs()
        true_flops += facts.share * best.true_flops
        executed_flops += facts.share * best.executed_flops
    return Plan(backend, devices, true_flops / executed_flops, tuple(programs))


class _Packing:
    """The programs of one structure in one mode."""

    def __init__(
        self,
        facts: StructureFacts,
        workload: Workload,
        mode: str,
        coefficients: Coefficients,
        devices: int,
        compilers: int,
    ):
        self._facts, self._workload, self._mode, self._coefficients = facts, workload, mode, coefficients
        self._devices = devices
        self._boxes = _boxes(facts.sample, facts.allocated, facts.layer_axes)
        self._num_boxes, self._num_networks = (len(next(iter(rows.values()))) for rows in (self._boxes, facts.sample))
        self._flops, self._bytes = self._executed()  # (B, S)
        holds = np.all([box[:, None] >= facts.sample[axis] for axis, box in self._boxes.items()], axis=0)
        one = coefficients.candidate_step_s(self._flops, self._bytes)
        if mode == LOOP:
            one = one + coefficients.step_s / LOOP_WIDTH
        self._slot_s = one.max(axis=1)  # (B,) of a step
        self._stands_for = workload.budget * facts.share / self._num_networks  # candidates, a network of the sample
        self._seconds = np.where(holds, one * workload.steps * self._stands_for / devices, np.inf)
        self._compile_s = coefficients.compilation_s(len(facts.cost_model.leaves))
        # Programs are compiled side by side, each on one core, while others already train.
        self._chosen, self._taken_by = self._choose(self._compile_s / compilers)  # (S,) index into `_chosen`
        self._counts = np.bincount(self._taken_by, minlength=len(self._chosen))  # networks of the sample
        waste = sum(self._overhead_s(count, box) for count, box in zip(self._counts, self._chosen, strict=True))
        fixed = len(self._chosen) * self._compile_s / compilers
        self.total_s = float(self._seconds[self._chosen].min(axis=0).sum() + waste + fixed)

    @property
    def true_flops(self) -> float:
        return float(self._facts.work(self._facts.sample)[0].mean())

    @property
    def executed_flops(self) -> float:
        rows = np.array(self._chosen)[self._taken_by]
        return float(self._flops[rows, np.arange(len(rows))].mean())

    def programs(self) -> list[ProgramPlan]:
        """From the cheapest to the one that holds all."""
        found = []
        for position, box in enumerate(self._chosen):
            taken = self._taken_by == position
            candidates = self._workload.budget * self._facts.share * float(taken.mean())
            run_s = float(self._seconds[box, taken].sum() + self._overhead_s(self._counts[position], box))
            found.append(
                ProgramPlan(
                    structure=self._facts.key,
                    allocated={axis: int(lengths[box]) for axis, lengths in self._boxes.items()},
                    mode=self._mode,
                    width=int(self._width(self._counts[position], box)),
                    candidates=round(candidates, 1),
                    compile_s=round(self._compile_s, 2),
                    run_s=round(run_s, 2),
                    step_s=round(run_s * self._devices / candidates / self._workload.steps, 6) if candidates else 0.0,
                    memory_bytes=round(self._chunk_bytes(self._counts[position], box)),
                )
            )
        order = np.argsort([self._flops[box].max() for box in self._chosen], kind="stable")
        return [found[i] for i in order]

    def _executed(self) -> tuple[np.ndarray, np.ndarray]:
        """FLOPs and bytes of each network of the sample in each box, `(B, S)`.

        Absent layers cost nothing; side by side they do where the next one in the chunk is deeper, but those of about the
        same depth go together.
        """
        skipped = sorted(self._facts.layer_axes)
        depths, depth_of = np.unique(  # (axes, L), (S,)
            [self._facts.sample[axis] for axis in skipped] or [np.zeros(self._num_networks, int)],
            axis=1,
            return_inverse=True,
        )
        num_boxes, num_depths = self._num_boxes, depths.shape[1]
        sizes = {axis: np.repeat(lengths, num_depths) for axis, lengths in self._boxes.items()}
        sizes |= {axis: np.tile(row, num_boxes) for axis, row in zip(skipped, depths, strict=False)}
        flops, memory_bytes = (work.reshape(num_boxes, num_depths) for work in self._facts.work(sizes))
        return flops[:, depth_of], memory_bytes[:, depth_of]

    def _round_size(self, count: Any) -> Any:
        """Candidates of a round on each device, of so many networks of the sample."""
        return count * self._stands_for / self._workload.rounds / self._devices

    def _width(self, count: Any, box: Any) -> Any:
        """Candidates of a chunk on each device for a box that takes so many networks of the sample.

        A wide chunk shares what a step costs whatever it computes, a narrow one leaves fewer slots free at the end of a
        round: of `n` candidates in chunks of `w` that is `n / w * step_s` and `w / 2 * slot_s`, least at the root below.
        """
        if self._mode == LOOP:
            return np.full(np.shape(box), LOOP_WIDTH)
        size = self._round_size(count)
        best = np.sqrt(2.0 * size * self._coefficients.step_s / self._slot_s[box])
        fitting = np.maximum(VMAP_MEMORY_BYTES / self._bytes.max(axis=1)[box], 1)
        useful = np.minimum(np.maximum(np.ceil(size), 1), np.clip(np.ceil(best), MIN_VMAP_WIDTH, MAX_VMAP_WIDTH))
        return np.minimum(useful, fitting).astype(int)

    def _overhead_s(self, count: Any, box: Any) -> Any:
        """Seconds beside those of the candidates: of steps whatever they compute, and of slots that stay free."""
        if self._mode == LOOP:  # which passes over free slots
            return np.zeros(np.broadcast_shapes(np.shape(count), np.shape(box)))
        width, step_s = self._width(count, box), self._coefficients.step_s
        chunks = self._round_size(count) / width
        seconds = chunks * step_s + 0.5 * (step_s + width * self._slot_s[box])
        return np.where(count > 0, self._workload.rounds * self._workload.steps * seconds, 0.0)

    def _choose(self, compile_s: float) -> tuple[list[int], np.ndarray]:
        """Adds the box that saves most, until none saves more than it costs; the boxes and which network is in which."""
        everywhere = np.arange(self._num_boxes)
        chosen = [self._num_boxes - 1]  # the last combination has the largest length of every axis
        taken_by, current = np.zeros(self._num_networks, int), self._seconds[chosen[0]]
        while len(chosen) < MAX_PROGRAMS:
            takes = self._seconds < current  # (B, S)
            saved = np.maximum(current - self._seconds, 0.0).sum(axis=1) - compile_s
            saved -= self._overhead_s(takes.sum(axis=1), everywhere)
            for position, box in enumerate(chosen):
                own = taken_by == position
                saved += self._overhead_s(own.sum(), box) - self._overhead_s((own & ~takes).sum(axis=1), box)
            best = int(saved.argmax())
            if saved[best] <= 0:
                break
            taken_by = np.where(takes[best], len(chosen), taken_by)
            current = np.minimum(current, self._seconds[best])
            chosen.append(best)
        return chosen, taken_by

    def _chunk_bytes(self, count: int, box: int) -> float:
        working, width = float(self._bytes[box].max()), int(self._width(count, box))
        if self._mode == VMAP:
            return working * width
        lengths = {axis: lengths[box : box + 1] for axis, lengths in self._boxes.items()}
        params = float(exact(self._facts.cost_model.compiled(lengths).params)[0])
        return working + width * STATE_ARRAYS * FLOAT_BYTES * params


def _boxes(
    sample: Mapping[str, np.ndarray], allocated: Mapping[str, int], fixed: frozenset[str]
) -> dict[str, np.ndarray]:
    """Allocated sizes to choose from, `(B,)` int for each axis: all combinations, of fewer values where too many.

    An axis of `fixed` has its largest length in all of them.
    """
    values = {
        axis: np.array([length]) if axis in fixed else np.unique([*sample[axis], length])
        for axis, length in allocated.items()
    }
    while math.prod(map(len, values.values())) > MAX_BOXES:
        longest = max(values, key=lambda axis: len(values[axis]))
        values[longest] = values[longest][::-1][::2][::-1]  # keeps the largest
    grid = np.array(list(itertools.product(*values.values())))
    return dict(zip(values, grid.T, strict=True))
