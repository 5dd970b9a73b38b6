"""Are the costs of random networks those that XLA counts in the rendered programs?

    python experiments/costs/run.py                    # 500 candidates over all families, half an hour on two cores
    python experiments/costs/run.py --candidates 6     # a short form

Parameters against the count of the rendered model; FLOPs of a forward pass and of the gradients of a batch against XLA's
cost analysis of the plain program, as written and after optimisation (layers are unrolled in it, so there are no loops
to account for); memory against XLA's memory analysis of a whole training step. Writes results/costs.json.
"""

import argparse
import functools
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

import jax
import numpy as np

from experiments.codes import prepare_any
from experiments.costs.counted import Counted, count
from experiments.provenance import provenance
from metagen_jax.spec import load_spec
from metagen_jax.synth.space import SearchSpace

ROOT = Path(__file__).parents[2]
WORDS = "norm: [rms, layer], activation: [gelu, relu, silu]"
RESNET_SIZES = ", ".join(
    f"width_{level}: [10, 16, 28, 40], hidden_{level}: [12, 20, 36], num_layers_{level}: [1, 2, 3]"
    for level in (1, 2, 3)
)
UNET_SIZES = ", ".join(
    f"width_{level}: [10, 16, 28, 40], hidden_{level}: [12, 20, 36], num_layers_{level}: [1, 2]" for level in (1, 2, 3)
)
BLOCK_SIZES = "num_heads: [1, 2, 3, 4], head_dim: [8, 12, 20], d_ff: [20, 64, 100, 200]"
# Each family with the widest choice of sizes, by steps that are no multiples of anything.
SPACES = {
    "vit": ("image_vit_classification", f"{{{WORDS}, patch_size: [2, 4, 7], d_model: [12, 20, 32, 48, 76, 100, 128]}}"),
    "cnn": ("image_digits_cnn", f"{{{WORDS}, stride: [1, 2], width: [10, 16, 24, 40, 64], hidden: [12, 20, 36, 64]}}"),
    "resnet": (
        "image_cnn_classification",
        f"{{{WORDS.replace(', relu, silu', '')}, block: [convolution, depthwise_separable], {RESNET_SIZES}}}",
    ),
    "decoder_transformer": ("text_char_lm", f"{{{WORDS}, d_model: [12, 20, 32, 48, 76, 100, 128]}}"),
    "encoder_transformer": (
        "text_classification",
        f"{{{WORDS}, stride: [2, 4], d_model: [12, 20, 32, 48, 76, 100, 128], num_layers: [1, 2, 3, 4]}}",
    ),
    "spectrogram_transformer": (
        "audio_classification",
        f"{{{WORDS}, stride: [1, 2], d_model: [12, 20, 32, 48, 76, 100, 128], num_layers: [1, 2, 3, 4]}}",
    ),
    "vae": (
        "image_vae",
        "{stride: [2, 4, 7], latent: [5, 12, 32], width: [10, 16, 28, 40, 64], hidden: [12, 20, 36, 64], "
        "encoder_layers: [1, 2, 3], decoder_layers: [1, 2, 3]}",
    ),
    "unet": ("image_diffusion_pixel", f"{{stride: [1, 2, 4], condition: [12, 32, 56], {UNET_SIZES}}}"),
    "latent_denoiser": (
        "image_diffusion_latent",
        f"{{{WORDS}, condition: [12, 32, 56], width: [20, 48, 76, 160], hidden: [20, 64, 100, 200], num_layers: [1, 2, 3, 4]}}",
    ),
    "video_transformer": (
        "video_classification",
        f"{{{WORDS}, tubelet_frames: [1, 2, 4], patch_size: [4, 7], d_model: [12, 20, 32, 48, 76, 100], {BLOCK_SIZES}, "
        "space_layers: [1, 2, 3], time_layers: [1, 2, 3]}",
    ),
    "dual_encoder": (
        "multimodal_clip",
        f"{{{WORDS}, patch_size: [4, 8], word_length: [4, 8], d_model: [12, 20, 32, 48, 76, 100], {BLOCK_SIZES}, "
        "image_layers: [1, 2, 3], text_layers: [1, 2, 3], embedding: [12, 20, 48, 100]}",
    ),
    "captioner": (
        "multimodal_captioning",
        f"{{{WORDS}, patch_size: [4, 8], d_model: [12, 20, 32, 48, 76, 100], {BLOCK_SIZES}, image_layers: [1, 2, 3], "
        "text_layers: [1, 2, 3]}",
    ),
}
CODE_LENGTH = 8  # of what a network of codes draws; any numbers do
AT_ONCE = 20  # candidates of a process before it gets new ones
COMPILED_EVERY = 5  # candidates, of which the gradients are compiled on their own: another two seconds
MEASURES = {
    "flops": "flops",
    "training_flops": "training_flops",
    "training_flops_compiled": "training_flops",
    "memory_bytes": "memory_bytes",
}


@functools.cache
def space_of(family: str) -> SearchSpace:
    name, choices = SPACES[family]
    overrides = (f"architecture.choices={choices}", "constraints.parameter_budget={}")
    return prepare_any(load_spec(ROOT / "specs" / f"{name}.yaml", overrides), CODE_LENGTH).space


def measure(family: str, numbers: range, seed: int) -> list[dict[str, Any]]:
    """One row for each of a family's random candidates with these numbers: what was predicted and what XLA has."""
    space = space_of(family)
    counts = space.discrete.num_choices
    drawn = np.random.default_rng(seed).integers(0, counts, size=(numbers.stop, len(counts)), dtype=np.int32)
    genotypes = drawn[numbers.start :]
    rows = []
    for number, genotype, predicted in zip(numbers, genotypes, space.costs_of(genotypes), strict=True):
        blueprint = space.blueprint(genotype)
        counted = count(space, blueprint, compiled=number % COMPILED_EVERY == 0)
        rows.append(_row(blueprint.structure | blueprint.sizes, predicted, counted))
        print(f"{family} {number}", file=sys.stderr, flush=True)
    return rows


def measure_all(candidates: int, seed: int, processes: int) -> dict[str, list[dict[str, Any]]]:
    """The rows of each family, in the order of their numbers, whatever the number of processes."""
    shares = np.diff(np.linspace(0, candidates, len(SPACES) + 1).round().astype(int)).tolist()
    tasks = [
        (family, range(start, min(start + AT_ONCE, share)))
        for family, share in zip(SPACES, shares, strict=True)
        for start in range(0, share, AT_ONCE)
    ]
    rows: dict[str, list[dict[str, Any]]] = {family: [] for family in SPACES}
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _leave_machine_code_plain) as pool:
        found = [(family, pool.submit(measure, family, numbers, seed)) for family, numbers in tasks]
        for family, part in found:
            rows[family] += part.result()
    return rows


def _leave_machine_code_plain() -> None:
    """Nothing is run, so XLA need not spend time on fast machine code; what it counts is decided before that."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()


def _row(choices: Mapping[str, Any], predicted: Mapping[str, Any], xla: Counted) -> dict[str, Any]:
    counted = {name: of for name, of in MEASURES.items() if not math.isnan(getattr(xla, name))}
    ratios = {name: round(predicted[of] / getattr(xla, name), 5) for name, of in counted.items()}
    return {**choices, "params": predicted["params"], "params_equal": predicted["params"] == xla.params, **ratios}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures that count, over the rows of a family or of all."""
    found: dict[str, Any] = {"candidates": len(rows), "params_equal": sum(row["params_equal"] for row in rows)}
    for name in MEASURES:
        ratios = np.array([row[name] for row in rows if name in row])
        found[name] = {
            "candidates": len(ratios),
            "median_error": round(float(np.median(np.abs(ratios - 1))), 5),
            "smallest_ratio": float(ratios.min()),
            "largest_ratio": float(ratios.max()),
            "within_20_percent": round(float(np.mean(np.abs(ratios - 1) <= 0.2)), 4),
        }
    return found


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares predicted costs with XLA's analyses.")
    parser.add_argument("--candidates", type=int, default=500, help="over all families (default: %(default)s)")
    parser.add_argument(
        "--seed",
        type=int,
        default=4,
        help="of the candidates (default: %(default)s; not 0 to 3, on which the rules were found)",
    )
    parser.add_argument("--processes", type=int, default=2, help="at the same time (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options, started = parse(arguments), time.monotonic()
    rows = measure_all(options.candidates, options.seed, options.processes)
    result = {
        **provenance("experiments/costs/run.py", jax.default_backend(), options.seed),
        "seconds": round(time.monotonic() - started, 1),
        "all": summary([row for family in rows.values() for row in family]),
        **{family: summary(own) for family, own in rows.items()},
        "rows": rows,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "costs.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: result[name] for name in ("all", *SPACES)}, indent=1))


if __name__ == "__main__":
    main()
