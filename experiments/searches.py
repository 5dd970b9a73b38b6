"""What the experiments on searches share: their tasks, a search without a folder, how they are run side by side."""

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jax

from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.keys import keys_of
from metagen_jax.automl.pipeline import Options, Prepared, Run
from metagen_jax.automl.planning import new_plan
from metagen_jax.automl.prior import Known
from metagen_jax.automl.progress import Silent
from metagen_jax.automl.prototype_trainer import PrototypeTrainer
from metagen_jax.automl.proxies import ZeroCost
from metagen_jax.automl.refiner import ArchitectureRefiner, SearchResult
from metagen_jax.automl.search_engine import ArchitectureSearchEngine
from metagen_jax.automl.start import Start
from metagen_jax.population.devices import population_mesh
from metagen_jax.spec import Search

JOBS_OF_PROCESS = 4
# Example specs, each with what it is given beside the steps of the experiment.
TASKS: dict[str, tuple[str, ...]] = {
    "image_digits_demo": (),
    "image_digits_cnn": (),
    "image_cnn_edge": ("data.max_examples=2000",),
    "image_vae": ("data.max_examples=2000",),
    "text_char_lm": (),
    "text_classification": ("search.prototype_steps=200",),  # before that hardly any has learnt anything
    "audio_classification": (),
    "video_classification": ("search.prototype_steps=150",),
}


def search(
    prepared: Prepared, settings: Search, starts: Sequence[Start] = (), prior: Sequence[Known] = ()
) -> SearchResult:
    """A search without finalists, in one process.

    Args:
      settings: of the search, in the place of the spec's own.
      starts: what to begin with.
      prior: what a strategy that predicts is told beforehand.
    """
    run_key, search_key = keys_of(prepared.spec)
    plan, mesh, silent = new_plan(prepared, Options()), population_mesh(1), Silent()
    trainer = PrototypeTrainer(prepared.prototypes, prepared.dataset, run_key, mesh, plan, silent)
    read = ZeroCost(prepared.prototypes, prepared.dataset, run_key, say)
    first = {start.genotype: start.initial_key for start in starts}
    engine = ArchitectureSearchEngine(
        prepared.space, settings, search_key, silent, prepared.prototypes, first, read, prior
    )
    return ArchitectureRefiner(engine, settings, trainer, silent, len(first)).run()


def run_of(candidates: list[Candidate]) -> Run:
    """What a memory takes from a run, of a search without a folder."""
    return Run(Path(), {}, [], candidates[0], candidates, [], None, True)


def parse(description: str, results: Path, arguments: list[str] | None = None) -> argparse.Namespace:
    """`tasks`, `seeds`, `processes`, and the folder of `results`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS), help="(default: all)")
    parser.add_argument("--seeds", type=int, default=5, help="of each task (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at the same time (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=results, help="folder for the JSON")
    return parser.parse_args(arguments)


def side_by_side(processes: int, jobs: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
    """Calls functions in other processes: each job is one with its arguments. Yields its number and what it returned.

    After a few jobs there are new processes: what JAX has compiled takes memory maps, which a process runs out of.
    """
    batch = processes * JOBS_OF_PROCESS
    for first in range(0, len(jobs), batch):
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            work = {pool.submit(*job): number for number, job in enumerate(jobs[first : first + batch], start=first)}
            for done in as_completed(work):
                yield work[done], done.result()


def scratch(name: str) -> Path:
    """A folder for what an experiment keeps for the next time, and nobody else needs."""
    folder = Path(tempfile.gettempdir()) / f"metagen_jax_experiments_{name}"
    folder.mkdir(exist_ok=True)
    return folder


def share_compilations(name: str) -> None:
    """Keeps what is compiled for the other processes of an experiment, and for the next time."""
    jax.config.update("jax_compilation_cache_dir", str(scratch(name)))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def say(*words: Any) -> None:
    """Tells how far it is, and leaves the output to the figures."""
    print(*words, file=sys.stderr, flush=True)
