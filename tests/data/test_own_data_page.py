"""The page on data of one's own names every format, and its examples are specs that load."""

import re
from pathlib import Path

import pytest

from metagen_jax.data.sources.image_folder import PICTURES
from metagen_jax.spec import load_spec
from metagen_jax.spec.tasks import COLUMNS_OF_TABLES, FORMATS, TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "own_data.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*)$", PAGE, re.M))
MODALITIES = ("inputs: [image, text], outputs: [embedding]", "inputs: [image], outputs: [image]")


def test_every_format_is_there_with_the_tasks_that_take_it():
    assert set(ROWS) == set(FORMATS)
    for name, contents in FORMATS.items():
        row = ROWS[name]
        if row.endswith("the same |"):
            row = ROWS["image_folder"]
        told = row.split(" | ")[-1]
        for task in TASKS:
            arrow = f"{' + '.join(task.inputs)} → {' + '.join(task.outputs)}"
            assert (task.contents == contents) == (arrow in re.split(", | \\|", told)), (name, arrow)


@pytest.mark.parametrize("name", COLUMNS_OF_TABLES)
def test_the_columns_of_every_table_are_there(name: str):
    assert re.findall(r"`(\w+)`", ROWS[name].split(" | ")[0]) == list(COLUMNS_OF_TABLES[name])


def test_every_kind_of_picture_is_there():
    told = ROWS["image_folder"].lower().replace("jpeg", "jpeg, jpg").replace("tiff", "tiff, tif")
    assert all(suffix[1:] in told for suffix in PICTURES.suffixes)


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_load(number: int, tmp_path: Path):
    example, task = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)[number], ("contrastive", "reconstruction")[number]
    head = f"name: example\nmodality: {{{MODALITIES[number]}}}\ntask: {{type: {task}}}\n"
    (tmp_path / "spec.yaml").write_text(head + example)
    assert load_spec(tmp_path / "spec.yaml").data.format == ("caption_table", "image_table")[number]
