"""The project of a network that nobody here can train says what it would take, and does on eight devices what one does."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from metagen_jax.data import AudioTokenDataset, CaptionedImageDataset, TextDataset, UnlabelledImageDataset
from metagen_jax.population.weights import Structure
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen, documents
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.modalities import Field, Modality
from metagen_jax.synth.modalities.latent_image_generation import LatentImageGeneration
from metagen_jax.synth.target_project import Scale
from tests.synth.conftest import QUICK, Result, read_me, run_all
from tests.synth.targets import (
    NUMBERS,
    SPECS,
    WORDS,
    Target,
    audio_target,
    captions_target,
    cnn_target,
    grouped_target,
    image_target,
    labelled_text_target,
    latent_denoiser_params,
    pairs_target,
    resnet_sizes,
    resnet_target,
    sound_target,
    text_target,
    unet_target,
    vae_target,
    video_target,
)
from tests.synth.test_project import HOSTILE, contents

KINDS = {
    "text": text_target,
    "grouped": grouped_target,
    "image": image_target,
    "cnn": cnn_target,
    "resnet": resnet_target,
    "vae": vae_target,
    "unet": unet_target,
    "labelled_text": labelled_text_target,
    "audio": audio_target,
    "video": video_target,
    "pairs": pairs_target,
    "captions": captions_target,
    "sound": sound_target,
}
VARIANTS = [  # norm, activation, label smoothing, augmentation, schedule, precision
    ("rms", "gelu", 0.0, "none", "cosine", "float32"),
    ("layer", "silu", 0.15000000000000002, "shift", "constant", "bfloat16"),
]
HUGE = {"d_model": 65536, "num_layers": 128, "num_heads": 128, "head_dim": 1024, "d_ff": 262144}
HUGE_OF_IMAGES = {
    "cnn": {"width": 65536, "num_layers": 128, "hidden": 262144},
    "vae": {"latent": 65536, "width": 65536, "hidden": 262144, "encoder_layers": 128, "decoder_layers": 128},
    "unet": {"condition": 16384} | resnet_sizes((16384, 32768, 65536), (128, 128, 128), 4),
    "video": {key: HUGE[key] for key in HUGE if key != "num_layers"} | {"space_layers": 128, "time_layers": 128},
    "resnet": resnet_sizes((16384, 32768, 65536), (128, 128, 128), 4),
}
HUGE_OF_IMAGES["pairs"] = {axis: length for axis, length in HUGE.items() if axis != "num_layers"} | {
    "image_layers": 128,
    "text_layers": 128,
    "embedding": 65536,
}
HUGE_OF_IMAGES["grouped"] = {axis: length for axis, length in HUGE.items() if axis != "num_heads"} | {
    "num_kv_heads": 128,
    "queries_per_kv_head": 128,
}
HUGE_OF_IMAGES["captions"] = {axis: length for axis, length in HUGE_OF_IMAGES["pairs"].items() if axis != "embedding"}
LOSS = re.compile(r"step +(\d+): training loss (\S+)")
STEPS = 5
# Scripts that run beside a project, in the process of its other commands.
WRONG_COUNT = """
import dataclasses, sys, train
sizes = train.SIZES
sizes["target"] = dataclasses.replace(sizes["target"], num_params=8)
sys.argv = ["train.py", "--dry-run"]
try:
    code = train.main()
finally:
    from sizes import TARGET
    sizes["target"] = TARGET
sys.exit(code)
"""
NO_ROOM = """
import dataclasses, memory, sharding, sizes, step
config = dataclasses.replace(sizes.TARGET.config, d_model=2**20)
mesh = sharding.make_mesh((2, 2, 2))
memory.check_memory(step.abstract_state(sizes.PROTOTYPE, mesh), mesh)
try:
    memory.check_memory(step.abstract_state(dataclasses.replace(sizes.TARGET, config=config), mesh), mesh)
except ValueError as error:
    print(error)
"""
MAPPED = """
import numpy as np, pathlib, data, sizes
config = sizes.PROTOTYPE.config
mapped = data.load_split(pathlib.Path("../folder"), "train", config)
read = data.load_split(data.HERE / "data.npz", "train", config)
print(isinstance(mapped, np.memmap), (mapped == read[:1000]).all())
"""


@dataclasses.dataclass(frozen=True)
class Written:
    """A target, and its project on disk."""

    kind: str
    target: Target
    folder: Path


@pytest.fixture(scope="module", params=KINDS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    target = KINDS[request.param]()
    return Written(request.param, target, target.write(tmp_path_factory.mktemp("target") / "winner"))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Written:
    target = text_target()
    return Written("text", target, target.write(tmp_path_factory.mktemp("text") / "winner"))


def losses(out: str) -> dict[int, float]:
    """The training loss of every step that was printed."""
    return {int(step): float(loss) for step, loss in LOSS.findall(out)}


def target_command(folder: Path) -> list[str]:
    """What the README says the target is trained with, up to data and folder."""
    line = re.search(r"^python (train.py --mesh .*) --data FOLDER --out run$", (folder / "README.md").read_text(), re.M)
    return line.group(1).split()


def structure_of(modality: Modality, scale: Scale, seed: int = 0) -> Structure:
    """The program that a search trains at these sizes, without any mesh."""
    blueprint = scale.blueprint
    family = modality.families[blueprint.family].form_of(blueprint.sizes)
    source = codegen.program_source(
        modality, family, blueprint.structure, blueprint.sizes, scale.fixed, scale.training, seed
    )
    return Structure(codegen.load_module(source), family.model_class, blueprint.sizes)


def plain_losses(target: Target, num_steps: int) -> list[float]:
    """Of the prototype, trained without any mesh by the program that the search trains."""
    structure = structure_of(target.modality, target.prototype, target.seed)
    module = structure.module
    model = getattr(module, structure.model_class)(module.Config(), nnx.Rngs(target.seed))
    optimizer = nnx.Optimizer(model, module.make_optimizer(**NUMBERS, num_steps=num_steps), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, batch):
        loss, gradients = nnx.value_and_grad(module.loss_fn)(model, *batch)
        optimizer.update(model, gradients)
        return loss

    arrays = target.modality.train_arrays(target.dataset)
    return [float(step(model, optimizer, module.train_batch(*arrays, number))) for number in range(num_steps)]


# -- what it does ------------------------------------------------------------------------------------------------------


def num_params(modality: Modality, scale: Scale) -> int:
    model = structure_of(modality, scale).abstract(scale.blueprint.sizes)
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def test_parameters_are_those_counted_by_hand(written):
    target, facts = written.target, written.target.facts
    assert num_params(target.modality, target.target) == facts.params
    assert num_params(target.modality, target.prototype) == facts.prototype_params


def test_parameters_of_a_denoiser_of_codes_are_those_counted_by_hand():
    """It is never so large that it is a target."""
    sizes, fixed = {"condition": 64, "width": 192, "hidden": 256, "num_layers": 4}, {"latent": 32, "num_classes": 10}
    fields = tuple(Field(*each, "") for each in fixed.items())
    training = load_spec(SPECS / "image_diffusion_latent.yaml").training
    scale = Scale(Blueprint("latent_denoiser", WORDS, sizes, NUMBERS), fields, training)
    assert num_params(LatentImageGeneration(), scale) == latent_denoiser_params(sizes, **fixed)


@pytest.fixture(scope="module")
def text_results(text: Written) -> dict[str, Result]:
    """Of eight billion parameters, all that takes no memory; of the prototype, a few steps on eight devices."""
    outside = text.folder.parent
    for name, script in {"wrong_count": WRONG_COUNT, "no_room": NO_ROOM, "mapped": MAPPED}.items():
        (outside / f"{name}.py").write_text(script)
    tokens = text.target.dataset.train[:1000]
    for name, train in {"foreign": tokens + 100, "floats": tokens / 2, "short": tokens[:16]}.items():
        np.savez(outside / f"{name}.npz", train_tokens=train)
    (outside / "folder").mkdir()
    np.save(outside / "folder" / "train_tokens.npy", tokens)
    prototype = ["train.py", "--size", "prototype"]
    return run_all(
        text.folder,
        {
            "dry": ["train.py", "--dry-run", "--mesh", "1,8,8"],
            "uneven": ["train.py", "--dry-run", "--mesh", "1,3,7"],
            "lower": [*target_command(text.folder), "--dry-run", "--lower"],
            "small": [*prototype, "--dry-run", "--mesh", "1,4,8", "--lower"],
            "small, remat": [*prototype, "--dry-run", "--mesh", "1,4,8", "--lower", "--remat"],
            "wrong count": ["../wrong_count.py"],
            "no room": ["../no_room.py"],
            "mapped": ["../mapped.py"],
            "no data": ["train.py"],
            "foreign": [*prototype, "--data", "../foreign.npz"],
            "floats": [*prototype, "--data", "../floats.npz"],
            "short": [*prototype, "--data", "../short.npz"],
            "large mesh": [*prototype, "--mesh", "4,4,4"],
            "no mesh": [*prototype, "--mesh", "4,4"],
            "batch": [*prototype, "--batch-size", "12"],
            "nothing there": [*prototype, "--resume", "--out", "nowhere"],
            "lower alone": [*prototype, "--lower"],
            "no run": ["infer.py", "--tokens", "1", "--run", "nowhere"],
            "train": [*prototype, "--mesh", "2,2,2", "--steps", str(STEPS), "--out", "sharded"],
            "again": [*prototype, "--mesh", "2,2,2", "--steps", str(STEPS), "--out", "sharded"],
            "other steps": [*prototype, "--steps", "9", "--out", "sharded", "--resume"],
        },
        host_devices=8,
    )


def test_eight_billion_parameters_are_counted_without_allocating_them(text_results, text):
    result = text_results["dry"]
    assert result.code == 0
    assert text.target.facts.params == 8_869_122_048
    assert result.out.endswith("8,869,122,048 parameters, as predicted\n")
    assert "32 x blocks.*.feed_forward.up" in result.out


def test_a_count_that_was_not_predicted_is_an_error(text_results):
    result = text_results["wrong count"]
    assert result.code == 1
    assert result.out.endswith("8,869,122,048 parameters, but 8 were predicted\n")


def test_the_dry_run_says_what_each_device_holds(text_results, text):
    held = {what: float(count) for count, what in re.findall(r"(\S+) GB a device: (.*)", text_results["dry"].out)}
    everything = 4 * text.target.facts.params / 1e9
    assert held["weights"] == held["gradients"]
    # Scales are divided along the width alone, and so is what is added for a position; all else among 64 devices.
    assert everything / 64 < held["weights"] < everything / 60
    assert held["moments of AdamW"] == pytest.approx(2 * held["weights"], abs=2e-3)
    assert held["together, without activations"] == pytest.approx(4 * held["weights"], abs=2e-3)


def test_a_dimension_that_cannot_be_divided_stays_whole_and_is_named(text_results):
    out = text_results["uneven"].out
    assert "d_model 4096 stays whole: no multiple of fsdp 3\n" in out
    assert "num_heads 32 stays whole: no multiple of tensor 7\n" in out
    assert "d_model 4096, d_ff 21504 / 7 (tensor)\n" in out
    assert "stays whole" not in text_results["dry"].out


def test_a_step_of_the_target_lowers_and_remat_computes_more(text_results, text):
    lines = {}
    for command in ("lower", "small", "small, remat"):
        assert text_results[command].code == 0
        said = re.search(r"lowers to (\S+) lines", text_results[command].out).group(1)
        lines[command] = int(said.replace(",", ""))
    assert "--remat" in target_command(text.folder)
    assert lines["lower"] > 5 * lines["small"]  # 32 layers and 2
    assert lines["small, remat"] > 1.1 * lines["small"]


def test_on_eight_devices_the_losses_are_those_of_the_plain_prototype(text_results, text):
    result = text_results["train"]
    assert result.code == 0
    sharded = losses(result.out)
    assert list(sharded) == [*range(1, STEPS + 1)]
    np.testing.assert_allclose([*sharded.values()], plain_losses(text.target, STEPS), atol=1e-4)
    assert sharded[STEPS] < sharded[1] - 0.5


def test_key_value_heads_are_divided_or_else_the_query_heads_that_share_them(tmp_path):
    target = grouped_target()
    folder = target.write(tmp_path / "winner")
    train = ["train.py", "--size", "prototype", "--steps", str(STEPS)]
    commands = {
        "target": ["train.py", "--dry-run", "--mesh", "1,2,8"],
        "target, more": ["train.py", "--dry-run", "--mesh", "1,2,32"],
        "small": [*train, "--mesh", "1,2,4", "--dry-run"],
        "key/value heads": [*train, "--mesh", "2,2,2", "--out", "divided"],
        "query heads": [*train, "--mesh", "1,2,4", "--out", "shared"],
    }
    results = run_all(folder, commands, host_devices=8)
    assert [result.code for result in results.values()] == [0] * len(commands)
    divided = results["target"].out
    assert "num_kv_heads 8 / 8 (tensor), queries_per_kv_head 4, head_dim 128\n" in divided
    assert "d_model 4096 / 2 (fsdp), num_kv_heads 8 / 8 (tensor), head_dim 128\n" in divided
    assert "stays whole" not in divided
    assert "queries_per_kv_head 4 stays whole: no multiple of tensor 32\n" in results["target, more"].out
    shared = results["small"].out
    assert "d_model 32 / 2 (fsdp), num_kv_heads 2, queries_per_kv_head 4 / 4 (tensor), head_dim 8\n" in shared
    assert "d_model 32 / 2 (fsdp), num_kv_heads 2, head_dim 8\n" in shared
    assert "num_kv_heads 2 stays whole: no multiple of tensor 4\n" in shared
    assert "queries_per_kv_head 4 stays whole" not in shared
    plain = plain_losses(target, STEPS)
    for name in ("key/value heads", "query heads"):
        np.testing.assert_allclose([*losses(results[name].out).values()], plain, atol=1e-4)
    assert "rematerialization" not in (tmp_path / "xla.txt").read_text()


def test_xla_never_has_to_replicate_an_activation(text_results, text):
    """It says so on stderr where a layout forces it to, and then the memory of a device does not depend on the mesh."""
    assert text_results["train"].code == 0
    assert "rematerialization" not in (text.folder.parent / "xla.txt").read_text()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("no data", "--size target has no data here: give --data"),
        ("foreign", "train_tokens has tokens from 1"),
        ("foreign", "the vocabulary in sizes.py"),
        ("floats", "train_tokens has to be one row of integers, found float64 (1000,)"),
        ("short", "train_tokens has 16 tokens and needs more than the context of 16"),
        ("large mesh", "--mesh 4,4,4 takes 64 devices, and 8 are here"),
        ("no mesh", "write three lengths, data,fsdp,tensor, such as 1,8,8"),
        ("batch", "give --batch-size a multiple of 8"),
        ("nothing there", "nowhere: train.py has left nothing here"),
        ("lower alone", "--lower goes with --dry-run"),
        ("no run", "nowhere: train.py has left nothing here"),
        ("again", "sharded exists; go on there with --resume"),
        ("other steps", "sharded was started with {'size': 'prototype', 'steps': 5"),
    ],
)
def test_wrong_input_gives_one_message_and_exit_code_2(text_results, command, says):
    result = text_results[command]
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_a_training_that_cannot_fit_is_refused_before_it_allocates(text_results):
    assert re.search(r"take \S+ GB of each device, which has \S+ GB", text_results["no room"].out)


def test_a_folder_of_arrays_is_mapped(text_results):
    assert text_results["mapped"].out == "True True\n"


@pytest.mark.slow  # a minute each: a dozen programs are compiled
def test_every_command_of_the_readme_works_where_metagen_jax_cannot_be_imported(written):
    more = ["train.py", "--size", "prototype", "--steps", "20", "--save-every", "8"]
    alone = [*more, "--mesh", "1,1,1", "--out", "alone"]
    number = "1" if written.kind == "pairs" else "2"  # a pair is told from the others of its part alone
    parts = [*more, "--mesh", "1,4,2", "--accumulate", number, "--remat", "--out", "parts"]
    commands = read_me(written.folder)
    results = run_all(written.folder, commands | {"alone": alone, "parts": parts}, host_devices=8)
    for command, result in results.items():
        assert result.code in (0, None), (command, result)
    assert re.search(r"^=* ?5 passed in", results["-m pytest test_project.py"].out, re.M)
    (train,) = (result for command, result in results.items() if "trial" in command and "train.py" in command)
    expected = losses(train.out)
    assert len(expected) == 11
    for name in ("alone", "parts"):
        np.testing.assert_allclose([*losses(results[name].out).values()], [*expected.values()], atol=1e-4)
    if written.kind not in ("text", "grouped", "sound"):  # of which only some windows are looked at in training
        in_training = float(re.search(r"step +20: loss ([\d.]+)", train.out).group(1))
        evaluated = float(
            re.search(r"validation: loss (\S+)", results["evaluate.py --run trial --mesh 2,2,2"].out).group(1)
        )
        assert evaluated == pytest.approx(in_training, abs=1e-4)


@pytest.mark.slow  # a minute: a dozen commands
def test_an_interrupted_training_in_bfloat16_goes_on_with_the_same_numbers(tmp_path):
    folder = text_target("training.precision=bfloat16").write(tmp_path / "winner")
    train = ["train.py", "--size", "prototype", "--steps", "30", "--save-every", "20"]
    stop = (
        "import sys, checkpoint, train\n"
        "checkpoint.save_now = checkpoint.save\n"
        "def save(manager, step, state):\n"
        "    checkpoint.save_now(manager, step, state)\n"
        "    manager.wait_until_finished()\n"
        "    raise KeyboardInterrupt\n"
        "checkpoint.save = save\n"
        f"sys.argv = {[*train, '--mesh', '2,2,2', '--out', 'broken']}\n"
        "try:\n"
        "    train.main()\n"
        "except KeyboardInterrupt:\n"
        "    checkpoint.save = checkpoint.save_now\n"
    )
    (tmp_path / "stop.py").write_text(stop)
    ask = ["infer.py", "--run", "broken", "--length", "30"]
    tests = read_me(folder)["-m pytest test_project.py"]
    results = run_all(
        folder,
        {
            "tests": tests,
            "whole": [*train, "--mesh", "2,2,2", "--out", "whole"],
            "stopped": ["../stop.py"],
            "resumed": [*train, "--mesh", "2,2,2", "--out", "broken", "--resume"],
            "evaluate": ["evaluate.py", "--run", "broken"],
            "as evaluated": ["evaluate.py", "--run", "whole", "--mesh", "1,1,8"],
            "prompt": [*ask, "--prompt", "And"],
            "prompt again": [*ask, "--prompt", "And"],
            "long": [*ask, "--prompt", "And God said unto them that were with him"],
            "tokens": [*ask, "--tokens", "3,1,4"],
            "wrong tokens": [*ask, "--tokens", "3,1000"],
            "empty": [*ask, "--prompt", ""],
        },
        host_devices=8,
    )
    assert "5 passed" in results["tests"].out
    assert max(losses(results["stopped"].out)) == 20
    assert results["resumed"].out.startswith("goes on after step 20\n")
    whole, resumed = losses(results["whole"].out), losses(results["resumed"].out)
    assert resumed == {30: whole[30]}  # to the last digit: nothing is lost
    assert results["resumed"].out.splitlines()[-1] == results["whole"].out.splitlines()[-1]
    scores = [float(re.search(r"test: loss (\S+)", results[n].out).group(1)) for n in ("evaluate", "as evaluated")]
    assert scores[0] == pytest.approx(scores[1], abs=1e-2)
    assert results["prompt"].out == results["prompt again"].out
    assert len(results["prompt"].out) == 3 + 30 + 1
    assert results["long"].code == 0
    answer = [int(token) for token in results["tokens"].out.split(",")]
    assert answer[:3] == [3, 1, 4]
    assert len(answer) == 33
    assert "--tokens have to be from 0 to" in results["wrong tokens"].err
    assert "--prompt is empty" in results["empty"].err


@pytest.mark.slow  # two processes that compile
def test_two_hosts_train_together(text):
    arguments = ["train.py", "--size", "prototype", "--steps", "4", "--mesh", "1,2,2", "--multi-host", "--out", "hosts"]
    flags = "--xla_backend_optimization_level=1 --xla_force_host_platform_device_count=2"
    slurm = {"SLURM_JOB_ID": "4321", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0"}
    hosts = [
        subprocess.Popen(
            [sys.executable, "-B", *arguments],
            cwd=text.folder,
            env=os.environ | QUICK | slurm | {"SLURM_PROCID": str(number), "XLA_FLAGS": flags},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    outs = [host.communicate(timeout=300)[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0]
    np.testing.assert_allclose([*losses(outs[0]).values()], plain_losses(text.target, 4), atol=1e-4)
    assert not losses(outs[1])


# -- what it says ------------------------------------------------------------------------------------------------------


def varied(written: Written, choices: tuple, sizes: dict[str, int] | None) -> dict:
    """Target and prototype with other words in their text, and with other sizes of the target."""
    norm, activation, smoothing, augmentation, schedule, precision = choices
    changed = {}
    for name in ("target", "prototype"):
        scale = getattr(written.target, name)
        lengths = sizes if sizes and name == "target" else scale.blueprint.sizes
        blueprint = scale.blueprint
        structure = blueprint.structure | {"norm": norm, "activation": activation}
        training = dataclasses.replace(
            scale.training,
            label_smoothing=smoothing,
            augmentation="none"
            if written.kind in ("text", "grouped", "labelled_text", "audio", "sound", "video")
            else augmentation,
            schedule=schedule,
            precision=precision,
        )
        changed[name] = dataclasses.replace(
            scale,
            blueprint=Blueprint(blueprint.family, structure, lengths, {**NUMBERS, "learning_rate": 3e-5}),
            training=training,
        )
    return changed


@pytest.mark.parametrize("huge", [False, True], ids=["target", "huge"])
@pytest.mark.parametrize("choices", VARIANTS, ids=lambda choices: "-".join(map(str, choices)))
def test_its_code_passes_ruff_with_the_default_settings(written, tmp_path, choices, huge):
    sizes = HUGE_OF_IMAGES.get(written.kind, HUGE) if huge else None
    facts = dataclasses.replace(written.target.facts, params=10**15 if huge else 10**9, spec_name="n" * 64)
    folder = written.target.write(tmp_path / "winner", **varied(written, choices, sizes), facts=facts)
    for command in (["check"], ["format", "--check"]):
        arguments = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "."]
        result = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


def test_its_model_has_the_text_of_the_prototypes_but_for_the_sizes(written):
    scale = written.target.prototype
    family = written.target.modality.families[scale.blueprint.family].form_of(scale.blueprint.sizes)
    context = codegen.model_context(family, scale.blueprint.structure, scale.blueprint.sizes, scale.fixed, "float32")
    model = (written.folder / "model.py").read_text()
    assert all(fragment in model for fragment in context["model_fragments"])


def test_text_that_a_user_wrote_stays_out_of_the_code(written, tmp_path):
    target = written.target
    dataset = dataclasses.replace(target.dataset, name=HOSTILE)
    if not isinstance(dataset, TextDataset | AudioTokenDataset | UnlabelledImageDataset | CaptionedImageDataset):
        dataset = dataclasses.replace(dataset, class_names=tuple(f"{HOSTILE}{i}" for i in range(dataset.num_classes)))
    facts = dataclasses.replace(target.facts, description=HOSTILE)
    hostile = contents(target.write(tmp_path / "winner", dataset=dataset, facts=facts))
    code = {name for name in hostile if name.endswith((".py", "requirements.txt", ".toml"))}
    assert len(code) == 15 + (written.kind == "sound")
    assert {name: hostile[name] for name in code} == {name: (written.folder / name).read_bytes() for name in code}
    assert "<script>" not in hostile["README.md"].decode()
    assert r"{{ 7 \* 7 }}" in hostile["README.md"].decode()


def test_the_same_arguments_give_the_same_bytes(written, tmp_path):
    one, another = (contents(written.target.write(tmp_path / name)) for name in ("one", "another"))
    assert one == another
    with pytest.raises(FileExistsError):
        written.target.write(tmp_path / "one")


def test_every_file_is_explained_in_the_readme(written, tmp_path):
    folder = written.target.write(tmp_path / "winner")
    readme = (folder / "README.md").read_text()
    for path in folder.iterdir():
        name = f"{path.name}/" if path.is_dir() else path.name
        assert name == "README.md" or f"| `{name}` |" in readme
    assert "| `prototype/` |" in readme


def test_the_readme_gives_the_numbers(written):
    readme, facts = (written.folder / "README.md").read_text(), written.target.facts
    assert (
        f"A {written.target.modality.families[written.target.target.blueprint.family].title} of {facts.params:,} p"
        in readme
    )
    assert f"| {facts.prototype_params:,} | {facts.params:,} |" in readme
    assert facts.transfer in readme
    assert "loss 1.2500, accuracy 0.5000" in readme
    for axis, factor in facts.factors.items():
        assert re.search(rf"\| `{axis}`: .* \| {factor:g} \|$", readme, re.M)
    assert ("keys and values" in readme) == (written.kind in ("text", "grouped", "sound"))


def test_a_target_that_reads_the_data_of_its_prototype_is_trained_on_it(text, tmp_path):
    scale = dataclasses.replace(text.target.target, fixed=text.target.prototype.fixed)
    folder = text.target.write(tmp_path / "winner", target=scale)
    assert 'FITTING = ("target", "prototype")' in (folder / "data.py").read_text()
    assert 'FITTING = ("prototype",)' in (text.folder / "data.py").read_text()
    assert "Without `--data`, the target is trained on `data.npz`" in (folder / "README.md").read_text()


def test_large_data_stays_where_it_is_and_the_readme_says_what_to_do(written, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LARGEST_DATA_BYTES", 1000)
    folder = written.target.write(tmp_path / "winner")
    assert not (folder / "data.npz").exists()
    readme = (folder / "README.md").read_text()
    assert "**The data of the prototype is not in this folder**" in readme
    assert "--out trial" not in readme


@pytest.mark.parametrize("batch_size", [7, 12, 30, 32])
def test_every_mesh_of_the_readme_takes_the_batch(text, tmp_path, batch_size):
    changed = {}
    for name in ("target", "prototype"):
        scale = getattr(text.target, name)
        changed[name] = dataclasses.replace(scale, training=dataclasses.replace(scale.training, batch_size=batch_size))
    folder = text.target.write(tmp_path / "winner", **changed)
    meshes = re.findall(r"^python .* --mesh (\d+),(\d+),(\d+)", (folder / "README.md").read_text(), re.M)
    assert len(meshes) == 5
    for data, fsdp, _ in meshes:
        assert batch_size % (int(data) * int(fsdp)) == 0


@pytest.mark.parametrize("change", [{"norm": "layer"}, {"activation": "relu"}, {"schedule": "linear"}])
def test_networks_that_differ_in_words_are_refused(text, tmp_path, change):
    scale = text.target.prototype
    structure = {name: change.get(name, value) for name, value in scale.blueprint.structure.items()}
    schedule = change.get("schedule", scale.training.schedule)
    other = dataclasses.replace(
        scale,
        blueprint=dataclasses.replace(scale.blueprint, structure=structure),
        training=dataclasses.replace(scale.training, schedule=schedule),
    )
    with pytest.raises(ValueError, match=f"{next(iter(change))}: .* of the target is not '{change.popitem()[1]}'"):
        text.target.write(tmp_path / "winner", prototype=other)
