"""Writes docs/benchmarks/population.md from the results of run.py and gpu.py.

python benchmarks/population/page.py
"""

import json
import pathlib
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = pathlib.Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "benchmarks" / "population.md"
PEERS = {
    "engine": "(a) this engine",
    "per_shape": "(b) JAX, one `jit` a shape",
    "torch_eager": "(c) PyTorch, one after another",
    "torch_workers": "(d) PyTorch, a worker a core",
    "torch_ensembles": "(e) `torch.func` ensembles",
}
TITLES = {"vit": "Vision transformers", "decoder_transformer": "Decoder transformers", "cnn": "Convolutional networks"}
TRANSFORMERS = ("vit", "decoder_transformer")
# What was asked for: families, when, peer, floor, aim; how many times as long as the engine the peer takes.
ASKED = (
    (tuple(TITLES), "cold", "per_shape", 5, 10),
    (TRANSFORMERS, "cold", "torch_eager", 2, 3),
    (TRANSFORMERS, "warm", "torch_workers", 1.2, 2),
    (("cnn",), "warm", "torch_eager", 1.2, 2),
)
ASKED_ON_GPU = (tuple(TITLES), "warm", "torch_eager", 30, 100)
ASKED_CANDIDATES, ASKED_CANDIDATES_ON_GPU = 32, 256

INTRODUCTION = """# How fast is the population engine?

Written by `python benchmarks/population/page.py` from the results stored under `benchmarks/population/results/`, which `python benchmarks/population/run.py` measures. All peers of a family train the same candidates, drawn from the space of a shipped spec, from the same initial weights on the same batches with the same AdamW, clipping and schedule, in float32. Each measurement is a process of its own, and peers take turns.

Cold is the first training of the whole set in a fresh process, after imports and, for (a), after the search space is built: compilation and, for (a), the start of its other processes included, nothing cached. Warm is a training of the whole set once everything is compiled or started. What is not the same is to the disadvantage of (a): it draws its initial weights and its batches within the time and scores each candidate on 128 validation examples every 50 steps; the peers find weights and batches in memory and score nothing. (b) uses JAX's own defaults; (c) has whichever is faster of one thread and PyTorch's default; in (d) the largest candidates go first, and only its cold time contains the start of processes and the import of PyTorch; (e) stacks candidates of exactly equal shape and trains those that have no equal as (c) does. (c) and (e) compile nothing, so one time, taken after a first few steps, stands for cold and warm. The networks of (c) to (e) are written with PyTorch's fused attention, fused AdamW and one product for query, key and value.

Medians, with the smallest and the largest in brackets where there are several repeats; ratios are to (a), of medians. Memory is the peak of the resident set, workers included, but for (a) that of the leading process alone; each further one comes to about as much. The last column is the largest relative difference of any training loss of the first 100 steps from (b), which trains each candidate alone at its exact size.
"""


def load(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def seconds(entry: dict[str, Any], peer: str, when: str) -> list[float]:
    """Of every repeat; a peer that trained the first few candidates only is multiplied."""
    candidates = entry["set"]["candidates"]
    return [run[f"{when}_s"] * candidates / run["members"] for run in entry["peers"][peer]["runs"]]


def spread(values: Sequence[float]) -> str:
    middle = f"{statistics.median(values):,.1f}"
    return middle if len(values) == 1 else f"{middle} [{min(values):,.1f}, {max(values):,.1f}]"


def ratio(entry: dict[str, Any] | None, peer: str, when: str) -> float | None:
    if entry is None or peer not in entry["peers"] or "engine" not in entry["peers"]:
        return None
    own, ours = seconds(entry, peer, when), seconds(entry, "engine", when)
    return statistics.median(own) / statistics.median(ours)


def times(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def asked(results: dict[str, Any], candidates: int, figures: Sequence[tuple]) -> str:
    rows = []
    for families, when, peer, floor, aim in figures:
        for family in families:
            measured = times(ratio(results.get(f"{family}-{candidates}"), peer, when))
            rows.append([TITLES[family], f"{when}, {PEERS[peer]}", f"{floor}", f"{aim}", measured])
    return table(["family", "times as long as (a)", "floor", "aim", "measured"], rows)


def asked_of_the_engine(results: dict[str, Any]) -> Iterator[str]:
    for family, title in TITLES.items():
        engine = results.get(f"{family}-{ASKED_CANDIDATES}", {"peers": {}})["peers"].get("engine")
        if engine is None:
            continue
        compilations = max(run["details"]["compilations_in_a_round_of_others"] for run in engine["runs"])
        difference = engine["loss_difference_from_per_shape"]
        compared = "not compared" if difference is None else f"{difference:.1e}"
        yield (
            f"- {title}: a later round of as many other candidates compiled {compilations} programs (asked for: none); "
            f"largest relative loss difference {compared} (floor 1e-5, aim 1e-6)."
        )


def comparison(entry: dict[str, Any]) -> str:
    """One family: what was trained, where, and the table."""
    chosen = entry["set"]
    sizes = ", ".join(f"{axis} {values[0]}-{values[-1]}" for axis, values in chosen["sizes"].items())
    overrides = "".join(f", `{override}`" for override in chosen["overrides"])
    rows = []
    for peer in (peer for peer in PEERS if peer in entry["peers"]):
        runs = entry["peers"][peer]["runs"]
        difference = entry["peers"][peer]["loss_difference_from_per_shape"]
        rows.append(
            [
                PEERS[peer],
                spread(seconds(entry, peer, "cold")),
                times(ratio(entry, peer, "cold")),
                spread(seconds(entry, peer, "warm")),
                times(ratio(entry, peer, "warm")),
                memory(runs),
                "" if difference is None else f"{difference:.1e}",
            ]
        )
    header = ["peer", "cold, s", "ratio", "warm, s", "ratio", "memory, MiB", "loss difference"]
    return f"""`{chosen["spec"]}`{overrides}: {chosen["candidates"]} candidates of {chosen["shapes"]} shapes ({sizes}), {chosen["steps"]} steps, batches of {" x ".join(map(str, chosen["batch"]))}.

{table(header, rows)}
{" ".join(where(entry))}
"""


def memory(runs: Sequence[dict[str, Any]]) -> str:
    text = f"{statistics.median(run['peak_memory_mib'] for run in runs):,.0f}"
    on_device = [run["details"].get("peak_device_memory_mib") for run in runs]
    return text if None in on_device else f"{text}; device {statistics.median(on_device):,.0f}"


def where(entry: dict[str, Any]) -> Iterator[str]:
    """One sentence for each date, machine and set of versions, and one for each peer with something to tell."""
    measured: dict[str, list[str]] = {}
    for name, peer in entry["peers"].items():
        versions = ", ".join(f"{library} {version}" for library, version in peer["versions"].items() if version)
        machine = peer["machine"]
        place = f"{peer['date']}, {machine['processor']}, {machine['cores']} cores, {versions}."
        measured.setdefault(place, []).append(PEERS[name][:3])
    for place, names in measured.items():
        yield f"{', '.join(names)}: {place}" if len(measured) > 1 else place
    for name, peer in entry["peers"].items():
        details = peer["runs"][0]["details"]
        counted = {key: details[key] for key in ("device", "devices", "shapes", "threads", "workers") if key in details}
        if "compile_s" in details:
            compile_s = statistics.median(run["details"]["compile_s"] for run in peer["runs"])
            counted["compiling"] = f"{compile_s:.1f} s"
        if details.get("planned_rounds", 1) > 1:
            counted["planned for rounds"] = details["planned_rounds"]
            counted["programs"] = len(details["programs"])
            counted["padding efficiency"] = f"{details['padding_efficiency']:.2f}"
        if "same_bits_backwards" in details:
            same = all(run["details"]["same_bits_backwards"] for run in peer["runs"])
            counted["the same bits in reverse order:"] = "yes" if same else "no"
        if "largest_group" in details:
            counted |= {"groups": details["groups"], "largest group": details["largest_group"]}
        if peer["runs"][0]["members"] < entry["set"]["candidates"]:
            counted["trained and multiplied"] = peer["runs"][0]["members"]
        if counted:
            yield f"{PEERS[name][:3]} {', '.join(f'{key} {value}' for key, value in counted.items())}."


def page() -> str:
    """The whole page as Markdown."""
    on_cpu, on_gpu = load("cpu"), load("gpu")
    parts = [
        INTRODUCTION,
        f"## What was asked for\n\n{ASKED_CANDIDATES} candidates on a CPU.\n",
        asked(on_cpu, ASKED_CANDIDATES, ASKED),
        "".join(f"{line}\n" for line in asked_of_the_engine(on_cpu)),
        f"{ASKED_CANDIDATES_ON_GPU} candidates on one accelerator, `python benchmarks/population/gpu.py`.\n",
        asked(on_gpu, ASKED_CANDIDATES_ON_GPU, [ASKED_ON_GPU]),
    ]
    for results, device in ((on_cpu, "on a CPU"), (on_gpu, "on an accelerator")):
        for entry in results.values():
            title = f"{TITLES[entry['set']['family']]}, {entry['set']['candidates']} {device}"
            parts.append(f"## {title}\n\n{comparison(entry)}")
    return "\n".join(part for part in parts if part)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    print(PAGE.relative_to(ROOT))
