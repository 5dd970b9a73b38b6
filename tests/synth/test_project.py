"""The project that a search leaves works on its own and says nothing that is not so."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from metagen_jax.data import (
    AudioTokenDataset,
    CaptionedImageDataset,
    ImageDataset,
    TextDataset,
    UnlabelledImageDataset,
    codec,
)
from metagen_jax.data.characters import encode_padded
from metagen_jax.data.waves import read_clip
from metagen_jax.population.checkpoints import save_weights
from metagen_jax.synth import codegen, documents
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.documents import quoted_prompt
from tests.short import PROJECTS, in_short
from tests.synth.conftest import BLOCK, GRID, NUM_STEPS, TINY, Built, Result, curve_difference, weights_of
from tests.synth.targets import resnet_sizes

STRUCTURES = [  # norm, activation, label smoothing, augmentation, schedule, patch size or stride, precision
    ("rms", "gelu", 0.0, "none", "cosine", 2, "float32"),
    ("layer", "relu", 0.1, "shift", "linear", 4, "float32"),
    ("layer", "silu", 0.0, "shift", "constant", 1, "bfloat16"),
    ("rms", "gelu", 0.15000000000000002, "none", "constant", 2, "bfloat16"),
]
LARGE = {
    "image": {"d_model": 16384, "num_layers": 128, "num_heads": 128, "head_dim": 1024, "d_ff": 65536},
    "cnn": {"width": 16384, "num_layers": 128, "hidden": 65536},
    "unet": {"condition": 16384} | resnet_sizes((16384, 32768, 65536), (128, 128, 128), 4),
    "latent": {"condition": 16384, "width": 16384, "hidden": 65536, "num_layers": 128},
    "vae": {"latent": 65536, "width": 16384, "hidden": 65536, "encoder_layers": 128, "decoder_layers": 128},
}
LARGE["pairs"] = {name: length for name, length in LARGE["image"].items() if name != "num_layers"} | {
    "image_layers": 128,
    "text_layers": 128,
    "embedding": 16384,
}
LARGE["captions"] = {name: length for name, length in LARGE["pairs"].items() if name != "embedding"}
LARGE |= dict.fromkeys(("text", "labelled_text", "audio", "sound"), LARGE["image"])
LARGE["video"] = {
    "d_model": 16384,
    "space_layers": 128,
    "time_layers": 128,
    "num_heads": 128,
    "head_dim": 1024,
    "d_ff": 65536,
}
SOUNDS = ("generated.wav", "continued.wav")  # that its commands write
HOSTILE = "\"\"\"'''\\\n{{ 7 * 7 }} {% raw %} `x` | <script>alert(1)</script>\x1b[31m\u202e # __import__('os')"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results_of(built: Built, request: pytest.FixtureRequest) -> dict[str, Result]:
    return request.getfixturevalue(f"{built.kind}_results")


# -- what it does --------------------------------------------------------------------------------------------------------


def test_every_command_of_the_readme_works_where_metagen_jax_cannot_be_imported(project, request):
    results = results_of(project, request)
    commands = [" ".join(command) for command in project.readme_commands()]
    assert {command.split()[0] for command in commands} == {"infer.py", "evaluate.py", "train.py", "-m"}
    for command in commands:
        assert results[command].code in (0, None), (command, results[command])


def test_its_own_tests_pass_and_none_is_skipped(project, request):
    out = results_of(project, request)["-m pytest test_project.py"].out
    of_images = {"image": 4, "cnn": 4, "vae": 6, "unet": 6, "latent": 7}
    of_others = {"text": 5, "labelled_text": 6, "audio": 5, "sound": 8, "video": 5, "pairs": 7, "captions": 6}
    count = (of_images | of_others)[project.kind]
    assert re.search(rf"^=* ?{count} passed in", out, re.M), out


def test_prototype_mode_lands_on_the_recorded_curve(project, request):
    result = results_of(project, request)["train.py --prototype-mode"]
    assert result.code == 0
    assert curve_difference(result.out) < 1e-5  # the same source; XLA may fuse it differently
    assert f"{NUM_STEPS - 1:6d}  " in result.out


def test_prototype_mode_fails_on_a_curve_that_is_off(image_results):
    result = image_results["wrong curve"]
    assert result.code == 1
    assert curve_difference(result.out) == pytest.approx(0.01, rel=0.1)


def test_its_logits_are_those_of_the_network_that_was_trained(image_results):
    assert float(image_results["logits"].out) < 1e-5


def test_evaluate_gives_the_same_scores_as_the_modality_would(project, request):
    out = results_of(project, request)["evaluate.py"].out
    assert re.findall(r"^(\w+): ", out, re.M) == ["validation", "test"]
    modality, space = project.prepared.modality, project.prepared.space
    fixed = {field.name: field.value for field in space.fixed}
    inputs, targets, *more = modality.evaluation_arrays(project.prepared.dataset, "test", fixed)
    if project.kind == "captions":
        (source,) = space.sources.values()
        scores = codegen.load_module(source).score_fn(project.model, inputs, targets)
        bits = modality.metrics({"loss": float(scores["loss"].mean())})["bits_per_character"]
        assert float(re.search(r"test: (\S+) bits per character", out).group(1)) == pytest.approx(bits, abs=1e-4)
        return
    if project.kind in ("unet", "latent", "pairs"):
        (source,) = space.sources.values()
        scores = codegen.load_module(source).score_fn(project.model, inputs, targets, *more)
        assert float(re.search(r"test: loss (\S+)", out).group(1)) == pytest.approx(
            float(scores["loss"].mean()), abs=1e-4
        )
        return
    if project.kind == "vae":
        errors = np.asarray(jax.jit(project.model)(inputs / np.float32(255))) - inputs / 255
        assert float(re.search(r"test: mse (\S+),", out).group(1)) == pytest.approx(np.mean(errors**2), abs=1e-4)
        return
    scale = {np.dtype(np.uint8): 255, np.dtype(np.int16): 32768}.get(inputs.dtype)
    logits = np.asarray(jax.jit(project.model)(inputs / np.float32(scale) if scale else inputs))
    accuracy = float((logits.argmax(-1) == targets).mean())
    said = float(re.search(r"test: .*accuracy (\S+)", out).group(1))
    assert said == pytest.approx(accuracy, abs=2 / targets.size)  # a tie may fall the other way


def test_train_writes_weights_that_infer_can_use_and_never_overwrites_them(image_results, image_project):
    assert image_results["retrained"].code == 0
    assert image_results["again"].code == 2
    assert "retrained exists" in image_results["again"].err
    assert (image_project.folder / "checkpoint").is_dir()


def test_infer_gives_the_three_likeliest_labels_with_probabilities(image_results):
    out = image_results["infer.py example.png"].out
    shares = [float(share) for share in re.findall(r"\d \((\S+)%\)", out)]
    assert out.startswith("example.png: ")
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 100.1


def test_infer_converts_other_pictures_and_says_so(image_results):
    result = image_results["large"]
    small, large = (line.partition(": ")[2] for line in result.out.splitlines())
    assert small.split()[0] == large.split()[0]
    assert result.err == "../large.png: converted from mode RGB to L, 80 x 80 pixels to 8 x 8\n"


def test_invert_undoes_an_inverted_picture(image_results):
    plain = image_results["infer.py example.png"].out.partition(": ")[2]
    assert image_results["inverted"].out.partition(": ")[2] == plain


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("missing", "nowhere.png: no such file"),
        ("broken", "../broken.png: cannot be read"),
        ("no weights", "nowhere: there is no such folder of weights"),
        ("mixed options", "--prototype-mode takes no --steps"),
        ("no data", "nowhere.npz"),
        ("not data", "data.py tells what the data has to look like"),
    ],
)
def test_wrong_input_to_the_image_project_gives_one_message_and_exit_code_2(image_results, command, says):
    result = image_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_an_image_is_drawn_again_as_the_trained_network_does(vae_results, vae_project):
    said = float(re.search(r"mean squared error (\S+);", vae_results["infer.py example.png"].out).group(1))
    with Image.open(vae_project.folder / "reconstruction.png") as file:
        drawn = np.asarray(file)[..., None]
    original = vae_project.prepared.dataset.test[:1]
    expected = np.asarray(jax.jit(vae_project.model)(original / np.float32(255)))[0]
    np.testing.assert_allclose(drawn / 255, expected, atol=0.51 / 255)
    assert said == pytest.approx(np.mean((drawn / 255 - original[0] / 255) ** 2), abs=1e-4)


def test_samples_are_drawn_by_their_seed(vae_results, vae_project):
    outside = vae_project.folder.parent
    one, again, others = ((outside / f"{name}.png").read_bytes() for name in ("one", "again", "others"))
    assert one == again != others
    with Image.open(outside / "one.png") as file:
        assert file.size == (3 * 8, 2 * 8)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("nothing", "give a file or --samples"),
        ("both", "and not both"),
        ("none", "--samples has to be 1 or more"),
        ("over itself", "give another file with --out"),
        ("missing", "nowhere.png: no such file"),
        ("no format", "cannot be written"),
    ],
)
def test_wrong_input_to_the_project_that_draws_is_one_message_with_code_2(vae_results, command, says):
    result = vae_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


@pytest.fixture(params=in_short(["unet", "latent"], PROJECTS))
def drawing(request) -> Built:
    return request.getfixturevalue(f"{request.param}_project")


def test_images_of_a_label_are_drawn_by_their_seed(drawing, request):
    results_of(drawing, request)
    outside = drawing.folder.parent
    one, again, others = ((outside / f"{name}.png").read_bytes() for name in ("one", "again", "others"))
    assert one == again != others
    with Image.open(outside / "one.png") as file:
        assert file.size == (5 * 8, 8)
    with Image.open(drawing.folder / "samples.png") as file:
        assert file.size == (8 * 8, 10 * 8)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("no label", "--label 'seven' is none of 0, 1, 2"),
        ("none", "--samples and --steps have to be 1 or more"),
        ("no format", "cannot be written"),
    ],
)
def test_wrong_input_to_a_project_that_draws_labels_is_one_message_with_code_2(drawing, request, command, says):
    result = results_of(drawing, request)[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_texts_are_sorted_by_how_well_they_go_with_an_image(pairs_results, pairs_project):
    lines = [line.split("  ") for line in pairs_results["texts"].out.splitlines()]
    assert sorted(text for _, text in lines) == ["cat", "green book", "red heart"]
    close = [float(cosine) for cosine, _ in lines]
    assert close == sorted(close, reverse=True)
    vocabulary, dataset = pairs_project.prepared.dataset.vocabulary, pairs_project.prepared.dataset
    tokens = encode_padded([text for _, text in lines], vocabulary, 96).astype(np.int32)
    model = pairs_project.model
    embedded = model.embed_images(dataset.test.images[:1] / np.float32(255)), model.embed_texts(tokens)
    np.testing.assert_allclose(close, np.asarray(embedded[0] @ embedded[1].T)[0], atol=6e-4)


def test_the_pictures_of_a_folder_that_go_best_with_a_text_are_found(pairs_results):
    result = pairs_results["folder"]
    for line, text in zip(result.out.splitlines(), ("red heart", "cat"), strict=True):
        assert line.startswith(f"{text}: ")
        assert len(re.findall(r"\d\.png \(", line)) == 5
    assert "notes.txt: passed over" in result.err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("nothing", "required: --text"),
        ("no text", "--text: there is no text in it"),
        ("missing", "nowhere.png: cannot be read"),
        ("empty", "nothing in it that can be read"),
    ],
)
def test_wrong_input_to_the_project_for_images_with_texts_is_one_message_with_code_2(pairs_results, command, says):
    assert pairs_results[command].code == 2
    assert says in pairs_results[command].err
    assert pairs_results["foreign"].err.count("read") == 2


def test_captions_are_the_likeliest_characters_one_after_the_other(captions_results, captions_project):
    dataset, context = captions_project.prepared.dataset, 24
    told, tokens = "", [0]
    for _ in range(context):
        logits = captions_project.model(dataset.test.images[:1] / np.float32(255), np.array([tokens], np.int32))
        tokens.append(int(logits[0, -1].argmax()))
        if not tokens[-1]:
            break
        told += ("\ufffd" + dataset.vocabulary)[tokens[-1] - 1]
    first, second = captions_results["two"].out.splitlines()
    assert first == f"example.png: {told}"
    assert second.startswith("../grey.png: ")
    assert captions_results["two"].err == "../grey.png: converted from mode L to RGB, 50 x 40 pixels to 32 x 32\n"


def test_captions_that_are_drawn_differ_by_their_seed(captions_results):
    lines = captions_results["several"].out.splitlines()
    assert len(lines) == 3
    assert captions_results["again"].out == captions_results["several"].out
    assert captions_results["another seed"].out != captions_results["several"].out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("repeated", "--count repeats one caption at --temperature 0"),
        ("none", "--count has to be 1 or more"),
        ("missing", "nowhere.png: no such file"),
        ("broken", "../broken.png: cannot be read"),
    ],
)
def test_wrong_input_to_the_project_that_says_what_images_show_is_one_message_with_code_2(
    captions_results, command, says
):
    assert captions_results[command].code == 2
    assert says in captions_results[command].err


def test_a_text_gives_the_same_labels_from_a_file_an_argument_and_stdin(labelled_text_results, labelled_text_project):
    answers = {
        command: labelled_text_results[command].out.split(": ", 1)
        for command in ("infer.py example.txt", "text", "stdin")
    }
    assert [name for name, _ in answers.values()] == ["example.txt", "text", "-"]
    (labels,) = {labels for _, labels in answers.values()}
    names = labelled_text_project.prepared.dataset.class_names
    answered = re.findall(r"([\w ]+) \((\S+)%\)", labels)
    assert len(answered) == 3
    assert {name.strip() for name, _ in answered} <= set(names)
    shares = [float(share) for _, share in answered]
    assert shares == sorted(shares, reverse=True)


def test_what_is_cut_of_a_text_or_read_as_unknown_is_said(labelled_text_results):
    assert labelled_text_results["long"].err == "text: read up to character 256 of 5001\n"
    assert labelled_text_results["foreign"].err == "text: read ['\u00df'] as unknown\n"
    assert labelled_text_results["foreign"].code in (0, None)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("nothing", "give files, or - for stdin, or --text"),
        ("both", "and not both"),
        ("missing", "nowhere.txt: cannot be read (No such file"),
        ("latin", "../latin.txt: not UTF-8"),
        ("empty", "../empty.txt: there is no text in it"),
    ],
)
def test_wrong_input_to_the_project_for_labelled_texts_is_one_message_with_code_2(labelled_text_results, command, says):
    result = labelled_text_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_infer_converts_other_recordings_and_says_so(audio_results, audio_project):
    result = audio_results["converted"]
    answers = [dict(re.findall(r"(\w+) \((\S+)%\)", line)) for line in result.out.splitlines()]
    assert [len(answer) for answer in answers] == [3, 3, 3]
    assert all({*answer} <= {*audio_project.prepared.dataset.class_names} for answer in answers)
    same, fine, _ = answers
    for name in same.keys() & fine.keys():  # resampling takes a little of the highest frequencies
        assert float(same[name]) == pytest.approx(float(fine[name]), abs=5)
    assert result.err.splitlines() == [
        "../fine.wav: converted from 2 channels to one, 16000 samples a second to 8000",
        "../short.wav: converted from 0.25 s to 0.5 s",
    ]


def test_a_recording_of_24_bits_is_heard_as_it_is(audio_results):
    answers = [audio_results[command].out.split(": ")[1] for command in ("infer.py example.wav", "wide")]
    assert answers[0] == answers[1]
    assert audio_results["wide"].err == ""


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("cut", "../cut.wav: cannot be read as WAV (it is cut short)"),
        ("picture", "../picture.wav: cannot be read as WAV (file does not start with RIFF id)"),
        ("empty", "../empty.wav: cannot be read as WAV (there is no sound in it)"),
        ("missing", "../missing.wav: cannot be read as WAV (No such file or directory)"),
    ],
)
def test_wrong_input_to_the_project_for_recordings_is_one_message_with_code_2(audio_results, command, says):
    result = audio_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_sound_is_made_up_by_its_seed_and_as_long_as_asked_for(sound_results, sound_project):
    outside = sound_project.folder.parent
    one, again, other = ((outside / f"{name}.wav").read_bytes() for name in ("one", "again", "other"))
    assert one == again != other
    assert len(read_clip(outside / "one.wav", 8000, None)) == 13 * 64  # whole frames
    assert len(read_clip(sound_project.folder / "generated.wav", 8000, None)) == 4 * 63 * 64 + 3 * 2000


def test_a_recording_is_converted_and_comes_back_with_its_continuation(sound_results, sound_project):
    assert sound_results["converted"].err == "../fine.wav: converted from 16000 samples a second to 8000\n"
    outside = sound_project.folder.parent
    heard, continued = (read_clip(outside / f"{name}.wav", 8000, None) for name in ("fine", "continued"))
    assert (continued[: len(heard)] == heard).all()
    assert len(continued) == len(heard) + 13 * 64


def test_its_codec_is_that_of_the_package_byte_by_byte(sound_results, sound_project):
    dataset = sound_project.prepared.dataset
    assert sound_results["encode"].code == 0, sound_results["encode"]
    assert (sound_project.folder / "codec.py").read_bytes() == Path(codec.__file__).read_bytes()
    tokens = codec.encode(codec.measure(dataset.examples, dataset.sample_rate), dataset.codebooks)
    with np.load(sound_project.folder.parent / "encoded.npz") as encoded:
        assert encoded["tokens"].tobytes() == tokens.tobytes()
        levels = codec.decode(tokens[:1], dataset.codebooks)[0]
        assert encoded["sound"].tobytes() == codec.synthesise(levels, dataset.sample_rate).tobytes()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("cut", "../cut.wav: cannot be read as WAV (it is cut short)"),
        ("missing", "missing.wav: cannot be read as WAV (No such file or directory)"),
        ("over itself", "is the recording itself"),
        ("none", "--samples has to be 1 or more"),
        ("nowhere", "nowhere/one.wav: cannot be written (No such file or directory)"),
    ],
)
def test_wrong_input_to_the_project_that_makes_up_sound_is_one_message_with_code_2(sound_results, command, says):
    result = sound_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_infer_converts_other_clips_and_says_so(video_results):
    lines = [line for name in ("large", "long") for line in video_results[name].out.splitlines()]
    same, large, _, long = (dict(re.findall(r"([\w ]+) \((\S+)%\)", line)) for line in lines)
    assert [len(answer) for answer in (same, large, long)] == [3, 3, 3]
    for name in same.keys() & large.keys():  # making pictures smaller blurs them a little
        assert float(same[name]) == pytest.approx(float(large[name]), abs=5)
    assert video_results["large"].err.splitlines() == [
        "../large: converted from mode RGB to L, 56 x 56 pixels to 28 x 28",
    ]
    assert video_results["long"].err.splitlines() == ["../long: converted from 16 frames to 8"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("short", "../short: 1 of the 8 frames that it takes"),
        ("broken", "../broken/7.png: cannot be read ("),
        ("missing", "../missing: no such folder; a clip is a folder of frames"),
        ("a file", "example/frame1.png: no such folder; a clip is a folder of frames"),
    ],
)
def test_wrong_input_to_the_project_for_clips_is_one_message_with_code_2(video_results, command, says):
    result = video_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("command", "says"), [("foreign", "['#', 'ß']"), ("empty", "--prompt is empty"), ("cold", "0 or more")]
)
def test_wrong_input_to_the_text_project_gives_one_message_and_exit_code_2(text_results, command, says):
    result = text_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_a_text_is_continued_by_as_many_characters_as_asked_for(text_results, text_project):
    text = text_results["again"].out
    assert text.startswith("And")
    assert len(text) == 3 + 40 + 1
    assert set(text) <= set(text_project.prepared.dataset.vocabulary) | {"\n"}


def test_the_seed_decides_the_text_and_the_length_does_not(text_results):
    text = text_results["again"].out
    assert text_results["and again"].out == text
    assert text_results["longer"].out.startswith(text[:-1])
    assert text_results["another seed"].out != text
    assert text_results["greedy"].out == text_results["greedy, another seed"].out != text


def test_fresh_weights_are_other_weights(text_results, text_project):
    assert text_results["fresh"].code == 0
    assert (text_project.folder / "fresh").is_dir()


# -- what it says --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [TINY, LARGE], ids=["tiny", "large"])
@pytest.mark.parametrize("choices", STRUCTURES, ids=lambda choices: "-".join(map(str, choices)))
def test_its_code_passes_ruff_with_the_default_settings(project, tmp_path, choices, sizes):
    norm, activation, smoothing, augmentation, schedule, side, precision = choices
    images = ImageDataset | UnlabelledImageDataset | CaptionedImageDataset
    if project.kind == "pairs" and augmentation == "shift":
        augmentation = "shift_and_words"  # targets are written with the other
    space, is_image = project.prepared.space, isinstance(project.prepared.dataset, images)
    training = dataclasses.replace(
        space.spec.training,
        label_smoothing=smoothing,
        augmentation=augmentation if is_image else "none",
        schedule=schedule,
        precision=precision,
    )
    grid = dict.fromkeys(GRID[project.kind], side)
    structure = {"norm": norm, "activation": activation} | grid | BLOCK.get(project.kind, {})
    folder = project.write(
        tmp_path / "project",
        space=dataclasses.replace(space, spec=dataclasses.replace(space.spec, training=training)),
        blueprint=Blueprint(
            space.family.name,
            structure,
            sizes[project.kind],
            {"learning_rate": 3e-5, "weight_decay": 0.0, "warmup_steps": 20},
        ),
        facts=dataclasses.replace(project.facts, spec_name="n" * 64, training_steps=10**6),
    )
    for command in (["check"], ["format", "--check"]):
        arguments = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "."]
        result = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


def test_code_does_not_depend_on_what_a_user_wrote(project, tmp_path):
    dataset = dataclasses.replace(project.prepared.dataset, name=HOSTILE, notes=(HOSTILE,))
    if not isinstance(dataset, TextDataset | AudioTokenDataset | UnlabelledImageDataset | CaptionedImageDataset):
        dataset = dataclasses.replace(dataset, class_names=tuple(f"{HOSTILE}{i}" for i in range(dataset.num_classes)))
    facts = dataclasses.replace(
        project.facts, description=HOSTILE, domain=HOSTILE, samples=((HOSTILE, HOSTILE), ("```", "~~~"))
    )
    hostile = contents(project.write(tmp_path / "hostile", dataset=dataset, facts=facts))
    harmless = contents(project.write(tmp_path / "harmless"))
    code = [name for name in harmless if name.endswith((".py", "requirements.txt", ".toml"))]
    assert len(code) == 9 + (project.kind == "sound")
    assert {name: hostile[name] for name in code} == {name: harmless[name] for name in code}
    documents = {name: hostile[name].decode() for name in ("README.md", "MODEL_CARD.md")}
    for name, text in documents.items():
        outside_of_fences = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.M | re.S)
        assert "<script>" not in outside_of_fences, name
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert r"{{ 7 \* 7 }}" in text
    assert "alert(1)" in documents["MODEL_CARD.md"]


def test_the_same_arguments_give_the_same_bytes(project, tmp_path):
    weights = weights_of(project.model)
    for name in ("one", "another/one"):
        save_weights(project.write(tmp_path / name) / "checkpoint", weights)
    one, another = contents(tmp_path / "one"), contents(tmp_path / "another/one")
    assert one == another
    assert not any(str(tmp_path).encode() in content for content in one.values())


def test_an_existing_folder_is_refused(project):
    with pytest.raises(FileExistsError):
        project.write(project.folder)


def test_large_data_stays_where_it_is_and_the_project_says_what_to_do(project, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LARGEST_DATA_BYTES", 1000)
    folder = project.write(tmp_path / "project")
    assert not (folder / "data.npz").exists()
    assert "--data" in (folder / "data.py").read_text()
    assert "**The data is not in this folder**" in (folder / "README.md").read_text()
    assert "--data" not in (project.folder / "data.py").read_text()


def test_every_file_is_explained_in_the_readme(project):
    readme = (project.folder / "README.md").read_text()
    for path in project.folder.iterdir():
        if path.name not in (
            "README.md",
            "retrained",
            "fresh",
            "__pycache__",
            "reconstruction.png",
            "samples.png",
            *SOUNDS,
        ):
            assert f"`{path.name}{'/' if path.is_dir() else ''}`" in readme


def test_the_documents_give_the_measured_numbers(project):
    for name in ("README.md", "MODEL_CARD.md"):
        text = (project.folder / name).read_text()
        assert f"{project.facts.params:,} parameters" in text
        for metrics in (project.facts.validation, *project.facts.baselines.values()):
            assert all(f"{value:.4f}" in text for value in metrics.values())


def test_the_curve_is_the_one_that_was_recorded(project):
    curve = json.loads((project.folder / "prototype_curve.json").read_text())
    assert curve == {"steps": NUM_STEPS, "losses": list(project.facts.prototype_losses)}


@pytest.mark.parametrize("channels", [2, 3, 4, 5])
def test_images_of_any_number_of_channels_leave_an_example_that_infer_takes(image_project, tmp_path, channels):
    dataset = image_project.prepared.dataset
    splits = {
        name: dataclasses.replace(split, images=np.repeat(split.images, channels, axis=-1))
        for name, split in (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
    }
    folder = image_project.write(tmp_path / "project", dataset=dataclasses.replace(dataset, **splits))
    reader = (
        (folder / "infer.py").read_text().partition("@nnx.jit")[0].replace("from checkpoint import load_model\n", "")
    )
    reader = reader.replace("from model import Config\n", "").replace("from data import HERE, load_names\n", "")
    config = f"class Config:\n    image_size, channels = 8, {channels}\n"
    namespace: dict = {}
    exec(compile(config + reader, "infer.py", "exec"), namespace)
    (example,) = folder.glob("example.*")
    image, changes = namespace["read_image"](example)
    assert changes == []
    np.testing.assert_array_equal(image, splits["test"].images[0])


@pytest.mark.parametrize(
    ("text", "prompt"),
    [("In the beginning", '"In the"'), ("ACGT ACGTACGTACGT", "ACGT"), ("$(x) `y`", "'$'"), ("\n\n", "'\n'")],
)
def test_the_prompt_in_the_readme_is_made_of_characters_that_the_model_knows(text, prompt):
    vocabulary = "".join(sorted(set(text)))
    tokens = np.array([vocabulary.index(character) for character in text], np.uint8)
    dataset = TextDataset("t", vocabulary, tokens, tokens, tokens)
    assert quoted_prompt(dataset) == prompt
