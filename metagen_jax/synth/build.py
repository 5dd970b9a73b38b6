"""From a spec to its search space, and to the space of the prototypes that stand for networks too large to train."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from types import ModuleType

import jax
from flax import nnx

from metagen_jax.errors import SpecError
from metagen_jax.spec import ModelSpec
from metagen_jax.synth import codegen, ladders, named_axes, scaling
from metagen_jax.synth.choices import choose_family, narrow
from metagen_jax.synth.costs import Predictor, Program, build_cost_model, predictor_of
from metagen_jax.synth.modalities import SIZE, STRUCTURE, Dimension, Family, Field, Modality, lengths_of
from metagen_jax.synth.modalities.base import Dataset
from metagen_jax.synth.space import SearchSpace


def build_space(
    spec: ModelSpec, modality: Modality, dataset: Dataset, predictor: Predictor | None = None
) -> SearchSpace:
    """Derives the search space of a spec.

    Args:
      predictor: of latencies; None: what is known of the spec's device.
    Raises:
      SpecError: the spec names a family, a choice or a value that there is not.
      InfeasibleError: no candidate is within the limits.
    """
    family = choose_family(spec, modality)
    fixed = modality.target_fields(spec, modality.fixed_fields(spec, dataset))
    lengths = lengths_of(fixed)
    sized = dataclasses.replace(family, dimensions=_open_sizes(spec, modality, family, fixed))
    dimensions = tuple(
        narrow(spec, dimension, modality.default_structure(sized, lengths, dimension))
        for dimension in modality.dimensions(sized, spec, lengths)
    )
    space = _space(spec, modality, family, fixed, dimensions, predictor or predictor_for(spec))
    space.feasible_share()
    return space


def build_prototypes(space: SearchSpace, dataset: Dataset) -> SearchSpace:
    """The space of what is trained in the place of the networks of a space; that space itself where these can be trained.

    A network is a target, and only its prototype is trained, where the space has networks beyond
    `search.prototype_params`, or where they are built for other data than there is to learn from.

    Raises:
      SpecError: a target is asked for, and the modality has no project for one.
    """
    spec, modality, family = space.spec, space.modality, space.family
    own = modality.fixed_fields(spec, dataset)
    is_large = space.most_params > spec.search.prototype_params
    if not is_large and own == space.fixed:
        return space
    if not codegen.has_template(f"target/{modality.name}/infer.py.j2"):
        raise _without_project(spec, modality, space.most_params if is_large else None)
    fixed = scaling.shrink_context(own) if is_large else own
    by = scaling.divisors(family, space.dimensions) if is_large else {}
    dimensions = tuple(
        dataclasses.replace(
            d, values=modality.prototype_structure(family, d, lengths_of(space.fixed), lengths_of(fixed))
        )
        if d.kind == STRUCTURE
        else d
        for d in scaling.shrink(space.dimensions, by)
    )
    return dataclasses.replace(_space(spec, modality, family, fixed, dimensions, space.predictor), target=space)


def _without_project(spec: ModelSpec, modality: Modality, most_params: int | None) -> SpecError:
    """What to say of targets that could not be written; `most_params` where they are too large to be trained."""
    lacks = f"'{modality.name}' has no project for networks that are not trained themselves"
    if most_params is None:
        return spec.error("target", f"{lacks}, such as for other data", "Remove the section.")
    problem = f"{lacks}, and this space goes up to {most_params:,} parameters"
    remedy = f"Write prototype_params: {most_params}, or narrow architecture.choices."
    return spec.error("search.prototype_params", problem, remedy)


def program_of(space: SearchSpace, source: str) -> Program:
    """What the costs of a structure are counted in, from its text."""
    return _program(
        codegen.load_module(source), space.modality, space.family, space.fixed, space.spec.training.batch_size
    )


def _open_sizes(spec: ModelSpec, modality: Modality, family: Family, fixed: Sequence[Field]) -> tuple[Dimension, ...]:
    """The family's dimensions, with lengths that suit the budget of the spec."""
    sizes = {d.name: max(d.values) for d in family.dimensions if d.kind == SIZE}
    usual = {
        d.name: modality.default_structure(family, lengths_of(fixed), d)[0]
        for d in family.dimensions
        if d.kind == STRUCTURE
    }
    source = codegen.program_source(modality, family, usual, sizes, fixed, spec.training, spec.seed)
    leaves = named_axes.leaves(_abstract(codegen.load_module(source), family.model_class))
    ranged = {name for name, choice in spec.architecture.choices.items() if choice.values is None}
    return ladders.for_budget(family, spec.constraints, ranged, lambda sizes: named_axes.param_count(leaves, sizes))


def predictor_for(spec: ModelSpec) -> Predictor:
    """What is known of how fast the spec's device is."""
    return predictor_of(spec.constraints.device, spec.training.precision)


def _space(
    spec: ModelSpec,
    modality: Modality,
    family: Family,
    fixed: tuple[Field, ...],
    dimensions: tuple[Dimension, ...],
    predictor: Predictor,
) -> SearchSpace:
    largest = {d.name: max(d.values) for d in dimensions if d.kind == SIZE}
    ranges = {d.name: (min(d.values), max(d.values)) for d in dimensions if d.kind == SIZE}
    structural = {d.name: tuple(dict.fromkeys(d.values)) for d in dimensions if d.kind == STRUCTURE}
    sources, cost_models = {}, {}
    for key in itertools.product(*structural.values()):
        structure = dict(zip(structural, key, strict=True))
        source = codegen.program_source(modality, family, structure, largest, fixed, spec.training, spec.seed)
        module = codegen.load_module(source)
        sources[key] = source
        cost_models[key] = build_cost_model(
            _program(module, modality, family, fixed, spec.training.batch_size),
            named_axes.leaves(_abstract(module, family.model_class)),
            ranges,
            fixed=(*(field.value for field in fixed), *modality.inner_lengths(lengths_of(fixed))),
            causal=family.causal,
            predictor=predictor,
        )
    return SearchSpace(spec, modality, family, fixed, dimensions, sources, cost_models, predictor)


def _abstract(module: ModuleType, model_class: str) -> nnx.Module:
    """The model at the sizes of its own `Config`, without any weights."""
    return nnx.eval_shape(lambda: getattr(module, model_class)(module.Config(), nnx.Rngs(0)))


def _program(
    module: ModuleType, modality: Modality, family: Family, fixed: Sequence[Field], batch_size: int
) -> Program:
    def build(sizes: Mapping[str, int]) -> nnx.Module:
        return getattr(module, family.model_class)(dataclasses.replace(module.Config(), **sizes), nnx.Rngs(0))

    lengths = lengths_of(fixed)
    batch, example = (
        tuple(jax.ShapeDtypeStruct(*array) for array in arrays)
        for arrays in (modality.abstract_batch(lengths, batch_size), modality.abstract_example(lengths))
    )
    return Program(build, module.loss_fn, batch, example)
