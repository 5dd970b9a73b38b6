"""How many candidates a second go through sampling, decoding, costs and non-dominated selection on a real space.

    python benchmarks/search/throughput.py [--spec specs/image_vit_classification.yaml]

Each generation draws a batch of genotypes, decodes them to sizes, computes parameters, FLOPs, memory and latency and the
violation of the spec's limits, and selects the best half batch of these and the survivors by constrained non-dominated
rank and crowding. One search runs on each core, independently. No network is trained. Takes about a minute.
"""

import argparse
import os
import statistics
import time

from metagen_jax.cli.environment import start_jax

NUM_SEARCHES = len(os.sched_getaffinity(0))
start_jax(NUM_SEARCHES)

import jax  # noqa: E402  after its flags are set
import jax.numpy as jnp  # noqa: E402
from record import write_results  # noqa: E402

from metagen_jax.automl.pipeline import prepare  # noqa: E402
from metagen_jax.search import best_first  # noqa: E402
from metagen_jax.search.sampling import sample_uniform  # noqa: E402
from metagen_jax.spec import load_spec  # noqa: E402
from metagen_jax.synth.space import SearchSpace  # noqa: E402

BATCH_SIZES = (128, 256, 512, 1024)
CANDIDATES = 2**18  # of one search
REPEATS = 5


def search(space: SearchSpace, batch_size: int):
    """Compiled searches of `CANDIDATES` candidates each, one a device: keys -> violations of their survivors."""
    num_survivors = batch_size // 2

    def measure(genotypes):
        costs = space.cost(genotypes)
        losses = jnp.stack([costs.params.rounded(), costs.flops], axis=1)
        return losses, space.violation(genotypes)

    def generation(survivors, key):
        genotypes = sample_uniform(key, space.discrete, batch_size)
        losses, violations = measure(genotypes)
        everyone = jax.tree.map(
            lambda old, new: jnp.concatenate([old, new]), survivors, (genotypes, losses, violations)
        )
        order = best_first(everyone[1], jnp.ones(len(everyone[0]), bool), everyone[2], num_survivors)
        return jax.tree.map(lambda leaf: leaf[order], everyone), None

    def run(key):
        key, key_first = jax.random.split(key)
        genotypes = sample_uniform(key_first, space.discrete, num_survivors)
        keys = jax.random.split(key, CANDIDATES // batch_size)
        return jax.lax.scan(generation, (genotypes, *measure(genotypes)), keys)[0][2]

    mesh = jax.sharding.Mesh(jax.devices()[:NUM_SEARCHES], ("search",))
    each = jax.sharding.PartitionSpec("search")
    return jax.jit(jax.shard_map(jax.vmap(run), mesh=mesh, in_specs=each, out_specs=each, check_vma=False))


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
            jax.block_until_ready(run(jax.random.split(jax.random.key(repeat), NUM_SEARCHES)))
            seconds.append(time.perf_counter() - started)
        warm = statistics.median(seconds[1:])
        results[f"batch_{batch_size}"] = {
            "cold_s": seconds[0],
            "warm_s": seconds[1:],
            "per_second": CANDIDATES * NUM_SEARCHES / warm,
        }
        print(f"batches of {batch_size}: {CANDIDATES * NUM_SEARCHES / warm:,.0f} candidates a second", flush=True)
    print(
        write_results(
            "throughput", {"spec": arguments.spec, "candidates": CANDIDATES, "searches": NUM_SEARCHES, **results}
        )
    )


if __name__ == "__main__":
    main()
