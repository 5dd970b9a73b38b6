"""What do rungs, and proxies that choose, bring at the same training steps; and how well do proxies rank?

    python experiments/refiner/run.py                                          # all of it, five seeds, on two cores
    python experiments/refiner/run.py --tasks image_digits_demo --seeds 1      # a short form

Two tasks are searched with one fixed length of training, with rungs, and with a fixed length and proxies that choose from
more proposals; every search may take the same number of training steps. Eight tasks are searched at random to see how
well proxies rank their candidates. Writes results/refiner.json after every job, from which page.py makes a page; the same
command goes on with those that are not there.
"""

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

import jax
import numpy as np
import scipy

from experiments import searches
from experiments.provenance import provenance
from experiments.searches import TASKS, parse, say, share_compilations, side_by_side
from metagen_jax.automl.candidate import TRAINED, Candidate
from metagen_jax.automl.pipeline import prepare
from metagen_jax.automl.refiner import SearchResult
from metagen_jax.search import rank_agreement
from metagen_jax.spec import load_spec
from metagen_jax.spec.tasks import PROXIES

ROOT = Path(__file__).parents[2]
STEPS = 90  # of training, of each candidate that is trained to the end
ROUNDS = 3
CANDIDATES = 24  # of each task, whose order by the proxies is compared with that by the loss
COMPARED = ("image_digits_demo", "text_char_lm")
# A round of 18 in three rungs: 18 to step 10, 6 to step 30, 2 to step 90, which is 420 steps; three of them 1,260, as
# many as 14 candidates take to the end.
ARMS: dict[str, dict[str, Any]] = {
    "fixed": {"budget": 14},
    "rungs": {"budget": 54, "rungs": 3, "reduction_factor": 3},
    "proxies": {"budget": 14, "oversampling": 4, "proxies": PROXIES},
}
FIRST_SEED = 100
SETTINGS = json.loads(
    json.dumps({"tasks": TASKS, "steps": STEPS, "rounds": ROUNDS, "candidates": CANDIDATES, "arms": ARMS})
)


def search(task: str, seed: int, **settings: Any) -> SearchResult:
    """Searches for the lowest validation loss alone."""
    given = (f"search.prototype_steps={STEPS}", *TASKS[task], f"reproducibility.seed={seed}")
    prepared = prepare(load_spec(ROOT / "specs" / f"{task}.yaml", given))
    own = prepared.spec.search
    own = dataclasses.replace(own, objectives=own.objectives[:1], **({"rounds": ROUNDS} | settings))
    prepared = dataclasses.replace(prepared, spec=dataclasses.replace(prepared.spec, search=own))
    return searches.search(prepared, own)


def compared(task: str, seed: int) -> list[dict[str, Any]]:
    """A row for each arm: its lowest loss at the full length, and what it took."""
    share_compilations("refiner")
    rows = []
    for arm, settings in ARMS.items():
        found = search(task, FIRST_SEED + seed, **settings)
        assert found.history is not None
        rounds = found.history.rounds
        row = {
            "task": task,
            "seed": seed,
            "arm": arm,
            "best": rounds[-1].best,
            "steps": sum(each.steps for each in rounds),
            "candidates": len(found.candidates),
            "trained": sum(each.trained for each in rounds),
            "failed": sum(each.failed for each in rounds),
            "rounds": found.history.to_json(),
        }
        rows.append(row)
        say(task, seed, arm, row["best"], row["steps"])
    return rows


def ranked(task: str, seed: int) -> list[dict[str, Any]]:
    """A row for each proxy: how it ranked random candidates, and whether it would choose."""
    share_compilations("refiner")
    settings = {"budget": CANDIDATES, "rounds": 1, "strategy": "random", "proxies": PROXIES}
    found = search(task, FIRST_SEED + seed, **settings)
    assert found.history is not None
    trained = [candidate for candidate in found.candidates if candidate.status == TRAINED]
    weights = found.history.weights()
    rows = []
    for name in PROXIES:
        rho, low, high = correlation(trained, name)
        row = {"task": task, "seed": seed, "proxy": name, "rank_correlation": rho, "low": low, "high": high}
        row |= {"weight": weights[name], "candidates": len(trained)}
        row["known"] = sum(math.isfinite(candidate.proxy(name)) for candidate in trained)
        rows.append(row)
        say(task, seed, name, rho, low, high)
    return rows


def correlation(trained: Sequence[Candidate], name: str) -> tuple[float, float, float]:
    """Spearman's rho of what a proxy says and the (falling) loss, and both ends of its 90 % interval."""
    if not trained:
        return 0.0, -1.0, 1.0
    says = np.array([candidate.proxy(name) for candidate in trained], np.float32)
    losses = np.array([candidate.metrics["loss"] for candidate in trained], np.float32)[:, None]
    valid = np.ones(len(trained), bool)
    rho, low = rank_agreement(-says, losses, valid)
    _, high = rank_agreement(says, losses, valid)
    return round(float(rho), 4), round(float(low), 4), round(-float(high), 4)


def compared_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of each arm beside the fixed length, over the pairs of task and seed: ratios of losses, and their significance."""
    best = {(row["task"], row["seed"], row["arm"]): row for row in rows if row["best"] is not None}
    found: dict[str, Any] = {}
    for arm in ARMS:
        own = [(best[key], best[(*key[:2], "fixed")]) for key in best if key[2] == arm and (*key[:2], "fixed") in best]
        if arm != "fixed" and own:
            ratios = np.array([it["best"] / fixed["best"] for it, fixed in own])
            found[arm] = {
                "pairs": len(own),
                "better": int((ratios < 1).sum()),
                "median_ratio": round(float(np.median(ratios)), 4),
                "worst_ratio": round(float(ratios.max()), 4),
                "steps": sorted({it["steps"] for it, _ in own}),
                "steps_of_fixed": sorted({fixed["steps"] for _, fixed in own}),
                **significance(np.log(ratios)),
            }
    return found


def significance(differences: np.ndarray) -> dict[str, float | None]:
    """Two-sided p that paired differences are centred on zero, by three tests; None with fewer than two pairs.

    Wilcoxon's signed ranks; all changes of sign of the mean; Student's t. The first two cannot fall below 2 / 2^pairs.

    Examples:
      >>> significance(np.array([-1.0, -2.0, -3.0, -4.0, -5.0]))
      {'p_wilcoxon': 0.0625, 'p_signs': 0.0625, 'p_t': 0.0132, 'smallest_p': 0.0625}
    """
    count = len(differences)
    if count < 2 or not differences.any():
        return {"p_wilcoxon": None, "p_signs": None, "p_t": None, "smallest_p": None}
    signs = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=100_000, rng=0
    )
    values = {
        "p_wilcoxon": scipy.stats.wilcoxon(differences).pvalue,
        "p_signs": signs.pvalue,
        "p_t": scipy.stats.ttest_1samp(differences, 0.0).pvalue,
        "smallest_p": 2.0 / 2**count,
    }
    return {name: round(float(value), 4) for name, value in values.items()}


def ranked_summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By task, then by proxy: the mean correlation over seeds, the ends of all intervals, in how many it would choose."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["task"], {}).setdefault(row["proxy"], []).append(row)
    return {task: {name: _over_seeds(own) for name, own in by_proxy.items()} for task, by_proxy in found.items()}


def _over_seeds(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "seeds": len(rows),
        "mean": round(float(np.mean([row["rank_correlation"] for row in rows])), 4),
        "lowest": min(row["low"] for row in rows),
        "highest": max(row["high"] for row in rows),
        "chooses": sum(row["weight"] > 0 for row in rows),
        "chooses_though_zero_is_inside": sum(row["weight"] > 0 and row["low"] <= 0 for row in rows),
        "says_nothing": sum(row["known"] == 0 for row in rows),
    }


def known(options: argparse.Namespace) -> tuple[dict[str, list[dict[str, Any]]], float]:
    """What an earlier run of the same settings has stored, and the seconds that it took."""
    file = options.results / "refiner.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if found.get("settings") != SETTINGS:
        return {"compared": [], "ranked": []}, 0.0
    return found["rows"], found["seconds"]


def write(options: argparse.Namespace, seconds: float, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Stores what there is; the order of the rows is not that in which they came."""
    for own in rows.values():
        own.sort(key=lambda row: (list(TASKS).index(row["task"]), row["seed"]))
    pairs = rows["compared"]
    result = {
        **provenance("experiments/refiner/run.py", jax.default_backend(), FIRST_SEED),
        "settings": SETTINGS,
        "seconds": round(seconds, 1),
        "compared": {
            **{task: compared_summary([r for r in pairs if r["task"] == task]) for task in _tasks(pairs)},
            "all": compared_summary(pairs),
        },
        "ranked": ranked_summary(rows["ranked"]),
        "rows": rows,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "refiner.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _tasks(rows: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["task"] for row in rows))


def main(arguments: list[str] | None = None) -> None:
    options, started = (
        parse(
            "Compares rungs with one length of training, and ranks by proxies.",
            Path(__file__).parent / "results",
            arguments,
        ),
        time.monotonic(),
    )
    rows, seconds = known(options)
    result = write(options, seconds, rows)
    jobs: list[tuple[Any, ...]] = []
    for measure, tasks in ((compared, COMPARED), (ranked, tuple(TASKS))):
        done = {(row["task"], row["seed"]) for row in rows[measure.__name__]}
        asked = [(task, seed) for seed in range(options.seeds) for task in options.tasks if task in tasks]
        jobs += [(measure, *each) for each in asked if each not in done]
    for number, found in side_by_side(options.processes, jobs):
        rows[jobs[number][0].__name__] += found
        result = write(options, seconds + time.monotonic() - started, rows)
    print(json.dumps({name: result[name] for name in ("compared", "ranked")}, indent=1))


if __name__ == "__main__":
    main()
