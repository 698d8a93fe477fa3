import pickle

import numpy as np
import pytest

from rand_envs.core.arrays import random_words
from rand_envs.core.generators import Generators


def fresh(n: int = 5) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(n)]


def test_words_are_those_that_each_gives_on_its_own() -> None:
    alone, together = fresh(), Generators(fresh())
    for count in (1, 3):
        expected = [rng.bit_generator.random_raw(count) for rng in alone]
        assert np.array_equal(random_words(together, count), expected)
    some = np.array([1, 4])
    expected = [alone[i].bit_generator.random_raw(2) for i in some]
    assert np.array_equal(random_words(together.at(some), 2), expected)
    assert np.array_equal(random_words(together[1:2], 1), random_words(alone[1:2], 1))
    # What somebody else draws in between is not drawn again.
    assert [rng.random() for rng in together] == [rng.random() for rng in alone]
    assert np.array_equal(together.words(2), random_words(alone, 2))
    assert together.at(some[:0]).words(3).shape == (0, 3)


def test_a_generator_can_be_replaced_and_all_can_be_copied() -> None:
    rngs = Generators(fresh())
    rngs[2] = np.random.default_rng(77)
    copy = pickle.loads(pickle.dumps(rngs))
    words = rngs.words(2)
    assert words[2].tolist() == np.random.default_rng(77).bit_generator.random_raw(2).tolist()
    assert np.array_equal(copy.words(2), words)
    assert list(rngs)[2] is rngs[2]


def test_only_generators_of_one_kind_are_taken() -> None:
    with pytest.raises(ValueError, match=r"must be those of np\.random\.default_rng"):
        Generators([np.random.Generator(np.random.MT19937(0))])
