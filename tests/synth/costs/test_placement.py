"""Values that cannot be moved leave gaps."""

from metagen_jax.synth.costs.placement import Life, most_alive, room


def test_what_is_not_needed_together_takes_the_same_room():
    lives = [Life(3, 0, 1), Life(3, 2, 3)]
    assert (most_alive(lives), room(lives)) == (3, 3)


def test_what_ends_as_another_begins_is_needed_together_with_it():
    lives = [Life(3, 0, 1), Life(2, 1, 3)]
    assert (most_alive(lives), room(lives)) == (5, 5)


def test_a_gap_that_is_too_small_stays_empty():
    """4 lies where the first 3 was, so the second 3 lies above 4, and above the first 3 there is only 1 left for 2."""
    lives = [Life(4, 2, 3), Life(3, 0, 1), Life(3, 1, 2), Life(2, 0, 1)]
    assert (most_alive(lives), room(lives)) == (8, 9)


def test_what_is_smaller_fills_gaps():
    lives = [Life(4, 2, 3), Life(3, 0, 1), Life(3, 1, 2), Life(1, 0, 1)]
    assert (most_alive(lives), room(lives)) == (7, 7)


def test_nothing_takes_no_room():
    assert (most_alive([]), room([])) == (0, 0)
