"""The keys of a spec: for each its kind, its default and what it changes. Defaults live here and nowhere else.

Pydantic models stop at this border: `load_spec` turns them into the plain dataclasses of `model_spec`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from metagen_jax.spec import tasks, units
from metagen_jax.spec.devices import DEVICES
from metagen_jax.spec.kinds import (
    FilePath,
    Flag,
    Line,
    Narrowing,
    Number,
    OneOrMore,
    OrAlone,
    Quantity,
    Slug,
    Version,
    Whole,
    Word,
)

SPEC_VERSION = "1.0"
DEFAULT_CONTEXT_WINDOW = 128
MOST_PARAMETERS = 10**13
_STEPS = Whole(1, 10_000_000)
_MEMORY = Quantity(
    "an amount of memory, such as 500MB, 2GB or 2GiB",
    units.parse_bytes,
    units.format_bytes,
    r"^[0-9]+(\.[0-9]+)? ?(B|[kMGT]B|[KMGT]iB)$",
    10**6,
    10**15,
)
_INFERENCE_MEMORY = replace(_MEMORY, low=10**3)
_LATENCY = Quantity(
    "a duration, such as 10ms, 0.5s, 30fps (a thirtieth of a second) or real-time (the same)",
    units.parse_latency_ms,
    units.format_duration_ms,
    r"^[0-9]+(\.[0-9]+)? ?(us|ms|s|m|min|h|fps)$|^real-time$",
    0.001,
    60_000.0,
)
_THROUGHPUT = Quantity(
    "a rate, such as 500/s, 30fps or 500",
    units.parse_rate_per_s,
    units.format_rate_per_s,
    r"^[0-9]+(\.[0-9]+)? ?(/s|fps|k/s|M/s)?$",
    0.001,
    1e9,
    bare=True,
)
_CONTEXT = Quantity(
    "a number of tokens, such as 128 or 8k (8192)",
    units.parse_context_window,
    str,
    r"^[0-9]+(\.[0-9]+)? ?[kM]?$",
    8,
    2**20,
    bare=True,
)

_HUB_NAME = Slug(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", "owner and name of a data set, such as ylecun/mnist")


def key(default: Any, description: str, example: Any, default_text: str = "") -> Any:
    """Describes one key; `...` as default means required, `default_text` says how a derived default comes about."""
    extra: Any = {"x-default": default_text} if default_text else None
    return Field(default, description=description, examples=[example], json_schema_extra=extra)


class Section(BaseModel):
    """A mapping in which every key is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModalitySection(Section):
    """What goes in and what comes out."""

    inputs: Annotated[tuple[Annotated[str, Word(tasks.input_words, tasks.works_today)], ...], OneOrMore()] = key(
        ..., "What the model reads.", ["image"]
    )
    outputs: Annotated[tuple[Annotated[str, Word(tasks.output_words, tasks.works_today)], ...], OneOrMore()] = key(
        ..., "What the model answers with.", ["label"]
    )


class TaskSection(Section):
    """What the model is for."""

    type: Annotated[str, Word(tasks.task_types, tasks.works_today)] = key(
        ...,
        "What is learnt; the table at the top says which goes with which `modality`.",
        "classification",
    )
    domain: Annotated[str, Line(500)] = key(
        "general", "What the data is about; shown in the model card.", "handwritten digits"
    )
    num_classes: Annotated[int | None, Whole(2, 100_000)] = key(
        None,
        "How many labels there are; checked against the data.",
        10,
        "required for classification, refused elsewhere",
    )


class HubSection(Section):
    """A data set of the Hugging Face Hub, read by its package `datasets`; `hub: ylecun/mnist` alone is `name`."""

    name: Annotated[str | None, _HUB_NAME] = key(None, "Owner and name, as in its address.", "ylecun/mnist", "none")
    config: Annotated[str | None, Line(200)] = key(
        None, "Which of its configurations.", "mnist", "the one that it has, or calls the default"
    )
    revision: Annotated[str | None, Line(200)] = key(
        None,
        "A commit, a tag or a branch. The manifest of a run has the commit that was read.",
        "main",
        "the newest",
    )


class ColumnsSection(Section):
    """What the columns of tables and of data of the Hub are called."""

    image: Annotated[str | None, Line(200)] = key(
        None, "That of pictures: paths relative to the table, or the bytes of picture files.", "img", "`image`"
    )
    text: Annotated[str | None, Line(200)] = key(None, "That of texts.", "caption", "`text`")
    label: Annotated[str | None, Line(200)] = key(None, "That of labels.", "fine_label", "`label`")


class DataSection(Section):
    """What is learnt from: exactly one of `source`, `path` and `hub`."""

    source: Annotated[str | None, Word(tasks.embedded_sources)] = key(
        None, "Data that ships with the package, with fixed train, validation and test splits.", "mnist5k", "none"
    )
    path: Annotated[str | None, FilePath()] = key(
        None,
        "Your own data: an .npz, a folder of images by class, a text file, a folder of text files by class, a folder of WAV "
        "files by class, a folder of clips by class, each a folder of frames, or a table, .csv or .parquet, with the "
        "columns that the task takes: text and label, image and text, image and label, or text. "
        "[Data of your own](own_data.md) has it in full.",
        "my_images",
        "none",
    )
    format: Annotated[str | None, Word(tasks.formats)] = key(
        None, "How `path` is read.", "image_folder", "from the ending of `path`"
    )
    image_size: Annotated[int | None, Whole(4, 1024)] = key(
        None, "Pixels on each side that your own images or frames are resized to.", 32, "the size of the images"
    )
    channels: Annotated[int | None, Whole(1, 3)] = key(
        None, "1 to read your own images or frames in grey, 3 in colour.", 1, "as the images are"
    )
    sample_rate: Annotated[int | None, Whole(1000, 192_000)] = key(
        None,
        "Samples a second that your own recordings are resampled to.",
        16000,
        "the lowest among the recordings, at most 16,000",
    )
    clip_seconds: Annotated[float | None, Number(0.1, 60)] = key(
        None,
        "Seconds that your own recordings are cut to, or filled up to with silence.",
        1.5,
        "as long as the longest, at most 1",
    )
    frames: Annotated[int | None, Whole(2, 1024)] = key(
        None,
        "Frames that are taken of each of your own clips of video, at equal distances.",
        8,
        "all, if clips have equally many",
    )
    validation_fraction: Annotated[float, Number(0, 0.5, above=True)] = key(
        0.1, "Share of your own data that selection looks at.", 0.1
    )
    test_fraction: Annotated[float, Number(0, 0.5, above=True)] = key(
        0.1, "Share of your own data kept for the winner's test.", 0.1
    )
    hub: Annotated[HubSection, OrAlone("name", _HUB_NAME)] = HubSection()
    columns: ColumnsSection = ColumnsSection()
    autoencoder: Annotated[str | None, FilePath()] = key(
        None,
        "Draws images by way of short codes: a spec of an autoencoder (`[image]` to `[image]`) of the same data. It is run "
        "first, and what is learnt then are the codes that it gives the images. `--set` and other options do not change it.",
        "image_vae.yaml",
        "none: images are drawn pixel by pixel",
    )
    max_examples: Annotated[int | None, Whole(10, 10**9)] = key(
        None, "Trains on at most this many examples (of one text: characters).", 2000, "all"
    )


class ParameterBudgetSection(Section):
    """How many trainable numbers the model may have, counted exactly; `parameter_budget: 7B` alone is `max`."""

    min: Annotated[int, Whole(0, MOST_PARAMETERS)] = key(0, "Fewest parameters.", "10k")
    max: Annotated[int | None, Whole(1, MOST_PARAMETERS)] = key(None, "Most parameters.", "7B", "no limit")


class ConstraintsSection(Section):
    """What the model may cost; candidates beyond a limit are never built."""

    parameter_budget: Annotated[ParameterBudgetSection, OrAlone("max", Whole(1, MOST_PARAMETERS))] = (
        ParameterBudgetSection()
    )
    memory_budget: Annotated[int | None, _MEMORY] = key(
        None, "Most memory that training the model, one batch at a time, may take, estimated.", "2GB", "no limit"
    )
    inference_memory: Annotated[int | None, _INFERENCE_MEMORY] = key(
        None,
        "Most memory that the model may take when it answers one input: weights, activations and, for text, keys and "
        "values of a full context; in float32, estimated.",
        "500MB",
        "what the device class has, else no limit",
    )
    latency: Annotated[float | None, _LATENCY] = key(
        None,
        "Longest time one input may take on the device: predicted during the search, with room for the error of the "
        "prediction, and measured at the end where the device is the one at hand.",
        "10ms",
        "no limit",
    )
    throughput: Annotated[float | None, _THROUGHPUT] = key(
        None,
        "Fewest inputs a second the device must get through, one by one; predicted and measured like latency.",
        "30fps",
        "no limit",
    )
    context_window: Annotated[int | None, _CONTEXT] = key(
        None,
        "How many tokens of text or sound the model sees at once.",
        "8k",
        f"{DEFAULT_CONTEXT_WINDOW} where it reads text or continues recordings, refused elsewhere",
    )
    device: Annotated[str, Word(DEVICES, listed=True)] = key(
        "cpu",
        "What the model runs on, for latency and throughput: a kind of device, or a class, which also says how much "
        "`inference_memory` there is.",
        "edge",
    )


class TargetSection(Section):
    """What the model that comes out is built for, where it differs from the data that prototypes learn from."""

    vocabulary: Annotated[int | None, Whole(2, 10_000_000)] = key(
        None, "Different tokens of text.", "32k", "as the data"
    )
    image_size: Annotated[int | None, Whole(4, 4096)] = key(
        None, "Pixels on each side of an image.", 224, "as the data"
    )
    channels: Annotated[int | None, Whole(1, 16)] = key(None, "Values of a pixel.", 3, "as the data")
    num_classes: Annotated[int | None, Whole(2, 100_000)] = key(None, "Labels to choose from.", 1000, "as the data")


class TrainingSection(Section):
    """How candidates and the winner learn."""

    objective: Annotated[str | None, Word(tasks.losses)] = key(
        None,
        "The loss that is minimised; `elbo` is the negative evidence lower bound of a variational autoencoder, `denoising` "
        "the squared error of what a diffusion model says of noisy images, `contrastive` the cross-entropy of finding the text of "
        "an image among those of a batch, and the other way round.",
        "cross_entropy",
        tasks.losses_by_default(),
    )
    schedule: Annotated[str, Word(("cosine", "linear", "constant"))] = key(
        "cosine", "How the learning rate goes on after its warm-up.", "cosine"
    )
    steps: Annotated[int, _STEPS] = key(1000, "Training steps of the finalists.", 1200)
    batch_size: Annotated[int, Whole(1, 65_536)] = key(64, "Examples in one training step.", 64)
    label_smoothing: Annotated[float, Number(0, 0.5)] = key(
        0.0, "Share of the target spread evenly over all classes, against overconfidence.", 0.1
    )
    augmentation: Annotated[str, Word(("none", "shift", "shift_and_words"))] = key(
        "none",
        "`shift` moves each training image by a few pixels at random; images only. `shift_and_words` also keeps a random part "
        "of the words of each training text, in random order; where images and texts go in only.",
        "shift",
    )
    precision: Annotated[str, Word(("float32", "tensorfloat32", "bfloat16"))] = key(
        "float32",
        "`tensorfloat32` rounds the factors of products to 11 significant binary digits where a GPU has units for that, and "
        "is `float32` on a CPU. `bfloat16` takes products in bfloat16, in training and in the model that comes out; "
        "weights, optimiser, norms, softmax and loss stay float32, and so do estimates of memory and time. Meant for accelerators: a CPU takes it "
        "too, only slower, and says so.",
        "bfloat16",
    )


class ArchitectureSection(Section):
    """Which networks are searched."""

    family: Annotated[
        tuple[Annotated[str, Slug("[a-z][a-z0-9_]{0,63}", "the name of a family, such as vit")], ...],
        OneOrMore(),
    ] = key(
        (),
        "The family of architectures: `vit`, `cnn` or `resnet` to label images, `vae` to reconstruct them, `unet` to "
        "draw them, `latent_denoiser` to draw their codes, "
        "`decoder_transformer` to continue a text, `encoder_transformer` to label texts, `spectrogram_transformer` for sound, "
        "`video_transformer` for video, `dual_encoder` for images with texts, `captioner` to say in words what "
        "images show.",
        "cnn",
        "the first of these for the task",
    )
    choices: dict[str, Annotated[dict[str, Any], Narrowing()]] = key(
        {},
        "Fixes or narrows choices of the search space. Naming `num_kv_heads` or `queries_per_kv_head`, the product of which "
        "is the number of query heads, searches transformers with grouped-query attention in the place of `num_heads`.",
        {"d_model": [32, 48], "norm": "rms"},
        "the whole space",
    )


STRATEGIES = (
    "predictor_guided",
    "evolution",
    "aging_evolution",
    "nsga2",
    "local_search",
    "cma_es",
    "sep_cma_es",
    "random",
)
"""Names that `metagen_jax.search.STRATEGIES` knows."""


class ObjectiveSection(Section):
    """One thing that the search improves."""

    metric: Annotated[str, Word(tasks.objectives)] = key(..., "What is measured on every candidate.", "validation_loss")
    direction: Annotated[str | None, Word(("minimize", "maximize"))] = key(
        None, "Which way is better.", "minimize", "the direction that makes sense for the metric"
    )


class SearchSection(Section):
    """How architectures are looked for, and for how long."""

    strategy: Annotated[str, Word(STRATEGIES)] = key(
        "predictor_guided",
        "How new candidates are proposed; the default needs the fewest trainings for one and for several objectives.",
        "evolution",
    )
    proxy: Annotated[str, Word(("none", *tasks.COST_PROXIES))] = key(
        "none",
        "Draws half of the first round from candidates with much of this. The run then measures whether it ranks "
        "candidates by the first objective; only if it surely does, later rounds may be drawn by it.",
        "params",
    )
    proxies: Annotated[tuple[Annotated[str, Word(tasks.PROXIES)], ...], OneOrMore()] = key(
        tasks.COST_PROXIES,
        "Guesses, of which more promises a better value of the first objective; how well each has ranked the candidates "
        "is measured after every round. `synflow` and `grad_norm` are read off untrained networks, for which two small "
        "programs are compiled for each structure.",
        ["params", "flops", "synflow"],
    )
    oversampling: Annotated[int, Whole(1, 100)] = key(
        1,
        "How many candidates are proposed for each that is trained, from the second round on: those are trained that "
        "`proxies` rank best, each weighted by its rank correlation so far. One whose interval includes 0 has no "
        "weight; while none has, only as many are proposed as are trained.",
        4,
    )
    objectives: tuple[ObjectiveSection, ...] = key(
        (ObjectiveSection(metric="validation_loss"), ObjectiveSection(metric="params")),
        "1 to 3 objectives; the front holds the candidates that no other beats in all of them.",
        [{"metric": "validation_loss"}, {"metric": "params", "direction": "minimize"}],
        "validation_loss and params, both minimised",
    )
    budget: Annotated[int, Whole(1, 100_000)] = key(24, "How many candidates are trained.", 24)
    rounds: Annotated[int, Whole(1, 1000)] = Field(
        default_factory=lambda data: min(3, data["budget"]),
        description="Rounds of proposing, training and selecting that the budget is spread over.",
        examples=[3],
        json_schema_extra={"x-default": "3, or the budget where that is less"},
    )
    patience: Annotated[int | None, Whole(1, 1000)] = key(
        None,
        "Rounds in a row that bring nothing after which the search ends: no gain in the volume that the front "
        "dominates, or with one objective none in the best value.",
        2,
        "all rounds",
    )
    prototype_steps: Annotated[int, _STEPS] = key(100, "Training steps of each candidate.", 120)
    prototype_params: Annotated[int, Whole(1000, 10**9)] = key(
        5_000_000,
        "Networks of more parameters than this are not trained in the search: they are scaled down to prototypes by a "
        "fixed factor per axis.",
        "20M",
        "`5M`",
    )
    rungs: Annotated[int, Whole(1, 10)] = key(
        1,
        "Successive halving: how often a round is validated to let only its best go on. On the last rung a candidate "
        "has had all of prototype_steps, on each one before reduction_factor times fewer. 1 trains all to the end.",
        3,
    )
    reduction_factor: Annotated[int, Whole(2, 100)] = key(3, "One candidate in so many goes on to the next rung.", 3)
    finalists: Annotated[int, Whole(1, 100)] = Field(
        default_factory=lambda data: min(3, data["budget"]),
        description="How many of the best candidates are trained further before the winner is picked.",
        examples=[3],
        json_schema_extra={"x-default": "3, or the budget where that is less"},
    )


class EvaluationSection(Section):
    """What is reported about the winner."""

    metrics: Annotated[tuple[Annotated[str, Word(tasks.metrics)], ...], OneOrMore()] = key(
        (), "What is measured on the test data, once.", ["accuracy", "loss"], tasks.metrics_by_default()
    )


class OutputsSection(Section):
    """What is left in the run folder."""

    figures: Annotated[bool, Flag()] = key(True, "Whether figures of the search are drawn.", True)
    project: Annotated[bool, Flag()] = key(True, "Whether the winner's standalone project is written.", True)
    samples: Annotated[int, Whole(0, 20)] = key(5, "How many example answers the model card shows.", 5)


class ReproducibilitySection(Section):
    """What makes a run come out the same again."""

    seed: Annotated[int, Whole(0, 2**31 - 1)] = key(0, "Where all randomness of the run comes from.", 0)


class SpecFile(Section):
    """A spec: what a model reads, answers and may cost, and how it is searched."""

    metagen_version: Annotated[str, Version(SPEC_VERSION)] = key(
        SPEC_VERSION, "Version of the spec language.", SPEC_VERSION
    )
    name: Annotated[str, Slug()] = key(..., "Names the run folder and the project.", "my_model")
    description: Annotated[str, Line(500)] = key(
        "", "What the model is for; shown in the project.", "Names a digit.", "empty"
    )
    modality: ModalitySection
    task: TaskSection
    data: DataSection
    constraints: ConstraintsSection = ConstraintsSection()
    target: TargetSection = TargetSection()
    training: TrainingSection = TrainingSection()
    architecture: ArchitectureSection = ArchitectureSection()
    search: SearchSection = SearchSection()
    evaluation: EvaluationSection = EvaluationSection()
    outputs: OutputsSection = OutputsSection()
    reproducibility: ReproducibilitySection = ReproducibilitySection()


def walk_keys(
    model: type[Section] = SpecFile, parent: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Yields the path and the field of every key, each section before the keys below it."""
    for name, field in model.model_fields.items():
        yield (*parent, name), field
        below = section_of(field)
        if below is not None:
            yield from walk_keys(below, (*parent, name))


def section_of(field: FieldInfo) -> type[Section] | None:
    """Returns the section that a key holds, or holds a list of, or None where it holds plain values."""
    for annotation in (field.annotation, *get_args(field.annotation)):
        if isinstance(annotation, type) and issubclass(annotation, Section):
            return annotation
    return None
