"""The same comparison on one accelerator, with 64, 256 and 1,024 candidates.

    python benchmarks/population/gpu.py                             # needs JAX and PyTorch with CUDA
    python benchmarks/population/gpu.py --family vit --candidates 256

The engine trains all candidates. The peers take one after another, each as long as if it were alone, so they train the
first few (`MEMBERS`) and the page multiplies. Writes results/gpu.json with the name of the device, the versions of the
libraries and the date; then run `python benchmarks/population/page.py`.
"""

import argparse
import pathlib

import run

CANDIDATES = (64, 256, 1024)
MEMBERS = {"per_shape": 8, "torch_eager": 16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=run.FAMILIES, action="append", help="one of them; may be given again")
    parser.add_argument("--only", choices=("engine", *MEMBERS), action="append", help="one peer; may be given again")
    parser.add_argument("--candidates", type=int, action="append", help="one size of the set; may be given again")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=run.HERE / "results")
    args = parser.parse_args()
    peers = [peer for peer in ("engine", *MEMBERS) if peer in (args.only or ("engine", *MEMBERS))]
    repeats = {peer: 1 if peer in run.SLOW else args.repeats for peer in peers}
    for family in args.family or run.FAMILIES:
        for candidates in args.candidates or CANDIDATES:
            measured = run.measure(family, candidates, args.steps, repeats, device="cuda", only_members=MEMBERS)
            run.merge(args.out / "gpu.json", family, measured)


if __name__ == "__main__":
    main()
