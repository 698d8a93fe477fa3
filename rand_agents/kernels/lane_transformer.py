"""One step of a cached transformer for LANES roll-outs at once, compiled for the CPU.

The same function as `SeedTransformer.step`. Activations stand with the roll-outs side by side,
(features, LANES), so that every weight is loaded once for all of them; attention, whose contexts
differ, is computed for one roll-out after the other, side by side over the slots of its cache.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rand_agents.kernels.lane_functions import (
    OUTPUTS,
    add,
    exponential,
    fill,
    gelu,
    multiply,
    normalise,
    padded,
)
from rand_agents.kernels.lanes import (
    LANES,
    SHORT,
    compiled,
    larger,
    largest,
    load_short,
    spread_short,
    store,
    total,
)
from rand_agents.policies.architecture import TransformerConfig
from rand_agents.policies.transformer import Weights


class Shape(NamedTuple):
    """What compiled code must know of an architecture; `value_room` is value_size, padded."""

    num_blocks: int
    heads: int
    key_size: int
    value_size: int
    value_room: int
    width: int
    hidden: int
    output_dim: int
    capacity: int
    softmax: bool
    layer_norm: bool


class Memory(NamedTuple):
    """Caches of R roll-outs, and room for the numbers of one step; flat but for the first axis.

    keys: (R, blocks * heads * key_size * capacity); values: (R, blocks * capacity * heads *
    value_room). The others have LANES numbers a feature, or belong to one head.
    """

    keys: Any
    values: Any
    x: Any
    normed: Any
    joint: Any
    mixed: Any
    hidden: Any
    output: Any
    shares: Any
    answer: Any


def shape_of(config: TransformerConfig, tokens: int) -> Shape:
    """The shape of a policy whose contexts hold at most `tokens` tokens."""
    c = config
    return Shape(
        c.num_blocks,
        c.num_heads,
        c.key_size,
        c.value_size,
        padded(c.value_size, SHORT),
        c.width,
        c.mlp_factor * c.width,
        c.output_dim,
        padded(tokens, SHORT),
        c.attention == "softmax",
        c.layer_norm,
    )


def pack(config: TransformerConfig, weights: Weights) -> Tensor:
    """All weights but the embeddings, in the order in which `step` reads them: (P, size)."""
    c = config
    parts: list[Tensor] = []

    def norm(name: str) -> None:
        if c.layer_norm:
            parts.extend([weights[f"norm_{name}"], weights[f"norm_{name}_bias"]])

    for block in range(c.num_blocks):
        norm(f"attention_{block}")
        scale = c.key_size**-0.5 if c.scale else 1.0
        queries = weights[f"query_{block}"] * scale
        joint = [queries, weights[f"key_{block}"], weights[f"value_{block}"]]
        parts.append(_packed(torch.cat(joint, -1)))
        parts.append(_packed(weights[f"project_{block}"]))
        if c.mlp_factor:
            norm(f"mlp_{block}")
            for name in ("in", "out"):
                parts.append(weights[f"mlp_{name}_bias_{block}"])
                parts.append(_packed(weights[f"mlp_{name}_{block}"]))
    norm("out")
    parts.extend([weights["read_out_bias"], _packed(weights["read_out"])])
    return torch.cat([part.flatten(1) for part in parts], -1)


def _packed(matrices: Tensor) -> Tensor:
    """(P, in, out) as (P, padded(out) / OUTPUTS, in, OUTPUTS), zeros where there is nothing."""
    lead, depth, outputs = matrices.shape
    room = F.pad(matrices, (0, padded(outputs) - outputs))
    return room.reshape(lead, depth, -1, OUTPUTS).transpose(1, 2)


def memory(shape: Shape, rows: int, dtype: Any) -> Memory:
    """Room for `rows` roll-outs; the operating system provides what is really used."""
    s = shape
    mixed = s.heads * s.value_size
    joint = 2 * s.heads * s.key_size + mixed
    features = {
        "x": s.width,
        "normed": s.width,
        "joint": joint,
        "mixed": mixed,
        "hidden": s.hidden,
        "output": s.output_dim,
    }
    return Memory(
        keys=np.zeros((rows, s.num_blocks * s.heads * s.key_size * s.capacity), dtype),
        values=np.zeros((rows, s.num_blocks * s.capacity * s.heads * s.value_room), dtype),
        shares=np.zeros(s.capacity, dtype),
        answer=np.zeros(s.value_room, dtype),
        **{name: np.zeros(padded(count) * LANES, dtype) for name, count in features.items()},
    )


@compiled
def step(shape: Shape, memory: Memory, weights: Any, rows: Any, seen: Any) -> None:
    """Append a token to the caches of rows (k,), k <= LANES, and answer at it.

    Reads memory.x, the tokens with their positions; the answers go to memory.output. seen[row]
    is how many tokens each row of the caches held before.
    """
    s, at = shape, 0
    mixed = s.heads * s.value_size
    joint = 2 * s.heads * s.key_size + mixed
    for block in range(s.num_blocks):
        normed = memory.x
        if s.layer_norm:
            normed = memory.normed
            at = normalise(weights, at, memory.x, normed, s.width)
        memory.joint[:] = 0
        at = multiply(weights, at, normed, memory.joint, s.width, joint)
        for lane in range(len(rows)):
            _attend(s, memory, block, lane, rows[lane], seen[rows[lane]])
        at = multiply(weights, at, memory.mixed, memory.x, mixed, s.width)
        if s.hidden:
            normed = memory.x
            if s.layer_norm:
                normed = memory.normed
                at = normalise(weights, at, memory.x, normed, s.width)
            at = fill(weights, at, memory.hidden, s.hidden)
            at = multiply(weights, at, normed, memory.hidden, s.width, s.hidden)
            gelu(memory.hidden, s.hidden)
            at = add(weights, at, memory.x, s.width)
            at = multiply(weights, at, memory.hidden, memory.x, s.hidden, s.width)
    normed = memory.x
    if s.layer_norm:
        normed = memory.normed
        at = normalise(weights, at, memory.x, normed, s.width)
    at = fill(weights, at, memory.output, s.output_dim)
    multiply(weights, at, normed, memory.output, s.width, s.output_dim)


@compiled
def copy_context(shape: Shape, memory: Memory, source: int, target: int, seen: int) -> None:
    """Give row `target` the context of row `source`, which holds `seen` tokens."""
    lists = shape.num_blocks * shape.heads * shape.key_size
    for i in range(0, lists * shape.capacity, shape.capacity):
        memory.keys[target, i : i + seen] = memory.keys[source, i : i + seen]
    slot = shape.heads * shape.value_room
    for block in range(shape.num_blocks):
        begin = block * shape.capacity * slot
        end = begin + seen * slot
        memory.values[target, begin:end] = memory.values[source, begin:end]


@compiled
def _attend(shape: Shape, memory: Memory, block: int, lane: int, row: int, slot: int) -> None:
    """Store the key and value of one lane in its cache and attend to all slots up to theirs."""
    s, joint = shape, memory.joint
    keys, values = memory.keys[row], memory.values[row]
    key_at = block * s.heads * s.key_size * s.capacity
    value_at = block * s.capacity * s.heads * s.value_room
    _remember(s, joint, lane, slot, keys, key_at, values, value_at)
    room = (slot + SHORT) // SHORT * SHORT
    stride = s.heads * s.value_room
    for head in range(s.heads):
        query_at = head * s.key_size * LANES + lane
        for first in range(0, room, SHORT):
            place = key_at + head * s.key_size * s.capacity + first
            score = spread_short(joint, query_at) * load_short(keys, place)
            for i in range(1, s.key_size):
                query = spread_short(joint, query_at + i * LANES)
                score = score + query * load_short(keys, place + i * s.capacity)
            store(score, memory.shares, first)
        factor = keys.dtype.type(1)
        if s.softmax:
            factor = _exponentials(memory.shares, slot + 1, room)
        for first in range(0, s.value_room, SHORT):
            place = value_at + head * s.value_room + first
            answer = spread_short(memory.shares, 0) * load_short(values, place)
            for i in range(1, slot + 1):
                share = spread_short(memory.shares, i)
                answer = answer + share * load_short(values, place + i * stride)
            store(answer * factor, memory.answer, first)
        for i in range(s.value_size):
            memory.mixed[(head * s.value_size + i) * LANES + lane] = memory.answer[i]


@compiled
def _remember(
    shape: Shape, joint: Any, lane: int, slot: int, keys: Any, key_at: int, values: Any,
    value_at: int,
) -> None:  # fmt: skip
    """Copy the key and value of one lane to a slot of its cache."""
    s = shape
    count = s.heads * s.key_size
    for i in range(count):
        keys[key_at + i * s.capacity + slot] = joint[(count + i) * LANES + lane]
    for head in range(s.heads):
        source = 2 * count + head * s.value_size
        place = value_at + (slot * s.heads + head) * s.value_room
        for i in range(s.value_size):
            values[place + i] = joint[(source + i) * LANES + lane]


@compiled
def _exponentials(scores: Any, length: int, room: int) -> Any:
    """Exponentials of scores less their maximum, in place; returns one over their sum."""
    for i in range(length, room):
        scores[i] = -1e30
    peaks = load_short(scores, 0)
    for first in range(SHORT, room, SHORT):
        peaks = larger(peaks, load_short(scores, first))
    top = largest(peaks)
    shares = exponential(load_short(scores, 0) - top)
    store(shares, scores, 0)
    for first in range(SHORT, room, SHORT):
        share = exponential(load_short(scores, first) - top)
        shares = shares + share
        store(share, scores, first)
    return scores.dtype.type(1) / total(shares)
