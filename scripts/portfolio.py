"""The portfolio: a few candidates to start from on a machine that remembers nothing.

    python scripts/portfolio.py --record runs/portfolio.sqlite   # searches, then selects: what made the file that ships
    python scripts/portfolio.py FILE...                          # selects from memories, or from what `history export` wrote

Recording goes through example specs, each without any start: searches with several seeds, then trainings of the best few
of every search with a further seed, that is from other initial weights, so that luck counts less. A file that has some of
it is gone on with, spec by spec. Selecting takes, of each spec, family and budget, the candidates that cover its runs best
together.

A candidate's regret in a run is by how much its loss is above the lowest of that run, where the median of the run is 1;
more than 1 counts as 1, and so does a run that has not trained the candidate: nothing is known, so it is worth no more
there than half of what was tried. The first one taken has the lowest mean regret over the runs; each further one is that
with which the mean over runs of the lowest regret in the set becomes lowest, of equal ones that with the lowest mean.

References:
  Feurer, Eggensperger, Falkner, Lindauer, Hutter, Auto-Sklearn 2.0: Hands-free AutoML via Meta-Learning, 2022: portfolios
  that are built greedily from all candidates evaluated on all data sets. Here it is runs of one spec in the place of data
  sets, since candidates of different specs are told apart by how similar their tasks are.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # wherever the script is started

from experiments import searches
from metagen_jax.automl import objectives
from metagen_jax.automl.pipeline import Prepared, prepare
from metagen_jax.automl.remembering import record_of
from metagen_jax.automl.run_folder import versions
from metagen_jax.cli.environment import keep_compilations, start_jax
from metagen_jax.memory import Entry, Measured, Memory, RunRecord, portfolio_text, read_runs
from metagen_jax.memory.portfolio import SHIPPED
from metagen_jax.spec import load_spec
from metagen_jax.spec.tasks import COSTS

ROOT = Path(__file__).parents[1]
SPECS = (  # examples that take two to six minutes of CPU each
    "image_digits_demo",
    "image_digits_cnn",
    "text_char_lm",
    "audio_classification",
)
SEEDS, CANDIDATES, ROUNDS = 2, 12, 2  # searches of a spec, candidates and rounds of each
TAKEN, AGAIN = 3, 1  # the best of each search are trained again, so many times
PLACES = 4  # candidates of a spec, family and budget in the portfolio


def record(name: str, memory: Memory, date: str) -> None:
    """Searches an example spec with several seeds, and trains the best of all these searches again with others."""
    best: dict[tuple[int, ...], None] = {}  # in order, each once
    for seed in range(SEEDS):
        prepared = prepared_with(name, seed, CANDIDATES, ROUNDS)
        run = searches.run_of(searches.search(prepared, prepared.spec.search).candidates)
        memory.remember(record_of(prepared, run, date))
        order = objectives.best_first(run.candidates, prepared.spec.search.objectives)
        best |= {tuple(run.candidates[i].genotype.tolist()): None for i in order[:TAKEN]}
    for seed in range(SEEDS, SEEDS + AGAIN):
        prepared = prepared_with(name, seed, len(best), 1)
        again = searches.search(prepared, prepared.spec.search, list(best))
        memory.remember(record_of(prepared, searches.run_of(again.candidates), date))


def prepared_with(name: str, seed: int, budget: int, rounds: int) -> Prepared:
    given = (f"reproducibility.seed={seed}", f"search.budget={budget}", f"search.rounds={rounds}")
    return prepare(load_spec(ROOT / "specs" / f"{name}.yaml", given))


def record_all(names: Iterable[str], file: Path) -> None:
    """Records what a memory does not have yet; says how long each spec took."""
    date = time.strftime("%Y-%m-%d")
    with Memory(file) as memory:
        known = [run.name for run in memory.overview()]
        for name in names:
            if known.count(name) < SEEDS + AGAIN:
                started = time.process_time()
                record(name, memory, date)
                print(f"{name}: {time.process_time() - started:.0f} s of CPU", file=sys.stderr, flush=True)


def entries_of(runs: Iterable[RunRecord]) -> list[Entry]:
    """An entry for each spec, family and budget of the runs that were after quality."""
    groups: dict[tuple[object, ...], dict[str, RunRecord]] = {}
    for run in runs:
        trained = [candidate for candidate in run.candidates if candidate.place is not None]
        if trained and run.objectives[0]["metric"] not in COSTS:
            kind = (run.name, run.task, _family(trained[0]), run.features.get("log_max_params"))
            groups.setdefault(kind, {})[run.id] = dataclasses.replace(run, candidates=tuple(trained))
    return [entry_of([own[id] for id in sorted(own)]) for own in groups.values()]


def entry_of(runs: Sequence[RunRecord]) -> Entry:
    """The candidates of one spec that cover its runs best together.

    Args:
      runs: each with those of its candidates alone that were trained to the end.
    """
    regrets = [regrets_in(run) for run in runs]
    candidates, sources = [], []
    for place, blueprint in enumerate(covering(regrets, PLACES)):
        known = [number for number, own in enumerate(regrets) if blueprint in own]
        run = runs[min(known, key=lambda number: regrets[number][blueprint])]
        found = next(each for each in run.candidates if each.blueprint == blueprint)
        candidates.append(dataclasses.replace(found, number=place, place=place))
        sources.append((run.id, found.number))
    longest = max(runs, key=lambda run: len(run.candidates))
    merged = dataclasses.replace(longest, date=max(run.date for run in runs), candidates=tuple(candidates))
    return Entry(_family(candidates[0]), merged, tuple(sources))


def regrets_in(run: RunRecord) -> dict[str, float]:
    """Of each blueprint of a run, 0 for the best up to 1 for the median of the run and whatever is worse."""
    losses = {candidate.blueprint: _loss(run, candidate) for candidate in run.candidates}
    best, median = min(losses.values()), statistics.median(losses.values())
    return {
        blueprint: 0.0 if loss == best else 1.0 if median == best else min(1.0, (loss - best) / (median - best))
        for blueprint, loss in losses.items()
    }


def covering(regrets: Sequence[Mapping[str, float]], count: int) -> list[str]:
    """At most `count` blueprints, each the one that lowers the mean over runs of the set's lowest regret most.

    Args:
      regrets: in each run, of the blueprints that it has trained.
    """
    left = {blueprint for own in regrets for blueprint in own}
    taken: list[str] = []
    lowest = [1.0] * len(regrets)  # of what is taken so far, in each run
    while left and len(taken) < count:
        ranked = []
        for blueprint in left:
            known = [own.get(blueprint, 1.0) for own in regrets]
            ranked.append((statistics.fmean(map(min, known, lowest)), statistics.fmean(known), blueprint))
        _, _, best = min(ranked)
        lowest = [min(low, own.get(best, 1.0)) for low, own in zip(lowest, regrets, strict=True)]
        taken.append(best)
        left.remove(best)
    return taken


def _loss(run: RunRecord, candidate: Measured) -> float:
    objective = run.objectives[0]
    measured = [each["metrics"] for each in candidate.measurements if each["stage"] == "prototype"]
    value = measured[-1][objectives.measured_by(objective["metric"])]
    return -value if objective["direction"] == "maximize" else value


def _family(candidate: Measured) -> str:
    return json.loads(candidate.blueprint)["family"]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the portfolio that ships with the package.")
    parser.add_argument("files", type=Path, nargs="*", help="memories, or what `metagen history export` wrote")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="a memory to record searches in, and to select from"
    )
    parser.add_argument("--specs", nargs="+", default=list(SPECS), help="of specs/, to record (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="what is written (default: the file that ships)")
    options = parser.parse_args(arguments)
    if not options.files and options.record is None:
        parser.error("there is nothing to select from: name files, or --record one")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    if options.record is not None:
        start_jax(1)
        keep_compilations()
        record_all(options.specs, options.record)
    files = [*options.files, *([options.record] if options.record else [])]
    runs = [run for file in files for run in read_runs(file)]
    entries = entries_of(runs)
    words = [*(["--record FILE"] if options.record else []), *("FILE" for _ in options.files)]
    words += [] if options.specs == list(SPECS) else ["--specs", *options.specs]
    about = {"made_by": " ".join(["python scripts/portfolio.py", *words]), "versions": versions()}
    options.out.write_text(portfolio_text(entries, about), encoding="utf-8")
    print(f"{sum(len(entry.sources) for entry in entries)} candidates of {len(runs)} runs in {options.out}")


if __name__ == "__main__":
    main()
