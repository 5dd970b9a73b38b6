"""`metagen inspect-data` says what there is, what is wrong with it, and proposes a spec that loads."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metagen_jax.cli import main
from metagen_jax.data import load_dataset
from metagen_jax.data.inspection import inspect, kind_of
from metagen_jax.data.waves import write_wave
from metagen_jax.errors import DataError
from metagen_jax.spec import load_spec
from metagen_jax.synth.choices import check_choices, choose_family
from metagen_jax.synth.modalities import lengths_of, modality_of

RNG = np.random.default_rng(0)


def picture(path: Path, size: tuple[int, int] = (12, 12), mode: str = "L") -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if mode == "RGB" else size
    Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8), mode).save(path)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(12):
        picture(tmp_path / "pets" / "cat" / f"{number}.png")
        picture(tmp_path / "pets" / "dog" / f"{number}.png")
    return tmp_path / "pets"


def proposed(path: Path, tmp_path: Path, task: str | None = None):
    """The proposed spec, written, read again and checked as before a run; and the data that it loads.

    Every dimension of its search space has values: there are networks that take data of these sizes.
    """
    proposal, _ = inspect(path).choose(task)
    file = tmp_path / "proposed" / "spec.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(proposal.spec_text(path, file.parent))
    spec = load_spec(file)
    modality = modality_of(spec)
    check_choices(spec, modality)
    dataset = load_dataset(spec)
    lengths = lengths_of(modality.fixed_fields(spec, dataset))
    assert all(dimension.values for dimension in modality.dimensions(choose_family(spec, modality), spec, lengths))
    return spec, dataset


def test_a_good_folder_has_counts_and_a_spec_that_loads_it(folder: Path, tmp_path: Path):
    findings = inspect(folder)
    assert not findings.problems and not findings.remarks
    assert "24 pictures, not divided" in findings.found[0]
    assert "all gray, 12 x 12" in findings.found
    assert "2 classes: cat 12, dog 12" in findings.found
    spec, dataset = proposed(folder, tmp_path)
    assert (spec.name, spec.task.num_classes, dataset.num_classes) == ("pets", 2, 2)


def test_pictures_of_many_sizes_are_brought_to_one(folder: Path, tmp_path: Path):
    picture(folder / "cat" / "wide.png", (30, 50), "RGB")
    findings = inspect(folder)
    assert "in colour, 12 to 50 wide and 12 to 30 high; most often 12 x 12" in findings.found
    _, dataset = proposed(folder, tmp_path)
    assert dataset.image_shape == (12, 12, 3)


def test_every_broken_file_is_named_and_the_others_counted(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "cat" / "3.png").write_bytes(picture(folder / "cat" / "3.png")[:60])
    (folder / "dog" / "5.png").write_text("<html>not found</html>")
    assert main(["inspect-data", str(folder)]) == 1
    shown = capsys.readouterr().out
    broken = [line for line in shown.splitlines() if line.startswith("problem")]
    assert len(broken) == 2
    assert "3.png: cannot be read as a picture" in broken[0] and "5.png: cannot be read as a picture" in broken[1]
    assert "2 classes: cat 11, dog 11" in shown


def test_the_same_picture_in_two_places_is_told(tmp_path: Path):
    for split in ("train", "test"):
        for label in ("a", "b"):
            for number in range(10):
                picture(tmp_path / "set" / split / label / f"{number}.png")
    same = picture(tmp_path / "set" / "train" / "a" / "same.png")
    (tmp_path / "set" / "train" / "b" / "same.png").write_bytes(same)
    (tmp_path / "set" / "test" / "a" / "same.png").write_bytes(same)
    findings = inspect(tmp_path / "set")
    assert findings.found[0] == "pictures: train 22, test 21"
    classes, splits = findings.remarks
    assert classes == "the same picture in two classes: 1 times, such as train/a/same.png and train/b/same.png"
    assert splits.startswith("the same picture in two splits: 1 times, such as train/a/same.png and test/a/same.png;")


def test_unbalanced_and_small_classes_are_told(folder: Path):
    for number in range(12, 60):
        picture(folder / "dog" / f"{number}.png")
    for number in range(4, 12):
        (folder / "cat" / f"{number}.png").unlink()
    findings = inspect(folder)
    assert "always answering 'dog' would be right in 94% of all cases" in findings.found
    assert "'dog' has 15.0 times as many examples as 'cat'" in findings.remarks[0]
    assert findings.remarks[1] == "fewer than 10 examples, too few to learn from: cat"


def test_one_class_is_a_problem_with_its_remedy(tmp_path: Path):
    picture(tmp_path / "set" / "only" / "1.png")
    findings = inspect(tmp_path / "set")
    assert not findings.proposals
    assert "one class only, 'only'" in findings.problems[0]


def test_arrays(tmp_path: Path):
    images = RNG.integers(0, 256, (60, 20, 30), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(60) % 3)
    findings = inspect(tmp_path / "own.npz")
    assert not findings.problems
    assert findings.found[1].startswith("3 classes: 0 ")
    _, dataset = proposed(tmp_path / "own.npz", tmp_path)
    assert dataset.image_shape == (20, 20, 1)


def test_arrays_of_python_objects_are_not_unpickled(tmp_path: Path):
    np.savez(tmp_path / "own.npz", images=np.array([{}, {}], dtype=object), labels=np.arange(2))
    findings = inspect(tmp_path / "own.npz")
    assert not findings.proposals and "own.npz" in findings.problems[0]


def test_text(tmp_path: Path):
    (tmp_path / "My Book.txt").write_text("the cat sat on the mat.\r\n" * 40, newline="")
    findings = inspect(tmp_path / "My Book.txt")
    assert "a text of 960 characters in 41 lines" in findings.found[0]
    assert "line ends were turned into single newlines" in findings.found
    assert findings.remarks[0].startswith("a short text")
    spec, _ = proposed(tmp_path / "My Book.txt", tmp_path)
    assert (spec.name, spec.constraints.context_window) == ("my_book", 64)


def write_texts(folder: Path) -> None:
    for number in range(12):
        for name in ("cat", "dog"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / f"{number}.txt").write_text(f"the {name} sat on mat {number}")


def test_a_folder_of_texts_has_counts_and_a_spec_that_loads_it(tmp_path: Path):
    write_texts(tmp_path / "pets")
    (tmp_path / "pets" / "cat" / "notes.pdf").write_bytes(b"%PDF")
    findings = inspect(tmp_path / "pets")
    assert not findings.problems and not findings.remarks
    assert "24 texts, not divided" in findings.found[0]
    assert "texts of 20 to 21 characters" in findings.found[1]
    assert "2 classes: cat 12, dog 12" in findings.found
    assert "files passed over because they are no text files: 1, such as notes.pdf" in findings.found
    spec, dataset = proposed(tmp_path / "pets", tmp_path)
    assert (spec.name, spec.constraints.context_window, dataset.num_classes) == ("pets", 32, 2)


def test_texts_that_are_broken_or_there_twice_are_told(tmp_path: Path):
    write_texts(tmp_path / "pets")
    (tmp_path / "pets" / "cat" / "3.txt").write_bytes(b"caf\xe9")
    (tmp_path / "pets" / "dog" / "4.txt").write_text("the cat sat on mat 5" * 20)
    (tmp_path / "pets" / "dog" / "5.txt").write_text("the cat sat on mat 5")
    findings = inspect(tmp_path / "pets")
    assert len(findings.problems) == 1 and "3.txt: not UTF-8" in findings.problems[0]
    longer, twice = findings.remarks
    assert longer.startswith("1 texts are longer than the proposed context_window of 32")
    assert twice == "the same text in two classes: 1 times, such as cat/5.txt and dog/5.txt"


def test_a_table_has_counts_and_a_spec_that_loads_it(tmp_path: Path):
    rows = [f"the {label} sat on mat {number},{label}" for number in range(12) for label in ("cat", "dog")]
    (tmp_path / "pets.csv").write_text("\n".join(["text,label", *rows, rows[0]]))
    findings = inspect(tmp_path / "pets.csv")
    assert "2 classes: cat 13, dog 12" in findings.found
    assert findings.remarks == ("1 texts are there more than once; copies may end up in training and test",)
    _, dataset = proposed(tmp_path / "pets.csv", tmp_path)
    assert dataset.class_names == ("cat", "dog")


def test_a_table_without_the_columns_is_a_problem_that_names_them(tmp_path: Path):
    (tmp_path / "pets.csv").write_text("a,b\n1,2\n")
    findings = inspect(tmp_path / "pets.csv")
    assert not findings.proposals
    assert "pets.csv: no column 'text'; found a, b" in findings.problems[0]


def recording(path: Path, hertz: float, rate: int = 8000, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wave(path, np.int16(9000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)), rate)


def test_a_folder_of_recordings_has_counts_and_a_spec_that_loads_it(tmp_path: Path):
    for number in range(12):
        recording(tmp_path / "birds" / "owl" / f"{number}.wav", 300 + number)
        recording(tmp_path / "birds" / "tit" / f"{number}.wav", 3000 + number, 22_050, 1.5)
    (tmp_path / "birds" / "owl" / "notes.txt").write_text("at night")
    findings = inspect(tmp_path / "birds")
    assert not findings.problems and not findings.remarks
    assert "24 recordings, not divided" in findings.found[0]
    assert findings.found[1] == "0.50 to 1.50 s long, half of them up to 1.50 s, 8,000 to 22,050 samples a second"
    assert "2 classes: owl 12, tit 12" in findings.found
    assert "12 of 24 recordings are longer than 1 s: only their beginning is read" in findings.found
    assert findings.found[-1].endswith("because they are no WAV files: 1, such as notes.txt")
    spec, dataset = proposed(tmp_path / "birds", tmp_path)
    assert (spec.name, dataset.num_classes, dataset.sample_rate, dataset.clip_seconds) == ("birds", 2, 8000, 1)


def test_recordings_that_are_broken_silent_or_there_twice_are_told(tmp_path: Path):
    for number in range(12):
        for name, hertz in (("owl", 300), ("tit", 3000)):
            recording(tmp_path / "birds" / name / f"{number}.wav", hertz + number)
    cut = tmp_path / "birds" / "owl" / "3.wav"
    cut.write_bytes(cut.read_bytes()[:-10])
    recording(tmp_path / "birds" / "tit" / "4.wav", 305)
    recording(tmp_path / "birds" / "tit" / "5.wav", 0)
    findings = inspect(tmp_path / "birds")
    assert len(findings.problems) == 1 and "3.wav: cut short" in findings.problems[0]
    silent, twice = findings.remarks
    assert silent == "nothing but silence: 1 recordings, such as tit/5.wav"
    assert twice == "the same recording in two classes: 1 times, such as owl/5.wav and tit/4.wav"
    with pytest.raises(DataError, match="a single recording"):
        kind_of(cut)


def clips(folder: Path, num_frames: int = 5, size: tuple[int, int] = (12, 12)) -> Path:
    for name in ("left", "right"):
        for number in range(4):
            for frame in range(num_frames):
                picture(folder / name / f"{number}" / f"{frame}.png", size)
    return folder


def test_a_folder_of_clips_is_told_from_one_of_pictures_and_has_a_spec_that_loads_it(tmp_path: Path):
    folder = clips(tmp_path / "moves", 10, (13, 13))
    assert kind_of(folder) == "video_folder"
    findings = inspect(folder)
    assert not findings.problems
    assert "8 clips, not divided" in findings.found[0]
    assert findings.found[1] == "10 frames each, all gray, 13 x 13"
    assert "2 classes: left 4, right 4" in findings.found
    spec, dataset = proposed(folder, tmp_path)
    assert (spec.name, spec.task.num_classes, dataset.num_frames, dataset.image_shape) == ("moves", 2, 8, (12, 12, 1))


def test_clips_in_splits_are_told_too_and_pictures_deeper_than_their_class_are_pictures(tmp_path: Path):
    clips(tmp_path / "set" / "train")
    clips(tmp_path / "set" / "test")
    assert kind_of(tmp_path / "set") == "video_folder"
    for number in range(4):
        picture(tmp_path / "deep" / "cat" / f"of {number}" / "only.png")
        picture(tmp_path / "deep" / "dog" / f"{number}.png")
    assert kind_of(tmp_path / "deep") == "image_folder"


def test_clips_that_are_broken_or_there_twice_are_told(tmp_path: Path):
    folder = clips(tmp_path / "moves")
    for frame in range(5):
        copy = (folder / "left" / "0" / f"{frame}.png").read_bytes()
        (folder / "right" / "0" / f"{frame}.png").write_bytes(copy)
    (folder / "left" / "1" / "2.png").write_bytes(picture(folder / "left" / "1" / "2.png")[:60])
    picture(folder / "left" / "9" / "0.png")
    (folder / "right" / "8").mkdir()
    findings = inspect(folder)
    broken, short, empty = findings.problems
    assert "left/1/2.png: cannot be read as a picture" in broken and "left/9: 1 frame, of 2 at least" in short
    assert "right/8: no frames in it" in empty
    assert "the same clip in two classes: 1 times, such as left/0 and right/0" in findings.remarks


def pairs(tmp_path: Path, header: str = "image,text", last: str = "") -> Path:
    """A table of ten pictures; `last` is one more row."""
    rows = [f"pictures/{number}.png,what number {number} shows" for number in range(10)]
    for number in range(10):
        picture(tmp_path / "pictures" / f"{number}.png")
    (tmp_path / "own.csv").write_text("\n".join([header, *rows, *([last] if last else [])]))
    return tmp_path / "own.csv"


@pytest.mark.parametrize("header", ["image,text", "file_name,Caption"])
def test_a_table_of_pictures_and_texts_has_two_specs_that_load_it(tmp_path: Path, header: str):
    table = pairs(tmp_path, header)
    findings = inspect(table)
    assert not findings.problems
    assert findings.found[:2] == (
        "10 texts of 10 pictures; a tenth of these each will be held out for validation and test",
        "all gray, 12 x 12",
    )
    spec, dataset = proposed(table, tmp_path)
    assert spec.modality.outputs == ("embedding",) and len(dataset.train) == 8
    spec, again = proposed(table, tmp_path, "captioning")
    assert spec.modality.outputs == ("text",) and (again.train.tokens == dataset.train.tokens).all()


def test_the_other_spec_is_named_and_printed_when_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = pairs(tmp_path)
    assert main(["inspect-data", str(table)]) == 0
    shown = capsys.readouterr().out
    assert "the data also go with image -> text: add --task captioning" in shown and "dual_encoder" in shown
    assert main(["inspect-data", str(table), "--task", "captioning"]) == 0
    assert "captioner" in capsys.readouterr().out
    assert main(["inspect-data", str(table), "--task", "reconstruction"]) == 2
    assert "Write --task contrastive or captioning" in capsys.readouterr().err


def test_every_row_that_cannot_be_used_is_named_and_its_remedy_printed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = ["none.png,a", "no.png,b", "pictures/1.png,", "pictures/2.png,a, with a comma", "own.csv,a table"]
    table = pairs(tmp_path, last="\n".join(rows))
    assert main(["inspect-data", str(table)]) == 1
    shown = capsys.readouterr().out
    for line, problem in zip(
        (12, 13, 14, 15, 16),
        ("there is no file 'none.png'", "there is no file 'no.png'", "no text", "more cells than", "cannot be read"),
        strict=True,
    ):
        assert any(f"own.csv, line {line}: " in told and problem in told for told in shown.splitlines()), problem
    assert shown.count("Paths are relative to the folder of the table") == 1
    assert "Put a text that has commas in quotes." in shown


def test_tables_of_pictures_with_labels_and_of_texts_alone(tmp_path: Path):
    pairs(tmp_path)
    rows = [f"pictures/{number}.png,{'ab'[number % 2]}" for number in range(10)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows]))
    assert "2 classes: a 5, b 5" in inspect(tmp_path / "labels.csv").found
    _, dataset = proposed(tmp_path / "labels.csv", tmp_path)
    assert dataset.class_names == ("a", "b")
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows[::2]]))
    assert "one label only, 'a'" in inspect(tmp_path / "labels.csv").problems[0]
    (tmp_path / "lines.csv").write_text("text\n" + "the cat sat on the mat\n" * 20)
    assert "a text of 460 characters" in inspect(tmp_path / "lines.csv").found[0]
    proposed(tmp_path / "lines.csv", tmp_path)


@pytest.mark.parametrize("kind", ["image_folder", "video_folder", "audio_folder", "text_folder"])
@pytest.mark.parametrize(("broken", "told"), [("ab", "no training examples"), ("b", "one label only, 'a'")])
def test_training_examples_that_are_all_broken_are_a_problem(tmp_path: Path, kind: str, broken: str, told: str):
    ending = {"image_folder": ".png", "video_folder": "/1.png", "audio_folder": ".wav", "text_folder": ".txt"}[kind]
    for number in range(6):
        for split, label in (("train", "a"), ("train", "b"), ("test", "a"), ("test", "b")):
            file = tmp_path / "set" / split / label / f"{number}{ending}"
            file.parent.mkdir(parents=True, exist_ok=True)
            if kind == "audio_folder":
                write_wave(file, 100 * RNG.integers(-9, 9, 400, dtype=np.int16), 8000)
            elif kind == "text_folder":
                file.write_text(f"text {number} of {label} for {split}")
            else:
                picture(file)
            if kind == "video_folder":
                picture(file.with_name("2.png"))
            if split == "train" and label in broken:
                file.write_bytes(b"\xff")
    findings = inspect(tmp_path / "set")
    assert kind_of(tmp_path / "set") == kind and not findings.proposals
    assert len(findings.problems) == 6 * len(broken) + 1 and told in findings.problems[-1]


def test_spaces_around_the_names_of_columns_do_not_matter(tmp_path: Path):
    rows = [f"the cat sat on mat {number}, {'ab'[number % 2]}" for number in range(20)]
    (tmp_path / "own.csv").write_text("\n".join(["text, label", *rows]))
    _, dataset = proposed(tmp_path / "own.csv", tmp_path)
    assert dataset.class_names == ("a", "b")


def test_too_few_examples_to_hold_some_out_are_a_problem(tmp_path: Path):
    for name in ("cat", "dog"):
        for number in range(2):
            picture(tmp_path / "few" / name / f"{number}.png")
    (problem,) = inspect(tmp_path / "few").problems
    assert "few: no pictures are left for validation and test\n  Add pictures" in problem


@pytest.mark.parametrize(
    ("name", "remedy"), [("a.zip", "Unpack it"), ("a.pkl", "Nothing is unpickled"), ("a.mp4", "ffmpeg")]
)
def test_files_of_other_kinds_are_told_what_to_do_with(tmp_path: Path, name: str, remedy: str):
    (tmp_path / name).write_bytes(b"\x80\x04")
    with pytest.raises(DataError, match=rf"{name}: files of this kind are not read\n  .*{remedy}"):
        inspect(tmp_path / name)


def test_a_text_with_another_ending_has_a_spec_that_says_what_it_is(tmp_path: Path):
    (tmp_path / "book.tex").write_text("the cat sat on the mat\n" * 40)
    spec, _ = proposed(tmp_path / "book.tex", tmp_path)
    assert spec.data.format == "text"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"too short", "at least 90 are needed"),
        ("gr\xfc\xdfe".encode("latin-1"), "not UTF-8"),
        (b"a" * 200, "only one"),
        ("the cat sat".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
        ("the cat sat".encode("utf-16-le"), "a NUL character at offset 1"),
    ],
)
def test_what_is_no_usable_text(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "text.txt").write_bytes(content)
    findings = inspect(tmp_path / "text.txt")
    assert not findings.proposals and message in findings.problems[0]


def test_what_cannot_be_read_at_all_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["inspect-data", str(tmp_path / "nowhere")]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no files in it"):
        kind_of(tmp_path / "empty")
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "one.mp3").write_bytes(b"ID3")
    with pytest.raises(DataError, match=r"nothing in it that can be trained on \(1 \.mp3\)"):
        kind_of(tmp_path / "sounds")
    picture(tmp_path / "one.png")
    with pytest.raises(DataError, match="a single picture"):
        kind_of(tmp_path / "one.png")


def test_the_proposed_spec_is_written_where_it_was_asked_for_and_never_over_a_file(folder: Path, tmp_path: Path):
    out = tmp_path / "specs" / "pets.yaml"
    out.parent.mkdir()
    assert main(["inspect-data", str(folder), "--out", str(out)]) == 0
    assert load_dataset(load_spec(out)).num_classes == 2
    assert main(["inspect-data", str(folder), "--out", str(out)]) == 2
