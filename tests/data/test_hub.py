"""Data sets of the Hugging Face Hub, with a stand-in for its package `datasets`."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from metagen_jax.data import SPLITS, codes_of, decode, describe, load_dataset, origin_of
from metagen_jax.errors import DataError, SpecError
from metagen_jax.spec import load_spec

NUM_ROWS = 20
COLOURS = {"red": (250, 0, 0), "blue": (0, 0, 250)}


class ClassLabel:
    def __init__(self, names: list[str]):
        self.names = names


class Picture:
    def __init__(self, decode: bool = True):
        self.decode = decode


class Table:
    """Rows with features, as `datasets.Dataset` has them; pictures come as bytes once they are no longer decoded."""

    def __init__(self, features: dict[str, Any], rows: list[dict[str, Any]]):
        self.features, self._rows = features, rows

    def select_columns(self, names: list[str]) -> "Table":
        return Table({name: self.features[name] for name in names}, self._rows)

    def cast_column(self, name: str, feature: Any) -> "Table":
        return Table(self.features | {name: feature}, self._rows)

    def __iter__(self):
        for row in self._rows:
            yield {name: self._value(feature, row[name]) for name, feature in self.features.items()}

    @staticmethod
    def _value(feature: Any, value: Any) -> Any:
        return "a decoded picture" if isinstance(feature, Picture) and feature.decode else value


def png(colour: tuple[int, int, int]) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(content, "PNG")
    return content.getvalue()


def rows(count: int, label: int | None = None) -> list[dict[str, Any]]:
    """Pictures of two colours, each with the name of its colour; `label` None: the one of the colour."""
    made = []
    for i in range(count):
        name, colour = list(COLOURS.items())[i % 2]
        picture = {"bytes": png((*colour[:1], i, *colour[2:])), "path": None}
        made.append({"img": picture, "label": i % 2 if label is None else label, "text": f"{name} no {i}"})
    return made


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The stand-in; `splits` are what it knows, `calls` what it was asked for."""
    features = {"img": Picture(), "label": ClassLabel(["red", "blue"]), "text": "string"}
    module = SimpleNamespace(__version__="4.1.0", Image=Picture, ClassLabel=ClassLabel, calls=[])
    module.splits = {"train": rows(NUM_ROWS), "test": rows(6), "unsupervised": rows(2, label=-1)}

    def load_dataset_builder(name: str, config: str | None, *, revision: str | None) -> SimpleNamespace:
        if name != "acme/colours":
            raise ConnectionError(f"Couldn't reach '{name}' on the Hub\n(offline)")
        module.calls.append((name, config, revision))
        return SimpleNamespace(
            config=SimpleNamespace(name=config or "default"),
            hash=revision or "c0ffee",
            download_and_prepare=lambda: None,
            as_dataset=lambda: {split: Table(features, given) for split, given in module.splits.items()},
        )

    module.load_dataset_builder = load_dataset_builder
    monkeypatch.setitem(sys.modules, "datasets", module)  # type: ignore[arg-type]
    return module


TASKS = {
    "classification": "modality: {inputs: [image], outputs: [label]}\ntask: {type: classification, num_classes: 2}\n",
    "labelling texts": "modality: {inputs: [text], outputs: [label]}\ntask: {type: classification, num_classes: 2}\n",
    "contrastive": "modality: {inputs: [image, text], outputs: [embedding]}\ntask: {type: contrastive}\n",
    "reconstruction": "modality: {inputs: [image], outputs: [image]}\ntask: {type: reconstruction}\n",
    "generation": "modality: {inputs: [text], outputs: [text]}\ntask: {type: generation}\n"
    "constraints: {context_window: 8}\n",
    "audio": "modality: {inputs: [audio], outputs: [label]}\ntask: {type: classification, num_classes: 2}\n",
}
IMG = "hub: acme/colours, columns: {image: img}"


@pytest.fixture
def spec_of(tmp_path: Path):
    """Returns a function from the YAML of the data section and a task to a spec."""

    def make(data: str, task: str = "classification"):
        (tmp_path / "spec.yaml").write_text(f"name: test\n{TASKS[task]}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make


def test_pictures_with_labels_keep_their_splits_and_names(hub, spec_of):
    dataset = load_dataset(spec_of(IMG))
    assert dataset.class_names == ("blue", "red")
    assert [len(getattr(dataset, split)) for split in SPLITS] == [18, 2, 6]
    for split in SPLITS:
        of_split = getattr(dataset, split)
        assert (np.argmax(of_split.images[:, 0, 0, [2, 0]], axis=1) == of_split.labels).all()
    assert "splits passed over: unsupervised; read are train, test" in describe(dataset)


def test_texts_captions_and_one_text_are_read_from_the_same_rows(hub, spec_of):
    texts = load_dataset(spec_of("hub: acme/colours", "labelling texts"))
    assert texts.class_names == ("blue", "red") and len(texts.test) == 6
    captions = load_dataset(spec_of(IMG, "contrastive"))
    assert [len(getattr(captions, split)) for split in SPLITS] == [18, 2, 6]
    text = load_dataset(spec_of("hub: acme/colours", "generation"))
    assert decode(text.test, text.vocabulary) == "".join(f"{row['text']}\n" for row in hub.splits["test"])
    whole = decode(np.concatenate([text.train, text.validation]), text.vocabulary)
    assert whole == "".join(f"{row['text']}\n" for row in hub.splits["train"])


def test_what_was_read_is_recorded_and_can_be_read_again(hub, spec_of):
    spec = spec_of("hub: {name: acme/colours, config: small}, columns: {image: img}", "reconstruction")
    origin = origin_of(load_dataset(spec))
    assert vars(origin) == {"name": "acme/colours", "config": "small", "revision": "c0ffee"}
    again = spec.with_commit(origin.revision)
    assert again == spec and again.to_yaml() == spec.to_yaml()
    load_dataset(again)
    assert hub.calls == [("acme/colours", "small", None), ("acme/colours", "small", "c0ffee")]
    assert origin_of(load_dataset(spec_of("source: digits", "reconstruction"))) is None


def test_codes_are_from_where_their_images_are(hub, spec_of):
    images = load_dataset(spec_of(IMG))
    codes = codes_of(images, lambda each: each[:, 0, 0].astype(np.float32))
    assert origin_of(codes) == origin_of(images) is not None


def no_train(hub):
    hub.splits["all"] = hub.splits.pop("train")


def unknown_labels(hub):
    hub.splits["test"] = rows(6, label=-1)


def one_label(hub):
    hub.splits["train"] = rows(6, label=1)


def no_text(hub):
    hub.splits["train"][4]["img"] = None


def broken_picture(hub):
    hub.splits["train"][4]["img"]["bytes"] = png((1, 2, 3))[:40]


BROKEN = {
    "no train": (no_train, IMG, "acme/colours: no split train; found test, unsupervised, all"),
    "no column": (lambda hub: None, "hub: acme/colours", "acme/colours: no column 'image'; found img, label, text"),
    "unknown labels": (unknown_labels, IMG, "acme/colours, row 1 of test: no label"),
    "one label": (one_label, IMG, "acme/colours: one label only, 'blue'"),
    "no picture": (no_text, IMG, "acme/colours, row 5 of train: no image"),
    "broken": (broken_picture, IMG, "acme/colours, row 5 of train: image: cannot be read as a picture"),
    "unknown set": (lambda hub: None, "hub: acme/none", r"acme/none: cannot be read from the Hub \(ConnectionError: "),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_used_is_told_with_its_place(case, hub, spec_of):
    damage, data, message = BROKEN[case]
    damage(hub)
    with pytest.raises(DataError, match=message):
        load_dataset(spec_of(data))


def test_without_the_package_or_with_one_that_would_run_code_the_message_says_what_to_install(
    hub, spec_of, monkeypatch
):
    hub.__version__ = "2.14.6"
    with pytest.raises(DataError, match=r"datasets 2\.14\.6 may run code .*\n  Install a newer one"):
        load_dataset(spec_of(IMG))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"is not installed\n  Install it, pip install datasets"):
        load_dataset(spec_of(IMG))


def test_sound_is_not_read_from_there(spec_of):
    with pytest.raises(SpecError, match=r"data\.hub: 'acme/colours' is read as rows of images, texts and labels"):
        spec_of("hub: acme/colours", "audio")
