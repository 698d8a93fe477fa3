"""Where a policy's randomness comes from."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rand_agents.policies.seeds import DRAWS, SeedSpec
from rand_envs.core.wrappers.random_seed import SEED_DISTRIBUTIONS

M = 20_000
MOMENTS = {"bits": (0.5, 0.25, 0.25), "uniform": (0.5, 1 / 12, 1 / 80), "gaussian": (0.0, 1.0, 3.0)}
"""Mean, variance and fourth central moment, hence the error of both estimates."""


@pytest.mark.parametrize("distribution", SEED_DISTRIBUTIONS)
@pytest.mark.parametrize("draw", ["independent", "antithetic", "sobol"])
def test_moments(distribution: Any, draw: Any) -> None:
    seeds = SeedSpec(3, distribution, draw).sample(np.random.default_rng(0), M).astype(np.float64)
    mean, variance, fourth = MOMENTS[distribution]
    if distribution == "bits":
        assert set(np.unique(seeds)) == {0.0, 1.0}
        fourth = 1 / 16
    # Five standard errors; twice the variance of squares where seeds come in mirrored pairs.
    np.testing.assert_allclose(seeds.mean(0), mean, atol=5 * (variance / M) ** 0.5)
    error = 5 * (2 * (fourth - variance**2) / M) ** 0.5 + 1e-3
    np.testing.assert_allclose(seeds.var(0), variance, atol=error)
    correlation = np.corrcoef(seeds, rowvar=False)
    np.testing.assert_allclose(correlation, np.eye(3), atol=5 * (2 / M) ** 0.5)


@given(
    st.sampled_from(SEED_DISTRIBUTIONS),
    st.sampled_from([draw for draw in DRAWS if draw != "distinct"]),
    st.integers(1, 12),
    st.integers(1, 40),
)
def test_shape_type_and_range(distribution: Any, draw: Any, dim: int, m: int) -> None:
    seeds = SeedSpec(dim, distribution, draw).sample(np.random.default_rng(1), m)
    assert seeds.shape == (m, dim)
    assert seeds.dtype == np.float32
    assert np.isfinite(seeds).all()
    if distribution != "gaussian":
        assert seeds.min() >= 0
        assert seeds.max() <= 1


@pytest.mark.parametrize("distribution", SEED_DISTRIBUTIONS)
def test_a_fixed_seed_is_always_the_same(distribution: Any) -> None:
    spec = SeedSpec(8, distribution, "fixed", r0_rng_seed=3)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    seeds = spec.sample(rng, 5)
    assert (seeds == seeds[0]).all()
    assert rng.bit_generator.state == before
    np.testing.assert_array_equal(spec.sample(np.random.default_rng(99), 2), seeds[:2])
    other = SeedSpec(8, distribution, "fixed", r0_rng_seed=4).sample(rng, 1)
    assert (other != seeds[:1]).any()


def test_only_a_fixed_draw_is_fixed() -> None:
    fixed = [draw for draw in DRAWS if SeedSpec(2, "bits", draw).is_fixed]
    assert fixed == ["fixed"]


@pytest.mark.parametrize("m", [1, 2, 7, 8])
def test_antithetic_seeds_mirror_each_other(m: int) -> None:
    def drawn(distribution: Any) -> np.ndarray:
        return SeedSpec(4, distribution, "antithetic").sample(np.random.default_rng(2), m)

    whole = 2 * (m // 2)
    bits, uniform, normal = (drawn(name)[:whole] for name in ("bits", "uniform", "gaussian"))
    np.testing.assert_array_equal(bits[1::2], 1 - bits[::2])
    np.testing.assert_allclose(uniform[1::2], 1 - uniform[::2], atol=1e-6)
    np.testing.assert_allclose(normal[1::2], -normal[::2], atol=1e-6)
    assert len(np.unique(drawn("gaussian"), axis=0)) == m


def test_sobol_seeds_fill_the_cube_evenly() -> None:
    seeds = SeedSpec(2, "uniform", "sobol").sample(np.random.default_rng(0), 64)
    for column in seeds.T:
        np.testing.assert_array_equal(np.bincount((column * 64).astype(int)), np.ones(64))
    boxes = (seeds * 8).astype(int) @ (8, 1)
    np.testing.assert_array_equal(np.bincount(boxes, minlength=64), np.ones(64))


def test_sobol_bits_are_balanced_in_every_draw() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        bits = SeedSpec(10, "bits", "sobol").sample(rng, 32)
        np.testing.assert_array_equal(bits.mean(0), np.full(10, 0.5))


@given(st.integers(1, 6), st.integers(1, 200), st.integers(0, 99))
def test_distinct_bits_repeat_only_when_all_were_drawn(dim: int, m: int, rng_seed: int) -> None:
    bits = SeedSpec(dim, "bits", "distinct").sample(np.random.default_rng(rng_seed), m)
    assert bits.shape == (m, dim)
    assert bits.dtype == np.float32
    counts = np.bincount((bits @ 2.0 ** np.arange(dim)).astype(int), minlength=2**dim)
    assert counts.sum() == m
    assert counts.max() - counts.min() <= 1


def test_what_is_left_of_distinct_bits_is_drawn_evenly() -> None:
    rng, spec = np.random.default_rng(0), SeedSpec(2, "bits", "distinct")
    drawn = np.concatenate([spec.sample(rng, 3) for _ in range(4000)])
    counts = np.bincount((drawn @ (1, 2)).astype(int))
    np.testing.assert_allclose(counts / 4000, 0.75, atol=5 * (0.75 * 0.25 / 4000) ** 0.5)


@pytest.mark.parametrize(("dim", "distribution"), [(3, "uniform"), (21, "bits")])
def test_only_few_bits_can_be_distinct(dim: int, distribution: Any) -> None:
    with pytest.raises(ValueError, match='the seed draw "distinct" needs at most 20 bits, got'):
        SeedSpec(dim, distribution, "distinct")


@pytest.mark.parametrize("draw", ["independent", "antithetic", "sobol"])
def test_draws_follow_the_generator(draw: Any) -> None:
    spec = SeedSpec(5, draw=draw)
    rng = np.random.default_rng(7)
    first, second = spec.sample(rng, 8), spec.sample(rng, 8)
    assert (first != second).any(axis=1).all()
    again = np.random.default_rng(7)
    np.testing.assert_array_equal(spec.sample(again, 8), first)
    np.testing.assert_array_equal(spec.sample(again, 8), second)


@pytest.mark.parametrize("m", [0, -1])
@pytest.mark.parametrize("draw", DRAWS)
def test_fewer_than_one_seed_is_an_error(m: int, draw: Any) -> None:
    with pytest.raises(ValueError, match="number of seeds m must be at least 1"):
        SeedSpec(2, "bits", draw).sample(np.random.default_rng(0), m)


@pytest.mark.parametrize("dim", [0, -3, 1.5, True, "2"])
def test_an_illegal_dimension_is_an_error(dim: Any) -> None:
    with pytest.raises(ValueError, match="seed dimension must be an integer of at least 1"):
        SeedSpec(dim)


def test_unknown_names_are_errors() -> None:
    with pytest.raises(ValueError, match=r"seed distribution must be one of .*got 'cauchy'"):
        SeedSpec(2, "cauchy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"seed draw must be one of .*got 'halton'"):
        SeedSpec(2, draw="halton")  # type: ignore[arg-type]


def test_every_seed_is_listed_where_there_are_few() -> None:
    listed = SeedSpec(3, "bits").every()
    assert listed is not None
    assert sorted(map(tuple, listed.tolist())) == list(itertools.product((0.0, 1.0), repeat=3))
    fixed = SeedSpec(3, "gaussian", "fixed", r0_rng_seed=4)
    only = fixed.every()
    assert only is not None
    np.testing.assert_array_equal(only, fixed.sample(np.random.default_rng(1), 1))
    assert SeedSpec(3, "gaussian").every() is None
    assert SeedSpec(13, "bits").every() is None
