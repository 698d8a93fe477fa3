"""The q-norm training step of recall in plain PyTorch, as a reader of the paper would write it.

The reference that `speed_training.py` measures against. Every (layout, seed) is a sequence of its
own: m x batch x (N + 1) tokens go through embedding, two blocks of masked linear attention and
read-out. It takes the weights of a `SeedTransformer`, so that both compute the same loss.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


class PlainRecall(torch.nn.Module):
    """Embedding with a GELU layer, two blocks of causal linear attention, read-out."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.weights = torch.nn.ParameterDict(
            {name: torch.nn.Parameter(w.detach().clone()) for name, w in weights.items()}
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits at the last token, (..., d), of tokens [value, key, seed], (..., T, width)."""
        w = self.weights
        embedding = torch.cat([w["embed_token"], w["embed_seed"]])
        x = F.gelu(tokens @ embedding + w["embed_bias"])
        x = x @ w["embed_out"] + w["embed_out_bias"]
        for block in range(2):
            queries, keys, values = (x @ w[f"{name}_{block}"] for name in ("query", "key", "value"))
            scores = torch.tril(queries @ keys.transpose(-1, -2))
            x = x + scores @ values @ w[f"project_{block}"]
        return x[..., -1, :] @ w["read_out"] + w["read_out_bias"]


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


def recall_step(
    model: PlainRecall,
    optimizer: torch.optim.Optimizer,
    values: Tensor,
    query: Tensor,
    seeds: Tensor,
    q: float,
) -> None:
    """One step down the q-norm over layouts of the mean over seeds."""
    means = recall_losses(model, values, query, seeds).mean(-1)
    objective = ((q * means.log()).logsumexp(0) / q).exp() * len(means) ** (-1 / q)
    optimizer.zero_grad()
    objective.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
