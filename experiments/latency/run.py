"""Is the latency that is predicted before anything is built the one that is measured?

    python experiments/latency/run.py                   # 60 networks, about three minutes on a quiet core
    python experiments/latency/run.py --networks 6      # a short form
    python experiments/latency/run.py --calibrate       # fitted to other networks that are timed in the same turns

Networks of three families, of widths, depths, heads, contexts and channels that no predictor was fitted to, are predicted
by the coefficients in use (the user's own, or the shipped ones), built, and timed twice in turns. A machine that others
use too may change its speed within minutes; with --calibrate those networks that a calibration measures take turns with
the others, and the coefficients are fitted to them. Writes results/latency.json and results/latency.png.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

import jax
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from experiments.provenance import provenance
from metagen_jax.automl.latency import Timing, time_interleaved
from metagen_jax.automl.latency_calibration import NETWORKS, ORDINARY, Network, cnn, decoder, prepare, vit
from metagen_jax.cli.environment import start_jax
from metagen_jax.synth.costs import predictor_of
from metagen_jax.synth.costs.latency import fit

WIDTHS = (
    14,
    18,
    22,
    28,
    30,
    34,
    38,
    48,
    52,
    60,
    64,
    68,
    72,
    88,
    96,
    104,
    112,
    152,
    184,
    208,
)  # none of the calibration's
INNER = (36, 56, 100, 128, 144, 180, 256, 300, 360)
HEAD_DIMS = (4, 7, 9, 12, 16, 18, 24, 36)
IMAGES = (((8, 1), (2, 4)), ((20, 1), (2, 4, 5)), ((28, 1), (2, 4, 7)), ((32, 3), (4, 8)), ((40, 3), (4, 5, 8)))
WORDS = tuple(f"{norm} {activation}" for norm in ("rms", "layer") for activation in ("gelu", "relu", "silu"))
COLORS = {"vit": "#1b6ca8", "cnn": "#d1495b", "decoder_transformer": "#2e933c"}
NEAR = 0.15


def unseen(count: int, seed: int) -> list[Network]:
    """Random networks of the three families in turn."""
    pick = random.Random(seed)

    def transformer() -> tuple[int, int, int, int, int]:
        sizes = (WIDTHS, range(1, 7), range(1, 7), HEAD_DIMS, INNER)
        width, depth, heads, head_dim, inner = (pick.choice(values) for values in sizes)
        return width, depth, heads, head_dim, inner

    networks = []
    for number in range(count):
        words, (image, sides) = pick.choice(WORDS), pick.choice(IMAGES)
        if number % 3 == 0:
            networks.append(vit(image, pick.choice(sides), words, transformer()))
        elif number % 3 == 1:
            sizes = (pick.choice(WIDTHS), pick.randint(1, 6), pick.choice(WIDTHS))
            networks.append(cnn(image, pick.choice(sides), words, sizes))
        else:
            networks.append(
                decoder(pick.choice((40, 75, 100)), pick.choice((18, 32, 44, 64, 72, 112, 144)), words, transformer())
            )
    return networks


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures that count."""
    predicted, measured, again = (
        np.array([row[name] for row in rows]) for name in ("predicted_ms", "measured_ms", "again_ms")
    )
    errors, noise = np.abs(predicted / measured - 1), np.abs(again / measured - 1)
    return {
        "networks": len(rows),
        "spearman": round(float(spearmanr(predicted, measured)[0]), 4),
        "within_15_percent": round(float(np.mean(errors <= NEAR)), 3),
        "error": {
            "median": round(float(np.median(errors)), 4),
            "90_percent": round(float(np.quantile(errors, 0.9)), 4),
        },
        "signed_median": round(float(np.median(predicted / measured - 1)), 4),
        "noise": {"median": round(float(np.median(noise)), 4), "90_percent": round(float(np.quantile(noise, 0.9)), 4)},
        "fastest_ms": round(float(measured.min()), 4),
        "slowest_ms": round(float(measured.max()), 4),
    }


def row(network: Network, predicted_ms: float, first: Timing, second: Timing) -> dict[str, Any]:
    return {
        "family": network.family,
        "choices": {**network.fixed, **network.structure, **network.sizes},
        "predicted_ms": round(predicted_ms, 5),
        "measured_ms": round(first.median_ms, 5),
        "quartiles_ms": [round(first.low_ms, 5), round(first.high_ms, 5)],
        "again_ms": round(second.median_ms, 5),
    }


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Predicted against measured, with the band of 15 %."""
    figure = Figure(figsize=(5.2, 5), layout="constrained")
    axes = figure.add_subplot()
    ends = np.array([min(r["measured_ms"] for r in rows) * 0.8, max(r["measured_ms"] for r in rows) * 1.25])
    axes.fill_between(ends, ends * (1 - NEAR), ends * (1 + NEAR), color="0.9", label="within 15 %")
    axes.plot(ends, ends, color="0.5", linewidth=0.8)
    for family, color in COLORS.items():
        own = [r for r in rows if r["family"] == family]
        axes.plot(
            [r["measured_ms"] for r in own], [r["predicted_ms"] for r in own], "o", ms=4, color=color, label=family
        )
    axes.set(xscale="log", yscale="log", xlabel="measured latency [ms]", ylabel="predicted latency [ms]")
    axes.set_aspect("equal")
    axes.legend(frameon=False)
    with matplotlib.rc_context({"svg.hashsalt": ""}):
        figure.savefig(path, dpi=150, metadata={"Software": None})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compares predicted latencies with measured ones.")
    parser.add_argument("--networks", type=int, default=60, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=11, help="of the networks (default: %(default)s)")
    parser.add_argument("--calibrate", action="store_true", help="fit to other networks, timed in the same turns")
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results", help="folder of what is written"
    )
    options = parser.parse_args(arguments)
    start_jax(1)
    known = [*NETWORKS, *ORDINARY] if options.calibrate else []
    networks = unseen(options.networks, options.seed)
    prepared = []
    for number, network in enumerate([*known, *networks], 1):
        prepared.append(prepare(network))
        print(f"built {number}/{len(known) + len(networks)}", file=sys.stderr, flush=True)
    answers = [(answer, 1) for _, answer in prepared]
    first, second = (time_interleaved(answers) for _ in range(2))
    efforts = [effort for effort, _ in prepared]
    if known:
        measured = [timing.median_ms for timing in first[: len(known)]]
        source = f"{len(known)} other networks, timed in the same turns"
        device = jax.default_backend()
        predictor = fit(efforts[: len(known)], measured, len(ORDINARY), device=device, source=source)
    else:
        predictor = predictor_of(jax.default_backend())
    predicted = [float(predictor.predicted_ms(effort)) for effort in efforts[len(known) :]]
    first, second = first[len(known) :], second[len(known) :]
    rows = [row(*each) for each in zip(networks, predicted, first, second, strict=True)]
    result = {
        **provenance("experiments/latency/run.py", f"{jax.devices()[0].device_kind}, one thread", options.seed),
        "predictor": predictor.to_json(),
        "all": summary(rows),
        **{family: summary(own) for family in COLORS if (own := [r for r in rows if r["family"] == family])},
        "rows": rows,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "latency.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(rows, options.results / "latency.png")
    print(json.dumps({name: result[name] for name in ("all", *COLORS) if name in result}, indent=1))


if __name__ == "__main__":
    main()
