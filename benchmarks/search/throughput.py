"""How many candidates a second go through sampling, decoding, costs and non-dominated selection on a real space.

    python benchmarks/search/throughput.py [--spec specs/image_vit_classification.yaml]

Each generation draws a batch of genotypes, decodes them to sizes, computes parameters, FLOPs, memory and latency and the
violation of the spec's limits, and selects the best half batch of these and the survivors by constrained non-dominated
rank and crowding. No network is trained. Takes about a minute.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
from record import write_results

from metagen_jax.automl.pipeline import prepare
from metagen_jax.search import best_first
from metagen_jax.search.sampling import sample_uniform
from metagen_jax.spec import load_spec
from metagen_jax.synth.space import SearchSpace

BATCH_SIZES = (128, 256, 512, 1024, 4096)
CANDIDATES = 2**18  # a measurement
REPEATS = 5


def search(space: SearchSpace, batch_size: int):
    """One compiled search of `CANDIDATES` candidates: key -> violations of the survivors."""
    num_survivors = batch_size // 2

    def measure(genotypes):
        costs = space.cost(genotypes)
        losses = jnp.stack([costs.params, costs.flops], axis=1).astype(jnp.float32)
        return losses, space.violation(genotypes)

    def generation(survivors, key):
        genotypes = sample_uniform(key, space.discrete, batch_size)
        losses, violations = measure(genotypes)
        everyone = jax.tree.map(
            lambda old, new: jnp.concatenate([old, new]), survivors, (genotypes, losses, violations)
        )
        order = best_first(everyone[1], jnp.ones(len(everyone[0]), bool), everyone[2])[:num_survivors]
        return jax.tree.map(lambda leaf: leaf[order], everyone), None

    def run(key):
        key, key_first = jax.random.split(key)
        genotypes = sample_uniform(key_first, space.discrete, num_survivors)
        keys = jax.random.split(key, CANDIDATES // batch_size)
        return jax.lax.scan(generation, (genotypes, *measure(genotypes)), keys)[0][2]

    return jax.jit(run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default="specs/image_vit_classification.yaml")
    arguments = parser.parse_args()
    space = prepare(load_spec(arguments.spec)).space
    results = {}
    for batch_size in BATCH_SIZES:
        run, seconds = search(space, batch_size), []
        for repeat in range(REPEATS + 1):
            started = time.perf_counter()
            jax.block_until_ready(run(jax.random.key(repeat)))
            seconds.append(time.perf_counter() - started)
        warm = statistics.median(seconds[1:])
        results[f"batch_{batch_size}"] = {"cold_s": seconds[0], "warm_s": seconds[1:], "per_second": CANDIDATES / warm}
        print(f"batches of {batch_size}: {CANDIDATES / warm:,.0f} candidates a second", flush=True)
    print(write_results("throughput", {"spec": arguments.spec, "candidates": CANDIDATES, **results}))


if __name__ == "__main__":
    main()
