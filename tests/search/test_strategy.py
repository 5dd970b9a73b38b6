"""What `Space` and `discrete_space` accept, and how spaces compare."""

import pytest

from metagen_jax.search import Categorical, Integer, Space, discrete_space


def test_equal_spaces_are_equal_and_hash_alike():
    assert discrete_space((2, 3), (True, False)) == Space((Integer(0, 1), Categorical(3)))
    assert hash(discrete_space((2, 3), (True, False))) == hash(Space((Integer(0, 1), Categorical(3))))


def test_size_is_exact_where_it_exceeds_every_machine_integer():
    assert discrete_space((10,) * 30, (True,) * 30).size == 10**30


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (([2, 3], (True, True)), r"num_choices=tuple"),
        (((2, 3), [True, True]), r"ordered=tuple"),
        (((), ()), r"at least one dimension"),
        (((2, 0), (True, True)), r"num_choices\[1\].*1 choice"),
        (((2, 2.0), (True, True)), r"num_choices\[1\]"),
        (((2, 3), (True,)), r"ordered=\(True, True\)"),
        (((2, 3), (1, 0)), r"bool\("),
        (((2, 3), (True, True), 3.0), r"violation=lambda"),
    ],
)
def test_what_is_not_a_discrete_space_is_refused_with_the_fix(arguments, remedy):
    with pytest.raises(ValueError, match=remedy):
        discrete_space(*arguments)


@pytest.mark.parametrize(
    ("choices", "remedy"),
    [
        ([Categorical(3)], r"choices=tuple"),
        ((), r"at least one dimension"),
        ((Categorical(3), 4), r"choices\[1\].*Integer\(1, 8\)"),
    ],
)
def test_what_is_not_a_space_is_refused_with_the_fix(choices, remedy):
    with pytest.raises(ValueError, match=remedy):
        Space(choices)
