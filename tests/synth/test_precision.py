"""`training.precision` stands in the rendered source, and nowhere else."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.extend.core import jaxprs_in_params

from metagen_jax.automl.pipeline import Prepared, prepare
from metagen_jax.population.weights import Structure
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen, named_axes
from metagen_jax.synth.modalities import Field
from metagen_jax.synth.modalities.image_generation import ImageGeneration
from metagen_jax.synth.modalities.latent_denoiser import LATENT_DENOISER
from metagen_jax.synth.modalities.latent_image_generation import LatentImageGeneration
from metagen_jax.synth.modalities.resnet import RESNET
from metagen_jax.synth.modalities.unet import UNET
from tests.short import FAMILIES as SHORT
from tests.short import in_short
from tests.synth.conftest import SPECS, Built, Result, build, curve_difference, read_me, run_all
from tests.synth.targets import resnet_sizes
from tests.synth.test_space import CNN, FAMILIES, choices_of

DIFFUSION = SPECS / "image_diffusion_pixel.yaml"
BFLOAT16 = "training.precision=bfloat16"
PRECISIONS = {  # and what JAX is told about its products, which accelerators would take in fewer digits otherwise
    "float32": jax.lax.Precision.HIGHEST,
    "tensorfloat32": jax.lax.Precision.HIGH,
    "bfloat16": None,
}


@functools.cache
def prepared_in(spec: Path, *overrides: str) -> Prepared:
    return prepare(load_spec(spec, (choices_of(spec), *overrides)))


@pytest.fixture(scope="module", params=in_short(["vit", "cnn", "vae", "decoder_transformer"], SHORT))
def spec(request: pytest.FixtureRequest) -> Path:
    return FAMILIES[request.param]


def operations(jaxpr: Any) -> Iterator[Any]:
    """All operations, those of inner functions too."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from operations(inner)


def dtypes(found: list[Any], *names: str) -> set[str]:
    variables = [
        v for equation in found if equation.primitive.name in names for v in (*equation.invars, *equation.outvars)
    ]
    return {str(v.aval.dtype) for v in variables if hasattr(v, "aval")}


def split_products(found: list[Any], precision: Any) -> tuple[list[Any], list[Any]]:
    """Products that are taken in a precision, and those of a look-up of tokens and its gradient, which are exact."""
    products = [equation for equation in found if equation.primitive.name == "dot_general"]
    inside = [each for each in products if (each.params["precision"] or [None])[0] == precision]
    others = [each for each in products if (each.params["precision"] or [None])[0] != precision]
    assert len(others) <= 2
    assert all(each.params["precision"][0] == jax.lax.Precision.HIGHEST for each in others)
    return inside, others


@pytest.mark.parametrize("run_time_sizes", [False, True], ids=["plain", "with run-time sizes"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_product_forwards_and_backwards_is_in_the_precision_asked_for_and_the_rest_in_float32(
    spec: Path, precision: str, run_time_sizes: bool
):
    prepared = prepared_in(spec, f"training.precision={precision}")
    space = prepared.space
    for source in space.sources.values():
        structure = Structure(codegen.load_module(source), space.family.model_class, space.largest)
        batch = structure.module.train_batch(*space.modality.train_arrays(prepared.dataset), 0)
        model = structure.build(space.largest, jax.random.key(0))
        if run_time_sizes:  # as the population does
            named_axes.install_sizes(model, frozenset(space.largest))
        graph, params, sizes = nnx.split(model, nnx.Param, ...)

        def loss_of(params, structure=structure, graph=graph, sizes=sizes, batch=batch):
            return structure.module.loss_fn(nnx.merge(graph, params, sizes), *batch)

        loss, gradients = jax.eval_shape(jax.value_and_grad(loss_of), params)
        assert loss.dtype == jnp.float32
        assert {leaf.dtype for leaf in jax.tree.leaves((params, gradients))} == {jnp.dtype("float32")}
        found = list(operations(jax.make_jaxpr(jax.value_and_grad(loss_of))(params).jaxpr))
        assert sum(equation.primitive.name == "dot_general" for equation in found) > 10
        in_precision, looked_up = split_products(found, PRECISIONS[precision])
        assert dtypes(in_precision, "dot_general") == {"bfloat16" if precision == "bfloat16" else "float32"}
        assert dtypes(looked_up, "dot_general") <= {"float32"}
        assert dtypes(found, "rsqrt", "exp", "log") == {"float32"}  # of norms, softmax and loss


@pytest.mark.parametrize("block", ["convolution", "depthwise_separable"])
def test_between_the_blocks_of_three_levels_the_stream_is_float32(block: str):
    prepared = prepared_in(CNN, BFLOAT16)
    structure = {"stride": 1, "block": block, "norm": "rms", "activation": "gelu"}
    sizes = resnet_sizes((8, 8, 16), (1, 2, 1), 1)
    source = codegen.program_source(
        prepared.modality, RESNET, structure, sizes, prepared.space.fixed, prepared.spec.training, 0
    )
    model = Structure(codegen.load_module(source), RESNET.model_class, sizes).build(sizes, jax.random.key(0))
    named_axes.install_sizes(model, frozenset(sizes))
    images = jnp.zeros((2, 8, 8, 1))
    found = list(operations(jax.make_jaxpr(model)(images).jaxpr))
    assert dtypes(found, "dot_general") == {"bfloat16"}
    assert dtypes(found, "rsqrt") == {"float32"}
    x = model.stem(images)
    for part in (*model.blocks_1, model.down_1, *model.blocks_2, model.down_2, *model.blocks_3):
        x = part(x)
        assert x.dtype == jnp.float32
    assert x.shape == (2, 2, 2, 16)


DENOISERS = {  # modality, family, structure, sizes, fixed sizes
    "u-net": (
        ImageGeneration(),
        UNET,
        {"stride": 1, "block": "convolution"},
        {"condition": 8} | resnet_sizes((8, 8, 16), (1, 2, 1), 1),
        {"image_size": 8, "channels": 1, "num_classes": 10},
    ),
    "denoiser of codes": (
        LatentImageGeneration(),
        LATENT_DENOISER,
        {},
        {"condition": 8, "width": 12, "hidden": 16, "num_layers": 2},
        {"latent": 5, "num_classes": 10},
    ),
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", DENOISERS)
def test_a_denoiser_takes_products_in_the_precision_asked_for_and_answers_in_float32(name: str, precision: str):
    modality, family, choices, sizes, of_data = DENOISERS[name]
    structure = choices | {"norm": "rms", "activation": "gelu"}
    fixed = [Field(*each, "") for each in of_data.items()]
    training = load_spec(DIFFUSION, (f"training.precision={precision}",)).training
    source = codegen.program_source(modality, family, structure, sizes, fixed, training, 0)
    module = codegen.load_module(source)
    model = Structure(module, family.model_class, sizes).abstract(sizes)
    named_axes.install_sizes(model, frozenset(sizes))
    graph, params, lengths = nnx.split(model, nnx.Param, ...)

    def answer(params, *inputs):
        return nnx.merge(graph, params, lengths)(*inputs)

    inputs = [jnp.zeros((2, *array.shape[1:]), array.dtype) for array in modality.abstract_example(of_data)]
    found = list(operations(jax.make_jaxpr(answer)(params, *inputs).jaxpr))
    inside, looked_up = split_products(found, PRECISIONS[precision])
    if precision != "float32":  # in which a label is looked up too
        assert len(looked_up) == 1
    assert dtypes(inside, "dot_general") == {"bfloat16" if precision == "bfloat16" else "float32"}
    assert dtypes(found, "rsqrt") == {"float32"}
    assert jax.eval_shape(answer, params, *inputs).dtype == jnp.float32
    assert ("bfloat16" in source) == (precision == "bfloat16")
    assert ("jnp.float32(" in source) == (precision == "bfloat16")


def test_the_answers_are_float32_and_near_those_of_float32(spec: Path):
    answers = {}
    for precision in ("float32", "bfloat16"):
        prepared = prepared_in(spec, f"training.precision={precision}")
        space = prepared.space
        source = next(iter(space.sources.values()))
        structure = Structure(codegen.load_module(source), space.family.model_class, space.largest)
        inputs = structure.module.train_batch(*space.modality.train_arrays(prepared.dataset), 0)[0][:8]
        inputs = inputs / np.float32(255) if inputs.dtype == np.uint8 else inputs
        answers[precision] = jax.jit(structure.build(space.largest, jax.random.key(0)))(inputs)
        assert answers[precision].dtype == jnp.float32
    difference = jnp.sqrt(jnp.mean((answers["bfloat16"] - answers["float32"]) ** 2)) / answers["float32"].std()
    # Rounding moves one number by 2^-9 of it at most, and an answer has been through one or two dozen products, whose
    # errors add up. The mean, since an image has more numbers than there are labels, and so a larger largest error.
    assert 2**-10 < difference < 2**-5


def test_float32_leaves_no_trace_in_the_source(spec: Path):
    plain, mixed = prepared_in(spec), prepared_in(spec, BFLOAT16)
    assert plain.spec.training.precision == "float32"
    for key, source in plain.space.sources.items():
        assert "bfloat16" not in source
        assert "jnp.float32(" not in source
        assert "jnp.bfloat16(" in mixed.space.sources[key]


# -- the project ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("text", tmp_path_factory.mktemp("mixed") / "project", BFLOAT16)


@pytest.fixture(scope="module")
def mixed_results(mixed_project: Built) -> dict[str, Result]:
    return run_all(mixed_project.folder, read_me(mixed_project.folder))


def test_the_project_works_and_repeats_its_training_within_the_tolerance_that_it_states(mixed_results):
    for command, result in mixed_results.items():
        assert result.code in (0, None), (command, result)
    out = mixed_results["train.py --prototype-mode"].out
    # The same source at the same shapes: XLA may fuse it differently, and a few numbers are rounded the other way.
    assert curve_difference(out) < 1e-2
    assert "allowed 5.0e-02" in out


def test_the_project_says_what_it_computes_in(mixed_project, text_project):
    says = {
        "model.py": "Products are taken in bfloat16",
        "README.md": "products with them are taken in bfloat16",
        "MODEL_CARD.md": "weights in float32, products in bfloat16",
    }
    for name, words in says.items():
        assert words in (mixed_project.folder / name).read_text()
        assert "bfloat16" not in (text_project.folder / name).read_text()
