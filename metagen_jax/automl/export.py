"""The winner as a project: of the network itself where it was trained, else of the target with its prototype beside it."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.run_folder import AUTOENCODER, versions
from metagen_jax.population.checkpoints import save_weights
from metagen_jax.population.weights import Weights
from metagen_jax.synth import scaling
from metagen_jax.synth.costs import FLOAT_BYTES
from metagen_jax.synth.project import ProjectFacts, write_project
from metagen_jax.synth.target_project import Scale, TargetFacts, write_target_project

if TYPE_CHECKING:
    from metagen_jax.automl.pipeline import Prepared


@dataclasses.dataclass(frozen=True)
class Winner:
    """What is exported.

    Attributes:
      candidate: as the search had it.
      final: the same after its long training.
      weights, initial_weights: of what was trained.
      test: metrics on the test data.
      baselines: the validation metrics of the simplest things that work, by name.
      num_candidates: networks that the search trained.
      samples: inputs and answers, as text.
    """

    candidate: Candidate
    final: Candidate
    weights: Weights
    initial_weights: Weights
    test: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    num_candidates: int
    samples: tuple[tuple[str, str], ...]


def export(folder: Path, prepared: "Prepared", winner: Winner) -> None:
    """Writes `folder/winner`, all of it or nothing."""
    part = folder / "winner.part"
    (costs,) = prepared.prototypes.costs_of(winner.candidate.genotype[None])
    if winner.candidate.shrunk is None:
        _write_trained(part, prepared, winner, costs)
        if prepared.spec.data.autoencoder is not None:
            shutil.copytree(folder / AUTOENCODER / "winner", part / "autoencoder")
    else:
        _write_target(part, prepared, winner, prototype_params=costs["params"])
        _write_trained(part / "prototype", prepared, winner, costs)
    shutil.move(part, folder / "winner")


def _write_trained(folder: Path, prepared: "Prepared", winner: Winner, costs: Mapping[str, Any]) -> None:
    spec, candidate = prepared.spec, winner.candidate
    facts = ProjectFacts(
        spec_name=spec.name,
        spec_hash=spec.hash,
        seed=spec.seed,
        description=spec.description,
        domain=spec.task.domain,
        versions=versions(),
        params=costs["params"],
        flops=costs["flops"],
        validation=winner.final.metrics,
        test=winner.test,
        baselines=winner.baselines,
        prototype_steps=spec.search.prototype_steps,
        prototype_losses=tuple(candidate.losses),
        training_steps=winner.final.scores[-1].step,
        num_candidates=winner.num_candidates,
        samples=winner.samples,
    )
    space, dataset = prepared.prototypes, prepared.dataset
    write_project(folder, space=space, blueprint=candidate.prototype, dataset=dataset, facts=facts)
    save_weights(folder / "checkpoint", winner.weights)
    save_weights(folder / "initial_weights", winner.initial_weights)


def _write_target(folder: Path, prepared: "Prepared", winner: Winner, prototype_params: int) -> None:
    spec, space, candidate = prepared.spec, prepared.space, winner.candidate
    target, prototype = candidate.blueprint, candidate.prototype
    settings = scaling.transferred(target, prototype, space.family.widths)
    facts = TargetFacts(
        spec_name=spec.name,
        spec_hash=spec.hash,
        seed=spec.seed,
        description=spec.description,
        versions=versions(),
        params=candidate.costs["params"],
        flops=candidate.costs["flops"],
        weight_bytes=FLOAT_BYTES * candidate.costs["params"],
        memory_bytes=candidate.costs["memory_bytes"],
        cache_bytes=int(candidate.costs["cache_bytes"]) or None,
        prototype_params=prototype_params,
        factors=scaling.factors(space, prepared.prototypes),
        validation=winner.final.metrics,
        num_candidates=winner.num_candidates,
        transfer=scaling.TRANSFER,
    )
    write_target_project(
        folder,
        modality=prepared.modality,
        target=Scale(dataclasses.replace(target, hyperparameters=settings), space.fixed, spec.training),
        prototype=Scale(prototype, prepared.prototypes.fixed, spec.training),
        seed=spec.seed,
        dataset=prepared.dataset,
        facts=facts,
    )
