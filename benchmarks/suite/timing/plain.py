"""The q-norm training step in plain PyTorch, as a reader of the paper would write it.

The reference that `speed_training.py` measures against. Every (layout, seed) is a sequence of its
own: all its tokens go through embedding, two blocks of masked linear attention and read-out. The
models take the weights of a `SeedTransformer`, so that both compute the same losses.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


class Plain(torch.nn.Module):
    """Two blocks of linear attention, all scores computed and some hidden."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.weights = torch.nn.ParameterDict(
            {name: torch.nn.Parameter(w.detach().clone()) for name, w in weights.items()}
        )

    def embed(self, tokens: Tensor) -> Tensor:
        """A linear map of tokens that end with the seed, (..., T, width)."""
        embedding = torch.cat([self.weights["embed_token"], self.weights["embed_seed"]])
        embedded: Tensor = tokens @ embedding + self.weights["embed_bias"]
        return embedded

    def attend(self, x: Tensor, visible: Tensor) -> Tensor:
        """Both blocks on x, (..., T, width); the scores are multiplied by `visible`, (T, T)."""
        w = self.weights
        for block in range(2):
            queries, keys, values = (x @ w[f"{name}_{block}"] for name in ("query", "key", "value"))
            scores = queries @ keys.transpose(-1, -2) * visible
            x = x + scores @ values @ w[f"project_{block}"]
        return x

    def read_out(self, x: Tensor) -> Tensor:
        output: Tensor = x @ self.weights["read_out"] + self.weights["read_out_bias"]
        return output


class PlainRecall(Plain):
    """Embedding with a GELU layer, causal attention, logits at the last token."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, (..., d), of tokens [value, key, seed], (..., T, width)."""
        x = F.gelu(self.embed(tokens)) @ self.weights["embed_out"] + self.weights["embed_out_bias"]
        causal = torch.ones(x.shape[-2], x.shape[-2], device=x.device).tril()
        return self.read_out(self.attend(x, causal)[..., -1, :])


class PlainColoring(Plain):
    """Linear embedding, attention to both neighbours on the cycle, logits at every token."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, (..., N, colours), of tokens [vertex, own seed] in cycle order."""
        ring = torch.eye(tokens.shape[-2], device=tokens.device)
        neighbours = ring.roll(1, 0) + ring.roll(-1, 0)
        return self.read_out(self.attend(self.embed(tokens), neighbours))


def recall_losses(model: PlainRecall, values: Tensor, query: Tensor, seeds: Tensor) -> Tensor:
    """Bit cross-entropy, (n, m), of values (n, N, d), queries (n,) and seeds (m, seed_dim)."""
    n, pairs, bits = values.shape
    keys = torch.eye(pairs, device=values.device)
    shown = torch.cat([values, keys.expand(n, -1, -1)], -1)
    asked = torch.cat([torch.zeros(n, bits, device=values.device), keys[query]], -1)
    tokens = torch.cat([shown, asked.unsqueeze(1)], 1).unsqueeze(1)
    seeds = seeds[None, :, None]
    shape = (n, seeds.shape[1], pairs + 1, -1)
    logits = model(torch.cat([tokens.expand(shape), seeds.expand(shape)], -1))
    target = values[torch.arange(n, device=values.device), query].unsqueeze(1).expand_as(logits)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)


def coloring_losses(model: PlainColoring, cycles: Tensor, seeds: Tensor) -> Tensor:
    """Minus log-probabilities that edges differ, (n, m); cycles in order, (n, N), seeds (m, N)."""
    vertices = F.one_hot(cycles, cycles.shape[1]).to(seeds).unsqueeze(1)
    own = seeds[:, cycles].transpose(0, 1).unsqueeze(-1)
    tokens = torch.cat([vertices.expand(-1, len(seeds), -1, -1), own], -1)
    probabilities: Tensor = model(tokens).softmax(-1)
    same = (probabilities * probabilities.roll(1, -2)).sum(-1)
    return -torch.log1p(-same).sum(-1)


def descend(losses: Tensor, model: Plain, optimizer: torch.optim.Optimizer, q: float) -> None:
    """One step down the q-norm over layouts of the mean over seeds, of losses (n, m)."""
    means = losses.mean(-1)
    objective = ((q * means.log()).logsumexp(0) / q).exp() * len(means) ** (-1 / q)
    optimizer.zero_grad()
    objective.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
