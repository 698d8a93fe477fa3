"""What attention remembers of a batch of roll-outs."""

import torch
import torch.nn.functional as F
from torch import Tensor


class Cache:
    """Keys and values that a batch of roll-outs has seen so far, one pair of tensors a block.

    All rows write their next token into the same slot, so rows whose contexts differ in length
    have slots in between that are not `valid`.

    Attributes:
        keys: num_blocks tensors of shape (*batch, heads, key_size, capacity).
        values: num_blocks tensors of shape (*batch, heads, value_size, capacity).
        valid: Which slots each row attends to, booleans of shape (*batch, capacity).
        seen: How many tokens each row holds, integers of shape (*batch,).
        filled: The slot that the next token goes to.
    """

    def __init__(
        self, keys: list[Tensor], values: list[Tensor], valid: Tensor, seen: Tensor, filled: int
    ) -> None:
        """Keep the tensors; `SeedTransformer.empty_cache` makes new ones."""
        self.keys, self.values = keys, values
        self.valid, self.seen, self.filled = valid, seen, filled

    def rows(self, index: tuple[Tensor, ...], room: int, seen: Tensor | None = None) -> "Cache":
        """Copy the rows at an index of the batch axes, with room for `room` more tokens.

        With `seen`, which needs a cache without gaps, each row is cut back to its first tokens.
        """
        valid, filled = self.valid[..., : self.filled][index], self.filled
        if seen is not None:
            filled = int(seen.max())
            slots = torch.arange(filled, device=seen.device)
            valid = slots < seen.unsqueeze(-1)

        def copied(kept: Tensor) -> Tensor:
            part = kept[..., :filled][index]
            # Slots beyond `filled` are never read before they are written.
            larger = part.new_empty(*part.shape[:-1], filled + room)
            larger[..., :filled] = part
            return larger

        return Cache(
            [copied(keys) for keys in self.keys],
            [copied(values) for values in self.values],
            F.pad(valid, (0, room), value=True),
            (self.seen[index] if seen is None else seen).clone(),
            filled,
        )
