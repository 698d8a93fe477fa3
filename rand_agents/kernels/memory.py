"""Two blocks of linear attention over tokens from a small table: the fast path of recall.

Without LayerNorm and MLP, x_l = x_0 + sum_j o_j P_j, where o_j is what block j attended to and
P_j its projection. So every linear map of x_l is the same map of x_0, which is computed once for
each distinct token and seed, plus o_j times a small folded matrix. What is left for every
(sequence, seed) is a few numbers a token; compiled loops do it, see
`rand_agents.kernels.memory_kernel`.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.kernels.divided import of_whole_batch
from rand_agents.kernels.embedding_kernel import hidden_units
from rand_agents.kernels.lanes import LANES
from rand_agents.kernels.memory_kernel import Questions, Sizes, Tables, backward, forward, scratch
from rand_agents.policies.architecture import TransformerConfig

GRADIENT_TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}
"""Share of the gradient of the outputs that may be left out.

Under a q-norm most layouts have next to no weight. The questions with the smallest gradients at
their outputs, which together hold at most this share of the sum of absolute values, take no part
in the backward pass. The error of the gradient is at most that share times the sum times the
largest derivative of a single output.
"""


def covers(config: TransformerConfig, weights: dict[str, Tensor]) -> bool:
    """Whether `answer_questions` computes this architecture: one head, two plain linear blocks."""
    like = weights["read_out"]
    return (
        (config.num_blocks, config.num_heads, config.seed_placement) == (2, 1, "every")
        and like.dim() == 2
        and like.is_cpu
        and like.dtype in GRADIENT_TOLERANCE
    )


class Shown:
    """Tokens of a table, embedded and mapped under every seed: those of the last call are kept.

    They are most of the work where few sequences are played, and a search for the worst layout
    plays few at a time, over and over by the same weights under the same seeds. Where gradients
    are asked for nothing is kept.
    """

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._of: list[Tensor] = []
        self._kept = (torch.empty(0), torch.empty(0))

    def rows(
        self, config: TransformerConfig, w: dict[str, Tensor], table: Tensor, seeds: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Embedded tokens, (width, R, M), and what the blocks see of them, in lanes."""
        if torch.is_grad_enabled():
            return _shown(config, w, table, seeds)
        # By value: optimisers that are fused change weights without a trace in their versions.
        now = [*w.values(), table, seeds]
        if len(now) != len(self._of) or not all(map(_same, now, self._of)):
            self._of = [tensor.clone() for tensor in now]
            self._kept = _shown(config, w, table, seeds)
        return self._kept


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _shown(
    config: TransformerConfig, w: dict[str, Tensor], table: Tensor, seeds: Tensor
) -> tuple[Tensor, Tensor]:
    hidden = _hidden(config, w, table, seeds)
    names = ("key_0", "value_0", "query_0", "key_1", "value_1")
    rows = _mapped(config, w, hidden, torch.cat([w[name] for name in names], -1))
    return hidden, _in_lanes(rows)


def answer_questions(
    config: TransformerConfig,
    w: dict[str, Tensor],
    table: Tensor,
    index: Tensor,
    seeds: Tensor,
    shown: Shown | None = None,
) -> Tensor:
    """Outputs at the last token of sequences of tokens from a table, under every seed.

    Args:
        config: An architecture that is foldable and that `covers` accepts.
        w: Its weights, on the CPU and without leading axes.
        table: Distinct tokens, shape (R, token_dim).
        index: Rows of the table, n sequences of T > 1 tokens, integers of shape (n, T).
        seeds: Shape (m, seed_dim).
        shown: Keeps what depends on neither sequences nor gradients from call to call.

    Returns:
        Shape (n, m, output_dim).
    """
    m = len(seeds)
    padded = torch.cat([seeds, seeds[-1:].expand(-m % LANES, -1)])
    last_rows, asked_row = torch.unique(index[:, -1], return_inverse=True)
    hidden, rows = (shown or Shown()).rows(config, w, table, padded)
    asked = _mapped(config, w, hidden[:, last_rows], torch.cat([w["query_1"], w["read_out"]], -1))
    first = w["project_0"] @ torch.cat([w["key_1"], w["value_1"], w["query_1"], w["read_out"]], -1)
    sizes = Sizes.of(config.key_size, config.value_size, config.output_dim)
    parts = torch.split(first, [sizes.key, sizes.value, sizes.key, sizes.output], -1)
    folds = torch.cat([p.reshape(-1) for p in (*parts, w["project_1"] @ w["read_out"])])
    questions = _group(index.numpy(), asked_row.numpy())
    out: Tensor = _TwoMemories.apply(  # type: ignore[no-untyped-call]
        rows, _in_lanes(asked), folds, questions, sizes
    )
    answers = out.permute(1, 0, 3, 2).reshape(len(index), len(padded), -1)[:, :m]
    return answers + w["read_out_bias"]


def _in_lanes(rows: Tensor) -> Tensor:
    """From (columns, R, M) to (M / LANES, R, columns, LANES)."""
    return rows.reshape(*rows.shape[:2], -1, LANES).permute(2, 1, 0, 3).contiguous()


def _hidden(c: TransformerConfig, w: dict[str, Tensor], tokens: Tensor, seeds: Tensor) -> Tensor:
    """What tokens and seeds are before the last linear map of the embedding, (width, R, M)."""
    if c.embedding == "none":
        shape = (-1, len(tokens), len(seeds))
        parts = (tokens.T.unsqueeze(-1).expand(shape), seeds.T.unsqueeze(1).expand(shape))
        return torch.cat(parts)
    token, seed = _units(tokens, seeds, w["embed_token"], w["embed_bias"], w["embed_seed"])
    if c.embedding == "linear":
        return token.unsqueeze(-1) + seed.unsqueeze(1)
    gate_token, gate_seed = torch.ones_like(token), torch.zeros_like(seed)
    if c.is_gated:
        gate_token, gate_seed = _units(
            tokens, seeds, w["gate_token"], w["gate_bias"], w["gate_seed"]
        )
    if token.dtype == torch.float32:
        return hidden_units(token, seed, gate_token, gate_seed)
    # The compiled units are right to single precision only.
    gate = gate_token.unsqueeze(-1) + gate_seed.unsqueeze(1)
    return gate * F.gelu(token.unsqueeze(-1) + seed.unsqueeze(1))


def _units(
    tokens: Tensor, seeds: Tensor, by_token: Tensor, bias: Tensor, by_seed: Tensor
) -> tuple[Tensor, Tensor]:
    """The parts of tokens and of seeds in a linear map, (width, R) and (width, M)."""
    return (tokens @ by_token + bias).T, (seeds @ by_seed).T


def _mapped(c: TransformerConfig, w: dict[str, Tensor], hidden: Tensor, weight: Tensor) -> Tensor:
    """A linear map of the embedded tokens, (columns, R, M)."""
    flat = hidden.flatten(1)
    if c.has_hidden:
        bias = (w["embed_out_bias"] @ weight).unsqueeze(-1)
        mapped = torch.addmm(bias, (w["embed_out"] @ weight).T, flat)
    else:
        mapped = weight.T @ flat
    return mapped.reshape(-1, *hidden.shape[1:])


def _group(index: NDArray[np.int64], asked: NDArray[np.int64]) -> Questions:
    """Find the questions that are asked after the same sequence."""
    shown, token = np.ascontiguousarray(index[:, :-1]), index[:, -1]
    key = shown.view(np.dtype((np.void, shown.dtype.itemsize * shown.shape[1]))).ravel()
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    sequences = shown[first]
    place = np.argsort(group, kind="stable")
    ends = np.bincount(group, minlength=len(sequences)).cumsum()
    return Questions(sequences, np.concatenate([[0], ends]), asked[place], token[place], place)


def _that_matter(questions: Questions, grad: Tensor) -> Questions:
    """Only the questions that hold all but GRADIENT_TOLERANCE of the gradient."""
    weight, own = of_whole_batch(grad.abs().sum((0, 2, 3), dtype=torch.float64).numpy())
    order = np.argsort(weight, kind="stable")
    total = weight[order].cumsum()
    dropped = np.searchsorted(total, GRADIENT_TOLERANCE[grad.dtype] * total[-1], "right")
    kept = np.ones(len(weight), bool)
    kept[order[:dropped]] = False
    keep = kept[own][questions.place]
    group = np.repeat(np.arange(len(questions.shown)), np.diff(questions.first))[keep]
    alive, group = np.unique(group, return_inverse=True)
    ends = np.bincount(group, minlength=len(alive)).cumsum()
    return Questions(
        questions.shown[alive],
        np.concatenate([[0], ends]),
        questions.asked[keep],
        questions.token[keep],
        questions.place[keep],
    )


def _flat(tensor: Tensor) -> NDArray[Any]:
    flat: NDArray[Any] = tensor.detach().contiguous().view(-1).numpy()
    return flat


class _TwoMemories(torch.autograd.Function):
    """Outputs (G, Q, D, LANES) from rows (G, R, 3K + 2V, LANES) and (G, A, K + D, LANES)."""

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, asked: Tensor, folds: Tensor, questions: Questions, sizes: Sizes
    ) -> Tensor:
        out = table.new_empty(len(table), len(questions.place), sizes.output, LANES)
        ctx.save_for_backward(table, asked, folds)
        ctx.questions, ctx.sizes = questions, sizes
        ctx.rows = (table.shape[1], asked.shape[1], len(questions.place))
        room = scratch(sizes, questions.shown.shape[1] + 1, _flat(out).dtype)
        tables = Tables(_flat(table), _flat(asked), _flat(folds))
        forward(sizes, tables, questions, ctx.rows, room, _flat(out))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        table, asked, folds = ctx.saved_tensors
        slopes = [
            torch.zeros_like(table),
            torch.zeros_like(asked),
            folds.new_zeros(len(folds), LANES),
        ]
        questions = _that_matter(ctx.questions, grad)
        flat = _flat(grad)
        room = scratch(ctx.sizes, questions.shown.shape[1] + 1, flat.dtype)
        tables = Tables(_flat(table), _flat(asked), _flat(folds))
        backward(ctx.sizes, tables, questions, ctx.rows, room, flat, Tables(*map(_flat, slopes)))
        return slopes[0], slopes[1], slopes[2].sum(-1), None, None
