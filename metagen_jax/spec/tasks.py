"""The registry of tasks and of data: what can be learnt from what, and what the data of each have to hold.

A new task is one entry of `TASKS`, a new set that ships or a new format of files one of `EMBEDDED_SOURCES` or `FORMATS`.
The words that a spec may use, the checks, the messages and the reference follow. Extensions call `register_task`,
`register_format` and `register_keys_of_data`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metagen_jax.errors import ExtensionError, did_you_mean

# What data may hold.
LABELLED_IMAGES, TEXT, LABELLED_TEXTS = "images with labels", "text", "texts with labels"
LABELLED_AUDIO = "recordings with labels"
LABELLED_VIDEO = "clips of video with labels"
CAPTIONED_IMAGES = "images with texts"

MINIMIZE, MAXIMIZE = "minimize", "maximize"
COSTS = {"params": MINIMIZE, "flops": MINIMIZE, "latency_ms": MINIMIZE}  # objectives of every task
ZERO_COST = ("synflow", "grad_norm")  # read off untrained networks
COST_PROXIES = ("params", "flops")  # known of whatever is proposed; those of a spec that names none
PROXIES = (*COST_PROXIES, *ZERO_COST)  # of which more promises a better network


@dataclass(frozen=True)
class TaskKind:
    """One thing that can be learnt.

    Attributes:
      inputs: words of `modality.inputs`.
      outputs: words of `modality.outputs`.
      type: the word of `task.type`.
      goal: what it is for, as an order to the model.
      contents: what the data have to hold.
      loss: what is minimised.
      metrics: what the test can measure; all of them, if the spec does not say.
      objectives: what measures quality in the search beside `validation_loss`, with its better direction.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    type: str
    goal: str
    contents: str
    loss: str
    metrics: tuple[str, ...]
    objectives: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As messages call it.

        Examples:
          >>> task_of(("image",), ("label",)).name
          'image -> label (classification)'
        """
        return f"{arrow(self.inputs, self.outputs)} ({self.type})"

    @property
    def has_context(self) -> bool:
        """Whether the model looks at a number of tokens that the spec says."""
        return "text" in self.words or "audio" in self.outputs

    @property
    def words(self) -> tuple[str, ...]:
        """What goes in and what comes out."""
        return (*self.inputs, *self.outputs)


@dataclass(frozen=True)
class EmbeddedSource:
    """A set that ships: what it holds, and how many labels it has, if any."""

    contents: str
    num_classes: int | None = None


def _classification(of: str, goal: str, contents: str) -> TaskKind:
    metrics, objectives = ("accuracy", "loss"), {"validation_accuracy": MAXIMIZE}
    return TaskKind((of,), ("label",), "classification", goal, contents, "cross_entropy", metrics, objectives)


TASKS: list[TaskKind] = [
    _classification("image", "name what an image shows", LABELLED_IMAGES),
    TaskKind(
        inputs=("image",),
        outputs=("image",),
        type="reconstruction",
        goal="put images into short codes and draw them from these",
        contents=LABELLED_IMAGES,  # the labels are passed over
        loss="elbo",
        metrics=("mse", "loss", "reconstruction", "kl"),
        objectives={"validation_mse": MINIMIZE},
    ),
    TaskKind(
        inputs=("label",),
        outputs=("image",),
        type="generation",
        goal="draw images of a label",
        contents=LABELLED_IMAGES,
        loss="denoising",
        metrics=("loss",),
    ),
    _classification("text", "name what kind a text is of", LABELLED_TEXTS),
    _classification("audio", "name what is heard in a recording", LABELLED_AUDIO),
    _classification("video", "name what happens in a clip of video", LABELLED_VIDEO),
    TaskKind(
        inputs=("text",),
        outputs=("text",),
        type="generation",
        goal="continue a text",
        contents=TEXT,
        loss="cross_entropy",
        metrics=("bits_per_character", "loss"),
        objectives={"bits_per_character": MINIMIZE},
    ),
    TaskKind(
        inputs=("audio",),
        outputs=("audio",),
        type="generation",
        goal="continue a recording",
        contents=LABELLED_AUDIO,  # the labels are passed over
        loss="cross_entropy",
        metrics=("bits_per_token", "loss"),
    ),
    TaskKind(
        inputs=("image", "text"),
        outputs=("embedding",),
        type="contrastive",
        goal="embed images and texts so that what belongs together is close",
        contents=CAPTIONED_IMAGES,
        loss="contrastive",
        metrics=("recall_at_10", "loss"),
        objectives={"validation_recall_at_10": MAXIMIZE},
    ),
    TaskKind(
        inputs=("image",),
        outputs=("text",),
        type="captioning",
        goal="say in words what an image shows",
        contents=CAPTIONED_IMAGES,
        loss="cross_entropy",
        metrics=("bits_per_character", "loss"),
        objectives={"bits_per_character": MINIMIZE},
    ),
]

EMBEDDED_SOURCES: dict[str, EmbeddedSource] = {
    "digits": EmbeddedSource(LABELLED_IMAGES, 10),
    "mnist5k": EmbeddedSource(LABELLED_IMAGES, 10),
    "kjv": EmbeddedSource(TEXT),
    "kjv_book_groups": EmbeddedSource(LABELLED_TEXTS, 6),
    "kjv_testaments": EmbeddedSource(LABELLED_TEXTS, 2),
    "spoken_prompts": EmbeddedSource(LABELLED_AUDIO, 5),
    "moving_digits": EmbeddedSource(LABELLED_VIDEO, 10),
    "moving_digits_direction": EmbeddedSource(LABELLED_VIDEO, 8),
    "emoji": EmbeddedSource(CAPTIONED_IMAGES),
    "emoji_words": EmbeddedSource(CAPTIONED_IMAGES),
}
FORMATS: dict[str, str] = {  # what files of each hold
    "npz": LABELLED_IMAGES,
    "image_folder": LABELLED_IMAGES,
    "image_table": LABELLED_IMAGES,
    "text": TEXT,
    "line_table": TEXT,
    "text_folder": LABELLED_TEXTS,
    "text_table": LABELLED_TEXTS,
    "audio_folder": LABELLED_AUDIO,
    "video_folder": LABELLED_VIDEO,
    "caption_table": CAPTIONED_IMAGES,
}
FORMATS_OF_SUFFIX: dict[str, tuple[str, ...]] = {  # the one that holds what the task takes is read
    ".npz": ("npz",),
    ".csv": ("text_table", "caption_table", "image_table", "line_table"),
    ".parquet": ("text_table", "caption_table", "image_table", "line_table"),
    ".txt": ("text",),
    ".text": ("text",),
    ".md": ("text",),
}
COLUMNS_OF_TABLES: dict[str, tuple[str, ...]] = {
    "image_table": ("image", "label"),
    "line_table": ("text",),
    "text_table": ("text", "label"),
    "caption_table": ("image", "text"),
}
KEYS_OF_DATA: dict[str, tuple[str, ...]] = {  # that only data with these words of a modality have
    "image": ("image_size", "channels"),
    "audio": ("sample_rate", "clip_seconds"),
    "video": ("image_size", "channels", "frames"),
}


def register_task(task: TaskKind) -> None:
    """Adds a task.

    Raises:
      ExtensionError: there is one with these inputs and outputs or this goal, or something in it is malformed.
    """
    if not isinstance(task, TaskKind):
        raise ExtensionError(f"{task!r} is no task\n  Hand over a metagen_jax.spec.tasks.TaskKind.")
    _check_words("input of a task", task.inputs)
    _check_words("output of a task", task.outputs)
    _check_words("type of a task", (task.type,))
    _check_words("loss of a task", (task.loss,))
    _check_words(f"metric of {task.name}", task.metrics)
    _check_words(f"objective of {task.name}", tuple(task.objectives))
    for other in TASKS:
        if (task.inputs, task.outputs) == (other.inputs, other.outputs):
            raise ExtensionError(f"there is a task {other.name} already\n  Its inputs or its outputs have to differ.")
        if task.goal == other.goal:
            raise ExtensionError(f"{other.name} is there to {task.goal} already\n  Give {task.name} a goal of its own.")
    known = directions()
    for metric, direction in task.objectives.items():
        if direction not in (MINIMIZE, MAXIMIZE) or known.get(metric, direction) != direction:
            right = known.get(metric, f"{MINIMIZE} or {MAXIMIZE}")
            raise ExtensionError(f"objective {metric} of {task.name} cannot be '{direction}'\n  Write {right}.")
    TASKS.append(task)


def register_format(name: str, contents: str, suffixes: Iterable[str] = ()) -> None:
    """Adds a format of files.

    Args:
      name: the word of `data.format`; that of a folder ends in `_folder`.
      contents: what such files hold, as a registered task has it.
      suffixes: of files that are read so if the spec does not say and its task takes this, such as `.csv`.
    Raises:
      ExtensionError: there is such a format or such a suffix already, or no task takes what it holds.
    """
    _check_words("format", (name,))
    if name in FORMATS or name == "embedded":
        raise ExtensionError(f"there is a format '{name}' already\n  Call yours otherwise.")
    taken = [task.contents for task in TASKS]
    if contents not in taken:
        problem = f"format '{name}' holds '{contents}', which no task takes"
        raise ExtensionError(f"{problem}\n  {did_you_mean(contents, set(taken))} Register its task first.")
    suffixes = tuple(suffixes)
    for suffix in suffixes:
        if not re.fullmatch(r"\.[a-z0-9]+", suffix):
            raise ExtensionError(f"'{suffix}' of format '{name}' is no suffix\n  Write one such as .csv.")
        others = [other for other in FORMATS_OF_SUFFIX.get(suffix, ()) if FORMATS[other] == contents]
        if others:
            raise ExtensionError(f"{suffix} with {contents} is read as '{others[0]}' already\n  Leave the suffix out.")
    FORMATS[name] = contents
    for suffix in suffixes:
        FORMATS_OF_SUFFIX[suffix] = (*FORMATS_OF_SUFFIX.get(suffix, ()), name)


def register_keys_of_data(word: str, names: Iterable[str]) -> None:
    """Lets data with a word of a modality, such as a new input, have keys that only other words have so far.

    Raises:
      ExtensionError: no task has the word, it has keys already, or there is no such key.
    """
    words, known = {word for task in TASKS for word in task.words}, keys_of_some_data()
    names = tuple(names)
    if word not in words:
        raise ExtensionError(f"no task has the word '{word}'\n  {did_you_mean(word, words)} Register its task first.")
    if word in KEYS_OF_DATA:
        raise ExtensionError(f"'{word}' has keys of data already: {', '.join(KEYS_OF_DATA[word])}")
    for name in names:
        if name not in known:
            raise ExtensionError(f"'{name}' is no key that belongs to some data only\n  {did_you_mean(name, known)}")
    KEYS_OF_DATA[word] = names


def keys_of_some_data() -> tuple[str, ...]:
    """The keys of data that only some words of a modality have."""
    return _distinct(name for names in KEYS_OF_DATA.values() for name in names)


def words_with_key(name: str) -> tuple[str, ...]:
    """The words of a modality that a key of data belongs to.

    Examples:
      >>> words_with_key("sample_rate"), words_with_key("max_examples")
      (('audio',), ())
    """
    return tuple(word for word, names in KEYS_OF_DATA.items() if name in names)


def task_of(inputs: Iterable[str], outputs: Iterable[str]) -> TaskKind | None:
    """What is learnt from these inputs and outputs; None if nothing is yet.

    Examples:
      >>> task_of(["label"], ["image"]).goal
      'draw images of a label'
      >>> task_of(["label"], ["label"])
    """
    wanted = tuple(inputs), tuple(outputs)
    return next((task for task in TASKS if wanted == (task.inputs, task.outputs)), None)


def arrow(inputs: Iterable[str], outputs: Iterable[str]) -> str:
    """What goes in and what comes out, as messages have it.

    Examples:
      >>> arrow(["image", "text"], ["label"])
      'image + text -> label'
    """
    return f"{' + '.join(inputs)} -> {' + '.join(outputs)}"


def works_today() -> str:
    """Says which inputs, outputs and tasks go together, for messages."""
    return f"Today: {', '.join(task.name for task in TASKS)}."


def input_words() -> tuple[str, ...]:
    """The words of `modality.inputs`."""
    return _distinct(word for task in TASKS for word in task.inputs)


def output_words() -> tuple[str, ...]:
    """The words of `modality.outputs`."""
    return _distinct(word for task in TASKS for word in task.outputs)


def task_types() -> tuple[str, ...]:
    """The words of `task.type`."""
    return _distinct(task.type for task in TASKS)


def losses() -> tuple[str, ...]:
    """The words of `training.objective`."""
    return _distinct(task.loss for task in TASKS)


def quality_objectives() -> dict[str, str]:
    """Every objective that measures quality, with its better direction."""
    objectives = {"validation_loss": MINIMIZE}
    for task in TASKS:
        objectives |= task.objectives
    return objectives


def directions(task: TaskKind | None = None) -> dict[str, str]:
    """The better direction of every objective, or of those that are measured for one task.

    Examples:
      >>> directions(task_of(["image"], ["label"]))["validation_accuracy"]
      'maximize'
    """
    quality = quality_objectives() if task is None else {"validation_loss": MINIMIZE, **task.objectives}
    return quality | COSTS


def objectives() -> tuple[str, ...]:
    """The words of `metric` in `search.objectives`."""
    return tuple(directions())


def metrics() -> tuple[str, ...]:
    """The words of `evaluation.metrics`."""
    return _distinct(metric for task in TASKS for metric in task.metrics)


def metrics_by_default() -> str:
    """Says what is measured for each task, in the words of the reference."""
    return _by_goal({task.goal: " and ".join(f"`{metric}`" for metric in task.metrics) for task in TASKS})


def losses_by_default() -> str:
    """Says what is minimised for each task, in the words of the reference."""
    return _by_goal({task.goal: f"`{task.loss}`" for task in TASKS})


def embedded_sources() -> tuple[str, ...]:
    """The words of `data.source`."""
    return tuple(EMBEDDED_SOURCES)


def formats() -> tuple[str, ...]:
    """The words of `data.format`."""
    return tuple(FORMATS)


def formats_of(contents: str) -> tuple[str, ...]:
    """The formats of files that hold this."""
    return tuple(name for name, held in FORMATS.items() if held == contents)


def folder_format_of(contents: str) -> str | None:
    """The format of a folder that holds this."""
    return next((name for name in formats_of(contents) if name.endswith("_folder")), None)


def table_format_of(contents: str) -> str | None:
    """The format of a table that holds this, and of data of the Hugging Face Hub.

    Examples:
      >>> table_format_of(LABELLED_IMAGES), table_format_of(LABELLED_AUDIO)
      ('image_table', None)
    """
    return next((name for name in formats_of(contents) if name in COLUMNS_OF_TABLES), None)


def task_table() -> str:
    """What works, as a table for documents."""
    rows = (
        f"| {task.goal} | `[{', '.join(task.inputs)}]` | `[{', '.join(task.outputs)}]` | `{task.type}` |"
        for task in TASKS
    )
    return "\n".join(("| to | `modality.inputs` | `modality.outputs` | `task.type` |", "|---|---|---|---|", *rows))


def _check_words(what: str, words: tuple[str, ...]) -> None:
    for word in words:
        if not isinstance(word, str) or not re.fullmatch("[a-z][a-z0-9_]{0,63}", word):
            raise ExtensionError(f"{word!r} cannot be the {what}\n  Write a word of a-z, 0-9 and '_', such as table.")


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _by_goal(answers: Mapping[str, str]) -> str:
    """Each answer once, with the goals that it is given for."""
    goals = {answer: [goal for goal, own in answers.items() if own == answer] for answer in answers.values()}
    return "; ".join(f"{answer} to {' or to '.join(own)}" for answer, own in goals.items())
