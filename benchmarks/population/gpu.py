"""The same comparison on one accelerator, with 64, 256 and 1,024 candidates.

    python benchmarks/population/gpu.py                             # needs JAX and PyTorch with CUDA
    python benchmarks/population/gpu.py --family vit --candidates 256

The engine trains all candidates. The peers take one after another, each as long as if it were alone, so they train the
first few (`MEMBERS`) and the page multiplies. A search on an accelerator takes many rounds, so the engine plans for
`--rounds` of them, of which this is one. Writes results/gpu.json with the name of the device, the versions of the
libraries and the date after every set; then run `python benchmarks/population/page.py`.
"""

import argparse
import pathlib
import tempfile
from concurrent.futures import ThreadPoolExecutor

import run

CANDIDATES = (64, 256, 1024)
MEMBERS = {"per_shape": 3, "torch_eager": 8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=run.FAMILIES, action="append", help="one of them; may be given again")
    parser.add_argument("--only", choices=("engine", *MEMBERS), action="append", help="one peer; may be given again")
    parser.add_argument("--candidates", type=int, action="append", help="one size of the set; may be given again")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=16, help="of the search that the engine plans for")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=run.HERE / "results")
    args = parser.parse_args()
    peers = [peer for peer in ("engine", *MEMBERS) if peer in (args.only or ("engine", *MEMBERS))]
    repeats = {peer: 1 if peer in run.SLOW else args.repeats for peer in peers}
    sets = [(family, count) for count in args.candidates or CANDIDATES for family in args.family or run.FAMILIES]
    with tempfile.TemporaryDirectory(prefix="population_benchmark_") as folder, ThreadPoolExecutor(len(sets)) as pool:

        def draw(chosen: tuple[str, int]) -> pathlib.Path:
            family, count = chosen
            path = pathlib.Path(folder) / f"{family}-{count}.pickle"
            numbers = {"--candidates": count, "--steps": args.steps, "--rounds": args.rounds}
            options = [str(word) for pair in numbers.items() for word in pair]
            few = ["--weights", str(max(MEMBERS.values()))]
            run.python("candidates.py", "--family", family, *options, *few, str(path), device="cpu")
            return path

        for (family, _), path in zip(sets, list(pool.map(draw, sets)), strict=True):
            run.merge(args.out / "gpu.json", family, run.measure(path, repeats, "cuda", MEMBERS))


if __name__ == "__main__":
    main()
