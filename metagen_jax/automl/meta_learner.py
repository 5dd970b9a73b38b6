"""The meta-learner: what worked for similar tasks is what the next search begins with."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from metagen_jax.automl.keys import InitialKey
from metagen_jax.automl.pipeline import Prepared
from metagen_jax.automl.remembering import task_of
from metagen_jax.automl.start import MEMORY, PORTFOLIO, Start
from metagen_jax.automl.transfer import Translator
from metagen_jax.memory import RunRecord, Task, similarity
from metagen_jax.spec import Search
from metagen_jax.spec.tasks import COSTS
from metagen_jax.synth.architecture import Blueprint

LEAST_SIMILARITY = 0.2  # below it a task has nothing to say
MOST_RUNS = 8  # that are looked into, the most similar first
MOST_PLACES = 16  # of each, from the best on
DECAY = 0.8  # of what a place counts, to the next one
OF_PORTFOLIO = 0.5  # what a run that ships counts beside a run of this machine that is as similar


class Source(Protocol):
    """What has runs to learn from: a `Memory`, a `Portfolio`."""

    def tasks(self) -> Sequence[Task]:
        """What every run was about."""

    def load(self, run: str, best: int | None = None) -> RunRecord:
        """One run with the `best` few of its candidates, best first; raises `KeyError` where there is none."""


class MetaLearner:
    """Finds candidates to start from among what is remembered.

    Each candidate of a similar run counts for the similarity of the tasks times `DECAY` for each place that it is behind
    the best; what ships counts `OF_PORTFOLIO` as much. Those that count most are carried over into the space of the new
    spec, where sizes are relative to the budget, and where each is moved within the limits. Each starts from the same key
    of initial weights as it did: the same network for the same spec and seed turns out exactly as it was.

    Args:
      memory: open; None: nothing is remembered.
      portfolio: what ships; None: nothing does.

    Examples:
      >>> from metagen_jax.automl.pipeline import prepare
      >>> from metagen_jax.memory import Portfolio, read_portfolio
      >>> from metagen_jax.spec import load_spec
      >>> portfolio = Portfolio([entry for entry in read_portfolio() if entry.family == "vit"])
      >>> digits = prepare(load_spec("specs/image_digits_demo.yaml"))
      >>> starts = MetaLearner(None, portfolio).predict_good_starting_point(digits, 2)
      >>> [(start.name, start.place, start.similarity, start.source) for start in starts]
      [('image_digits_demo', 0, 1.0, 'portfolio'), ('image_digits_demo', 1, 1.0, 'portfolio')]

      What is remembered of a spec is carried over into half of its budget:

      >>> import tempfile
      >>> import numpy as np
      >>> from pathlib import Path
      >>> from metagen_jax.memory import Memory
      >>> half = prepare(load_spec("specs/image_digits_demo.yaml", ["constraints.parameter_budget=30k"]))
      >>> with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.sqlite") as memory:
      ...     _ = memory.remember(portfolio.load(starts[0].run))
      ...     (start,) = MetaLearner(memory).predict_good_starting_point(half, 1)
      >>> costs, feasible = half.space.judge(np.array([start.genotype]))
      >>> start.source, bool(feasible.all()), costs[0]["params"] <= 30_000
      ('memory', True, True)

    References:
      Feurer, Springenberg, Hutter, Initializing Bayesian Hyperparameter Optimization via Meta-Learning, 2015: the best
      of the most similar data sets are tried first.
    """

    def __init__(self, memory: Source | None, portfolio: Source | None = None):
        given = ((MEMORY, memory, 1.0), (PORTFOLIO, portfolio, OF_PORTFOLIO))
        self._sources = [(name, source, weight) for name, source, weight in given if source is not None]

    def predict_good_starting_point(self, prepared: Prepared, count: int) -> list[Start]:
        """Returns at most `count` different candidates within the limits of a spec, the most promising first.

        Args:
          prepared: the spec with its data and its search space.
          count: how many; fewer come back where too little is remembered that is similar.
        """
        starts: dict[tuple[int, ...], Start] = {}
        translator = None
        for _, source, run, alike, position in self._ranked(prepared):
            if len(starts) == count:
                break
            translator = translator or Translator(prepared.space)
            measured = run.candidates[position]
            genotype = translator(
                Blueprint.from_json(measured.blueprint), run.space, measured.costs["params"], _budget(run)
            )
            key = tuple(genotype.tolist())
            initial_key = measured.initial_key and InitialKey(*measured.initial_key)
            start = Start(key, run.id, run.name, measured.number, position, round(alike, 4), source, initial_key)
            starts.setdefault(key, start)
        return list(starts.values())

    def _ranked(self, prepared: Prepared) -> list[tuple[float, str, RunRecord, float, int]]:
        """What counts most first: how much, where it is from, the run, its similarity, the place in it."""
        name, features = task_of(prepared)
        found = [
            (-weight * alike * DECAY**position, of, run, alike, position)
            for of, source, weight in self._sources
            for run, alike in _similar(source, name, features)
            for position in range(len(run.candidates))
        ]
        return sorted(found, key=lambda each: (each[0], each[1], each[2].id))


def _similar(source: Source, name: str, features: Mapping[str, float]) -> Iterator[tuple[RunRecord, float]]:
    known = [(similarity(name, features, each.task, each.features), each.run) for each in source.tasks()]
    near = sorted((each for each in known if each[0] >= LEAST_SIMILARITY), key=lambda each: (-each[0], each[1]))
    of_quality = ((run, alike) for run, alike in _loaded(source, near) if _is_of_quality(run))
    return itertools.islice(of_quality, MOST_RUNS)


def _loaded(source: Source, near: Iterable[tuple[float, str]]) -> Iterator[tuple[RunRecord, float]]:
    for alike, run in near:
        try:
            record = source.load(run, MOST_PLACES)
        except KeyError:  # another process has forgotten it in the meantime
            continue
        yield record, alike


def _is_of_quality(run: RunRecord) -> bool:
    """Whether its places are by what training showed, and not by a cost."""
    return bool(run.objectives) and run.objectives[0]["metric"] not in COSTS


def _budget(run: RunRecord) -> float | None:
    return math.exp(run.features["log_max_params"]) if "log_max_params" in run.features else None


def num_starts(search: Search) -> int:
    """How many candidates a search may be given to start from: half of its first round, so that it looks elsewhere too.

    Examples:
      >>> from metagen_jax.spec import load_spec
      >>> num_starts(load_spec("specs/image_digits_demo.yaml", ["search.budget=24", "search.rounds=3"]).search)
      4
    """
    return search.round_size // 2
