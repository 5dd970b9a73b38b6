"""The meta-learner: what worked for similar tasks is what the next search begins with."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import jax.numpy as jnp
import numpy as np

from metagen_jax.automl.keys import InitialKey
from metagen_jax.automl.objectives import measured_by, padded
from metagen_jax.automl.pipeline import Prepared
from metagen_jax.automl.prior import Known
from metagen_jax.automl.remembering import task_of
from metagen_jax.automl.start import MEMORY, PORTFOLIO, Start
from metagen_jax.automl.transfer import Translator
from metagen_jax.memory import Measured, RunRecord, Task, similarity
from metagen_jax.search import normal_quantiles
from metagen_jax.spec import Objective, Search
from metagen_jax.spec.tasks import COSTS
from metagen_jax.synth.architecture import Blueprint

LEAST_SIMILARITY = 0.2  # below it a task has nothing to say
MOST_RUNS = 8  # that are looked into, the most similar first
MOST_PLACES = 16  # of each, from the best on
DECAY = 0.8  # of what a place counts, to the next one
MOST_RUNS_KNOWN, MOST_KNOWN = 3, 32  # runs that a predictor is told of, and candidates of each: a fit takes cubic time
NOISE_OF_SAME = 0.5  # variance of the rank of the same network for the same task, at other initial weights
OTHER_FAMILIES = 0.25  # of the starts at most, but one: what is carried over from another family is a guess
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
    spec, where sizes are relative to the budget, and where each is moved within the limits; only one in four may be of
    another family. Each starts from the same key of initial weights as it did: the same network for the same spec and
    seed turns out exactly as it was.

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
        translator, from_others = None, 0
        for _, source, run, alike, position in self._ranked(prepared):
            if len(starts) == count:
                break
            measured = run.candidates[position]
            related = Blueprint.from_json(measured.blueprint).family == prepared.space.family.name
            if not related and from_others >= max(1, int(count * OTHER_FAMILIES)):
                continue
            translator = translator or Translator(prepared.space)
            key = tuple(_carried(translator, run, measured).tolist())
            initial_key = measured.initial_key and InitialKey(*measured.initial_key)
            start = Start(key, run.id, run.name, measured.number, position, round(alike, 4), source, initial_key)
            if starts.setdefault(key, start) is start:
                from_others += not related
        return list(starts.values())

    def predict_prior(self, prepared: Prepared) -> list[Known]:
        """How candidates of similar tasks ranked there, by the objectives of a spec, for a predictor of its losses.

        Of the most similar runs of this machine, up to `MOST_KNOWN` candidates each, spread over their places. What
        can be computed, such as parameters, is that of the candidate in the new space. The more similar a task, the less
        noise its ranks are said to have.
        """
        name, features = task_of(prepared)
        found: dict[tuple[int, ...], Known] = {}
        translator = None
        for source in (source for of, source, _ in self._sources if of == MEMORY):
            for run, alike in itertools.islice(_similar(source, name, features, best=None), MOST_RUNS_KNOWN):
                measured = _spread([each for each in run.candidates if each.place is not None])
                measured = [each for each in measured if _has_qualities(each, prepared.spec.search.objectives)]
                if not measured:
                    continue
                translator = translator or Translator(prepared.space)
                rows = np.stack([_carried(translator, run, each) for each in measured])
                for each, row, targets in zip(measured, rows, _targets(prepared, measured, rows), strict=True):
                    key = tuple(row.tolist())
                    noise = round(NOISE_OF_SAME / alike, 4)
                    known = Known(key, targets, noise, run.id, run.name, each.number, round(alike, 4))
                    found.setdefault(key, known)
        return list(found.values())

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


def _carried(translator: Translator, run: RunRecord, measured: Measured) -> np.ndarray:
    blueprint = Blueprint.from_json(measured.blueprint)
    return translator(blueprint, run.space, measured.costs["params"], _budget(run))


def _spread(candidates: Sequence[Measured]) -> list[Measured]:
    """At most `MOST_KNOWN`, from the best to the worst."""
    ordered = sorted(candidates, key=lambda each: each.place or 0)
    count = min(len(ordered), MOST_KNOWN)
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, count).round().astype(int)] if count else []


def _has_qualities(measured: Measured, objectives: Sequence[Objective]) -> bool:
    wanted = {measured_by(each.metric) for each in objectives if each.metric not in COSTS}
    return wanted <= set(_qualities(measured))


def _qualities(measured: Measured) -> Mapping[str, float]:
    """The metrics of its prototype at the end of its training."""
    return next((each["metrics"] for each in reversed(measured.measurements) if each["stage"] == "prototype"), {})


def _targets(prepared: Prepared, measured: Sequence[Measured], genotypes: np.ndarray) -> list[tuple[float, ...]]:
    """The normal quantiles of the ranks of candidates of one run, by each objective of a spec."""
    objectives, costs = prepared.spec.search.objectives, prepared.space.costs_of(genotypes)
    losses = [
        [
            (own[o.metric] if o.metric in COSTS else _qualities(each)[measured_by(o.metric)])
            * (-1 if o.direction == "maximize" else 1)
            for o in objectives
        ]
        for each, own in zip(measured, costs, strict=True)
    ]
    rows, valid = padded(np.array(losses, np.float32))
    quantiles = np.asarray(normal_quantiles(rows, jnp.zeros(len(rows)), valid))[: len(measured)]
    return [tuple(round(float(number), 4) for number in row) for row in quantiles]


def _similar(
    source: Source, name: str, features: Mapping[str, float], best: int | None = MOST_PLACES
) -> Iterator[tuple[RunRecord, float]]:
    known = [(similarity(name, features, each.task, each.features), each.run) for each in source.tasks()]
    near = sorted((each for each in known if each[0] >= LEAST_SIMILARITY), key=lambda each: (-each[0], each[1]))
    of_quality = ((run, alike) for run, alike in _loaded(source, near, best) if _is_of_quality(run))
    return itertools.islice(of_quality, MOST_RUNS)


def _loaded(source: Source, near: Iterable[tuple[float, str]], best: int | None) -> Iterator[tuple[RunRecord, float]]:
    for alike, run in near:
        try:
            record = source.load(run, best)
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
