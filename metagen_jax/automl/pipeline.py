"""One run from a spec to a finished folder."""

import contextlib
import copy
import dataclasses
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metagen_jax.automl import objectives
from metagen_jax.automl.autoencoder import LatentDrawer, load_autoencoder
from metagen_jax.automl.candidate import FAILED, PROPOSED, STOPPED, TRAINED, Candidate
from metagen_jax.automl.chunks import ChunkTrainer
from metagen_jax.automl.confusion import write_confusion
from metagen_jax.automl.database import RunDatabase
from metagen_jax.automl.evaluation import repeat_plain, score_plain
from metagen_jax.automl.export import Winner, export
from metagen_jax.automl.keys import keys_of
from metagen_jax.automl.lanes import Lane
from metagen_jax.automl.latency import Answer, answering
from metagen_jax.automl.planning import plan_of
from metagen_jax.automl.prior import Known
from metagen_jax.automl.progress import Logged, Progress, Silent
from metagen_jax.automl.prototype_trainer import OutOfTime, PrototypeTrainer
from metagen_jax.automl.proxies import ZeroCost
from metagen_jax.automl.refiner import ArchitectureRefiner, SearchResult
from metagen_jax.automl.run_folder import CHECKPOINTS, DATABASE, LOG, RunFolder, write_json
from metagen_jax.automl.rungs import Schedule, schedule, schedule_of
from metagen_jax.automl.samples import sample_answers, write_pictures
from metagen_jax.automl.search_engine import ArchitectureSearchEngine
from metagen_jax.automl.start import Start
from metagen_jax.automl.stopwatch import MOST_MEASURED, Stopwatch, read_latency
from metagen_jax.automl.time_limit import keep_within
from metagen_jax.data import CodeDataset, Dataset, ImageDataset, load_dataset, origin_of, read_codes, sha256
from metagen_jax.errors import RunError
from metagen_jax.population.devices import population_mesh
from metagen_jax.population.plan import Plan
from metagen_jax.population.training_checkpoints import TrainingCheckpoints
from metagen_jax.population.weights import Weights
from metagen_jax.spec import ModelSpec, Objective
from metagen_jax.spec.tasks import COST_PROXIES
from metagen_jax.synth.build import build_prototypes, build_space
from metagen_jax.synth.choices import check_choices
from metagen_jax.synth.costs import Predictor
from metagen_jax.synth.limits import longest_ms
from metagen_jax.synth.modalities import Modality, lengths_of, modality_of
from metagen_jax.synth.space import SearchSpace

RESULT_SCHEMA_VERSION = 3
TIME_LIMIT = "the time limit"
SEARCH_SHARE = 0.5  # of a time limit; the rest is for the finalists


@dataclasses.dataclass(frozen=True)
class Options:
    """How to run, as opposed to what: `plan` may change last bits, `time_limit_s` cut a run short.

    Attributes:
      out: the folder, or None for `runs/<name>-<hash>`.
      fresh: replace a finished run.
      search: False takes one good architecture instead of searching.
      train_prototypes: False ranks candidates by their size alone.
      plan: of the programs; None: that of the interrupted run which goes on, or a new one.
      num_devices: how many devices share a population; None: all.
      time_limit_s: seconds; None: no limit.
      disk_limit_bytes: for checkpoints of trainings under way; None: no limit.
      measured: the content of a `latency.json`, so that a limit on time comes to the same verdicts; None: that of the
        interrupted run which goes on, if there is one.
      starts: what the search tries first, as the meta-learner found it.
      prior: what a strategy that predicts is told beforehand, likewise.
      in_stages: whether this is one of the two stages of a run that learns from codes.
    """

    out: Path | None = None
    fresh: bool = False
    search: bool = True
    train_prototypes: bool = True
    plan: Plan | None = None
    num_devices: int | None = None
    time_limit_s: float | None = None
    disk_limit_bytes: int | None = None
    measured: dict[str, Any] | None = None
    starts: tuple[Start, ...] = ()
    prior: tuple[Known, ...] = ()
    in_stages: bool = False


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A spec with its data and its space; nothing has been trained or written.

    Attributes:
      space: what is searched.
      prototypes: what is trained for it, by the same genotypes; the same space where its networks are trained themselves.
    """

    spec: ModelSpec
    modality: Modality
    dataset: Dataset
    space: SearchSpace
    prototypes: SearchSpace


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
      path: its folder.
      result: the content of `result.json`.
      front: members of the front, best in the first objective first.
      winner: the candidate that was exported.
      candidates: all that were proposed, with what was measured on their prototypes.
      finalists: those that were trained further, with what was measured then.
      latency: the content of `latency.json`; None where candidates are targets that were not built.
      complete: False where a time limit cut the run short; the same command goes on then.
    """

    path: Path
    result: dict[str, Any]
    front: list[Candidate]
    winner: Candidate
    candidates: list[Candidate]
    finalists: list[Candidate]
    latency: dict[str, Any] | None
    complete: bool


def prepare(spec: ModelSpec, predictor: Predictor | None = None, codes: Path | None = None) -> Prepared:
    """Loads the data and derives the search space.

    Args:
      predictor: of latencies; None: what is known of the spec's device.
      codes: the file of the codes that are learnt from, where the spec names an autoencoder.
    Raises:
      SpecError, DataError, InfeasibleError: the spec, its data or its limits cannot be worked with.
    """
    modality = modality_of(spec)
    check_choices(spec, modality)
    dataset = _load(spec, codes)
    space = build_space(spec, modality, dataset, predictor)
    return Prepared(spec, modality, dataset, space, build_prototypes(space, dataset))


def _load(spec: ModelSpec, codes: Path | None) -> Dataset:
    if spec.data.autoencoder is None:
        return load_dataset(spec)
    if codes is None:
        remedy = "Run the spec, or name that of the autoencoder here."
        raise spec.error("data.autoencoder", "there are no codes before it is trained", remedy)
    images = load_dataset(spec)
    assert isinstance(images, ImageDataset)
    return read_codes(codes, images)


def chunk_trainer(prepared: Prepared, num_devices: int | None, note: Callable[[str], None]) -> ChunkTrainer:
    """What a process needs to train candidates of a run that another one leads."""
    run_key, _ = keys_of(prepared.spec)
    return ChunkTrainer(prepared.prototypes, prepared.dataset, run_key, population_mesh(num_devices), note)


def run(prepared: Prepared, options: Options, progress: Progress | None = None, helpers: Sequence[Lane] = ()) -> Run:
    """Searches, trains the finalists, scores the winner once on test data and writes the folder.

    Args:
      helpers: other processes that train; they change nothing but the time that it takes.
    Raises:
      OutputError: the folder cannot be used.
      RunError: every candidate diverged or measured over a limit on time, or the time limit passed before one was
        trained.
      SpecError: it is a stage of two, and its networks are too large to be trained.
    """
    if options.in_stages and prepared.prototypes is not prepared.space:
        problem = (
            "has networks of more than search.prototype_params, and codes take networks that are trained themselves"
        )
        raise prepared.spec.error("constraints.parameter_budget", problem, "Allow fewer parameters, or raise that.")
    with claimed(prepared.spec, options):
        return _Runner(prepared, options, progress or Silent(), helpers).run()


def claimed(spec: ModelSpec, options: Options) -> contextlib.AbstractContextManager[None]:
    """Keeps every other run out of the folder while the context lasts; `run` does so by itself.

    Raises:
      OutputError: the folder cannot be used, or another run is at work in it.
    """
    return RunFolder.for_spec(spec, options.out).claimed()


def finish(run: Run, spec: ModelSpec, command: tuple[str, ...]) -> None:
    """Writes the manifest, which holds the fingerprint of everything else in the folder and makes the run finished."""
    RunFolder(run.path).write_manifest(spec, list(command), run.complete)


class _Runner:
    def __init__(self, prepared: Prepared, options: Options, progress: Progress, helpers: Sequence[Lane]):
        self._prepared = prepared
        self._spec, self._space, self._dataset = prepared.spec, prepared.space, prepared.dataset
        self._prototypes = prepared.prototypes
        self._modality = prepared.modality
        self._folder = RunFolder.for_spec(self._spec, options.out)
        self._options, self._progress = options, Logged(progress, self._folder.path / LOG)
        self._started = time.monotonic()
        self._timing: dict[str, float] = {}
        run_key, self._search_key = keys_of(self._spec)
        self._zero_cost = ZeroCost(self._prototypes, self._dataset, run_key, self._progress.note)
        self._deadline_share = SEARCH_SHARE
        self._plan, mesh = plan_of(prepared, options), population_mesh(options.num_devices)
        self._trainer = PrototypeTrainer(
            self._prototypes, self._dataset, run_key, mesh, self._plan, self._progress, self._check_time, helpers
        )

    def run(self) -> Run:
        choices = {"search": self._options.search, "train_prototypes": self._options.train_prototypes}
        given: dict[str, Any] = {
            "options": choices,
            "plan": self._plan.to_json(),
            "latency": self._space.predictor.to_json(),
        }
        if self._options.starts:
            given["starts"] = [start.to_json() for start in self._options.starts]
        if self._options.prior:
            given["prior"] = [known.to_json() for known in self._options.prior]
        if isinstance(self._dataset, CodeDataset):
            given["codes"] = sha256(self._dataset)
        origin = origin_of(self._dataset)
        if origin is not None:
            given["hub"] = dataclasses.asdict(origin)
        self._goes_on = self._folder.prepare(self._spec, given, self._options.fresh)
        if self._goes_on:
            self._progress.note(f"going on with the run in {self._folder.path}")
        limited = longest_ms(self._spec) is not None
        measured = self._options.measured or read_latency(self._folder.path)
        self._stopwatch = Stopwatch(
            self._folder.path, self._space.predictor, self._compiled, measured if limited else None
        )
        with contextlib.closing(self._trainer), RunDatabase(self._folder.path / DATABASE) as database:
            return self._run(database)

    def _run(self, database: RunDatabase) -> Run:
        searched = self._timed("search", lambda: self._search(database))
        within, over = self._timed("latency limit", lambda: self._keep_within_limit(searched.candidates))
        finalists, weights = self._timed("finalists", lambda: self._train_finalists(within, database))
        position = objectives.best_first(finalists, self._spec.search.objectives)[0]
        final = finalists[position]
        winner = next(c for c in searched.candidates if c.number == final.number)
        test = self._timed("test", lambda: self._score(final, weights[position], "test"))
        database.record_test(final, final.scores[-1].step, test)
        database.finish()
        baselines = self._modality.baselines(self._dataset, winner.prototype.sizes)
        front = objectives.front(within, self._spec.search.objectives)
        latency = self._timed("latency", lambda: self._measure(front, winner))
        difference = self._timed("repeat", lambda: self._repeat(winner))
        if self._spec.outputs.project:
            self._timed("project", lambda: self._export(winner, final, weights[position], test, baselines, searched))
        if self._spec.outputs.figures:
            model = self._model(final, weights[position])
            write_pictures(self._dataset, self._drawer(model), self._folder.path, self._spec.seed)
            write_confusion(self._dataset, model, self._folder.path)
        result = self._result(searched, front, winner, final, finalists, test, baselines, difference)
        if over:
            result["over_time_limit"] = [_summary(candidate) for candidate in over]
        if self._options.starts:
            result["starts"] = [start.to_json() for start in self._options.starts]
        write_json(self._folder.path / "front.json", [_summary(c) | {"validation": c.metrics} for c in front])
        write_json(self._folder.path / "result.json", result)
        write_json(self._folder.path / "timing.json", self._clock())
        complete = self._is_complete(searched, finalists)
        if complete:
            shutil.rmtree(self._folder.path / CHECKPOINTS, ignore_errors=True)
        return Run(self._folder.path, result, front, winner, searched.candidates, finalists, latency, complete)

    @property
    def _is_of_targets(self) -> bool:
        return self._prototypes is not self._space

    # -- stages -------------------------------------------------------------------------------------------------------

    def _search(self, database: RunDatabase) -> SearchResult:
        search, result = self._spec.search, SearchResult([])
        if not self._options.search:
            return self._without_search(database)
        trainer: Any = self._trainer
        if not self._options.train_prototypes:
            by_size = (Objective("params", "maximize"),)  # which nothing has to guess
            search = dataclasses.replace(search, objectives=by_size, proxies=COST_PROXIES, oversampling=1)
            trainer = UNTRAINED
        elif not self._goes_on:  # else there may be nothing to train
            self._trainer.begin_prototypes(schedule_of(search))
        starts = {start.genotype: start.initial_key for start in self._options.starts}
        engine = ArchitectureSearchEngine(
            self._space,
            search,
            self._search_key,
            self._progress,
            self._prototypes,
            starts,
            self._zero_cost,
            self._options.prior,
        )
        refiner = ArchitectureRefiner(engine, search, trainer, self._progress, len(starts))
        self._progress.stage("search", search.budget * search.prototype_steps)
        try:
            refiner.run(
                lambda candidates: database.record(candidates, "prototype"),
                result,
                lambda candidate: self._options.train_prototypes and database.recall(candidate, "prototype"),
            )
        except OutOfTime:
            result.stopped = TIME_LIMIT
        if result.history is not None and self._options.train_prototypes:
            for line in result.history.table().splitlines():
                self._progress.note(line)
        if result.stopped:
            self._progress.note(f"search stopped early: {result.stopped}")
        if not any(candidate.status == TRAINED for candidate in result.candidates):
            reasons = sorted({candidate.reason for candidate in result.candidates}) or [result.stopped]
            raise RunError(f"no candidate could be trained: {'; '.join(reasons)}\n  {self._advice(result)}")
        return result

    def _without_search(self, database: RunDatabase) -> SearchResult:
        """One candidate: the largest within the limits, since size is the best single predictor of quality."""
        genotype = self._space.largest_feasible()
        (costs,) = self._space.costs_of(genotype[None])
        (shrunk,) = self._prototypes.shrunk(genotype[None])
        only = Candidate(0, 1, genotype, self._space.blueprint(genotype), costs, shrunk=shrunk)
        steps = self._spec.search.prototype_steps
        self._progress.stage("prototype", steps)
        if not database.recall(only, "prototype"):
            self._trainer.train_prototypes(
                [only], schedule(steps), lambda candidates: database.record(candidates, "prototype")
            )
        if only.status == FAILED:
            raise RunError(f"the network diverged: {only.reason}\n  Narrow architecture.choices.learning_rate.")
        return SearchResult([only])

    @staticmethod
    def _advice(result: SearchResult) -> str:
        if not result.candidates:
            return "Give more time, or shorten search.prototype_steps."
        return "Narrow architecture.choices.learning_rate to smaller values."

    def _train_finalists(
        self, candidates: list[Candidate], database: RunDatabase
    ) -> tuple[list[Candidate], list[Weights]]:
        search, chosen = self._spec.search, self._choose_finalists(candidates)
        self._deadline_share = 1.0
        if not self._options.train_prototypes:
            self._progress.stage("prototypes of the finalists", len(chosen) * search.prototype_steps)
            for candidate in chosen:
                candidate.status = PROPOSED  # ranked, but not trained yet
            self._trainer.train_prototypes(
                chosen, schedule(search.prototype_steps), lambda candidates: database.record(candidates, "prototype")
            )
        finalists = [copy.copy(candidate) for candidate in chosen]
        self._progress.stage("finalists", len(finalists) * self._spec.training.steps)
        folder, limit = self._folder.path / CHECKPOINTS, self._options.disk_limit_bytes
        with TrainingCheckpoints(folder, limit, self._progress.note) as checkpoints:
            weights = self._trainer.train_finalists(finalists, self._spec.training.steps, checkpoints)
        database.record(finalists, "final")
        if all(finalist.status == FAILED for finalist in finalists):
            raise RunError(
                f"every finalist diverged: {finalists[0].reason}\n  Raise search.finalists or lower learning_rate."
            )
        return finalists, weights

    def _choose_finalists(self, candidates: list[Candidate]) -> list[Candidate]:
        search = self._spec.search
        if not self._options.train_prototypes:
            return sorted(candidates, key=lambda c: -c.costs["params"])[: search.finalists]
        return objectives.finalists(candidates, search.objectives, search.finalists)

    def _keep_within_limit(self, candidates: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Those that are left, and those that measure over the spec's limit on time, if it has one."""
        longest, device, here = longest_ms(self._spec), self._space.predictor.device, jax.default_backend()
        if longest is None:
            return candidates, []
        if self._is_of_targets or device != here:
            why = "of targets, which are not built" if self._is_of_targets else f"for a {device}, and this is a {here}"
            self._progress.note(f"the limit on time is {why}: kept by prediction alone")
            return candidates, []

        def wanted(left: list[Candidate]) -> list[Candidate]:
            front = objectives.front(left, self._spec.search.objectives)[:MOST_MEASURED]
            return list({c.number: c for c in (*front, *self._choose_finalists(left))}.values())

        return keep_within(candidates, wanted, self._stopwatch.measure, longest, self._progress.note)

    def _measure(self, front: list[Candidate], winner: Candidate) -> dict[str, Any] | None:
        """Times the members of the front, as many as `MOST_MEASURED`, and the winner."""
        if self._is_of_targets:
            return None
        self._stopwatch.measure(front[:MOST_MEASURED])
        if len(front) > MOST_MEASURED:
            self._progress.note(
                f"latency is measured for the first {MOST_MEASURED} of {len(front)} members of the front"
            )
        return self._stopwatch.measure_winner(winner)

    def _compiled(self, candidate: Candidate, batch_size: int) -> Answer:
        structure, weights = self._trainer.structure(candidate), self._trainer.initial_weights(candidate)
        fixed = lengths_of(self._space.fixed)
        example = self._modality.abstract_example(fixed)
        return answering(structure, candidate.blueprint.sizes, weights, example, batch_size)

    def _score(self, candidate: Candidate, weights: Weights, split: str) -> dict[str, float]:
        fixed = lengths_of(self._prototypes.fixed)
        arrays = self._modality.evaluation_arrays(self._dataset, split, fixed)
        structure = self._trainer.structure(candidate)
        batch_size = self._modality.evaluation_batch_size
        measured = self._modality.metrics(score_plain(structure, candidate.prototype, weights, arrays, batch_size))
        return {metric: measured[metric] for metric in self._spec.evaluation.metrics}

    def _repeat(self, winner: Candidate) -> float:
        """Trains the winner's prototype again, alone and from plain source; the largest difference of any loss."""
        structure, weights = self._trainer.structure(winner), self._trainer.initial_weights(winner)
        arrays = self._modality.train_arrays(self._dataset)
        losses = repeat_plain(structure, winner.prototype, weights, arrays, len(winner.losses))
        return float(np.max(np.abs(np.array(losses) - np.array(winner.losses))))

    def _export(
        self,
        winner: Candidate,
        final: Candidate,
        weights: Weights,
        test: dict[str, float],
        baselines: dict[str, dict[str, float]],
        searched: SearchResult,
    ) -> None:
        exported = Winner(
            candidate=winner,
            final=final,
            weights=weights,
            initial_weights=self._trainer.initial_weights(winner),
            test=test,
            baselines=baselines,
            num_candidates=len(searched.candidates) if self._options.train_prototypes else 1,
            samples=self._samples(final, weights),
        )
        export(self._folder.path, self._prepared, exported)

    def _samples(self, candidate: Candidate, weights: Weights) -> tuple[tuple[str, str], ...]:
        model = self._model(candidate, weights)
        return sample_answers(model, self._dataset, self._spec.outputs.samples, self._spec.seed)

    def _model(self, candidate: Candidate, weights: Weights) -> Any:
        return self._trainer.structure(candidate).apply(candidate.prototype.sizes, weights)

    def _drawer(self, model: Any) -> Any:
        """The model, with what turns its answers into images where they are codes."""
        autoencoder = self._spec.data.autoencoder
        if autoencoder is None:
            return model
        assert isinstance(self._dataset, CodeDataset)
        return LatentDrawer(model, load_autoencoder(self._folder.autoencoder.path, autoencoder), self._dataset)

    # -- what is written ----------------------------------------------------------------------------------------------

    def _result(
        self,
        searched: SearchResult,
        front: list[Candidate],
        winner: Candidate,
        final: Candidate,
        finalists: list[Candidate],
        test: dict[str, float],
        baselines: dict[str, dict[str, float]],
        difference: float,
    ) -> dict[str, Any]:
        statuses = [candidate.status for candidate in searched.candidates]
        share, counted = self._space.feasible_share()
        return {
            "schema_version": RESULT_SCHEMA_VERSION,
            "status": "finished" if not searched.stopped else f"finished, search stopped early: {searched.stopped}",
            "spec": {"name": self._spec.name, "hash": self._spec.hash},
            "seed": self._spec.seed,
            "precision": self._spec.training.precision,
            "loss": self._spec.training.objective,
            "data": {"name": self._dataset.name, "sha256": sha256(self._dataset)},
            "space": {"size": self._space.size, "feasible_share": share, "counted": counted},
            "counts": {
                "proposed": len(searched.candidates) + searched.num_infeasible,
                "infeasible": searched.num_infeasible,
                "repaired": searched.num_repaired,
                "trained": statuses.count(TRAINED) if self._options.train_prototypes else len(finalists),
                "stopped": statuses.count(STOPPED),
                "failed": statuses.count(FAILED),
                "architectures": len({candidate.blueprint.network_key for candidate in searched.candidates}),
                "programs": self._num_programs(searched.candidates, finalists),
            },
            "objectives": [dataclasses.asdict(objective) for objective in self._spec.search.objectives],
            "strategy": self._spec.search.strategy,
            "proxy": searched.proxy,
            "rounds": searched.history.to_json() if searched.history else [],
            "front": [
                _summary(c) | {"validation": c.metrics, "steps": self._spec.search.prototype_steps} for c in front
            ],
            "finalists": [_summary(c) | {"validation": c.metrics, "status": c.status} for c in finalists],
            "winner": _summary(winner)
            | {
                "steps": final.scores[-1].step,
                "validation": final.metrics,
                "test": test,
                "largest_loss_difference_when_repeated_alone": difference,
                "project": "winner" if self._spec.outputs.project else None,
            },
            "baselines": [{"name": name, "validation": metrics} for name, metrics in baselines.items()],
            "latency_predictions": self._space.predictor.says,
        }

    def _is_complete(self, searched: SearchResult, finalists: list[Candidate]) -> bool:
        trained = [finalist for finalist in finalists if finalist.status == TRAINED]
        whole = all(finalist.scores[-1].step == self._spec.training.steps for finalist in trained)
        return whole and searched.stopped != TIME_LIMIT

    def _num_programs(self, candidates: list[Candidate], finalists: list[Candidate]) -> int:
        """Of those that were trained; counted from the candidates, because a continued run compiles fewer."""
        trained = [c.prototype for c in candidates if c.losses]
        short = {self._plan.choose(self._prototypes.structure_key(blueprint), blueprint.sizes) for blueprint in trained}
        trained_again = [finalist for finalist in finalists if finalist.losses]
        return len(short | set(self._trainer.programs_of(trained_again, self._spec.training.steps)))

    def _check_time(self) -> None:
        limit = self._options.time_limit_s
        if limit is not None and time.monotonic() - self._started > limit * self._deadline_share:
            raise OutOfTime(f"the time limit of {limit:g} s passed before anything was trained\n  Give more time.")

    def _clock(self) -> dict[str, Any]:
        devices = self._trainer.mesh.devices.ravel()
        return {
            "seconds": self._timing | {"total": round(time.monotonic() - self._started, 3)},
            "devices": [f"{device.device_kind} {device.id}" for device in devices],
        }

    def _timed(self, stage: str, work: Callable[[], Any]) -> Any:
        start = time.monotonic()
        value = work()
        self._timing[stage] = round(time.monotonic() - start, 3)
        return value


class _Untrained:
    """Stands where candidates are ranked by their costs alone."""

    def train_prototypes(
        self, candidates: list[Candidate], length: Schedule, record: Callable[[list[Candidate]], None], promote: Any
    ) -> None:
        for candidate in candidates:
            candidate.status = TRAINED
        record(candidates)


UNTRAINED: Any = _Untrained()


def _summary(candidate: Candidate) -> dict[str, Any]:
    blueprint = candidate.blueprint
    return {
        "number": candidate.number,
        "id": blueprint.id,
        "family": blueprint.family,
        "structure": dict(blueprint.structure),
        "sizes": dict(blueprint.sizes),
        "hyperparameters": dict(blueprint.hyperparameters),
        **({"prototype": dict(candidate.shrunk.sizes)} if candidate.shrunk else {}),
        "params": candidate.costs["params"],
        "flops": candidate.costs["flops"],
        "latency_ms_predicted": candidate.costs["latency_ms"],
    }
