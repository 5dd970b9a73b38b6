"""One small project of each family, trained for a few steps, written once, and its commands run once."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image
from scipy.signal import resample_poly

from experiments.codes import prepare_any
from metagen_jax.automl.pipeline import Prepared
from metagen_jax.automl.run_folder import versions
from metagen_jax.data.waves import read_clip, write_wave
from metagen_jax.population.checkpoints import save_weights
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen, named_axes
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.project import ProjectFacts, write_project
from tests.short import PROJECTS, in_short
from tests.synth.targets import resnet_sizes

SPECS = Path(__file__).parents[2] / "specs"
TINY = {  # of each family
    "image": {"d_model": 8, "num_layers": 2, "num_heads": 1, "head_dim": 4, "d_ff": 16},
    "cnn": {"width": 8, "num_layers": 2, "hidden": 12},
    "vae": {"latent": 3, "width": 8, "hidden": 12, "encoder_layers": 1, "decoder_layers": 2},
    "unet": {"condition": 8} | resnet_sizes((8, 8, 12), (1, 2, 1), 1),
    "latent": {"condition": 8, "width": 8, "hidden": 12, "num_layers": 2},
    "text": {"d_model": 8, "num_layers": 1, "num_heads": 2, "head_dim": 4, "d_ff": 16},
    "audio": {"d_model": 8, "num_layers": 2, "num_heads": 2, "head_dim": 4, "d_ff": 16},
    "sound": {"d_model": 8, "num_layers": 1, "num_heads": 2, "head_dim": 4, "d_ff": 16},
    "video": {"d_model": 8, "space_layers": 1, "time_layers": 2, "num_heads": 2, "head_dim": 4, "d_ff": 16},
    "pairs": {
        "d_model": 8,
        "num_heads": 1,
        "head_dim": 4,
        "d_ff": 16,
        "image_layers": 1,
        "text_layers": 2,
        "embedding": 6,
    },
    "captions": {"d_model": 8, "num_heads": 2, "head_dim": 4, "d_ff": 16, "image_layers": 1, "text_layers": 2},
    "labelled_text": {"d_model": 8, "num_layers": 2, "num_heads": 2, "head_dim": 4, "d_ff": 16},
}
GRID = {
    "image": {"patch_size": 2},
    "cnn": {"stride": 2},
    "vae": {"stride": 2},
    "unet": {"stride": 1},
    "latent": {},
    "text": {},
    "audio": {"stride": 2},
    "sound": {},
    "video": {"patch_size": 14, "tubelet_frames": 2},
    "pairs": {"patch_size": 8, "word_length": 4},
    "captions": {"patch_size": 8},
    "labelled_text": {"stride": 2},
}
BLOCK = {"unet": {"block": "convolution"}}  # of the families that have a choice
NUM_STEPS = 25
SCORES = ("accuracy", "mse", "reconstruction", "kl", "recall_at_10")  # of any kind, beside the loss
FILES = {
    "image": ("image_digits_demo.yaml", ("training.batch_size=16", "training.augmentation=shift")),
    "cnn": ("image_digits_cnn.yaml", ("training.batch_size=16",)),
    "vae": ("image_vae.yaml", ("data.source=digits", "training.batch_size=16")),
    "unet": ("image_diffusion_pixel.yaml", ("data.source=digits", "training.batch_size=16")),
    "latent": (
        "image_diffusion_latent.yaml",
        ("data={source: digits, autoencoder: ../tests/tiny_autoencoder.yaml}", "training.batch_size=16"),
    ),
    "text": (
        "text_char_lm.yaml",
        ("constraints.context_window=16", "training.batch_size=8", "training.label_smoothing=0.1"),
    ),
    "audio": ("audio_classification.yaml", ("training.batch_size=8", "data.max_examples=200")),
    "sound": (
        "audio_musicgen.yaml",
        ("training.batch_size=8", "data.max_examples=50", "constraints.context_window=16"),
    ),
    "video": ("video_classification.yaml", ("training.batch_size=8", "data.max_examples=500")),
    "pairs": ("multimodal_clip.yaml", ("training.batch_size=8", "data.max_examples=200")),
    "captions": (
        "multimodal_captioning.yaml",
        ("training.batch_size=8", "data.max_examples=200", "constraints.context_window=24"),
    ),
    "labelled_text": ("text_classification.yaml", ("training.batch_size=8", "data.max_examples=1000")),
}
QUICK = {  # the same programs are compiled again and again
    "JAX_PLATFORMS": "cpu",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
}
QUICK_XLA = "--xla_backend_optimization_level=1"
# Runs each command of a project in one process, where importing metagen_jax fails, and writes down what came of it.
DRIVER = """
import contextlib, io, json, pathlib, runpy, sys
sys.modules["metagen_jax"] = None
sys.path.insert(0, "")
results, (_, commands, answer) = [], sys.argv
for argv in json.loads(pathlib.Path(commands).read_text()):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if argv[0] == "-m":
                sys.argv = argv[1:]
                runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
            else:
                sys.argv = argv
                runpy.run_path(argv[0], run_name="__main__")
        except SystemExit as stop:
            code = stop.code
    results.append((code, out.getvalue(), err.getvalue()))
pathlib.Path(answer).write_text(json.dumps(results))
"""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str


@dataclasses.dataclass(frozen=True)
class Built:
    """A project on disk, and what it was made from."""

    kind: str
    folder: Path
    prepared: Prepared
    blueprint: Blueprint
    facts: ProjectFacts
    model: nnx.Module  # with the trained weights

    def write(self, folder: Path, **changes: Any) -> Path:
        """Writes the project once more, some of the arguments changed."""
        arguments = {"space": self.prepared.space, "blueprint": self.blueprint, "dataset": self.prepared.dataset}
        write_project(folder, **(arguments | {"facts": self.facts} | changes))
        return folder

    def readme_commands(self) -> list[list[str]]:
        """What the README tells its reader to type, after what follows `python`."""
        return readme_commands(self.folder)


def readme_commands(folder: Path) -> list[list[str]]:
    """What a README tells its reader to type, after what follows `python`."""
    blocks = re.findall(r"```bash\n(.*?)```", (folder / "README.md").read_text(), re.S)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    return [line[1:] for line in lines if line[0] == "python"]


def structure_of(kind: str) -> dict[str, Any]:
    return {"norm": "rms", "activation": "gelu"} | GRID[kind] | BLOCK.get(kind, {})


def build(kind: str, folder: Path, *more: str) -> Built:
    file, overrides = FILES[kind]
    prepared = prepare_any(load_spec(SPECS / file, (*overrides, *more)), TINY["vae"]["latent"])
    if kind == "text":  # the whole text would take a minute to score
        short = {split: getattr(prepared.dataset, split)[:5000] for split in ("validation", "test")}
        prepared = dataclasses.replace(prepared, dataset=dataclasses.replace(prepared.dataset, **short))
    space, dataset, modality = prepared.space, prepared.dataset, prepared.modality
    sizes = TINY[kind]
    structure = structure_of(kind)
    numbers = {"learning_rate": 0.01, "weight_decay": 0.1, "warmup_steps": 5}
    blueprint = Blueprint(space.family.name, structure, sizes, numbers)
    source = codegen.program_source(modality, space.family, structure, sizes, space.fixed, space.spec.training, 0)
    module = codegen.load_module(source)
    program = Structure(module, space.family.model_class, sizes)
    initial = program.initial_weights(jax.random.key(0), sizes)
    model, losses = train(module, program.apply(sizes, initial), numbers, modality.train_arrays(dataset))
    facts = ProjectFacts(
        spec_name=space.spec.name,
        spec_hash=space.spec.hash,
        seed=space.spec.seed,
        description=space.spec.description,
        domain=space.spec.task.domain,
        versions=versions(),
        params=named_axes.param_count(program.leaves, sizes),
        flops=1e6,
        validation=modality.metrics(dict.fromkeys(SCORES, 0.5) | {"loss": losses[-1]}),
        test={"loss": losses[-1]},
        baselines=modality.baselines(dataset, sizes),
        prototype_steps=NUM_STEPS,
        prototype_losses=tuple(losses),
        training_steps=NUM_STEPS,
        num_candidates=24,
        samples=(("the input", "the answer"),),
    )
    built = Built(kind, folder, prepared, blueprint, facts, model)
    built.write(folder)
    save_weights(folder / "initial_weights", initial)
    save_weights(folder / "checkpoint", weights_of(model))
    return built


def train(module: Any, model: nnx.Module, numbers: dict[str, float], arrays: Any) -> tuple[nnx.Module, list[float]]:
    """Trains with the plain program, `NUM_STEPS` steps."""
    graph, params = nnx.split(model)
    optimizer = module.make_optimizer(**numbers, num_steps=NUM_STEPS)

    @jax.jit
    def step(params: Any, opt_state: Any, batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(lambda p: module.loss_fn(nnx.merge(graph, p), *batch))(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return jax.tree.map(lambda p, u: p + u, params, updates), opt_state, loss

    opt_state, losses = optimizer.init(params), []
    for number in range(NUM_STEPS):
        params, opt_state, loss = step(params, opt_state, module.train_batch(*arrays, number))
        losses.append(float(loss))
    return nnx.merge(graph, params), losses


def weights_of(model: nnx.Module) -> Weights:
    return {path: np.asarray(param[...]) for path, param in nnx.to_flat_state(nnx.state(model, nnx.Param))}


def run_all(folder: Path, commands: dict[str, list[str]], host_devices: int = 1) -> dict[str, Result]:
    """Runs commands in the folder of a project, in an environment that knows nothing of this repository.

    What XLA itself has to say is left in `xla.txt` beside the folder.
    """
    request, answer = folder.parent / "commands.json", folder.parent / "results.json"
    request.write_text(json.dumps(list(commands.values())))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= QUICK | {"JAX_COMPILATION_CACHE_DIR": str(folder.parent / "compiled")}
    environment["XLA_FLAGS"] = f"{QUICK_XLA} --xla_force_host_platform_device_count={host_devices}"
    arguments = [sys.executable, "-B", "-c", DRIVER, str(request), str(answer)]
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder.parent / "xla.txt").write_text(done.stderr)
    results = [Result(*result) for result in json.loads(answer.read_text())]
    return dict(zip(commands, results, strict=True))


def curve_difference(out: str) -> float:
    """What `train.py --prototype-mode` says of its losses."""
    return float(re.search(r"largest difference (\S+),", out).group(1))


def read_me(folder: Path) -> dict[str, list[str]]:
    """The commands of the README by name; its tests read no settings of this repository's pytest."""
    commands = {" ".join(command): command for command in readme_commands(folder)}
    tests = commands["-m pytest test_project.py"]
    commands["-m pytest test_project.py"] = [*tests, "-c", os.devnull, "--rootdir=.", "-p", "no:cacheprovider"]
    return commands


@pytest.fixture(scope="session")
def image_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("image", tmp_path_factory.mktemp("image") / "project")


@pytest.fixture(scope="session")
def text_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("text", tmp_path_factory.mktemp("text") / "project")


@pytest.fixture(scope="session")
def cnn_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("cnn", tmp_path_factory.mktemp("cnn") / "project")


@pytest.fixture(scope="session")
def vae_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("vae", tmp_path_factory.mktemp("vae") / "project")


@pytest.fixture(scope="session")
def unet_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("unet", tmp_path_factory.mktemp("unet") / "project")


@pytest.fixture(scope="session")
def latent_project(tmp_path_factory: pytest.TempPathFactory, vae_project: Built) -> Built:
    built = build("latent", tmp_path_factory.mktemp("latent") / "project")
    for name in ("model.py", "checkpoint"):  # what is read of the autoencoder's project
        part, copy = vae_project.folder / name, built.folder / "autoencoder" / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copytree(part, copy) if part.is_dir() else shutil.copy(part, copy)
    return built


@pytest.fixture(scope="session")
def labelled_text_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("labelled_text", tmp_path_factory.mktemp("labelled_text") / "project")


@pytest.fixture(scope="session")
def audio_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("audio", tmp_path_factory.mktemp("audio") / "project")


@pytest.fixture(scope="session")
def sound_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("sound", tmp_path_factory.mktemp("sound") / "project")


@pytest.fixture(scope="session")
def video_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("video", tmp_path_factory.mktemp("video") / "project")


@pytest.fixture(scope="session")
def pairs_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("pairs", tmp_path_factory.mktemp("pairs") / "project")


@pytest.fixture(scope="session")
def captions_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("captions", tmp_path_factory.mktemp("captions") / "project")


@pytest.fixture(scope="session", params=in_short(TINY, PROJECTS))
def project(request: pytest.FixtureRequest) -> Built:
    return request.getfixturevalue(f"{request.param}_project")


@pytest.fixture(scope="session")
def image_results(image_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the image project's commands."""
    outside, images = image_project.folder.parent, image_project.prepared.dataset.test.images[:3]
    with Image.open(image_project.folder / "example.png") as example:
        example.convert("RGB").resize((80, 80), Image.Resampling.NEAREST).save(outside / "large.png")
        Image.fromarray(255 - np.asarray(example)).save(outside / "inverted.png")
    (outside / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    np.save(outside / "logits.npy", np.asarray(jax.jit(image_project.model)(images / np.float32(255))))
    check = (
        "import jax, numpy as np, data, checkpoint\n"
        "images, _ = data.load_split(data.DATA, 'test')\n"
        "logits = jax.jit(checkpoint.load_model(data.HERE / 'checkpoint'))(images[:3] / np.float32(255))\n"
        "print(float(abs(logits - np.load('../logits.npy')).max()))\n"
    )
    (outside / "logits.py").write_text(check)
    write_wrong_curve(image_project.folder)
    return run_all(
        image_project.folder,
        read_me(image_project.folder)
        | {
            "logits": ["../logits.py"],
            "large": ["infer.py", "example.png", "../large.png"],
            "inverted": ["infer.py", "--invert", "../inverted.png"],
            "missing": ["infer.py", "example.png", "nowhere.png"],
            "broken": ["infer.py", "../broken.png"],
            "no weights": ["infer.py", "example.png", "--weights", "nowhere"],
            "again": ["train.py"],
            "retrained": ["infer.py", "example.png", "--weights", "retrained"],
            "wrong curve": ["../wrong_curve.py"],
            "mixed options": ["train.py", "--prototype-mode", "--steps", "3"],
            "no data": ["evaluate.py", "--data", "nowhere.npz"],
            "not data": ["evaluate.py", "--data", "labels.json"],
        },
    )


@pytest.fixture(scope="session")
def cnn_results(cnn_project: Built) -> dict[str, Result]:
    """What the commands of the convolutional network's README come to."""
    return run_all(cnn_project.folder, read_me(cnn_project.folder))


@pytest.fixture(scope="session")
def vae_results(vae_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of the project that draws images."""
    draw = ["infer.py", "--samples", "5", "--out"]
    return run_all(
        vae_project.folder,
        read_me(vae_project.folder)
        | {
            "draw": [*draw, "../one.png"],
            "draw again": [*draw, "../again.png"],
            "draw others": [*draw, "../others.png", "--seed", "1"],
            "inverted": ["infer.py", "--invert", "example.png", "--out", "../inverted.png"],
            "nothing": ["infer.py"],
            "both": ["infer.py", "example.png", "--samples", "5"],
            "none": ["infer.py", "--samples", "0"],
            "over itself": ["infer.py", "example.png", "--out", "example.png"],
            "missing": ["infer.py", "nowhere.png"],
            "no format": ["infer.py", "example.png", "--out", "../one.nowhere"],
        },
    )


@pytest.fixture(scope="session")
def unet_results(unet_project: Built) -> dict[str, Result]:
    return results_of_drawing(unet_project)


@pytest.fixture(scope="session")
def latent_results(latent_project: Built) -> dict[str, Result]:
    return results_of_drawing(latent_project)


def results_of_drawing(project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of a project that draws images of labels."""
    draw = ["infer.py", "--label", "7", "--samples", "5", "--steps", "4", "--out"]
    return run_all(
        project.folder,
        read_me(project.folder)
        | {
            "draw": [*draw, "../one.png"],
            "draw again": [*draw, "../again.png"],
            "draw others": [*draw, "../others.png", "--seed", "1"],
            "no label": ["infer.py", "--label", "seven"],
            "none": ["infer.py", "--samples", "0"],
            "no format": ["infer.py", "--steps", "1", "--out", "../one.nowhere"],
        },
    )


def write_wrong_curve(folder: Path) -> None:
    """Leaves a script beside the project that trains against a curve that is 0.01 off in its last step."""
    curve = json.loads((folder / "prototype_curve.json").read_text())
    curve["losses"][-1] += 0.01
    script = (
        "import sys, types, train\n"
        f"train.json = types.SimpleNamespace(loads=lambda text: {curve!r})\n"
        "sys.argv = ['train.py', '--prototype-mode']\n"
        "sys.exit(train.main())\n"
    )
    (folder.parent / "wrong_curve.py").write_text(script)


@pytest.fixture(scope="session")
def text_results(text_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the text project's commands."""
    ask = ["infer.py", "--prompt", "And", "--length", "40"]
    return run_all(
        text_project.folder,
        read_me(text_project.folder)
        | {
            "again": ask,
            "and again": ask,
            "longer": [*ask[:-1], "60"],
            "another seed": [*ask, "--seed", "1"],
            "greedy": [*ask, "--temperature", "0"],
            "greedy, another seed": [*ask, "--temperature", "0", "--seed", "1"],
            "foreign": ["infer.py", "--prompt", "In ß#"],
            "empty": ["infer.py", "--prompt", ""],
            "cold": [*ask, "--temperature", "-1"],
            "fresh": ["train.py", "--fresh-weights", "1", "--steps", "2", "--out", "fresh"],
        },
    )


@pytest.fixture(scope="session")
def labelled_text_results(labelled_text_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of the project for labelled texts."""
    folder, outside = labelled_text_project.folder, labelled_text_project.folder.parent
    (outside / "latin.txt").write_bytes("gr\xfc\xdfe".encode("latin-1"))
    (outside / "empty.txt").write_text(" \n")
    text = (folder / "example.txt").read_text()
    script = (
        "import io, sys, types, infer\n"
        f"sys.stdin = types.SimpleNamespace(buffer=io.BytesIO({text.encode()!r}))\n"
        "sys.argv = ['infer.py', '-']\n"
        "infer.main()\n"
    )
    (outside / "stdin.py").write_text(script)
    return run_all(
        folder,
        read_me(folder)
        | {
            "text": ["infer.py", "--text", text],
            "stdin": ["../stdin.py"],
            "long": ["infer.py", "--text", "word " * 1000 + "\u00df"],
            "foreign": ["infer.py", "--text", "stra\u00dfe"],
            "nothing": ["infer.py"],
            "both": ["infer.py", "example.txt", "--text", "word"],
            "missing": ["infer.py", "nowhere.txt"],
            "latin": ["infer.py", "../latin.txt"],
            "empty": ["infer.py", "../empty.txt"],
        },
    )


@pytest.fixture(scope="session")
def pairs_results(pairs_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of the project for images with texts."""
    folder, outside = pairs_project.folder, pairs_project.folder.parent
    (outside / "album").mkdir()
    for number, image in enumerate(pairs_project.prepared.dataset.test.images[:7]):
        Image.fromarray(image).save(outside / "album" / f"{number}.png")
    (outside / "album" / "notes.txt").write_text("no picture")
    (outside / "empty").mkdir()
    return run_all(
        folder,
        read_me(folder)
        | {
            "texts": ["infer.py", "example.png", *(f"--text={text}" for text in ("red heart", "cat", "green book"))],
            "folder": ["infer.py", "../album", "--text", "red heart", "--text", "cat"],
            "foreign": ["infer.py", "example.png", "--text", "a\u0416" + " long" * 40],
            "nothing": ["infer.py", "example.png"],
            "no text": ["infer.py", "example.png", "--text", " "],
            "missing": ["infer.py", "nowhere.png", "--text", "cat"],
            "empty": ["infer.py", "../empty", "--text", "cat"],
        },
    )


@pytest.fixture(scope="session")
def captions_results(captions_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of the project that says what images show."""
    folder, outside = captions_project.folder, captions_project.folder.parent
    grey = Image.fromarray(captions_project.prepared.dataset.test.images[1, ..., 0])
    grey.resize((50, 40)).save(outside / "grey.png")
    (outside / "broken.png").write_bytes(b"no picture")
    several = ["infer.py", "example.png", "--count", "3", "--temperature", "1"]
    return run_all(
        folder,
        read_me(folder)
        | {
            "two": ["infer.py", "example.png", "../grey.png"],
            "several": several,
            "again": several,
            "another seed": [*several, "--seed", "1"],
            "repeated": ["infer.py", "example.png", "--count", "2"],
            "none": ["infer.py", "example.png", "--count", "0"],
            "missing": ["infer.py", "nowhere.png"],
            "broken": ["infer.py", "../broken.png"],
        },
    )


@pytest.fixture(scope="session")
def sound_results(sound_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of the project that makes up sound."""
    folder, outside = sound_project.folder, sound_project.folder.parent
    clip = read_clip(folder / "example.wav", 8000, None)
    write_wave(outside / "fine.wav", np.int16(resample_poly(clip / 2, 2, 1)), 16_000)
    (outside / "cut.wav").write_bytes((folder / "example.wav").read_bytes()[:5000])
    (outside / "encode.py").write_text(
        "import numpy as np, data, codec\n"
        "clips = np.load('../clips.npy')\n"
        "levels = codec.measure(clips, data.SAMPLE_RATE)\n"
        "tokens = codec.encode(levels, data.CODEBOOKS)\n"
        "np.savez('../encoded.npz', tokens=tokens, sound=data.synthesise(tokens[0]))\n"
    )
    np.save(outside / "clips.npy", sound_project.prepared.dataset.examples)
    make_up = ["infer.py", "--seconds", "0.1", "--out"]
    return run_all(
        folder,
        read_me(folder)
        | {
            "one": [*make_up, "../one.wav"],
            "again": [*make_up, "../again.wav"],
            "other": [*make_up, "../other.wav", "--seed", "1"],
            "converted": [*make_up, "../continued.wav", "--continue", "../fine.wav"],
            "encode": ["../encode.py"],
            "cut": ["infer.py", "--continue", "../cut.wav"],
            "missing": ["infer.py", "--continue", "missing.wav"],
            "over itself": ["infer.py", "--continue", "example.wav", "--out", "example.wav"],
            "none": ["infer.py", "--samples", "0"],
            "nowhere": ["infer.py", "--seconds", "0.1", "--out", "nowhere/one.wav"],
        },
    )


@pytest.fixture(scope="session")
def audio_results(audio_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of the project for recordings."""
    folder, outside = audio_project.folder, audio_project.folder.parent
    example = folder / "example.wav"
    clip = read_clip(example, 8000, None)
    with wave.open(str(outside / "fine.wav"), "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.repeat(resample_poly(clip / 2, 2, 1).astype("<i2"), 2).tobytes())
    with wave.open(str(outside / "wide.wav"), "wb") as file:
        file.setparams((1, 3, 8000, 0, "NONE", ""))
        file.writeframes((clip.astype("<i4") * 2**8).reshape(-1, 1).view(np.uint8)[:, :3].tobytes())
    write_wave(outside / "short.wav", clip[:2000], 8000)
    (outside / "cut.wav").write_bytes(example.read_bytes()[:1000])
    (outside / "picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    write_wave(outside / "empty.wav", clip[:0], 8000)
    broken = {name: ["infer.py", "example.wav", f"../{name}.wav"] for name in ("cut", "picture", "empty", "missing")}
    return run_all(
        folder,
        read_me(folder)
        | broken
        | {
            "wide": ["infer.py", "../wide.wav"],
            "converted": ["infer.py", "example.wav", "../fine.wav", "../short.wav"],
        },
    )


@pytest.fixture(scope="session")
def video_results(video_project: Built) -> dict[str, Result]:
    """Everything that the tests want to see of the commands of the project for clips of video."""
    folder, outside = video_project.folder, video_project.folder.parent
    frames = [Image.open(path) for path in sorted((folder / "example").iterdir())]
    for name in ("large", "long", "short", "broken"):
        (outside / name).mkdir()
    for number, frame in enumerate(frames, start=5):  # names of one and of two digits
        frame.convert("RGB").resize((56, 56), Image.Resampling.NEAREST).save(outside / "large" / f"{number}.bmp")
        for again in range(2):
            frame.save(outside / "long" / f"{2 * number + again}.png")
        frame.save(outside / "broken" / f"{number}.png")
    (outside / "large" / "notes.txt").write_text("on a Sunday")
    frames[0].save(outside / "short" / "1.png")
    (outside / "broken" / "7.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return run_all(
        folder,
        read_me(folder)
        | {name: ["infer.py", "example", f"../{name}"] for name in ("large", "long", "short", "broken", "missing")}
        | {"a file": ["infer.py", "example/frame1.png"]},
    )
