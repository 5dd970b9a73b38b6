"""The verbs of the command line."""

import contextlib
import dataclasses
import enum
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metagen_jax import __version__
from metagen_jax.cli.cluster import Cluster, cluster_of, follow, join, leads, others
from metagen_jax.cli.environment import (
    DEFAULT_HOST_DEVICES,
    free_memory_bytes,
    keep_compilations,
    num_cores,
    search_on_cpu,
    start_jax,
)
from metagen_jax.cli.history import history
from metagen_jax.cli.notes import note
from metagen_jax.cli.workers import default_workers, worker_processes
from metagen_jax.errors import MemoryFileError, OutputError, SpecError
from metagen_jax.memory import user_file
from metagen_jax.spec import ModelSpec, json_schema, load_spec
from metagen_jax.spec.summary import limits_line, target_line
from metagen_jax.spec.units import parse_bytes, parse_duration_ms
from metagen_jax.synth.choices import check_choices
from metagen_jax.synth.modalities import modality_of

if TYPE_CHECKING:
    from metagen_jax.automl.lanes import RemoteLane
    from metagen_jax.automl.pipeline import Options, Prepared, Run
    from metagen_jax.automl.prior import Known
    from metagen_jax.automl.reproduce import Recorded
    from metagen_jax.automl.start import Start
    from metagen_jax.cli.console import RunConsole
    from metagen_jax.population.plan import Plan
    from metagen_jax.synth.costs import Predictor


class Part(enum.StrEnum):
    """What `metagen calibrate` can measure alone."""

    TRAINING = "training"
    LATENCY = "latency"


MOST_LINES = 100  # of a kind that `inspect-data` prints

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(history, name="history")

SpecOption = Annotated[Path, typer.Option("--spec", help="The YAML file that says what to build.", show_default=False)]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Folder of the run. Default: runs/NAME-HASH.", show_default=False)
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Replace a value of the spec; may be repeated.")
]
SeedOption = Annotated[int | None, typer.Option(help="Same as --set reproducibility.seed=K.", show_default=False)]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Your own data in the place of the spec's whole section `data`, whose other keys --set can give again.",
        show_default=False,
    ),
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Replace a finished run in the same folder.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print the result and nothing else.")]
LimitOption = Annotated[
    str | None,
    typer.Option(help="Such as 10m: half of it for the search, the rest for the finalists.", show_default=False),
]
PlanOption = Annotated[
    Path | None,
    typer.Option("--plan", help="Programs as `metagen plan --json` printed them.", show_default=False),
]
HostDevicesOption = Annotated[
    int,
    typer.Option(min=1, max=256, help="CPU devices the process is started with; another number changes the last bits."),
]
DiskLimitOption = Annotated[
    str | None,
    typer.Option(help="Such as 500MB: what checkpoints of trainings under way may take.", show_default=False),
]
CoordinatorOption = Annotated[
    str | None,
    typer.Option(
        help="Several hosts: HOST:PORT of process 0. Found out by itself on TPU pods and in SLURM.", show_default=False
    ),
]
NumProcessesOption = Annotated[int | None, typer.Option(min=1, help="Several hosts: how many.", show_default=False)]
ProcessIdOption = Annotated[int | None, typer.Option(min=0, help="Several hosts: which one.", show_default=False)]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes that train; change nothing but the time. Default: one a core on a CPU, one on an accelerator.",
        show_default=False,
    ),
]
MemoryOption = Annotated[
    Path | None,
    typer.Option(
        "--memory",
        help="File in which runs are remembered, and from which they start. Default: one in your data folder.",
        show_default=False,
    ),
]
NoMemoryOption = Annotated[
    bool, typer.Option("--no-memory", help="Start from no run of this machine, and do not remember this one.")
]


@app.callback()
def about() -> None:
    """Turns a specification into a trained model."""


@app.command()
def automl(
    spec: SpecOption,
    data: DataOption = None,
    out: OutOption = None,
    search_budget: Annotated[
        int | None, typer.Option(help="Candidates trained; same as --set search.budget=N.", show_default=False)
    ] = None,
    refine_iterations: Annotated[
        int | None, typer.Option(help="Rounds; same as --set search.rounds=R.", show_default=False)
    ] = None,
    prototype_steps: Annotated[
        int | None, typer.Option(help="Same as --set search.prototype_steps=S.", show_default=False)
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="How candidates are proposed, for example nsga2 or random; same as --set search.strategy=NAME.",
            show_default=False,
        ),
    ] = None,
    train_prototypes: Annotated[
        bool, typer.Option(help="Train candidates, or rank them by their number of parameters alone.")
    ] = True,
    seed: SeedOption = None,
    time_limit: LimitOption = None,
    set_: SetOption = None,
    plan: PlanOption = None,
    fresh: FreshOption = False,
    quiet: QuietOption = False,
    host_devices: HostDevicesOption = DEFAULT_HOST_DEVICES,
    workers: WorkersOption = None,
    disk_limit: DiskLimitOption = None,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    cold: Annotated[
        bool,
        typer.Option(
            "--cold",
            envvar="METAGEN_COLD",
            help="Start from no earlier run and nothing that ships, though this run is remembered.",
        ),
    ] = False,
    coordinator: CoordinatorOption = None,
    num_processes: NumProcessesOption = None,
    process_id: ProcessIdOption = None,
) -> None:
    """Search architectures within the limits of a spec; leave the front and the winner's Flax project."""
    shorthand = {
        "search.budget": search_budget,
        "search.rounds": refine_iterations,
        "search.prototype_steps": prototype_steps,
        "search.strategy": strategy,
        "reproducibility.seed": seed,
    }
    overrides = [f"{path}={value}" for path, value in shorthand.items() if value is not None]
    overrides = [*_own_data(data, spec), *overrides, *(set_ or [])]
    nothing = () if cold else None
    call = Call(spec, tuple(overrides), host_devices, time_limit, plan, train_prototypes, starts=nothing, prior=nothing)
    cluster = cluster_of(coordinator, num_processes, process_id)
    _build(call, Means(out, fresh, quiet, workers, disk_limit, cluster, _memory(memory, no_memory)))


@app.command()
def synth(
    spec: Annotated[Path, typer.Argument(help="The YAML file that says what to build.", show_default=False)],
    data: DataOption = None,
    out: OutOption = None,
    seed: SeedOption = None,
    time_limit: LimitOption = None,
    set_: SetOption = None,
    plan: PlanOption = None,
    fresh: FreshOption = False,
    quiet: QuietOption = False,
    host_devices: HostDevicesOption = DEFAULT_HOST_DEVICES,
    workers: WorkersOption = None,
    disk_limit: DiskLimitOption = None,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    coordinator: CoordinatorOption = None,
    num_processes: NumProcessesOption = None,
    process_id: ProcessIdOption = None,
) -> None:
    """Train one good architecture, the largest within the limits, without a search; leave its Flax project."""
    overrides = [*([f"reproducibility.seed={seed}"] if seed is not None else []), *(set_ or [])]
    overrides = [*_own_data(data, spec), *overrides]
    cluster = cluster_of(coordinator, num_processes, process_id)
    call = Call(spec, tuple(overrides), host_devices, time_limit, plan, search=False)
    _build(call, Means(out, fresh, quiet, workers, disk_limit, cluster, _memory(memory, no_memory)))


@app.command()
def reproduce(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Keep the repeated run here. Default: nowhere.", show_default=False)
    ] = None,
    quiet: QuietOption = False,
    workers: WorkersOption = None,
) -> None:
    """Do a run again and compare every file with the fingerprint that its manifest has; exit code 1 if one differs."""
    from metagen_jax.automl.reproduce import differing_files, read_recorded
    from metagen_jax.automl.run_folder import RunFolder, changes_of_origin, surroundings

    recorded = read_recorded(run)
    changed = differing_files(recorded.sha256, RunFolder(run).sha256())
    if changed:
        raise OutputError(f"{run} is not what its manifest says: {changed[0]}\n  Restore the file, or build it anew.")
    start_jax(recorded.host_devices)
    surrounding_changes = changes_of_origin(recorded.origin, surroundings())
    if surrounding_changes:
        note(f"not the same surroundings: {', '.join(surrounding_changes)}")
    with tempfile.TemporaryDirectory(prefix="metagen-") as temporary:
        again = out or Path(temporary) / "run"
        _build(_again(recorded), Means(again, quiet=quiet, workers=workers), show=False)
        differing = differing_files(recorded.sha256, RunFolder(again).sha256())
    if not differing:
        print(f"reproduced: all {len(recorded.sha256)} files of {run} have the same bytes")
        return
    print(f"{len(differing)} of {len(recorded.sha256)} files differ; the first is {differing[0]}")
    raise typer.Exit(1)


@app.command("plan")
def show_plan(
    spec: Annotated[Path, typer.Argument(help="The YAML file that says what to build.", show_default=False)],
    set_: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what --plan takes.")] = False,
    host_devices: HostDevicesOption = DEFAULT_HOST_DEVICES,
) -> None:
    """Print which programs a search would compile, for which candidates, and how long that should take."""
    loaded = _load(spec, set_ or [])
    start_jax(host_devices)
    search_on_cpu()
    from metagen_jax.automl import pipeline, planning

    prepared, options = pipeline.prepare(loaded), pipeline.Options(num_devices=_num_devices())
    plan = planning.new_plan(prepared, options)
    if as_json:
        print(json.dumps(plan.to_json(), indent=2, sort_keys=True))
        return
    print(planning.table(plan))
    print(planning.summary(prepared, dataclasses.replace(options, plan=plan)))


@app.command()
def calibrate(
    specs: Annotated[
        list[Path] | None, typer.Argument(help="YAML files whose networks are trained.", show_default=False)
    ] = None,
    only: Annotated[
        Part | None, typer.Option(help="Measure this alone; latency needs no spec. Default: both.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to keep the result. Default: your settings.", show_default=False),
    ] = None,
    set_: SetOption = None,
    host_devices: HostDevicesOption = DEFAULT_HOST_DEVICES,
) -> None:
    """Measure on this machine what training steps, compilations and answers take; plans and predictions follow it."""
    if only != Part.LATENCY and not specs:
        raise SpecError("calibrate: no spec whose networks could be trained\n  Name some, or add --only latency.")
    loaded = [_load(path, set_ or []) for path in specs or []]
    start_jax(host_devices)
    search_on_cpu()
    from metagen_jax.automl import calibration, latency_calibration, pipeline
    from metagen_jax.population.coefficients import to_keep
    from metagen_jax.synth import machine

    file = out or machine.user_file()
    if only != Part.LATENCY:
        measured = calibration.calibrate([pipeline.prepare(spec) for spec in loaded], _num_devices(), print)
        machine.keep(file, measured.backend, to_keep(measured.modes, measured.source))
    if only != Part.TRAINING:
        predictor = latency_calibration.calibrate_latency(print)
        machine.keep(file, predictor.device, {"latency": predictor.to_json()})
        print(f"latencies will be {predictor.says}")
    print(f"kept in {file}")


@app.command()
def validate(
    specs: Annotated[list[Path], typer.Argument(help="YAML files to check.", show_default=False)],
    set_: SetOption = None,
) -> None:
    """Check specs without building anything: the limits of each in numbers, or what is wrong, with line and remedy."""
    failed = False
    for path in specs:
        try:
            spec = _load(path, set_ or [])
            target = target_line(spec)
            print(f"{path}: valid ({spec.name}-{spec.hash})")
            print(f"  limits: {limits_line(spec)}" + (f"\n  target: {target}" if target else ""))
        except SpecError as error:
            failed = True
            print(f"error: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(2)


@app.command("inspect-data")
def inspect_data(
    path: Annotated[Path, typer.Argument(help="A file or folder with your data.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the proposed spec into this new file.", show_default=False)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Propose a spec for this task, where the data go with several.", show_default=False),
    ] = None,
) -> None:
    """Say what a file or folder holds and what is wrong with it, and propose a spec; exit code 1 if a run would be refused."""
    from metagen_jax.data.inspection import inspect

    if out is not None and out.exists():
        raise OutputError(f"{out} is there already\n  Name another file, or remove this one.")
    findings = inspect(path)
    for word, lines in (("found", findings.found), ("note", findings.remarks), ("problem", findings.problems)):
        _print_findings(word, lines)
    if findings.proposals:
        proposal, others = findings.choose(task)
        for other in others:
            print(f"note     the data also go with {other.title}: add --task {other.task} for its spec")
        text = proposal.spec_text(path, Path() if out is None else out.parent)
        if out is None:
            print(f"\n{text}", end="")
        else:
            out.write_text(text, encoding="utf-8")
            print(f"spec     {out}")
    if findings.problems:
        raise typer.Exit(1)


def _print_findings(word: str, lines: Sequence[str]) -> None:
    """Prints what was found; a remedy that several lines in a row have is printed once, below the last of them."""
    shown = [line.partition("\n") for line in lines[:MOST_LINES]]
    for number, (told, _, remedy) in enumerate(shown, start=1):
        print(f"{word:<8} {told}")
        if remedy and (number == len(shown) or remedy != shown[number][2]):
            print(remedy)
    if len(lines) > MOST_LINES:
        print(f"{word:<8} ... and {len(lines) - MOST_LINES:,} more")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the spec language, for editors."""
    print(json.dumps(json_schema(), indent=2, sort_keys=True))


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


@dataclasses.dataclass(frozen=True)
class Call:
    """What the result of a command depends on, and how long it may take.

    Attributes:
      path: the spec.
      overrides: of its values, as PATH=VALUE.
      host_devices: CPU devices that the process starts with.
      time_limit: such as 10m.
      plan: a file or a plan.
      train_prototypes, search, measured: see `pipeline.Options`.
      predictor: of latencies; None: that of the interrupted run which goes on, or what is known of the device.
      starts: what the search tries first; None: those of the interrupted run which goes on, or what memory and portfolio
        have.
      prior: what a strategy that predicts is told beforehand; None likewise.
      data_path: where the user's own data are; None: where the spec says.
      commit: of the data set of the Hugging Face Hub; None: what the spec says.
      first: how the autoencoder is trained whose codes are learnt from; None: with a plan and a predictor of its own.
    """

    path: Path
    overrides: tuple[str, ...] = ()
    host_devices: int = DEFAULT_HOST_DEVICES
    time_limit: str | None = None
    plan: "Path | Plan | None" = None
    train_prototypes: bool = True
    search: bool = True
    predictor: "Predictor | None" = None
    measured: dict[str, Any] | None = None
    starts: "tuple[Start, ...] | None" = None
    prior: "tuple[Known, ...] | None" = None
    data_path: str | None = None
    commit: str | None = None
    first: "Call | None" = None

    def of_autoencoder(self, spec: ModelSpec) -> "Call":
        """The call that trains the autoencoder first that this one needs."""
        given = Call(
            Path(),
            host_devices=self.host_devices,
            train_prototypes=self.train_prototypes,
            search=self.search,
            starts=self.starts,
            prior=self.prior,
        )
        return dataclasses.replace(self.first or given, path=Path(spec.locations.file))

    def words(self) -> tuple[str, ...]:
        """The command in one canonical form; where the folder is and how much is printed do not belong to it."""
        words = ["metagen", *(["automl", "--spec"] if self.search else ["synth"]), self.path.as_posix()]
        words += [word for override in self.overrides for word in ("--set", override)]
        words += [] if self.train_prototypes else ["--no-train-prototypes"]
        words += [] if self.time_limit is None else ["--time-limit", self.time_limit]
        words += ["--plan", self.plan.as_posix()] if isinstance(self.plan, Path) else []
        return (*words, "--host-devices", str(self.host_devices))


@dataclasses.dataclass(frozen=True)
class Means:
    """Where and with what a command is done; no number of the result depends on it.

    Attributes:
      out, fresh: see `pipeline.Options`.
      quiet: say nothing but the result.
      workers: processes that train; None: as many as there are cores.
      disk_limit: such as 500MB.
      cluster: the other hosts, if there are any.
      memory: the file in which the run is remembered; None: it is not.
    """

    out: Path | None = None
    fresh: bool = False
    quiet: bool = False
    workers: int | None = None
    disk_limit: str | None = None
    cluster: Cluster | None = None
    memory: Path | None = None


def _build(call: Call, means: Means, *, show: bool = True) -> None:
    started = time.monotonic()
    spec = _load(call.path, list(call.overrides))
    spec = spec if call.data_path is None else spec.with_data_at(call.data_path)
    spec = spec if call.commit is None else spec.with_commit(call.commit)
    limit_s = None if call.time_limit is None else _of_option("--time-limit", parse_duration_ms, call.time_limit) / 1000
    limit_bytes = None if means.disk_limit is None else _of_option("--disk-limit", parse_bytes, means.disk_limit)
    plan = _plan_of(call)
    start_jax(call.host_devices)
    keep_compilations()

    # Only from here on is JAX needed, and only now do its flags stand.
    from metagen_jax.automl import pipeline

    if means.cluster is not None:
        if spec.data.autoencoder is not None:
            problem = "codes are on the host that has trained it"
            raise spec.error("data.autoencoder", problem, "Run this on one host, without --coordinator.")
        join(means.cluster)
    search_on_cpu()
    options = pipeline.Options(
        out=means.out,
        fresh=means.fresh,
        search=call.search,
        train_prototypes=call.train_prototypes,
        plan=plan,
        num_devices=_num_devices(),
        time_limit_s=limit_s,
        disk_limit_bytes=limit_bytes,
        measured=call.measured,
    )
    if spec.data.autoencoder is None:
        run = _run(call, means, spec, options, started)
    else:
        run = _run_in_stages(call, means, spec, options, started)
    if run is not None and show:
        _show_result(run, spec, started)


def _run_in_stages(call: Call, means: Means, spec: ModelSpec, options: "Options", started: float) -> "Run | None":
    """Trains the autoencoder of a spec, unless that is done, and then what draws its codes."""
    from metagen_jax.api import run_in_stages
    from metagen_jax.cli.console import RunConsole

    autoencoder = spec.data.autoencoder
    assert autoencoder is not None
    progress = RunConsole(spec.search.objectives, means.quiet, started)
    progress.note(f"two stages: the autoencoder of {autoencoder.locations.file}, then what draws its codes")
    first_call = call.of_autoencoder(autoencoder)

    def first(first_options: "Options") -> "Run | None":
        given = dataclasses.replace(first_options, plan=_plan_of(first_call), measured=first_call.measured)
        return _run(first_call, means, autoencoder, given, started)

    def second(second_options: "Options", codes: Path, complete: bool) -> "Run | None":
        return _run(call, means, spec, second_options, started, codes, complete)

    return run_in_stages(spec, options, first, second)


def _run(
    call: Call,
    means: Means,
    spec: ModelSpec,
    options: "Options",
    started: float,
    codes: Path | None = None,
    complete: bool = True,
) -> "Run | None":
    """Does a run of one stage from the data to the manifest; None on a host that follows another one.

    Args:
      codes: see `pipeline.prepare`.
      complete: False where what the run starts from was cut short.
    """
    from metagen_jax.api import finished_run, prior_of, remember, starts_of
    from metagen_jax.automl import pipeline
    from metagen_jax.automl.planning import plan_of, predictor_of_run
    from metagen_jax.cli.console import RunConsole

    progress = RunConsole(spec.search.objectives, means.quiet, started)
    prepared = pipeline.prepare(spec, call.predictor or predictor_of_run(spec, options), codes)
    if means.cluster is not None and not leads():
        follow(prepared, _num_devices(), progress.note)
        return None
    starts = starts_of(prepared, options, call.starts, means.memory, note)
    prior = prior_of(prepared, options, call.prior, means.memory, note)
    options = dataclasses.replace(options, plan=plan_of(prepared, options), starts=starts, prior=prior)
    for line in _overview(call, prepared, options):
        progress.note(line)
    helpers = _helpers(means, prepared, progress)
    run = finished_run(prepared, options, call.words(), progress, helpers, complete)
    if means.memory is not None:
        remember(means.memory, prepared, run, note)
    return run


def _own_data(data: Path | None, spec: Path) -> list[str]:
    """The override that reads data of the user's own, named from here and written from the folder of the spec."""
    if data is None:
        return []
    path = Path(os.path.relpath(data, spec.parent)).as_posix()
    return [f"data={{path: {json.dumps(path, ensure_ascii=False)}}}"]


def _memory(file: Path | None, none: bool) -> Path | None:
    """The file in which a run is remembered, if it is to be."""
    if none and file is not None:
        raise MemoryFileError("--no-memory: --memory names a file\n  Leave one of them out.")
    return None if none else file or user_file()


@contextlib.contextmanager
def _helpers(means: Means, prepared: "Prepared", progress: "RunConsole") -> Iterator[list["RemoteLane"]]:
    """The other processes that train: on other hosts, or on this one. The console ends with them."""
    import jax

    with contextlib.closing(progress):
        if means.cluster is not None:
            with others(means.cluster, prepared, progress.note) as lanes:
                yield lanes
            return
        count = means.workers or (default_workers() if jax.default_backend() == "cpu" else 1)
        with worker_processes(count - 1, prepared, progress.note) as lanes:
            yield lanes


def _load(path: Path, overrides: list[str]) -> ModelSpec:
    """The spec, with its family and choices checked too, and those of the autoencoder that it names."""
    spec = load_spec(path, overrides)
    for each in (spec, spec.data.autoencoder):
        if each is not None:
            check_choices(each, modality_of(each))
    return spec


def _again(recorded: "Recorded") -> Call:
    """The call that does a run again, and the autoencoder's before it, if it had one."""
    from metagen_jax.automl.run_folder import SPEC

    return Call(
        recorded.folder / SPEC,
        data_path=recorded.data_path,
        commit=recorded.commit,
        host_devices=recorded.host_devices,
        plan=recorded.plan,
        predictor=recorded.predictor,
        measured=recorded.measured,
        starts=recorded.starts,
        prior=recorded.prior,
        train_prototypes=recorded.train_prototypes,
        search=recorded.search,
        first=None if recorded.autoencoder is None else _again(recorded.autoencoder),
    )


def _plan_of(call: Call) -> "Plan | None":
    return _read_plan(call.plan) if isinstance(call.plan, Path) else call.plan


def _read_plan(file: Path) -> "Plan":
    from metagen_jax.population.plan import read_plan

    try:
        return read_plan(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise SpecError(f"--plan {file}: no plan: {error}\n  `metagen plan SPEC --json` prints one.") from None


def _of_option(option: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except SpecError as error:
        raise SpecError(f"{option}: {error}") from None


def _num_devices() -> int | None:
    """As many CPU devices as cores, or all accelerators."""
    import jax

    return min(num_cores(), len(jax.local_devices())) if jax.default_backend() == "cpu" else None


def _overview(call: Call, prepared: "Prepared", options: "Options") -> list[str]:
    import jax

    from metagen_jax.automl.planning import summary
    from metagen_jax.automl.prior import describe as describe_prior
    from metagen_jax.automl.start import describe as describe_starts
    from metagen_jax.data import describe

    spec, space = prepared.spec, prepared.space
    memory = free_memory_bytes()
    share, counted = space.feasible_share()
    searched = ", ".join(f"{d.name} {_span(d.values)}" for d in space.dimensions if len(d.values) > 1)
    fixed = ", ".join(f"{d.name} {d.values[0]}" for d in space.dimensions if len(d.values) == 1)
    changed = f" with {', '.join(call.overrides)}" if call.overrides else ""
    target = target_line(spec)
    devices = f"{options.num_devices or len(jax.devices())} x {jax.devices()[0].device_kind}"
    free = f", {memory / 1e9:.1f} GB of memory free" if memory is not None else ""
    return [
        f"metagen {__version__}, jax {jax.__version__} on {devices}{free}",
        f"spec     {call.path}{changed}: {spec.name}-{spec.hash}",
        f"task     {prepared.modality.task_type}: {', '.join(spec.modality.inputs)} to {', '.join(spec.modality.outputs)}",
        *(f"data     {line}" for line in describe(prepared.dataset)),
        f"family   {space.family.title}; searched: {searched}",
        f"         fixed: {fixed}",
        *(f"numbers  {line}" for line in _numbers_note(spec.training.precision, jax.default_backend())),
        f"limits   {limits_line(spec)}",
        *(f"         {limit.written}" for limit in space.limits if limit.written_bound),
        f"latency  {space.predictor.says}",
        *([f"target   {target}"] if target else []),
        f"space    {space.size:,} candidates, {_percent(share)} of the networks within the limits{'' if counted else ' (estimated)'}",
        *(f"trained  {line}" for line in _prototypes_note(prepared)),
        f"plan     {summary(prepared, options)}",
        *describe_starts(options.starts),
        *describe_prior(options.prior),
    ]


def _prototypes_note(prepared: "Prepared") -> list[str]:
    """What is trained in the place of networks that are too large; nothing where there are none."""
    from metagen_jax.synth.scaling import describe

    return [] if prepared.prototypes is prepared.space else describe(prepared.space, prepared.prototypes)


def _numbers_note(precision: str, backend: str) -> list[str]:
    """What there is to say about the numbers that a model computes in."""
    if precision == "float32":
        return ["float32"]
    lines = [f"products in {precision}; weights, optimiser, norms, softmax and loss in float32"]
    slow = "bfloat16 is meant for accelerators: on this CPU it is slower than float32; times of the plan are float32's"
    if precision == "tensorfloat32":
        return ["float32: a CPU has no units for tensorfloat32"] if backend == "cpu" else lines
    return [*lines, slow] if backend == "cpu" else lines


def _repairs(counts: dict[str, int]) -> str:
    """How many proposals the limits were in the way of."""
    proposed, outside = counts["proposed"], counts["infeasible"]
    moved = (
        f"{counts['repaired']} of {proposed} proposals ({counts['repaired'] / proposed:.0%}) were moved into the limits"
    )
    return f"{moved}, {outside} could not be and were left out" if outside else moved


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "less than 0.1%"


def _span(values: tuple) -> str:
    return f"{values[0]}-{values[-1]}" if len(values) > 2 else " or ".join(map(str, values))


def _show_result(run: "Run", spec: ModelSpec, started: float) -> None:
    from rich.console import Console

    from metagen_jax.cli.console import front_table, latency_lines
    from metagen_jax.synth.modalities import modality_of

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # a file or a pipe has no edge to wrap at
    console.print(front_table(run.front, run.winner, spec.search.objectives))
    result, winner = run.result, run.result["winner"]
    counts = result["counts"]
    print(
        f"{counts['trained']} candidates of {counts['architectures']} architectures trained in {counts['programs']} "
        f"programs, {counts['failed']} failed; {time.monotonic() - started:.0f} s in all"
    )
    if counts["repaired"] or counts["infeasible"]:
        print(f"limits   {_repairs(counts)}")
    print(
        f"winner   candidate {winner['number']}: {winner['params']:,} parameters, trained for {winner['steps']} steps"
    )
    print(f"         validation {_numbers(winner['validation'])}; test {_numbers(winner['test'])}")
    difference = winner["largest_loss_difference_when_repeated_alone"]
    print(f"         trained again alone from the plain source, its losses differ by at most {difference:.1e}")
    for baseline in result["baselines"]:
        scores = ", ".join(f"{name} {value:.4g}" for name, value in baseline["validation"].items())
        print(f"         baseline ({baseline['name']}): {scores}")
    for line in latency_lines(run.latency) if run.latency else []:
        print(f"         {line}")
    print(f"run      {run.path}")
    if winner["project"]:
        print(f"project  {run.path / 'winner'}")
        trained = run.path / "winner" / ("prototype" if "prototype" in winner else "")
        print(f"use it   cd {shlex.quote(str(trained))} && {modality_of(spec).try_it}")


def _numbers(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
