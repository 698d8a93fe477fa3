"""The policy's network against explicit sums, loops and torch's own attention."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rand_agents.games.registry import game_for, task_of
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig

RECALL = TransformerConfig(7, 3, 4)
RING = TransformerConfig(
    6, 3, 6, seed_placement="own", mask="neighbours", embedding="linear", model_size=16
)
GRID = TransformerConfig(
    7,
    4,
    5,
    seed_placement="first",
    num_heads=4,
    key_size=3,
    value_size=2,
    model_size=12,
    attention="softmax",
    embedding="linear",
    layer_norm=True,
    mlp_factor=4,
    max_length=12,
    scale=True,
)
LINEAR_STEPS = dataclasses.replace(GRID, attention="linear", layer_norm=False, mlp_factor=0)
PLAIN = dataclasses.replace(RECALL, embedding="none", num_blocks=3, num_heads=2)
CAUSAL = {"recall": RECALL, "grid": GRID, "linear steps": LINEAR_STEPS, "plain": PLAIN}


def model_of(config: TransformerConfig, noise: float = 0.3) -> SeedTransformer:
    """A policy in float64 whose weights, biases and norms included, are all away from 0 and 1."""
    model = SeedTransformer(config, 1).double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(noise * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return model


def numbers(*shape: int, key: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(key).standard_normal(shape))


def population(model: SeedTransformer, size: int = 3) -> dict[str, Tensor]:
    """Weights of `size` different candidates, stacked on a leading axis."""
    return {
        name: weight.detach() + 0.2 * numbers(size, *weight.shape, key=i)
        for i, (name, weight) in enumerate(model.named_weights().items())
    }


def candidate(weights: dict[str, Tensor], i: int) -> dict[str, Tensor]:
    return {name: weight[i] for name, weight in weights.items()}


# Attention.


def explicit_outputs(model: SeedTransformer, tokens: Tensor, seed: Tensor) -> Tensor:
    """The replication's network as sums over positions, heads and blocks."""
    w, c = model.named_weights(), model.config
    x = [torch.cat([token, seed]) for token in tokens]
    joined = torch.cat([w["embed_token"], w["embed_seed"]])
    x = [torch.nn.functional.gelu(v @ joined + w["embed_bias"]) for v in x]
    x = [v @ w["embed_out"] + w["embed_out_bias"] for v in x]
    for block in range(c.num_blocks):
        new = []
        for t in range(len(x)):
            mixed = []
            for head in range(c.num_heads):
                key = slice(head * c.key_size, (head + 1) * c.key_size)
                value = slice(head * c.value_size, (head + 1) * c.value_size)
                query = x[t] @ w[f"query_{block}"][:, key]
                total = torch.zeros(c.value_size, dtype=tokens.dtype)
                for s in range(t + 1):
                    share = query @ (x[s] @ w[f"key_{block}"][:, key])
                    total = total + share * (x[s] @ w[f"value_{block}"][:, value])
                mixed.append(total)
            new.append(x[t] + torch.cat(mixed) @ w[f"project_{block}"])
        x = new
    return torch.stack([v @ w["read_out"] + w["read_out_bias"] for v in x])


@pytest.mark.parametrize("num_heads", [1, 2])
def test_linear_attention_is_the_explicit_sum(num_heads: int) -> None:
    config = dataclasses.replace(RECALL, num_heads=num_heads, key_size=3, value_size=2)
    model = model_of(config)
    tokens, seed = numbers(5, 7), numbers(4, key=1)
    torch.testing.assert_close(model(tokens, seed), explicit_outputs(model, tokens, seed))


def test_softmax_attention_is_torchs_own() -> None:
    model = model_of(GRID)
    queries, keys, values = (numbers(2, 4, 6, k, key=k) for k in (3, 3, 2))
    queries = numbers(2, 4, 6, 3, key=9)
    ours = model._attend_causal(queries, keys, values)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        queries, keys, values, is_causal=True, scale=3**-0.5
    )
    torch.testing.assert_close(ours, theirs)


def test_without_scale_scores_are_not_divided() -> None:
    model = model_of(dataclasses.replace(GRID, scale=False))
    queries, keys, values = numbers(6, 3), numbers(6, 3, key=1), numbers(6, 2, key=2)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        queries[None], keys[None], values[None], is_causal=True, scale=1.0
    )[0]
    torch.testing.assert_close(model._attend_causal(queries, keys, values), theirs)


@pytest.mark.parametrize("attention", ["linear", "softmax"])
def test_ring_attention_is_the_explicit_sum_over_two_neighbours(attention: Any) -> None:
    model = model_of(dataclasses.replace(RING, attention=attention))
    queries, keys, values = numbers(6, 5), numbers(6, 5, key=1), numbers(6, 4, key=2)
    rows = []
    for t in range(6):
        beside = [(t - 1) % 6, (t + 1) % 6]
        shares = torch.stack([queries[t] @ keys[s] for s in beside])
        shares = shares.softmax(0) if attention == "softmax" else shares
        rows.append(shares @ values[beside])
    torch.testing.assert_close(model._attend_ring(queries, keys, values), torch.stack(rows))


# Who sees whom.


@pytest.mark.parametrize("name", CAUSAL)
def test_later_tokens_change_nothing_earlier(name: str) -> None:
    model = model_of(CAUSAL[name])
    c = model.config
    tokens, seed = numbers(6, 7), numbers(c.seed_dim, key=1)
    first = c.seed_placement == "first"
    before = model(tokens, seed)
    for place in range(6):
        changed = tokens.clone()
        changed[place] += 1.0
        differs = (model(changed, seed) != before).any(-1)
        assert not differs[: place + first].any()
        assert differs[place + first :].all()


@pytest.mark.parametrize("num_blocks", [1, 2, 3])
def test_a_ring_sees_only_as_far_as_it_has_blocks(num_blocks: int) -> None:
    size = 9
    config = dataclasses.replace(
        RING, token_dim=size, seed_dim=size, num_blocks=num_blocks, attention="softmax"
    )
    model = model_of(config)
    tokens, seed = torch.eye(size).double(), numbers(size, key=1).sigmoid()
    before = model(tokens, seed)
    for vertex in range(size):
        changed = seed.clone()
        changed[vertex] += 0.5
        differs = (model(tokens, changed) != before).any(-1)
        distance = (torch.arange(size) - vertex).abs()
        distance = torch.minimum(distance, size - distance)
        assert differs.tolist() == (distance <= num_blocks).tolist()


def test_a_ring_has_neither_start_nor_direction() -> None:
    model = model_of(RING)
    order = torch.tensor([0, 3, 1, 5, 2, 4])
    tokens, seed = torch.eye(6).double()[order], numbers(6, key=1)
    around = model(tokens, seed)
    torch.testing.assert_close(model(tokens.roll(2, 0), seed), around.roll(2, 0))
    torch.testing.assert_close(model(tokens.flip(0), seed), around.flip(0))


def test_every_token_carries_the_seed_but_own_seeds_stay_with_their_vertex() -> None:
    ring = SeedTransformer(dataclasses.replace(RING, embedding="none"))
    seed = torch.arange(6.0)
    order = torch.tensor([0, 3, 1, 5, 2, 4])
    entered = ring.embed(ring.named_weights(), torch.eye(6)[order], seed)
    torch.testing.assert_close(entered[:, 6], seed[order])
    every = SeedTransformer(dataclasses.replace(RECALL, embedding="none"))
    entered = every.embed(every.named_weights(), torch.zeros(3, 7), torch.arange(4.0))
    torch.testing.assert_close(entered[:, 7:], torch.arange(4.0).expand(3, 4))


# The same numbers in other ways.


@pytest.mark.parametrize("name", CAUSAL)
def test_answer_is_the_last_output(name: str) -> None:
    model = model_of(CAUSAL[name])
    tokens, seeds = numbers(5, 1, 6, 7), numbers(3, model.config.seed_dim, key=1)
    whole = model(tokens, seeds)
    first = model.config.seed_placement == "first"
    assert whole.shape == (5, 3, 6 + first, model.config.output_dim)
    torch.testing.assert_close(model.answer(tokens, seeds), whole[..., -1, :])


@given(
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["none", "linear", "gelu"]),
    st.booleans(),
)
def test_answer_from_a_table_is_the_answer(
    num_blocks: int, num_heads: int, T: int, n: int, m: int, embedding: Any, has_candidates: bool
) -> None:
    config = dataclasses.replace(
        RECALL, num_blocks=num_blocks, num_heads=num_heads, embedding=embedding, model_size=8
    )
    model = model_of(config)
    rng = np.random.default_rng(T + 10 * n)
    table, seeds = numbers(9, 7), numbers(m, 4, key=1)
    index = torch.from_numpy(rng.integers(9, size=(n, T)))
    weights = population(model) if has_candidates else None
    folded = model.answer_from_table(table, index, seeds, weights)
    assert folded.shape == (*((3,) if has_candidates else ()), n, m, 3)
    plain = model.answer(table[index].unsqueeze(1), seeds, weights)
    torch.testing.assert_close(folded, plain)


@pytest.mark.parametrize(
    "changes",
    [
        {"layer_norm": True},
        {"mlp_factor": 2},
        {"max_length": 9},
        {"attention": "softmax"},
        {"mask": "neighbours"},
        {"scale": True},
        {"seed_placement": "first"},
    ],
)
def test_what_cannot_be_folded_says_so(changes: dict[str, Any]) -> None:
    model = SeedTransformer(dataclasses.replace(RECALL, **changes))
    assert not model.is_foldable
    with pytest.raises(ValueError, match="only plain causal linear attention"):
        model.answer_from_table(torch.zeros(2, 7), torch.zeros(1, 1).long(), torch.zeros(1, 4))


def stepped(
    model: SeedTransformer, weights: dict[str, Tensor], tokens: Tensor, cache: Any
) -> Tensor:
    """Outputs at each of tokens, (P, rows, T, token_dim), fed one after the other."""
    embedded = model.embed_step(weights, tokens)
    return torch.stack([model.step(weights, x, cache) for x in embedded.unbind(-2)], -2)


@pytest.mark.parametrize("config", [GRID, LINEAR_STEPS], ids=["softmax", "linear"])
@pytest.mark.parametrize("embedding", ["linear", "gelu"])
@pytest.mark.parametrize("has_grad", [False, True], ids=["compiled", "torch"])
def test_steps_with_a_cache_equal_whole_sequences(
    config: TransformerConfig, embedding: Any, has_grad: bool
) -> None:
    model = model_of(dataclasses.replace(config, embedding=embedding))
    weights = {name: w.requires_grad_(has_grad) for name, w in population(model, 2).items()}
    tokens, seeds = numbers(2, 5, 10, 7), numbers(2, 5, 5, key=1)

    def whole(i: int, row: int, upto: int) -> Tensor:
        output: Tensor = model(tokens[i, row, :upto], seeds[i, row], candidate(weights, i))
        return output

    cache = model.empty_cache((2, 5), 7)
    seed_output = model.step(weights, model.embed_seed_token(weights, seeds), cache)
    outputs = stepped(model, weights, tokens[:, :, :6], cache)
    for i in range(2):
        for row in range(5):
            expected = whole(i, row, 6)
            torch.testing.assert_close(seed_output[i, row], expected[0])
            torch.testing.assert_close(outputs[i, row], expected[1:])

    # Some rows branch off after 1, 2, ... tokens besides the seed, and go on from there.
    rows = torch.tensor([[4, 0, 2], [1, 1, 3]])
    lengths = torch.tensor([[0, 6, 3], [2, 5, 1]])
    index = (torch.arange(2).unsqueeze(-1).expand(2, 3), rows)
    branch = cache.rows(index, 4, lengths + 1)
    later = numbers(2, 3, 4, 7, key=5)
    outputs = stepped(model, weights, later[:, :, :2], branch)
    narrowed = branch.rows((torch.arange(2).unsqueeze(-1), torch.tensor([[2, 1], [0, 2]])), 2)
    rest = stepped(model, weights, later[[[0, 0], [1, 1]], [[2, 1], [0, 2]], 2:], narrowed)
    for i in range(2):
        for k in range(3):
            start, row = int(lengths[i, k]), int(rows[i, k])
            sequence = torch.cat([tokens[i, row, :start], later[i, k]])
            expected = model(sequence, seeds[i, row], candidate(weights, i))
            torch.testing.assert_close(outputs[i, k], expected[1 + start : 3 + start])
        for k, kept in enumerate([[2, 1], [0, 2]][i]):
            start, row = int(lengths[i, kept]), int(rows[i, kept])
            sequence = torch.cat([tokens[i, row, :start], later[i, kept]])
            expected = model(sequence, seeds[i, row], candidate(weights, i))
            torch.testing.assert_close(rest[i, k], expected[3 + start :])


@pytest.mark.parametrize("config", [*CAUSAL.values(), RING], ids=[*CAUSAL, "ring"])
def test_a_population_is_a_loop_over_candidates(config: TransformerConfig) -> None:
    model = model_of(config)
    weights = population(model)
    tokens, seeds = numbers(4, 1, 6, config.token_dim), numbers(2, config.seed_dim, key=1)
    together = model(tokens, seeds, weights)
    for i in range(3):
        torch.testing.assert_close(together[i], model(tokens, seeds, candidate(weights, i)))
    if config.mask == "causal":
        torch.testing.assert_close(model.answer(tokens, seeds, weights), together[..., -1, :])


# Architectures and initial weights.


def size_of(env_id: str, **config: Any) -> int:
    game = game_for(task_of(env_id, config))
    return sum(w.numel() for w in SeedTransformer(game.default_policy()).parameters())


def test_parameter_counts_of_the_replication() -> None:
    # Embedding 35 -> 40 -> 40, two blocks of 40 -> 5 three times and 5 -> 40, read-out 40 -> 5.
    exact = (35 * 40 + 40) + (40 * 40 + 40) + 2 * 4 * 200 + (40 * 5 + 5)
    assert size_of("RandRecall-v0") == exact == 4885
    assert exact == pytest.approx(4900, abs=50)
    exact = (11 * 16 + 16) + 2 * 4 * 256 + (16 * 3 + 3)
    assert size_of("RandColoring-v0") == exact == 2291
    assert exact == pytest.approx(2300, abs=50)


def test_parameter_count_of_the_grid_policy() -> None:
    width, hidden = 80, 320
    embedding = (11 * width + width) + (10 * width + width) + 51 * width
    block = 3 * width * 40 + 40 * width + 2 * width * hidden + hidden + width + 4 * width
    assert size_of("RandGrid-v0") == embedding + 2 * block + 2 * width + (width * 4 + 4)


PAPER = {
    "recall, table 1": TransformerConfig(25, 5, 10, embedding="none"),
    "recall, replication": TransformerConfig(25, 5, 10, model_size=40, embedding="gelu"),
    "colouring, table": dataclasses.replace(RING, token_dim=10, seed_dim=10, key_size=16),
    "colouring, softmax": dataclasses.replace(RING, attention="softmax", scale=True),
    "grid": dataclasses.replace(GRID, key_size=10, value_size=10, model_size=80, max_length=51),
}


@pytest.mark.parametrize("name", PAPER)
def test_every_architecture_of_the_paper_answers(name: str) -> None:
    c = PAPER[name]
    outputs = SeedTransformer(c)(torch.ones(2, 1, 6, c.token_dim), torch.ones(3, c.seed_dim))
    assert outputs.shape == (2, 3, 6 + (c.seed_placement == "first"), c.output_dim)
    assert torch.isfinite(outputs).all()


def test_initial_weights_are_truncated_normal_with_fan_in_variance() -> None:
    config = dataclasses.replace(
        GRID, model_size=128, key_size=32, value_size=32, num_blocks=4, embedding="gelu"
    )
    weights = {k: w.detach() for k, w in SeedTransformer(config, 3).named_weights().items()}
    fan_in = {"embed_out": 128, "query_0": 128, "key_3": 128, "value_1": 128, "mlp_in_2": 128}
    for name, rows in fan_in.items():
        assert float(weights[name].std()) == pytest.approx(rows**-0.5, rel=0.04)
        assert float(weights[name].abs().max()) <= 2 * rows**-0.5 / 0.8796 + 1e-6
        assert abs(float(weights[name].mean())) < 5 * (rows * weights[name].numel()) ** -0.5
    # Output projections are smaller by the number of blocks.
    assert float(weights["project_2"].std()) == pytest.approx(128**-0.5 / 4, rel=0.04)
    assert float(weights["mlp_out_0"].std()) == pytest.approx(512**-0.5 / 4, rel=0.04)
    for name, weight in weights.items():
        if name.startswith("norm"):
            assert (weight == (0.0 if name.endswith("bias") else 1.0)).all()
        elif "bias" in name:
            assert not weight.any()


def test_initial_weights_depend_on_the_seed_alone() -> None:
    one, two, other = (SeedTransformer(RECALL, seed).state_dict() for seed in (5, 5, 6))
    torch.manual_seed(1)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["weights.query_0"], other["weights.query_0"])


@pytest.mark.parametrize("config", [RECALL, RING, GRID], ids=["every", "own", "first"])
def test_seed_gain_scales_the_seed_weights_alone(config: TransformerConfig) -> None:
    plain = SeedTransformer(config, 1).named_weights()
    loud = SeedTransformer(dataclasses.replace(config, seed_gain=4.0), 1).named_weights()
    name = "first_seed" if config.seed_placement == "first" else "embed_seed"
    torch.testing.assert_close(loud[name], 4 * plain[name])
    assert all(torch.equal(loud[other], plain[other]) for other in plain if other != name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token_dim": 0}, "token_dim must be an integer of at least 1, got 0"),
        ({"seed_dim": 0}, "seed_dim must be an integer of at least 1, got 0"),
        ({"num_heads": -1}, "num_heads must be an integer of at least 1, got -1"),
        ({"key_size": 2.5}, "key_size must be an integer, got 2.5"),
        ({"mlp_factor": -1}, "mlp_factor must be an integer of at least 0, got -1"),
        ({"max_length": -1}, "max_length must be an integer of at least 0, got -1"),
        ({"attention": "relu"}, "attention must be one of .*got 'relu'"),
        ({"mask": "none"}, "mask must be one of .*got 'none'"),
        ({"embedding": "mlp"}, "embedding must be one of .*got 'mlp'"),
        ({"seed_placement": "last"}, "seed_placement must be one of .*got 'last'"),
        ({"seed_placement": "own", "seed_dim": 8}, "seed_dim at most token_dim, 7, got 8"),
        ({"seed_placement": "first", "embedding": "none"}, "needs an input embedding"),
        ({"seed_gain": math.inf}, "seed_gain must be a finite number"),
    ],
)
def test_illegal_shapes_are_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RECALL, **changes)


def test_a_sequence_beyond_the_positional_encoding_is_an_error() -> None:
    model = SeedTransformer(GRID)
    assert model(torch.zeros(11, 7), torch.zeros(5)).shape == (12, 4)
    with pytest.raises(ValueError, match=r"13 tokens is longer than .* covers 12"):
        model(torch.zeros(12, 7), torch.zeros(5))


@pytest.mark.parametrize(
    ("env_id", "changes", "message"),
    [
        ("RandRecall-v0", {"token_dim": 3}, "needs token_dim 25, got 3"),
        ("RandRecall-v0", {"output_dim": 4}, "needs output_dim 5, got 4"),
        ("RandRecall-v0", {"mask": "neighbours"}, 'and mask="causal"'),
        ("RandRecall-v0", {"seed_placement": "own"}, 'seed_placement "first" or "every"'),
        ("RandRecall-v0", {"max_length": 20}, "needs max_length 0 or at least 21, got 20"),
        ("RandColoring-v0", {"mask": "causal"}, 'needs mask="neighbours"'),
        ("RandColoring-v0", {"seed_dim": 3}, "needs seed_dim 10, got 3"),
        ("RandGrid-v0", {"seed_placement": "every"}, 'needs seed_placement="first"'),
        ("RandGrid-v0", {"max_length": 50}, "needs max_length 0 or at least 51, got 50"),
    ],
)
def test_a_policy_that_does_not_fit_its_game_is_an_error(
    env_id: str, changes: dict[str, Any], message: str
) -> None:
    game = game_for(task_of(env_id))
    game.check_policy(game.default_policy())
    with pytest.raises(ValueError, match=message):
        game.check_policy(dataclasses.replace(game.default_policy(), **changes))


def test_recall_with_too_many_distinct_tokens_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"of at most 1048576, got 2 \* 2\*\*20"):
        game_for(task_of("RandRecall-v0", {"num_pairs": 2, "value_bits": 20}))
