"""The search engine: a strategy proposes candidates of a space and is told what was measured."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.keys import InitialKey
from metagen_jax.automl.prior import STRATEGIES_WITH_PRIOR, Known, rows_of
from metagen_jax.automl.progress import Progress
from metagen_jax.automl.proxies import most_promising
from metagen_jax.search import (
    STRATEGIES,
    ProxyState,
    SearchStrategy,
    is_trusted,
    predictor_guided,
    proxy_start,
    start_from,
    was_repaired,
)
from metagen_jax.spec import Search
from metagen_jax.spec.tasks import ZERO_COST
from metagen_jax.synth.space import SearchSpace

# A strategy is a long program that runs a few times. On a CPU the older of XLA's ways to write the code of its many small
# operations takes two thirds of the time, and leaving out LLVM's optimisation as well a fifth. Then an ask takes up to
# three times as long, which with more candidates than these costs more than it saves.
QUICK_TO_COMPILE = {"xla_cpu_use_fusion_emitters": False}
QUICKEST_TO_COMPILE = {**QUICK_TO_COMPILE, "xla_backend_optimization_level": 0}
MOST_COMPILED_QUICKEST = 64


def _compiler_options(budget: int) -> dict[str, Any] | None:
    """How the strategy of a search for so many candidates is compiled."""
    (device,) = jnp.zeros(()).devices()  # where it runs: beside an accelerator the command line makes it the CPU
    if device.platform != "cpu":
        return None
    return QUICKEST_TO_COMPILE if budget <= MOST_COMPILED_QUICKEST else QUICK_TO_COMPILE


class Proposal(NamedTuple):
    """What a round is to train, and what was left out or moved."""

    candidates: list[Candidate]
    num_infeasible: int  # outside the limits, and not built
    num_repaired: int  # that were outside as they were drawn or bred, and were moved inside
    num_considered: int  # within the limits, of which the candidates were chosen


class ArchitectureSearchEngine:
    """Proposes candidates of a space, round after round, and is told what they turned out to be.

    The strategy is a pure function of its key and of what it is told: the same calls give the same proposals.

    Args:
      space: what is searched. D: its dimensions.
      search: budget, rounds, strategy, objectives.
      key: consumed; the search draws from it, not the training.
      progress: told of repairs.
      prototypes: the space of what is trained, by the same genotypes; None: the space itself.
      starts: genotypes to propose first, each of D indices, with the key of its initial weights if it has one.
      zero_cost: fills in what the proxies of these names say of candidates; `ZeroCost`, where the search names any.
      prior: what a strategy that predicts is told beforehand; none but `STRATEGIES_WITH_PRIOR` reads it.

    Raises:
      ValueError: the search names a proxy of zero cost, and there is nothing to read it with.

    Attributes:
      proxy: how well the spec's proxy ranked the candidates by the first objective; None without one.

    Examples:
      >>> from metagen_jax.automl.pipeline import prepare
      >>> from metagen_jax.automl.progress import Silent
      >>> from metagen_jax.spec import load_spec
      >>> space = prepare(load_spec("specs/image_digits_demo.yaml", ["search.strategy=random"])).space
      >>> engine = ArchitectureSearchEngine(space, space.spec.search, jax.random.key(0), Silent())
      >>> proposal = engine.propose(left=3)
      >>> [candidate.number for candidate in proposal.candidates], proposal.num_infeasible
      ([0, 1, 2], 0)
      >>> engine.tell(proposal.candidates)  # none of which was trained
      >>> [candidate.round for candidate in engine.propose(left=2).candidates]
      [2, 2]

      With `search.oversampling` proxies choose from several proposals for each candidate, once they are trusted:

      >>> settings = ["search.strategy=random", "search.oversampling=4"]
      >>> search = load_spec("specs/image_digits_demo.yaml", settings).search
      >>> engine = ArchitectureSearchEngine(space, search, jax.random.key(0), Silent())
      >>> engine.propose(left=3).num_considered
      3
      >>> engine.propose(left=3, weights={"params": 0.6, "flops": 0.0}).num_considered  # four times four
      16
    """

    def __init__(
        self,
        space: SearchSpace,
        search: Search,
        key: jax.Array,
        progress: Progress,
        prototypes: SearchSpace | None = None,
        starts: Mapping[tuple[int, ...], InitialKey | None] = MappingProxyType({}),
        zero_cost: Callable[[Sequence[Candidate], Sequence[str]], None] | None = None,
        prior: Sequence[Known] = (),
    ):
        self._untrained = tuple(name for name in search.proxies if name in ZERO_COST)
        if self._untrained and zero_cost is None:
            raise ValueError(f"search.proxies names {', '.join(self._untrained)}: pass zero_cost, such as a ZeroCost.")
        self._zero_cost = zero_cost
        self._space, self._prototypes = space, prototypes or space
        self._search = search
        self._key = key
        self._progress = progress
        self._starts, self._prior = starts, prior
        self._strategy = self._build_strategy()
        jit = functools.partial(jax.jit, compiler_options=_compiler_options(search.budget))
        self._was_repaired = jit(functools.partial(was_repaired, space.discrete))
        self._ask, self._tell = jit(self._strategy.ask), jit(self._strategy.tell)
        self._state = jit(self._strategy.init)(jax.random.fold_in(key, 0))
        self._seen: set[tuple[int, ...]] = set()
        self._rounds, self._num_proposed = 0, 0
        self.proxy: dict[str, Any] | None = None

    def _build_strategy(self) -> SearchStrategy:
        search = self._search
        round_size, num_objectives = search.round_size, len(search.objectives)
        capacity = search.budget + round_size
        construct = STRATEGIES[search.strategy]
        if self._prior and search.strategy in STRATEGIES_WITH_PRIOR:
            construct = functools.partial(predictor_guided, prior=rows_of(self._prior))
        strategy = construct(
            self._space.discrete, population_size=round_size, num_objectives=num_objectives, capacity=capacity
        )
        if search.proxy != "none":
            strategy = proxy_start(
                strategy,
                self._space.discrete,
                self._guess,
                num_initial=round_size,
                num_objectives=num_objectives,
                capacity=capacity,
            )
        if not self._starts:
            return strategy
        return start_from(strategy, self._space.discrete, jnp.array(list(self._starts), jnp.int32))

    def _guess(self, genotypes: jax.Array) -> jax.Array:
        """`(N,)` float32: less of it is guessed to be better."""
        costs = self._space.cost(genotypes)
        return -(costs.params.rounded() if self._search.proxy == "params" else costs.flops)

    def propose(self, left: int, weights: Mapping[str, float] = MappingProxyType({})) -> Proposal:
        """The next round: at most `left` candidates that were not proposed before, all of them within the limits.

        Args:
          left: how many may still be trained.
          weights: of each proxy in choosing, if the search proposes more than it trains; 0 or less: none.
        """
        self._rounds += 1
        key = jax.random.fold_in(self._key, self._rounds)
        genotypes, self._state = self._ask(key, self._state)
        trusted = {name: weight for name, weight in weights.items() if weight > 0}
        if self._search.oversampling > 1 and trusted:
            proposal = self._choose(key, np.asarray(genotypes), min(left, self._search.round_size), trusted)
        else:
            proposal = self._take_all(np.asarray(genotypes), left)
        for position, candidate in enumerate(proposal.candidates):
            candidate.number = self._num_proposed + position
            candidate.initial_key = self._starts.get(tuple(candidate.genotype.tolist()))
        self._num_proposed += len(proposal.candidates)
        self._read(proposal.candidates, self._untrained)
        return proposal

    def _take_all(self, genotypes: np.ndarray, left: int) -> Proposal:
        if self._search.oversampling > 1:
            self._progress.note(f"round {self._rounds}: no proxy is known to rank, so none chooses")
        proposed = self._unseen(genotypes)[:left]
        self._seen.update(tuple(genotype.tolist()) for genotype in proposed)
        candidates, num_infeasible = self._decode(proposed)
        return Proposal(candidates, num_infeasible, self._count_repaired(proposed, self._state), len(candidates))

    def _choose(self, key: jax.Array, genotypes: np.ndarray, count: int, weights: dict[str, float]) -> Proposal:
        """The most promising of what is asked several times; what is left may be asked again, but for the first ask."""
        asked, state = [genotypes], self._state
        for number in range(1, self._search.oversampling):
            more, state = self._ask(jax.random.fold_in(key, number), state)
            asked.append(np.asarray(more))
        proposed = self._unseen(np.concatenate(asked))
        pool, num_infeasible = self._decode(proposed)
        self._read(pool, [name for name in self._untrained if name in weights])
        candidates = [pool[i] for i in most_promising(pool, weights, self._search.objectives, count)]
        self._seen.update(tuple(candidate.genotype.tolist()) for candidate in candidates)
        by = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
        self._progress.note(f"round {self._rounds}: {len(candidates)} of {len(pool)} proposals chosen by {by}")
        return Proposal(candidates, num_infeasible, self._count_repaired(proposed, state), len(pool))

    def _read(self, candidates: Sequence[Candidate], names: Sequence[str]) -> None:
        if names and self._zero_cost is not None:
            self._zero_cost(candidates, names)

    def tell(self, candidates: list[Candidate]) -> None:
        """Takes in what a round has measured; what failed counts as the worst."""
        genotypes = np.stack([candidate.genotype for candidate in candidates]).astype(np.int32)
        losses = objectives.losses(candidates, self._search.objectives)
        told = (jnp.asarray(genotypes), jnp.asarray(losses), jnp.zeros(len(candidates), jnp.float32))
        self._state = self._tell(self._state, *told)
        if self._search.proxy != "none":
            self.proxy = self._judge_proxy(self._state.inner if self._starts else self._state)

    def _count_repaired(self, proposed: list[np.ndarray], state: Any) -> int:
        if not proposed:
            return 0
        count = int(self._was_repaired(state, np.stack(proposed)).sum())
        if count:
            self._progress.note(
                f"round {self._rounds}: {count} of {len(proposed)} proposals were moved into the limits"
            )
        return count

    def _judge_proxy(self, state: ProxyState) -> dict[str, Any]:
        correlation, trusted = float(state.agreement), bool(is_trusted(state))
        verdict = "trusted" if trusted else "not trusted"
        self._progress.note(f"rank correlation of {self._search.proxy} with quality: {correlation:.2f}, {verdict}")
        return {"name": self._search.proxy, "rank_correlation": correlation, "trusted": trusted}

    def _unseen(self, genotypes: np.ndarray) -> list[np.ndarray]:
        """Those that are none of an earlier round's, each once."""
        new = dict(zip(map(tuple, genotypes.tolist()), genotypes, strict=True))
        return [genotype for values, genotype in new.items() if values not in self._seen]

    def _decode(self, proposed: list[np.ndarray]) -> tuple[list[Candidate], int]:
        if not proposed:
            return [], 0
        rows = np.stack(proposed)
        costs, feasible = self._space.judge(rows)
        kept = rows[feasible]
        shown = zip(
            kept,
            self._space.blueprints(kept),
            itertools.compress(costs, feasible),
            self._prototypes.shrunk(kept),
            strict=True,
        )
        candidates = [
            Candidate(self._num_proposed, self._rounds, genotype, blueprint, own_costs, shrunk=shrunk)
            for genotype, blueprint, own_costs, shrunk in shown
        ]
        return candidates, len(rows) - len(kept)
