"""A whole run from Python: what `metagen automl` does, without its words."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from metagen_jax.automl import pipeline
from metagen_jax.automl.autoencoder import write_codes
from metagen_jax.automl.lanes import Lane
from metagen_jax.automl.meta_learner import MetaLearner, num_starts
from metagen_jax.automl.pipeline import Options, Prepared, Run
from metagen_jax.automl.planning import plan_of, predictor_of_run
from metagen_jax.automl.prior import STRATEGIES_WITH_PRIOR, Known, read_prior
from metagen_jax.automl.progress import Progress, Silent
from metagen_jax.automl.remembering import record_of
from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.automl.start import Start, read_starts
from metagen_jax.errors import MemoryFileError
from metagen_jax.memory import Memory, Portfolio, read_portfolio
from metagen_jax.report.figures import draw_figures
from metagen_jax.spec import ModelSpec, load_spec


def automl(
    spec: ModelSpec | str | Path,
    overrides: Sequence[str] = (),
    *,
    options: Options | None = None,
    memory: Path | None = None,
    cold: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Searches architectures within the limits of a spec, trains the best and writes the run's folder.

    It runs in this process, on the devices that JAX has there. The same spec, options and memory give the same bytes as
    on the command line, but that `metagen` starts JAX with one CPU device.

    Args:
      spec: what to build, or the YAML file that says so.
      overrides: of values of that file, each as `path=value`.
      options: folder, time limit and so on; None: a folder `runs/NAME-HASH`, no limit.
      memory: the file in which runs are remembered, and from which they start, such as
        `metagen_jax.memory.user_file()`; None: none, nothing is written outside of the folder, and a search starts from
        the portfolio that ships.
      cold: start from neither; what `options.starts` has is tried first all the same.
      progress: told what goes on; None: nobody.
    Returns:
      The finished run; `run.path / "winner"` is the project of the winner.
    Raises:
      SpecError, DataError, InfeasibleError: the spec, its data or its limits cannot be worked with.
      OutputError: the folder cannot be used.
      RunError: nothing could be trained.

    Examples:
      >>> import tempfile
      >>> folder = Path(tempfile.mkdtemp()) / "run"
      >>> short = ["search.budget=2", "search.rounds=1", "search.prototype_steps=10", "search.finalists=1"]
      >>> short += ["training.steps=20", "outputs.figures=false", "architecture.choices={num_layers: 1}"]
      >>> run = automl("specs/image_digits_demo.yaml", short, options=Options(out=folder))
      >>> len(run.candidates), run.complete, (run.path / "winner" / "model.py").is_file()
      (2, True, True)

      A finished run is not done again in the same folder:

      >>> automl("specs/image_digits_demo.yaml", short, options=Options(out=folder))
      Traceback (most recent call last):
      ...
      metagen_jax.errors.OutputError: ... already holds a finished run
        Add --fresh to replace it, or give another --out.
    """
    loaded = spec if isinstance(spec, ModelSpec) else load_spec(spec, overrides)
    told = progress or Silent()

    def one(own: ModelSpec, given: Options, codes: Path | None = None, complete: bool = True) -> Run:
        prepared = pipeline.prepare(own, predictor_of_run(own, given), codes)
        starts = starts_of(prepared, given, given.starts or (() if cold else None), memory, told.note)
        prior = prior_of(prepared, given, given.prior or (() if cold else None), memory, told.note)
        planned = dataclasses.replace(given, plan=plan_of(prepared, given), starts=starts, prior=prior)
        run = finished_run(prepared, planned, ("metagen_jax.automl", own.name), told, complete=complete)
        if memory is not None:
            remember(memory, prepared, run, told.note)
        return run

    autoencoder, wanted = loaded.data.autoencoder, options or Options()
    if autoencoder is None:
        return one(loaded, wanted)
    run = run_in_stages(
        loaded,
        wanted,
        lambda given: one(autoencoder, given),
        lambda given, codes, complete: one(loaded, given, codes, complete),
    )
    assert run is not None
    return run


def finished_run(
    prepared: Prepared,
    options: Options,
    command: tuple[str, ...],
    progress: Progress,
    helpers: contextlib.AbstractContextManager[Sequence[Lane]] | None = None,
    complete: bool = True,
) -> Run:
    """Runs what is prepared, draws its figures and writes its manifest.

    Args:
      command: what the manifest says that it came from.
      helpers: other processes that train, as long as the context lasts.
      complete: False where what the run starts from was cut short.
    """
    with pipeline.claimed(prepared.spec, options):
        with helpers or contextlib.nullcontext(()) as lanes:
            run = pipeline.run(prepared, options, progress, lanes)
        if prepared.spec.outputs.figures:
            draw_figures(run.path)
        run = dataclasses.replace(run, complete=run.complete and complete)
        pipeline.finish(run, prepared.spec, command)
    return run


def run_in_stages(
    spec: ModelSpec,
    options: Options,
    first: Callable[[Options], Run | None],
    second: Callable[[Options, Path, bool], Run | None],
) -> Run | None:
    """Trains the autoencoder of a spec, unless that is done, and then what draws its codes.

    Half of a time limit is for the one, the rest for the other. A run whose autoencoder was cut short is so too.

    Args:
      first: runs the autoencoder's spec; None where another host does.
      second: runs the spec itself, from the file of codes; the last argument is False where the first was cut short.
    """
    limit_s, begun = options.time_limit_s, time.monotonic()
    with pipeline.claimed(spec, options):
        folder, complete = RunFolder.for_spec(spec, options.out), True
        options = dataclasses.replace(options, in_stages=True)
        if not folder.begin(spec, options.fresh):
            half_s = None if limit_s is None else limit_s / 2
            run = first(dataclasses.replace(options, out=folder.autoencoder.path, fresh=False, time_limit_s=half_s))
            complete = run is not None and run.complete
        left_s = None if limit_s is None else limit_s - (time.monotonic() - begun)
        options = dataclasses.replace(options, fresh=False, time_limit_s=left_s)
        return second(options, write_codes(folder, spec), complete)


def starts_of(
    prepared: Prepared,
    options: Options,
    given: tuple[Start, ...] | None,
    memory: Path | None,
    note: Callable[[str], None],
) -> tuple[Start, ...]:
    """What a search tries first.

    That of the interrupted run which goes on; or else what is given; or else what the memory and the portfolio have. A
    memory that cannot be used is a note.
    """
    begun = {} if options.fresh else RunFolder.for_spec(prepared.spec, options.out).unfinished_origin()
    if begun:
        begun_with = read_starts(begun)
        if given is not None and begun_with != given:
            note("the interrupted run goes on with what it started from; --fresh (Options.fresh) begins anew")
        return begun_with
    if given is not None:
        return given
    if not (options.search and options.train_prototypes):
        return ()
    count, family = num_starts(prepared.spec.search), prepared.space.family.name
    portfolio = Portfolio([entry for entry in read_portfolio() if entry.family == family])
    if memory is not None:
        try:
            with Memory(memory, note) as opened:
                return tuple(MetaLearner(opened, portfolio).predict_good_starting_point(prepared, count))
        except MemoryFileError as error:
            note(str(error))
    return tuple(MetaLearner(None, portfolio).predict_good_starting_point(prepared, count))


def prior_of(
    prepared: Prepared,
    options: Options,
    given: tuple[Known, ...] | None,
    memory: Path | None,
    note: Callable[[str], None],
) -> tuple[Known, ...]:
    """What a strategy that predicts is told beforehand, decided like `starts_of`; nothing ships."""
    begun = {} if options.fresh else RunFolder.for_spec(prepared.spec, options.out).unfinished_origin()
    if begun:
        return read_prior(begun)
    is_read = prepared.spec.search.strategy in STRATEGIES_WITH_PRIOR and options.search and options.train_prototypes
    if given is not None or memory is None or not is_read:
        return given or ()
    try:
        with Memory(memory, note) as opened:
            return tuple(MetaLearner(opened).predict_prior(prepared))
    except MemoryFileError:  # which `starts_of` has said
        return ()


def remember(memory: Path, prepared: Prepared, run: Run, note: Callable[[str], None]) -> None:
    """Stores what a run has measured. A memory that cannot be used is a note: the run is done."""
    try:
        with Memory(memory, note) as opened:
            opened.remember(record_of(prepared, run, time.strftime("%Y-%m-%d")))
    except MemoryFileError as error:
        note(str(error))
