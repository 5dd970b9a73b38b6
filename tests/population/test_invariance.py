"""A candidate's bits do not depend on how the work was packed, and a bad one harms nobody."""

import dataclasses

import jax
import numpy as np
import pytest

from metagen_jax.population.devices import population_mesh
from metagen_jax.population.modes import VMAP
from metagen_jax.population.program import Job, Program
from metagen_jax.population.weights import Structure
from tests.population.conftest import NUM_STEPS, WIDTH, Trained


@pytest.fixture(scope="module")
def one_family(trained: Trained) -> Trained:
    if " with " in trained.name:
        pytest.skip("packing has nothing to do with norm, block or schedule")
    return trained


def test_any_slot_gives_the_same_bits(one_family: Trained):
    order = [2, 0, 3, 1]
    _, losses = one_family.train(one_family.program, [one_family.jobs[i] for i in order])
    assert (losses[:, : len(order)] == one_family.losses[:, order]).all()


def test_alone_among_copies_gives_the_same_bits(one_family: Trained):
    _, losses = one_family.train(one_family.program, one_family.jobs[1:2])
    assert (losses[:, 0] == one_family.losses[:, 1]).all()


@pytest.mark.parametrize(("num_devices", "width"), [(8, WIDTH), (1, 1)])
def test_meshes_of_eight_two_and_one_and_other_widths_give_the_same_bits(
    one_family: Trained, num_devices: int, width: int
):
    program = Program(one_family.structure, one_family.program.allocated, width, population_mesh(num_devices))
    for first in range(0, len(one_family.jobs), program.capacity):
        jobs = one_family.jobs[first : first + program.capacity]
        _, losses = one_family.train(program, jobs)
        assert (losses[:, : len(jobs)] == one_family.losses[:, first : first + len(jobs)]).all()


def test_side_by_side_computes_what_one_after_the_other_does(one_family: Trained):
    program = Program(one_family.structure, one_family.program.allocated, WIDTH, population_mesh(2), VMAP)
    _, losses = one_family.train(program, one_family.jobs)
    np.testing.assert_allclose(losses[:, : len(one_family.jobs)], one_family.losses, rtol=1e-5)


def test_segments_give_the_same_bits_as_one_piece(one_family: Trained):
    module, program = one_family.module, one_family.program
    batches = [module.train_batch(*one_family.train_arrays, step) for step in range(NUM_STEPS)]
    population = program.start(one_family.jobs)
    pieces = []
    for first, last in ((0, 20), (20, NUM_STEPS)):  # the second piece is filled up with steps that change nothing
        population, losses = program.train(population, batches[first:last], NUM_STEPS, NUM_STEPS)
        pieces.append(losses)
    assert (np.concatenate(pieces) == one_family.losses).all()


def test_a_second_population_does_not_compile_again(one_family: Trained):
    before = one_family.program.num_compilations
    one_family.train(one_family.program, one_family.jobs[:1])
    assert one_family.program.num_compilations == before == 1


def test_a_candidate_that_diverges_is_marked_and_leaves_the_others_their_bits(one_family: Trained):
    broken = {path: np.full_like(value, np.nan) for path, value in one_family.jobs[1].weights.items()}
    jobs: list[Job] = list(one_family.jobs)
    jobs[1] = dataclasses.replace(jobs[1], weights=broken)
    population, losses = one_family.train(one_family.program, jobs)
    others = [0, 2, 3]
    assert one_family.program.alive(population).tolist() == [True, False, True, True]
    assert np.isnan(losses[:, 1]).all()
    assert (losses[:, others] == one_family.losses[:, others]).all()


def test_training_uses_no_collective(one_family: Trained):
    module, program = one_family.module, one_family.program
    batches = [module.train_batch(*one_family.train_arrays, step) for step in range(NUM_STEPS)]
    text = program.compiled_text(batches, NUM_STEPS)
    assert "while" in text  # it is the right text
    for word in ("all-reduce", "all-gather", "collective-permute", "all-to-all"):
        assert word not in text


def test_initial_weights_do_not_depend_on_siblings(one_family: Trained):
    job = one_family.jobs[3]
    again = one_family.structure.initial_weights(jax.random.fold_in(jax.random.key(0), 3), job.sizes)
    assert all((again[path] == value).all() for path, value in job.weights.items())
    other = one_family.structure.initial_weights(jax.random.fold_in(jax.random.key(0), 4), job.sizes)
    assert any((other[path] != value).any() for path, value in job.weights.items())


def test_weights_that_are_drawn_at_once_are_those_that_are_drawn_one_by_one(one_family: Trained):
    alone = one_family.structure
    structure = Structure(alone.module, alone.model_class, alone.largest)
    structure.__dict__["_drawn_at_once"] = 3  # as on an accelerator
    keys = [jax.random.key(number) for number in range(len(one_family.jobs))]
    sizes = [job.sizes for job in one_family.jobs]
    at_once = structure.all_initial_weights(keys, sizes)
    for drawn, one in zip(at_once, alone.all_initial_weights(keys, sizes), strict=True):
        assert drawn.keys() == one.keys()
        for path, value in one.items():  # another program, so the last bit may differ
            np.testing.assert_allclose(drawn[path], value, rtol=1e-5, atol=1e-7)


def test_those_that_go_on_after_a_rung_have_the_bits_of_an_unbroken_training(one_family: Trained):
    program = one_family.program
    batches = [one_family.module.train_batch(*one_family.train_arrays, step) for step in range(NUM_STEPS)]
    half = len(batches) // 2
    population, _ = program.train(program.start(one_family.jobs), batches[:half], NUM_STEPS, NUM_STEPS)
    states = program.states(population, len(one_family.jobs))
    population = program.resume([states[3], states[0], states[2]])  # fewer, in other slots, on other devices
    population, losses = program.train(population, batches[half:], NUM_STEPS, NUM_STEPS)
    assert (losses[:, :3] == one_family.losses[half:, [3, 0, 2]]).all()
    assert program.alive(population).tolist() == [True, True, True, False]
