"""Options that give policies their shape, and all groups of options that a run of training has.

Nothing heavy is imported here: what they are called, and what their values may be, is known before
PyTorch is there.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from rand_agents.policies.seeds import SeedSpec
from rand_agents.training.configs import PEPGConfig, PSROConfig, QNormConfig
from rand_envs.adversaries import FoundConfig

if TYPE_CHECKING:
    from rand_agents.games.game import Game
    from rand_agents.policies.mlp import MLPConfig
    from rand_agents.policies.transformer import TransformerConfig


@dataclass(frozen=True)
class TransformerOptions:
    """Shape of the transformer; see `TransformerConfig`, which has the rest from the game.

    Attributes:
        seed_placement: "every" gives the seed to every token, "first" makes it a token of its
            own, "own" gives the token that begins with one-hot v the v-th entry alone.
        num_blocks: Attention blocks.
        num_heads: Attention heads a block.
        key_size: Key (and query) size of a head.
        value_size: Value size of a head.
        model_size: Width between blocks; ignored without input embedding.
        attention: "linear" (no softmax) or "softmax".
        embedding: "none" (tokens enter the blocks as they are), "linear", "gelu" (linear, GELU,
            linear), or "geglu" (linear, GELU times another linear map, linear).
        layer_norm: LayerNorm before attention and MLP and before the read-out.
        mlp_factor: Hidden width of a block's MLP in multiples of the width; 0 for no MLP.
        positions: A learned positional encoding, as long as the game can last.
        scale: Divide the attention scores by the square root of the key size.
        seed_gain: Factor on the initial input weights of the seed.
    """

    seed_placement: Literal["every", "first", "own"]
    num_blocks: int
    num_heads: int
    key_size: int
    value_size: int
    model_size: int
    attention: Literal["linear", "softmax"]
    embedding: Literal["none", "linear", "gelu", "geglu"]
    layer_norm: bool
    mlp_factor: int
    positions: bool
    scale: bool
    seed_gain: float

    @classmethod
    def of(cls, game: "Game[Any]") -> "TransformerOptions":
        """The options that give a game's default architecture, for a run of minutes."""
        config = changed(game.default_policy(), game.quick.get("policy", {}))
        names = {option.name for option in dataclasses.fields(cls)} - {"positions"}
        shape = {name: getattr(config, name) for name in names}
        return cls(positions=config.max_length > 0, **shape)

    def config(self, game: "Game[Any]", seed_dim: int) -> "TransformerConfig":
        """The architecture for a game; ValueError says which option is illegal."""
        from rand_agents.policies.transformer import TransformerConfig

        shape = dataclasses.asdict(self)
        length = game.context + (self.seed_placement == "first")
        return TransformerConfig(
            game.token_dim,
            game.output_dim,
            seed_dim,
            mask=game.default_policy().mask,
            max_length=length if shape.pop("positions") else 0,
            **shape,
        )


@dataclass(frozen=True)
class MLPOptions:
    """Shape of the perceptron.

    Attributes:
        hidden: Widths of the hidden layers, each followed by tanh.
    """

    hidden: tuple[int, ...]

    @classmethod
    def of(cls, game: "Game[Any]") -> "MLPOptions":
        """The options that give a game's default perceptron."""
        return cls(tuple(game.default_mlp().hidden))

    def config(self, game: "Game[Any]", seed_dim: int) -> "MLPConfig":
        """The shape for a game; ValueError says which option is illegal."""
        from rand_agents.policies.mlp import MLPConfig

        return MLPConfig(game.token_dim, game.output_dim, seed_dim, self.hidden)


SHAPES: dict[str, type[TransformerOptions] | type[MLPOptions]] = {
    "transformer": TransformerOptions,
    "mlp": MLPOptions,
}
GROUPS: dict[str, type[Any]] = {
    "seeds": SeedSpec,
    "found": FoundConfig,
    "qnorm": QNormConfig,
    "psro": PSROConfig,
    "pepg": PEPGConfig,
}
"""Options under a prefix, beside those of the policy and the game."""


def fields_of_groups(policy: str | None) -> list[tuple[str, Any, Any]]:
    """Fields that take what may be said of trainers, seeds and a kind of policy, None for any.

    Their defaults are none: those depend on the game, and so does which values go together.
    """
    shapes = [SHAPES[policy]] if policy in SHAPES else [*SHAPES.values()]
    groups = {"policy": _loose(*shapes)} | {name: _loose(kind) for name, kind in GROUPS.items()}
    return [(name, kind, _group(kind)) for name, kind in groups.items()]


def _group(kind: Any) -> Any:
    return dataclasses.field(default_factory=kind)


def _loose(*kinds: type[Any]) -> Any:
    """Their fields, none of which is needed."""
    fields: list[Any] = []
    hints = {name: hint for kind in kinds for name, hint in get_type_hints(kind).items()}
    for name, hint in hints.items():
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            inner = _loose(hint)
            fields.append((name, inner, _group(inner)))
        else:
            fields.append((name, hint | None, dataclasses.field(default=None)))
    return dataclasses.make_dataclass(kinds[0].__name__, fields, frozen=True)


def changed(config: Any, changes: Mapping[str, Any]) -> Any:
    """A configuration with some entries replaced, also inside those that it is made of."""
    inner = {
        name: changed(getattr(config, name), value) if isinstance(value, Mapping) else value
        for name, value in changes.items()
    }
    return dataclasses.replace(config, **inner)
