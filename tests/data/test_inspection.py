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
from metagen_jax.synth.choices import check_choices
from metagen_jax.synth.modalities import modality_of

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


def proposed(path: Path, tmp_path: Path):
    """The proposed spec, written, read again and checked as before a run; and the data that it loads."""
    proposal, *_ = inspect(path).proposals
    file = tmp_path / "proposed" / "spec.yaml"
    file.parent.mkdir()
    file.write_text(proposal.spec_text(path, file.parent))
    spec = load_spec(file)
    check_choices(spec, modality_of(spec))
    return spec, load_dataset(spec)


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"too short", "at least 90 are needed"),
        ("gr\xfc\xdfe".encode("latin-1"), "not UTF-8"),
        (b"a" * 200, "only one"),
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
