"""The compiled path of recall: the plain path's numbers and gradients, only faster."""

import dataclasses
import itertools
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from rand_agents import QNorm, QNormConfig
from rand_agents.games.accelerated.recall import RecallGame, bit_cross_entropy
from rand_agents.kernels import memory
from rand_agents.kernels.memory import GRADIENT_TOLERANCE, answer_questions, covers
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig
from rand_agents.training.configs import ObjectiveConfig
from rand_agents.training.objectives import q_norm
from rand_agents.training.qnorm import QNormStep
from rand_envs import RecallTask
from rand_envs.core.arrays import Array

Embedding = Literal["none", "linear", "gelu", "geglu"]
Way = Literal["compiled", "folded", "plain"]

SHAPES: list[tuple[int, int, int, int, int, int, Embedding]] = [
    # pairs, bits, key size, value size, seeds, layouts, embedding
    (3, 2, 2, 2, 1, 7, "gelu"),
    (5, 3, 4, 3, 17, 33, "linear"),
    (1, 1, 1, 2, 16, 4, "none"),
    (8, 5, 5, 5, 30, 64, "gelu"),
    (6, 2, 3, 2, 18, 20, "geglu"),
]


def recall(
    pairs: int, bits: int, key: int, value: int, embedding: Embedding, dtype: torch.dtype
) -> tuple[RecallGame, SeedTransformer]:
    game = RecallGame(RecallTask(pairs, bits))
    config = TransformerConfig(
        game.token_dim, bits, 4, key_size=key, value_size=value, model_size=9, embedding=embedding
    )
    return game, SeedTransformer(config, rng_seed=3).to(dtype)


def gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def losses_and_gradients(
    game: RecallGame, model: SeedTransformer, layouts: Array, seeds: Tensor, way: Way
) -> tuple[Tensor, list[Tensor]]:
    index, bits = game.encode(layouts, torch.device("cpu"))
    table, bits = game.table.to(seeds), bits.to(seeds)
    if way == "compiled":
        logits = answer_questions(model.config, model.named_weights(), table, index, seeds)
    elif way == "folded":
        logits = model.answer_from_table(table, index, seeds)
    else:
        logits = model.answer(table[index].unsqueeze(1), seeds)
    losses = bit_cross_entropy(logits, bits.unsqueeze(1))
    model.zero_grad()
    torch.autograd.backward(q_norm(losses.mean(-1), 8.0))
    return losses.detach(), [gradient(w).clone() for w in model.weights.values()]


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stratified", [False, True])
def test_it_gives_the_plain_path_s_losses_and_gradients(
    shape: tuple[int, int, int, int, int, int, Embedding],
    dtype: torch.dtype,
    error: float,
    stratified: bool,
) -> None:
    pairs, bits, key, value, m, n, embedding = shape
    game, model = recall(pairs, bits, key, value, embedding, dtype)
    space, rng = game.task.layout_space, np.random.default_rng(0)
    layouts = (space.sample_stratified if stratified else space.sample)(rng, n)
    seeds = torch.from_numpy(np.random.default_rng(1).standard_normal((m, 4))).to(dtype)
    assert covers(model.config, model.named_weights())
    plain = losses_and_gradients(game, model, layouts, seeds, "plain")
    ways: tuple[Way, ...] = ("compiled", "folded")
    for way in ways:
        fast = losses_and_gradients(game, model, layouts, seeds, way)
        torch.testing.assert_close(fast[0], plain[0], rtol=error, atol=error)
        for ours, theirs in zip(fast[1], plain[1], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=error, atol=error)


def test_what_it_leaves_out_of_the_gradient_is_below_the_tolerance() -> None:
    # A q-norm with a huge q leaves one layout with weight: the others may be skipped.
    game, model = recall(6, 3, 3, 3, "gelu", torch.float32)
    layouts = game.task.layout_space.sample(np.random.default_rng(0), 200)
    seeds = torch.rand(5, 4)
    losses = game.costs(model, layouts, seeds)
    (share,) = torch.autograd.grad(q_norm(losses.mean(-1), 2000.0), losses)
    share = share.sum(-1) / share.sum()
    assert (share < GRADIENT_TOLERANCE[torch.float32]).sum() > 100
    torch.autograd.backward(q_norm(game.costs(model, layouts, seeds).mean(-1), 2000.0))
    fast = [gradient(w).clone() for w in model.weights.values()]
    index, bits = game.encode(layouts, torch.device("cpu"))
    logits = model.answer(game.table[index].unsqueeze(1), seeds)
    model.zero_grad()
    torch.autograd.backward(
        q_norm(bit_cross_entropy(logits, bits.float().unsqueeze(1)).mean(-1), 2000.0)
    )
    size = max(float(gradient(w).abs().max()) for w in model.weights.values())
    for ours, plain in zip(fast, model.weights.values(), strict=True):
        torch.testing.assert_close(ours, plain.grad, rtol=1e-3, atol=1e-4 * size)


def test_questions_after_the_same_values_share_one_sequence() -> None:
    # The answers depend on the layout alone, not on which others stand beside it in the batch.
    game, model = recall(4, 2, 3, 3, "gelu", torch.float64)
    layouts = game.task.layout_space.sample_stratified(np.random.default_rng(2), 12)
    layouts = np.concatenate([layouts, game.task.layout_space.sample(np.random.default_rng(3), 5)])
    seeds = torch.rand(3, 4, dtype=torch.float64)
    together = game.costs(model, layouts, seeds)
    alone = torch.cat([game.costs(model, layouts[i : i + 1], seeds) for i in range(len(layouts))])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_other_architectures_are_not_covered_and_answer_all_the_same() -> None:
    game, model = recall(4, 2, 3, 3, "gelu", torch.float64)
    population = {name: w.unsqueeze(0) for name, w in model.named_weights().items()}
    assert covers(model.config, model.named_weights())
    assert not covers(model.config, population)
    layouts = game.task.layout_space.sample(np.random.default_rng(4), 9)
    seeds = torch.rand(3, 4, dtype=torch.float64)
    one = game.costs(model, layouts, seeds, population)[0]
    torch.testing.assert_close(one, game.costs(model, layouts, seeds), rtol=1e-9, atol=1e-9)
    two_heads = SeedTransformer(dataclasses.replace(model.config, num_heads=2))
    assert not covers(two_heads.config, two_heads.named_weights())


def test_stratified_layouts_ask_for_every_key_after_the_same_values() -> None:
    space = RecallTask(4, 3).layout_space
    layouts = space.sample_stratified(np.random.default_rng(0), 4000)
    for block in layouts.reshape(-1, 4)[:20]:
        assert sorted(block["query"]) == [0, 1, 2, 3]
        assert all((block["values"][0] == row).all() for row in block["values"])
    first = layouts["query"].reshape(-1, 4)[:, 0]
    # Each layout alone is uniform, so the first of a block asks for every key as often.
    assert np.abs(np.bincount(first) / 1000 - 0.25).max() < 0.05
    assert np.abs(layouts["values"].mean((0,)) - 0.5).max() < 0.06
    assert len(space.sample_stratified(np.random.default_rng(0), 6)) == 6


def test_seeds_in_parts_give_the_same_step() -> None:
    def trained(seeds_at_once: int) -> dict[str, Tensor]:
        config = QNormConfig(
            objective=ObjectiveConfig(q=9.0), m=12, batch_size=32, seeds_at_once=seeds_at_once
        )
        agent = QNorm("SeedTransformer", RecallTask(4, 2), config, rng_seed=5).learn(3)
        weights: dict[str, Tensor] = agent.model.named_weights()
        return weights

    whole, parts = trained(12), trained(5)
    for name, weight in whole.items():
        torch.testing.assert_close(parts[name], weight, rtol=1e-4, atol=1e-6)


def test_parts_hold_the_gradient_of_the_whole_in_double_precision() -> None:
    x = torch.rand(6, 8, dtype=torch.float64)
    weight = torch.nn.Parameter(torch.rand(8, dtype=torch.float64))
    config = QNormConfig(objective=ObjectiveConfig(q=5.0), max_grad_norm=1e9)
    step = QNormStep([weight], config)
    step.update((x * weight).square(), 0.5)
    whole = gradient(weight).clone()
    with torch.no_grad():
        weight.copy_(torch.rand(8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    fresh = weight.detach().clone()
    ends = [0, 3, 6, 8]

    def part(begin: int, end: int) -> Tensor:
        return (x[:, begin:end] * weight[begin:end]).square()

    parts = [partial(part, begin, end) for begin, end in itertools.pairwise(ends)]
    step.update_in_parts(parts, 0.5)
    by_parts = gradient(weight).clone()
    with torch.no_grad():
        weight.copy_(fresh)
    step.update((x * weight).square(), 0.5)
    torch.testing.assert_close(by_parts, gradient(weight), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(whole, by_parts)


def test_plays_by_the_same_weights_and_seeds_embed_their_tokens_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    game, model = recall(4, 2, 3, 3, "geglu", torch.float32)
    layouts = game.task.layout_space.sample(np.random.default_rng(0), 9)
    seeds = torch.from_numpy(np.random.default_rng(1).random((5, 4), np.float32))
    embedded: list[int] = []
    shown = memory._shown

    def counted(*arguments: Any) -> Any:
        embedded.append(1)
        return shown(*arguments)

    def check(model: SeedTransformer, seeds: Tensor, times: int) -> None:
        embedded.clear()
        with torch.no_grad():
            outputs = [game.play(model, layouts, seeds.clone()).output for _ in range(2)]
            assert len(embedded) == times
            fresh = RecallGame(game.task).play(model, layouts, seeds).output
        for output in outputs:
            np.testing.assert_array_equal(output, fresh)

    monkeypatch.setattr(memory, "_shown", counted)
    check(model, seeds, 1)
    check(model, seeds, 0)
    check(model, seeds[:3], 1)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    torch.autograd.backward(game.costs(model, layouts, seeds).sum())
    optimizer.step()
    check(model, seeds[:3], 1)
    check(SeedTransformer(model.config, rng_seed=4), seeds[:3], 1)
    embedded.clear()
    for _ in range(2):
        torch.autograd.backward(game.costs(model, layouts, seeds).sum())
    assert len(embedded) == 2, "gradients go through what is embedded"


def test_a_play_tells_the_losses_of_training() -> None:
    game, model = recall(4, 2, 3, 3, "gelu", torch.float32)
    layouts = game.task.layout_space.sample(np.random.default_rng(0), 9)
    seeds = torch.from_numpy(np.random.default_rng(1).random((5, 4), np.float32))
    with torch.no_grad():
        expected = game.costs(model, layouts, seeds).numpy()
        np.testing.assert_array_equal(game.play(model, layouts, seeds).loss, expected)
