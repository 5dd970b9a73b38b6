"""The batches of a rendered program: repeatable, even, inside of the data."""

import functools
from types import ModuleType

import numpy as np
import pytest

from experiments.codes import prepare_any
from metagen_jax.data import load_dataset
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen
from metagen_jax.synth.choices import choose_family
from metagen_jax.synth.modalities import modality_of
from tests.synth.conftest import FILES, SPECS, TINY, structure_of

KIND_OF = {file: kind for kind, (file, _) in FILES.items()}


@functools.cache
def program(spec: str, *overrides: str) -> ModuleType:
    """That of a small network for the data of a spec."""
    read = load_spec(SPECS / spec, overrides)
    dataset = load_dataset(read) if read.data.autoencoder is None else prepare_any(read).dataset
    modality, kind = modality_of(read), KIND_OF.get(spec, "image")
    source = codegen.program_source(
        modality,
        choose_family(read, modality),
        structure_of(kind),
        TINY[kind],
        modality.fixed_fields(read, dataset),
        read.training,
        read.seed,
    )
    return codegen.load_module(source)


@pytest.fixture(scope="module")
def shifting() -> ModuleType:
    return program("image_vit_classification.yaml")


@pytest.fixture(scope="module")
def text() -> ModuleType:
    return program("text_char_lm.yaml", "constraints.context_window=8")


@pytest.fixture(scope="module")
def pairs() -> ModuleType:
    return program("multimodal_clip.yaml")


def test_the_same_step_gives_the_same_batch_and_another_one_does_not(shifting: ModuleType):
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), np.uint8)
    first, again, other = (shifting.train_batch(images, np.arange(50), step) for step in (3, 3, 4))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[1] != other[1]).any()
    assert (shifting.train_batch(images, np.arange(50), 3, seed=1)[1] != first[1]).any()


def test_a_shift_moves_an_image_by_a_few_pixels_and_changes_none(shifting: ModuleType):
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 14, 14] = 200
    batch, _ = shifting.train_batch(images, np.zeros(1, np.int32), 0)
    assert batch.shape == (shifting.BATCH_SIZE, 28, 28, 1)
    rows, columns = np.argwhere(batch[..., 0] == 200)[:, 1:].T
    assert len(rows) == shifting.BATCH_SIZE == (batch > 0).sum()
    for positions in (rows, columns):
        assert set(positions - 14) == set(range(-shifting.MAX_SHIFT, shifting.MAX_SHIFT + 1))


def test_every_example_is_reached_evenly():
    plain = program("image_digits_demo.yaml", "training.augmentation=none", "training.batch_size=100")
    images = np.zeros((10, 8, 8, 1), np.uint8)
    drawn = np.concatenate([plain.train_batch(images, np.arange(10), step)[1] for step in range(100)])
    assert (abs(np.bincount(drawn, minlength=10) - 1000) < 150).all()  # five standard deviations of a binomial: 150


def test_images_without_labels_come_with_seeds_that_differ_from_example_to_example_and_step_to_step():
    vae = program("image_vae.yaml", "data.source=digits", "training.batch_size=8")
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
    batch, seeds = vae.train_batch(images, 3)
    assert batch.shape == (8, 8, 8, 1) and seeds.shape == (8,)
    assert seeds.dtype == vae.seeded(images)[1].dtype == np.uint32
    assert len(set(seeds.tolist()) | set(vae.train_batch(images, 4)[1].tolist())) == 16
    assert (vae.train_batch(images, 3)[1] == seeds).all()


def test_the_noise_of_a_seed_is_normal_and_that_of_a_longer_code_cut_off():
    vae = program("image_vae.yaml", "data.source=digits", "training.batch_size=8")
    noise = np.asarray(vae.seeded_normal(np.arange(1000, dtype=np.uint32), 20))
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.02  # four standard errors of 20,000 draws
    assert abs(np.corrcoef(noise.T) - np.eye(20)).max() < 0.16  # five of 1,000
    np.testing.assert_array_equal(vae.seeded_normal(np.arange(3, dtype=np.uint32), 7), noise[:3, :7])


@pytest.mark.parametrize("spec", ["image_diffusion_pixel.yaml", "image_diffusion_latent.yaml"])
def test_images_to_be_drawn_and_their_codes_come_with_labels_and_seeds(spec: str):
    drawing = program(spec, "training.batch_size=8")
    examples = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
    labels = np.arange(50, dtype=np.int32) % 10
    batch, own, seeds = drawing.train_batch(examples, labels, 3)
    for example, label in zip(batch, own, strict=True):
        assert label in labels[(examples == example).all(axis=(1, 2, 3))]
    assert seeds.shape == (8,) and seeds.dtype == np.uint32
    assert [len(array) for array in drawing.seeded(examples, labels)] == [50, 50, 50]


def test_times_are_spread_over_seeds_in_a_row_and_random_for_random_ones():
    unet = program("image_diffusion_pixel.yaml", "training.batch_size=8")
    spread = np.sort(unet.spread_times(np.arange(400, dtype=np.uint32)))
    assert np.diff(spread, prepend=0, append=1).max() < 2 / 400
    seeds = np.random.default_rng(0).integers(2**32, size=4000, dtype=np.uint32)
    times, (noise, numbers) = np.asarray(unet.spread_times(seeds)), unet.seeded_draws(seeds, (4, 4, 1))
    counts = np.histogram(times, 10, (0, 1))[0]
    assert (abs(counts - 400) < 100).all()  # five standard deviations of a binomial
    assert abs(np.mean(noise)) < 0.02 and abs(np.std(noise) - 1) < 0.02
    correlations = np.corrcoef([times, numbers, np.asarray(noise)[:, 0, 0, 0]])
    assert abs(correlations - np.eye(3)).max() < 0.08


def test_a_velocity_takes_a_mixture_back_to_the_image_and_the_noise():
    unet = program("image_diffusion_pixel.yaml", "training.batch_size=8")
    image, noise = np.random.default_rng(0).normal(size=(2, 5))
    for time in (0.0, 0.3, 1.0):
        signal_share, noise_share = unet.signal_and_noise(time)
        mixture, velocity = signal_share * image + noise_share * noise, signal_share * noise - noise_share * image
        np.testing.assert_allclose(signal_share * mixture - noise_share * velocity, image, atol=1e-6)
        np.testing.assert_allclose(noise_share * mixture + signal_share * velocity, noise, atol=1e-6)


def test_labelled_texts_keep_their_labels_and_are_read_up_to_the_context():
    short = program("text_classification.yaml", "constraints.context_window=8")
    tokens = np.arange(10, dtype=np.uint8)[:, None] * 20 + np.arange(12, dtype=np.uint8)
    batch, labels = short.train_batch(tokens, np.arange(10), 3)
    assert batch.shape == (short.BATCH_SIZE, 8) and batch.dtype == np.int32
    assert (batch == tokens[labels, :8]).all()
    assert (short.train_batch(tokens, np.arange(10), 3)[1] == labels).all()
    assert (short.train_batch(tokens, np.arange(10), 4)[1] != labels).any()


def pairs_of_marked_images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one shade each, and texts of three words that begin with a token that tells the shade."""
    images = np.full((count, 32, 32, 3), np.arange(count)[:, None, None, None], np.uint8)
    words = np.array([10, 11, 2, 12, 2, 13, 14, 15, 0, 0, 0, 0], np.uint8)
    return images, np.tile(words, (count, 1)) + np.where(words > 2, np.arange(count, dtype=np.uint8)[:, None], 0)


def test_images_keep_their_texts_and_no_pair_is_in_a_batch_twice():
    plain = program("multimodal_clip.yaml", "training.augmentation=shift", "training.batch_size=20")
    images, tokens = pairs_of_marked_images(24)
    batch, texts = plain.train_batch(images, tokens, 3)
    shades = batch[:, 16, 16, 0]
    assert batch.shape == (20, 32, 32, 3) and len(set(shades.tolist())) == 20
    assert (batch == shades[:, None, None, None]).all()  # what comes in at an edge is like the edge
    assert (texts == tokens[shades]).all()
    again, _ = plain.train_batch(images[:7], tokens[:7], 3)
    assert sorted(np.bincount(again[:, 16, 16, 0]).tolist()) == [2, 3, 3, 3, 3, 3, 3]  # as evenly as can be


def test_some_words_of_a_text_are_kept_whole_in_any_order(pairs: ModuleType):
    images, tokens = pairs_of_marked_images(24)
    seen = set()
    for step in range(20):
        batch, texts = pairs.train_batch(images, tokens, step, batch_size=20)
        assert texts.shape == (20, 12)
        for shade, text in zip(batch[:, 16, 16, 0].tolist(), texts, strict=True):
            written = text[text != 0]
            assert (text[len(written) :] == 0).all()
            words = [tuple(word[word != 2] - shade) for word in np.split(written, np.flatnonzero(written == 2))]
            assert set(words) <= {(10, 11), (12,), (13, 14, 15)} and len(set(words)) == len(words)
            seen.add(tuple(words))
    assert len(seen) == 3 + 6 + 6  # one, two or three words, in every order


def test_captions_keep_their_images_and_are_shifted_by_what_begins_them():
    captions = program("multimodal_captioning.yaml", "constraints.context_window=8", "training.batch_size=20")
    images, tokens = pairs_of_marked_images(24)
    batch, texts = captions.train_batch(images, tokens, 3)
    assert (texts == tokens[batch[:, 16, 16, 0], :8]).all()
    before, share = captions.in_captions(np.array([[5, 6, 7], [8, 0, 0], [8, 9, 0], [0, 0, 0]], np.int32))
    assert np.asarray(before).tolist() == [[0, 5, 6], [0, 8, 0], [0, 8, 9], [0, 0, 0]]
    third = 1 / 3
    expected = [[third, third, third], [0.5, 0.5, 0], [third, third, third], [1, 0, 0]]
    np.testing.assert_allclose(share, expected, rtol=1e-6)


def test_words_are_spread_over_rows_and_what_does_not_fit_is_left_out(pairs: ModuleType):
    tokens = np.array([[5, 6, 2, 7, 8, 9, 3, 2, 4, 0, 0, 0], [5, 2, 6, 2, 7, 2, 8, 0, 0, 0, 0, 0]], np.int32)
    rows = np.asarray(pairs.spread_words(tokens, 3))
    assert rows.tolist() == [[[5, 6, 0], [7, 8, 9], [4, 0, 0]], [[5, 0, 0], [6, 0, 0], [7, 0, 0]]]


def test_ties_count_half_so_that_equal_embeddings_find_nothing(pairs: ModuleType):
    assert not np.asarray(pairs.among_the_best(np.zeros((40, 40)))).any()
    assert np.asarray(pairs.among_the_best(np.eye(40))).all()
    ranked = np.tile(-np.arange(40.0), (40, 1))  # the right one is as good as its number
    assert np.asarray(pairs.among_the_best(ranked)).sum() == 10


def test_targets_are_the_inputs_one_token_later_and_reach_both_ends(text: ModuleType):
    tokens = np.arange(12, dtype=np.uint8)
    batches = [text.train_batch(tokens, step) for step in range(20)]
    for inputs, targets in batches:
        assert inputs.shape == targets.shape == (text.BATCH_SIZE, 8)
        assert (targets == inputs + 1).all()
    assert min(inputs.min() for inputs, _ in batches) == 0
    assert max(targets.max() for _, targets in batches) == 11
