"""Draws the candidates that all peers train.

    python benchmarks/population/candidates.py --family vit --candidates 32 --steps 200 set.pickle

Uniformly from the search space of a shipped spec, within its limits and without repetition; the initial weights and the
batches are those of a run of that spec.
"""

import argparse
import dataclasses
import pathlib
from collections.abc import Sequence

from metagen_jax.cli.environment import DEFAULT_HOST_DEVICES, start_jax

start_jax(DEFAULT_HOST_DEVICES)

import numpy as np  # noqa: E402
from candidate_set import CandidateSet, Member  # noqa: E402

from metagen_jax.automl.candidate import Candidate  # noqa: E402
from metagen_jax.automl.keys import keys_of  # noqa: E402
from metagen_jax.automl.pipeline import Options, Prepared, prepare  # noqa: E402
from metagen_jax.automl.planning import new_plan  # noqa: E402
from metagen_jax.automl.progress import Silent  # noqa: E402
from metagen_jax.automl.prototype_trainer import PrototypeTrainer  # noqa: E402
from metagen_jax.population.devices import population_mesh  # noqa: E402
from metagen_jax.spec import load_spec  # noqa: E402
from metagen_jax.synth import codegen  # noqa: E402
from metagen_jax.synth.space import SearchSpace  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
SPECS = {  # of each family: width 16 to 64
    "vit": ("specs/image_vit_classification.yaml", ()),
    "decoder_transformer": ("specs/text_char_lm.yaml", ("architecture.choices.d_model={min: 16, max: 64}",)),
    "cnn": ("specs/image_digits_cnn.yaml", ()),
}
EVALUATION_EXAMPLES = 128


def prepared(spec: str, overrides: tuple[str, ...]) -> Prepared:
    """The spec with its data; of the validation split only `EVALUATION_EXAMPLES`, since no other peer is scored."""
    whole = prepare(load_spec(ROOT / spec, overrides))
    split = whole.dataset.validation
    if isinstance(split, np.ndarray):  # tokens
        few = split[: EVALUATION_EXAMPLES * 64]
    else:
        few = dataclasses.replace(
            split, images=split.images[:EVALUATION_EXAMPLES], labels=split.labels[:EVALUATION_EXAMPLES]
        )
    return dataclasses.replace(whole, dataset=dataclasses.replace(whole.dataset, validation=few))


def candidates_of(space: SearchSpace, genotypes: Sequence[np.ndarray]) -> list[Candidate]:
    costs = space.costs_of(np.stack(genotypes))
    return [
        Candidate(number, 1, genotype, space.blueprint(genotype), each)
        for number, (genotype, each) in enumerate(zip(genotypes, costs, strict=True))
    ]


def draw_genotypes(space: SearchSpace, count: int, seed: int) -> np.ndarray:
    """`(count, D)` int32: within the limits, each network once."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, np.ndarray] = {}
    while len(drawn) < count:
        batch = rng.integers(0, space.discrete.num_choices, size=(256, len(space.dimensions)), dtype=np.int32)
        feasible = np.asarray(space.violation(batch)) <= 0
        drawn |= {space.blueprint(genotype).id: genotype for genotype in batch[feasible]}
    return np.stack(list(drawn.values())[:count])


def draw(
    family: str,
    count: int,
    num_steps: int,
    extra_overrides: tuple[str, ...] = (),
    rounds: int = 1,
    num_weights: int | None = None,
) -> CandidateSet:
    """Draws `count` candidates to train, the first `num_weights` of them with their initial weights, and as many others."""
    spec, overrides = SPECS[family]
    overrides = (*overrides, *extra_overrides)
    prep = prepared(spec, overrides)
    space = prep.space
    plan, mesh = new_plan(prep, Options()), population_mesh(1)
    trainer = PrototypeTrainer(space, prep.dataset, keys_of(prep.spec)[0], mesh, plan, Silent())
    genotypes = draw_genotypes(space, 2 * count, seed=0)
    members = []
    for drawn in candidates_of(space, genotypes[:count]):
        is_needed = num_weights is None or drawn.number < num_weights
        blueprint, weights = drawn.blueprint, trainer.initial_weights(drawn) if is_needed else {}
        sizes, hyperparameters = dict(blueprint.sizes), dict(blueprint.hyperparameters)
        members.append(Member(drawn.number, drawn.genotype, sizes, hyperparameters, drawn.costs["flops"], weights))
    (source,) = space.sources.values()
    structure = {name: value for name, value in blueprint.structure.items() if isinstance(value, int)}
    fixed = {field.name: field.value for field in space.fixed} | structure
    arrays = space.modality.train_arrays(prep.dataset)
    module = codegen.load_module(source)
    batches = [module.train_batch(*arrays, step) for step in range(num_steps)]
    return CandidateSet(family, spec, overrides, source, fixed, members, genotypes[count:], batches, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=SPECS, required=True)
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1, help="of the search that the engine plans for")
    parser.add_argument("--weights", type=int, help="keep initial weights of the first so many only")
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    draw(args.family, args.candidates, args.steps, rounds=args.rounds, num_weights=args.weights).save(args.out)


if __name__ == "__main__":
    main()
