"""Does what is remembered make the next search shorter?

    python experiments/memory/run.py                       # eight tasks, five seeds, on two cores
    python experiments/memory/run.py --tasks image_digits_demo image_digits_cnn --seeds 1   # a short form

Every task is searched without a memory. Then each is searched again from a memory of all the others (leave one task
out), of those that have nothing to do with it, and of itself, also with half the parameters allowed. See README.md
beside it. Writes results/memory.json after each of these; the same command goes on with what is not there.
"""

import argparse
import contextlib
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

import jax
import numpy as np

from experiments import searches
from experiments.provenance import provenance
from experiments.searches import TASKS, parse, say, scratch, share_compilations, side_by_side
from metagen_jax.automl import objectives
from metagen_jax.automl.meta_learner import MetaLearner, num_starts
from metagen_jax.automl.pipeline import Prepared, Run, prepare
from metagen_jax.automl.prior import Known
from metagen_jax.automl.remembering import record_of
from metagen_jax.automl.start import Start
from metagen_jax.errors import InfeasibleError
from metagen_jax.memory import Memory, RunRecord
from metagen_jax.spec import load_spec

ROOT = Path(__file__).parents[2]
BUDGET, ROUND = 40, 8  # candidates of a search, and of each of its rounds
LONGEST = 48  # candidates after which a search that starts from the memory is given up
STEPS = 60  # of training, of each candidate
COLD_SEED, WARM_SEED = 100, 200  # from which seeds are counted: one search must not know the dice of the other


def spec_of(task: str, seed: int, *more: str) -> Prepared:
    given = (f"search.prototype_steps={STEPS}", *TASKS[task], f"reproducibility.seed={seed}", *more)
    return prepare(load_spec(ROOT / "specs" / f"{task}.yaml", given))


def search(
    prepared: Prepared, budget: int, starts: Sequence[Start] = (), prior: Sequence[Known] = ()
) -> tuple[list[float], Run]:
    """Returns the value of the first objective of each candidate, in order, infinite where it failed; and the run."""
    settings = dataclasses.replace(prepared.spec.search, budget=budget, rounds=budget // ROUND)
    candidates = searches.search(prepared, settings, starts, prior).candidates
    losses = objectives.losses(candidates, settings.objectives)[:, 0]
    values = np.where(np.isfinite(losses), losses, np.inf).tolist()
    return values, searches.run_of(candidates)


def starts_from(prepared: Prepared, records: Sequence[RunRecord]) -> list[Start]:
    return _learnt(prepared, records)[0]


def _learnt(prepared: Prepared, records: Sequence[RunRecord]) -> tuple[list[Start], list[Known]]:
    """What a memory of these runs has for a spec: starts, and what a predictor is told."""
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.sqlite") as memory:
        memory.merge(records)
        settings = dataclasses.replace(prepared.spec.search, budget=BUDGET, rounds=BUDGET // ROUND)
        learner = MetaLearner(memory)
        starts = learner.predict_good_starting_point(prepared, num_starts(settings))
        return starts, learner.predict_prior(prepared)


def cold(task: str, number: int) -> tuple[list[float], str]:
    """The values of a search without a memory, and its record."""
    share_compilations("memory")
    prepared = spec_of(task, COLD_SEED + number)
    values, run = search(prepared, BUDGET)
    say(task, "cold", number, min(values))
    return values, record_of(prepared, run, "").to_json()


def warm(task: str, number: int, colds: dict[str, tuple[list[float], str]]) -> dict[str, Any]:
    """What searches of a task came to that began with what is remembered."""
    share_compilations("memory")
    prepared = spec_of(task, WARM_SEED + number)
    records = {name: RunRecord.from_json(record) for name, (_, record) in colds.items()}
    others = [record for name, record in records.items() if name != task]
    unrelated = [record for record in others if not _kinds(record.task) & _kinds(records[task].task)]
    goal = min(colds[task][0])
    row: dict[str, Any] = {"task": task, "seed": number, "goal": goal, "cold": colds[task][0]}
    starts, prior = _learnt(prepared, others)
    row["others"] = search(prepared, LONGEST, starts)[0]
    if prior:
        row["others_and_prior"] = search(prepared, LONGEST, starts, prior)[0]
    row["starts"] = [start.to_json() for start in starts]
    far = starts_from(prepared, unrelated)
    row["unrelated_starts"] = len(far)
    if far:  # else it is a search without a memory
        row["unrelated"] = search(prepared, LONGEST, far)[0]
    for name, seed in (("same_again", COLD_SEED), ("other_seed", WARM_SEED)):
        again = spec_of(task, seed + number)
        row[name] = search(again, ROUND, starts_from(again, [records[task]]))[0]
    half_of = f"constraints.parameter_budget={_most(prepared) // 2}"
    with contextlib.suppress(InfeasibleError):  # no network of the edge's family is so small
        halved = spec_of(task, COLD_SEED + number, half_of)
        row["half"] = search(halved, ROUND, starts_from(halved, [records[task]]))[0]
        row["half_cold"] = search(spec_of(task, WARM_SEED + number, half_of), BUDGET)[0]
    say(task, "warm", number, goal, reached(row["others"], goal), min(row["same_again"]))
    return row


def reached(values: Sequence[float], goal: float) -> int | None:
    """After how many candidates a search was as good as the goal; None if it never was.

    Examples:
      >>> reached([3.0, 1.0, 0.5], 1.0), reached([3.0], 1.0)
      (2, None)
    """
    return next((number for number, value in enumerate(values, start=1) if value <= goal), None)


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures that count. A search that never came to the goal counts as one candidate more than it had."""

    def shares(kind: str) -> np.ndarray:
        return np.array([(reached(row[kind], row["goal"]) or LONGEST + 1) / BUDGET for row in rows if kind in row])

    other_searches = [
        (reached(other["cold"], row["goal"]) or BUDGET + 1) / BUDGET
        for row in rows
        for other in rows
        if other["task"] == row["task"] and other["seed"] != row["seed"]
    ]
    better = [
        float(np.mean(np.array(row["cold"]) < loss)) for row in rows for loss in row["others"][: len(row["starts"])]
    ]
    again = [min(row["same_again"]) / row["goal"] for row in rows if "same_again" in row]
    other = [min(row["other_seed"]) / row["goal"] for row in rows]
    winner = [row["other_seed"][0] / row["goal"] for row in rows]  # the first of the starts
    half = [min(row["half"]) / min(row["half_cold"]) for row in rows if "half" in row]
    first = [min(row["cold"][:ROUND]) / row["goal"] for row in rows]
    return {
        "searches": len(rows),
        "from_others": _spread(shares("others")),
        **({"from_others_and_prior": _spread(prior)} if len(prior := shares("others_and_prior")) else {}),
        **({"without_memory": _spread(np.array(other_searches))} if other_searches else {}),
        "starts": len(better),
        **({"better_than_a_start": _spread(np.array(better))} if better else {}),
        **({"from_unrelated": _spread(unrelated)} if len(unrelated := shares("unrelated")) else {}),
        "unrelated_starts": sum(row["unrelated_starts"] for row in rows),
        **({"same_again_first_round": _spread(np.array(again))} if again else {}),
        "other_seed_first_round": _spread(np.array(other)),
        "winner_at_other_seed": _spread(np.array(winner)),
        **({"half_budget_first_round": _spread(np.array(half))} if half else {}),
        "first_round_without_memory": _spread(np.array(first)),
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    return {"median": round(float(np.median(values)), 4), "worst": round(float(values.max()), 4)}


def _most(prepared: Prepared) -> int:
    most = prepared.spec.constraints.max_params
    assert most is not None
    return most


def _kinds(task: str) -> set[str]:
    return {word for word in task.split() if word.isalpha()}


def main(arguments: list[str] | None = None) -> None:
    options = parse("Compares searches with and without a memory.", Path(__file__).parent / "results", arguments)
    file = options.results / "memory.json"
    tasks = {task: list(TASKS[task]) for task in options.tasks}
    settings = {"tasks": tasks, "budget": BUDGET, "round": ROUND, "longest": LONGEST, "steps": STEPS}
    settings["starts"] = "from the initial weights that they had"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    rows, seconds = (found["rows"], found["seconds"]) if found.get("settings") == settings else ([], 0.0)
    options.results.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for seed in range(options.seeds):
        missing = [task for task in options.tasks if (task, seed) not in {(row["task"], row["seed"]) for row in rows}]
        colds = colds_of(options, settings, seed) if missing else {}
        for _, row in side_by_side(options.processes, [(warm, task, seed, colds) for task in missing]):
            rows = sorted([*rows, row], key=lambda row: (row["seed"], options.tasks.index(row["task"])))
            result = {
                **provenance("experiments/memory/run.py", jax.default_backend(), COLD_SEED),
                "settings": settings,
                "seconds": round(seconds + time.monotonic() - started, 1),
                "all": summary(rows),
                **{task: summary(own) for task in options.tasks if (own := [r for r in rows if r["task"] == task])},
                "rows": rows,
            }
            file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        if missing:
            say(json.dumps(result["all"]))


def colds_of(options: argparse.Namespace, settings: dict[str, Any], seed: int) -> dict[str, tuple[list[float], str]]:
    """The searches of every task without a memory, by task; those of an earlier run that was cut off are kept."""
    kept = scratch("memory") / f"colds-{seed}.json"
    found = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    colds = found["colds"] if found.get("settings") == settings else {}
    missing = [task for task in options.tasks if task not in colds]
    for number, each in side_by_side(options.processes, [(cold, task, seed) for task in missing]):
        colds[missing[number]] = each
        kept.write_text(json.dumps({"settings": settings, "colds": colds}), encoding="utf-8")
    return {task: colds[task] for task in options.tasks}


if __name__ == "__main__":
    main()
