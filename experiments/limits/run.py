"""Does any candidate ever break a limit, and is it true where a spec is said to allow none?

    python experiments/limits/run.py               # 1,000 random specs, 11 minutes on one core
    python experiments/limits/run.py --specs 9     # a short form

See README.md beside it.
"""

import argparse
import collections
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

from metagen_jax.cli.environment import start_jax

start_jax(1)

import numpy as np  # noqa: E402  after JAX's flags are set

from experiments.limits.checks import Studied  # noqa: E402
from experiments.limits.random_specs import SHARE_LARGE, Limits, draw_groups, draw_limits  # noqa: E402
from experiments.provenance import provenance  # noqa: E402
from metagen_jax.errors import InfeasibleError, SpecError  # noqa: E402
from metagen_jax.search import STRATEGIES  # noqa: E402

FEASIBLE, INFEASIBLE, REFUSED = "feasible", "nothing feasible", "refused when read"
BUILT_EVERY = 5  # specs, of which a candidate is built


def main(arguments: list[str] | None = None) -> int:
    options, started = parse(arguments), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = run(options.specs, options.seed, Path(folder))
    result = {
        **provenance("experiments/limits/run.py", "one core", options.seed),
        "seconds": round(time.monotonic() - started, 1),
        **summary(rows),
        "rows": rows,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: value for name, value in result.items() if name != "rows"}, indent=1)
    lines = ",\n".join(json.dumps(row) for row in rows)
    (options.results / "limits.json").write_text(f'{text[:-2]},\n "rows": [\n{lines}\n]\n}}\n', encoding="utf-8")
    print(text)
    return 1 if result["wrong"] else 0


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Searches random specs with random limits and counts again.")
    parser.add_argument("--specs", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of specs and searches (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON")
    return parser.parse_args(arguments)


def run(num_specs: int, seed: int, folder: Path) -> list[dict[str, Any]]:
    """One row a spec. Those of one group follow each other, so that only one group is in memory."""
    rows: list[dict[str, Any]] = []
    groups = draw_groups(np.random.default_rng(seed))
    for position, (group, count) in enumerate(zip(groups, _shares(num_specs, [g.size for g in groups]), strict=True)):
        if not count:
            continue
        studied, rng = Studied(group, folder), np.random.default_rng((seed, position))
        strategies = (
            list(STRATEGIES)[position % 2 :: 2] if group.size != "large" else list(STRATEGIES)[position % 4 :: 4]
        )
        for number in range(count):
            limits, keepable = draw_limits(rng, studied.measured)
            row = {"family": group.family, "space": group.size, "strategy": strategies[number % len(strategies)]}
            rows.append(row | one(studied, limits, keepable, row["strategy"], seed=number))
            print(f"{len(rows)}/{num_specs} {rows[-1]}", file=sys.stderr, flush=True)
    return rows


def _shares(num_specs: int, sizes: list[str]) -> list[int]:
    """How many specs each group has: about `SHARE_LARGE` of them in large spaces, the others evenly."""
    num_large = sizes.count("large")
    weights = [SHARE_LARGE / num_large if s == "large" else (1 - SHARE_LARGE) / (len(sizes) - num_large) for s in sizes]
    ends = np.concatenate([[0], np.cumsum(weights)]) * num_specs
    return np.diff(ends.round().astype(int)).tolist()


def one(studied: Studied, limits: Limits, keepable: bool, strategy: str, seed: int) -> dict[str, Any]:
    """Reads, searches and counts again; `wrong` has a line for everything that should not be."""
    row: dict[str, Any] = {"limits": limits}
    known = studied.within(limits)
    there_is_one = bool(known.any()) or keepable
    try:
        space = studied.with_limits(limits)
        share, _ = space.feasible_share()
    except SpecError as refused:
        wrong = [f"refused, but a network keeps the limits: {refused}"] if there_is_one else []
        return row | {"outcome": REFUSED, "wrong": wrong}
    except InfeasibleError as nothing:
        wrong, tried = studied.wrong_in(str(nothing), limits)
        if there_is_one:
            wrong.append("nothing is said to be feasible, but a network is")
        return row | {"outcome": INFEASIBLE, "named": tried, "message": studied.shown(nothing), "wrong": wrong}
    proposed, repaired = studied.propose(strategy, limits, seed)
    candidates = proposed[space.judge(proposed)[1]]
    wrong = studied.broken(candidates, limits)
    if studied.counted and abs(share - known.mean()) > 1e-9:
        wrong.append(f"a share of {share} is said to be feasible, it is {known.mean()}")
    if not len(candidates):
        wrong.append("nothing feasible was proposed")
    elif seed % BUILT_EVERY == 0:
        params = studied.built_params(candidates[0])
        if params != space.costs_of(candidates[:1])[0]["params"]:
            wrong.append(f"{params} parameters were built")
        row["built"] = 1
    return row | {
        "outcome": FEASIBLE,
        "share": float(f"{share:.3g}"),
        "proposed": len(proposed),
        "infeasible": len(proposed) - len(candidates),
        "repaired": repaired,
        "wrong": wrong,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures that count: of all specs, and for each size of space."""
    sizes = list(dict.fromkeys(row["space"] for row in rows))
    return {
        "all": _summary(rows),
        **{size: _summary([row for row in rows if row["space"] == size]) for size in sizes},
        "wrong": [row for row in rows if row["wrong"]],
    }


def _summary(rows: list[dict[str, Any]]) -> dict[str, int]:
    outcomes = collections.Counter(row["outcome"] for row in rows)
    names = ("proposed", "infeasible", "repaired", "built", "named")
    return (
        {"specs": len(rows)}
        | {outcome: outcomes[outcome] for outcome in (FEASIBLE, INFEASIBLE, REFUSED)}
        | {name: sum(row.get(name, 0) for row in rows) for name in names}
        | {"something wrong": sum(bool(row["wrong"]) for row in rows)}
    )


if __name__ == "__main__":
    sys.exit(main())
