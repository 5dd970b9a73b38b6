"""Writes docs/benchmarks/search.md from the results of the benchmarks beside it.

    python benchmarks/search/tables.py

Every number on that page comes from a JSON file under `benchmarks/search/results/` or `experiments/strategies/`.
"""

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = pathlib.Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "benchmarks" / "search.md"
DATA_SETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16_120": "ImageNet16-120"}

INTRODUCTION = """# How good are the searchers?

Written by `python benchmarks/search/tables.py` from the results stored under `benchmarks/search/results/`; each section names the script that measured it. Peers ran in the same process run as ours. Times are from a shared machine with two cores: read them as ratios.
"""


def load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def where(record: dict[str, Any], *libraries: str) -> str:
    versions = ", ".join(f"{library} {record['versions'][library]}" for library in ("jax", *libraries))
    return f"Python {record['python']}, {versions}, {record['machine']['cores']} cores, {record['date']}."


def nas_bench_201() -> str:
    record = load("nas_bench_201")
    results = record["results"]
    rows = []
    for name, method in results["methods"].items():
        cells = [name]
        for budget in ("at_50", "at_100"):
            cells.append(" / ".join(f"{method[budget][key]['mean']:.2f}" for key in DATA_SETS))
        p_values = [method["at_100"][key].get("p_better_than_tpe") for key in DATA_SETS]
        cells.append("" if p_values[0] is None else " / ".join(f"{p:.1g}" for p in p_values))
        cells.append(f"{1000 * method['seconds']['warm_a_repeat']:,.0f}")
        rows.append(cells)
    header = ["method", "mean best at 50", "at 100", "p, better than TPE at 100", "ms a search of 100, warm"]
    return f"""## 50 and 100 trainings: NAS-Bench-201

`python benchmarks/search/nas_bench_201.py`. Mean best validation accuracy in percent, {" / ".join(DATA_SETS.values())}, {results["repeats"]} repeats, one evaluation at a time unless stated; p is one-sided Mann-Whitney. The best cells have 91.61 / 73.49 / 46.73, and differences within the last 0.2 (0.4 for ImageNet16) are noise between training seeds. {where(record, "optuna")}

{table(header, rows)}"""


def throughput() -> str:
    record = load("throughput")
    batches = {name: result for name, result in record["results"].items() if name.startswith("batch_")}
    rows = [(name.removeprefix("batch_"), f"{result['per_second']:,.0f}") for name, result in batches.items()]
    return f"""## Candidates a second through sampling, decoding, costs and non-dominated selection

`python benchmarks/search/throughput.py`, on the space of `{record["results"]["spec"]}`; no network is trained. {where(record)}

{table(["batch", "candidates a second"], rows)}"""


def real_run() -> str:
    record = json.loads((ROOT / "experiments" / "strategies" / "results.json").read_text())
    rows = []
    for name, result in record["summary"].items():
        cells = [name, str(int(result["seeds"]))]
        for metric in ("best_loss", "best_accuracy", "hypervolume"):
            p = result.get(f"{metric}_p")
            cells.append(f"{result[metric]:.4f}" + ("" if p is None else f" (p = {p:.2g})"))
        rows.append(cells)
    header = ["strategy", "seeds", "best validation loss", "best validation accuracy", "hypervolume of loss and size"]
    return f"""## A real run: the image spec, {record["budget"]} trainings

`python experiments/strategies/run.py`: the search of `{record["spec"]}` for validation loss and size in rounds of 8; means over seeds, one-sided Mann-Whitney against random. jax {record["jax"]}.

{table(header, rows)}"""


def nas_two_objectives() -> str:
    record = load("nas_two_objectives")
    results = record["results"]
    rows = []
    for name, by_data_set in results["methods"].items():
        cells = [f"{each['mean']:.2f} ± {each['standard_error']:.2f}" for each in by_data_set.values()]
        rows.append([name, *cells])
    return f"""## Accuracy and size together: NAS-Bench-201, {results["budget"]} trainings

`python benchmarks/search/nas_two_objectives.py`. Mean hypervolume of error and parameters, ± its standard error, {results["repeats"]} repeats, 8 evaluations at a time. {where(record)}

{table(["method", *DATA_SETS.values()], rows)}"""


def mixed_integer() -> str:
    record = load("mixed_integer")
    functions = record["results"]["functions"]
    names = list(next(iter(functions.values())))
    rows = []
    for function, by_name in functions.items():
        medians = {name: by_name[name]["at_100"][1] for name in names}
        best = min(medians.values())
        cells = [f"**{value:.3g}**" if value == best else f"{value:.3g}" for value in medians.values()]
        rows.append([function.removeprefix("mixed "), *cells])
    return f"""## 100 evaluations of mixed functions

`python benchmarks/search/mixed_integer.py`. Median best loss over {record["results"]["seeds"]} seeds, one evaluation at a time; a quarter of the D dimensions each is continuous, logarithmic, integer and categorical, and the best possible is 0. The first step size of CMA-ES was chosen on functions of this kind, and nothing else. {where(record, "optuna")}

{table(["function", *names], rows)}"""


def cma_es() -> str:
    record = load("cma_es")
    results, speed = record["results"], record["results"]["generations_per_second"]
    rows = []
    for function, by_name in results["evaluations"].items():
        cells = [function]
        for name in ("ours", "pycma", "evosax"):
            result = by_name.get(name)
            cells.append("" if result is None else _evaluations(result))
        rows.append(cells)
    return f"""## CMA-ES: evaluations until f <= 1e-8

`python benchmarks/search/cma_es.py`. Median [quartiles] over seeds that reach it; a count in brackets where some do not. n = 200 is the separable variant. {where(record, "cma", "evosax")}

{table(["function", "ours", "pycma", "evosax"], rows)}
Generations a second, n = 10, 11 runs under `vmap`: ours {speed["ours"]["warm"]:,.0f}, evosax {speed["evosax"]["warm"]:,.0f} ({speed["ours"]["warm"] / speed["evosax"]["warm"]:.1f} times); with compilation {speed["ours"]["cold"]:,.0f} and {speed["evosax"]["cold"]:,.0f}.
"""


def _evaluations(result: dict[str, Any]) -> str:
    reached = "" if result["successes"] == result["seeds"] else f" ({result['successes']} of {result['seeds']})"
    if result["median"] is None:
        return f"not reached by half{reached}"
    low, high = ("-" if value is None else f"{value:,.0f}" for value in result["quartiles"])
    return f"{result['median']:,.0f} [{low}, {high}]{reached}"


def nsga2() -> str:
    record = load("nsga2")
    settings, rows = record["results"]["settings"], []
    for problem, result in record["results"]["problems"].items():
        cells = [problem]
        for name in ("nsga2", "pymoo"):
            low, middle, high = (result[name][f"hypervolume_{which}"] for which in ("min", "median", "max"))
            cells.append(f"{middle:.4f} [{low:.4f}, {high:.4f}]")
        cells.append(f"{result['front_hypervolume']:.4f}")
        cells += [f"{result['nsga2']['seconds_warm']:.2f}", f"{result['pymoo']['seconds_warm']:.2f}"]
        cells += [f"{result['speedup_warm']:.1f}", f"{result['nsga2']['seconds_cold']:.1f}"]
        rows.append(cells)
    header = ["problem", "hypervolume, ours", "pymoo", "true front", "s a run, ours", "pymoo", "ratio", "ours, cold"]
    small = record["results"]["zdt1_1000_evaluations"]
    compiled = "compiled" if settings["pymoo_is_compiled"] else "not compiled"
    return f"""## NSGA-II: population {settings["population"]}, {settings["generations"]} generations

`python benchmarks/search/nsga2.py`. Median [smallest, largest] of {settings["seeds"]} seeds, reference point 1.1; pymoo with its defaults and its {compiled} modules. Our crossover and mutation settings were chosen on these six problems. {where(record, "pymoo", "optuna")}

{table(header, rows)}
ZDT1 with 1,000 evaluations: ours {small["nsga2"]["hypervolume_median"]:.3f}, Optuna's NSGA-II {small["optuna"]["hypervolume_median"]:.3f}.
"""


def large_scale() -> str:
    records = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("large_scale_*.json"))]
    rows = [
        [
            result["strategy"],
            f"{result['candidates']:,}",
            f"{result['outside_the_budget']:,}",
            f"{result['prepare_s']:.1f}",
            f"{result['search_s']:.1f}",
        ]
        for result in (record["results"] for record in records)
    ]
    header = ["strategy", "candidates", "outside the budget", "s to read the spec and survey its space", "s to search"]
    first = records[0]
    return f"""## Targets of billions of parameters, without training

`python benchmarks/search/large_scale.py` for `{first["results"]["spec"]}`: the engine of a run in {first["results"]["rounds"]} rounds; every candidate is decoded, costed, checked against the limits and told. Compilation included. {where(first)}

{table(header, rows)}"""


SECTIONS = (nas_bench_201, nas_two_objectives, mixed_integer, real_run, cma_es, nsga2, throughput, large_scale)


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([INTRODUCTION, *(section() for section in SECTIONS)])


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    print(PAGE.relative_to(ROOT))
