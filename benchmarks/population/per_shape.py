"""(b) JAX with one compiled training loop for each shape, at exact sizes, one candidate after another.

The same rendered source as (a) and JAX's own defaults: one CPU device, threads inside its operations. Candidates of equal
shape share a program, their training numbers being arguments. Cold: tracing, compilation and training; warm: training.
"""

import time

import candidate_set
import jax
import jax.numpy as jnp
import measurement
import numpy as np
import optax
from flax import nnx

from metagen_jax.population.weights import Structure
from metagen_jax.synth import codegen

MODEL_CLASSES = {
    "vit": "VisionTransformer",
    "decoder_transformer": "DecoderTransformer",
    "cnn": "ConvolutionalNetwork",
}


def train(chosen: candidate_set.CandidateSet, device: str) -> measurement.Measured:
    if (jax.default_backend() == "cpu") != (device == "cpu"):
        raise RuntimeError(f"asked for {device}, but JAX found {jax.default_backend()}")
    started = time.perf_counter()
    compile_s, losses, compiled = 0.0, [], {}
    module = codegen.load_module(chosen.source)
    batches = jax.device_put(tuple(np.stack(arrays) for arrays in zip(*chosen.batches, strict=True)))
    for member in chosen.members:
        compile_started = time.perf_counter()
        structure = Structure(module, MODEL_CLASSES[chosen.family], member.sizes)
        graph, params = nnx.split(structure.apply(member.sizes, member.weights))
        hyperparameters = {name: jnp.float32(value) for name, value in member.hyperparameters.items()}
        if member.shape not in compiled:
            loop = jax.jit(training_loop(module, graph, chosen.num_steps))
            compiled[member.shape] = loop.lower(params, hyperparameters, batches).compile()
        compile_s += time.perf_counter() - compile_started
        losses.append(np.asarray(compiled[member.shape](params, hyperparameters, batches)[1]))
    cold_s = time.perf_counter() - started
    details = {"shapes": len(compiled), "compile_s": compile_s, "device": jax.devices()[0].device_kind}
    if device != "cpu":
        details["peak_device_memory_mib"] = jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20
    return measurement.Measured(cold_s, cold_s - compile_s, np.array(losses), details)


def training_loop(module, graph, num_steps):
    """The whole training of one shape as a function of initial parameters, training numbers and stacked batches."""

    def run(params, hyperparameters, batches):
        optimizer = module.make_optimizer(**hyperparameters, num_steps=num_steps)

        def step(carry, batch):
            params, opt_state = carry
            loss, gradients = jax.value_and_grad(lambda p: module.loss_fn(nnx.merge(graph, p), *batch))(params)
            updates, opt_state = optimizer.update(gradients, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), loss

        (params, _), losses = jax.lax.scan(step, (params, optimizer.init(params)), batches)
        return params, losses

    return run


if __name__ == "__main__":
    measurement.main(__doc__, train)
