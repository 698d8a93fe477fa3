"""Everything that `train` can set, as typed dataclasses, and the agent they describe."""

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from tyro.conf import FlagCreatePairsOff

from rand_agents.games.game import Game
from rand_agents.games.registry import game_for
from rand_agents.policies.seeds import Draw, SeedSpec
from rand_agents.policies.transformer import TransformerConfig
from rand_agents.training.agent import Agent
from rand_agents.training.evolution import SearchConfig
from rand_agents.training.objectives import ObjectiveConfig
from rand_agents.training.pepg import PEPG
from rand_agents.training.pepg_config import PEPGConfig
from rand_agents.training.qnorm import QNorm, QNormConfig
from rand_envs.core.task import Task
from rand_envs.games.coloring.rules import ColoringTask
from rand_envs.games.grid.rules import GridTask
from rand_envs.games.recall.rules import RecallTask


@dataclass(frozen=True)
class RecallOptions:
    """Size of the game.

    Attributes:
        num_pairs: Pairs of a key and a value to remember.
        value_bits: Bits of a value.
    """

    num_pairs: int = 20
    value_bits: int = 5


@dataclass(frozen=True)
class ColoringOptions:
    """Size of the game.

    Attributes:
        num_vertices: Vertices of the cycle.
        num_colors: Colours.
    """

    num_vertices: int = 10
    num_colors: int = 3


@dataclass(frozen=True)
class GridOptions:
    """Size and rules of the game.

    Attributes:
        size: Side of a square grid, or rows and columns.
        horizon: The most steps of an episode.
        num_episodes: Episodes of an instance, the treasure in the same place.
        start: Row and column where every episode starts; row 0 is at the bottom.
        walls: How many walls the adversary places; None for none.
    """

    size: int | tuple[int, int] = 5
    horizon: int = 25
    num_episodes: int = 2
    start: tuple[int, int] = (0, 0)
    walls: int | None = None


@dataclass(frozen=True)
class PolicyOptions:
    """Shape of the transformer; see `TransformerConfig`, which has the rest from the game.

    Attributes:
        seed_placement: "every" gives the seed to every token, "first" makes it a token of its
            own (the grid needs this), "own" gives vertex v the v-th entry alone (colouring).
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
    def of(cls, config: TransformerConfig) -> "PolicyOptions":
        """The options that give this architecture."""
        names = {option.name for option in dataclasses.fields(cls)} - {"positions"}
        shape = {name: getattr(config, name) for name in names}
        return cls(positions=config.max_length > 0, **shape)

    def config(self, game: Game[Any], seed_dim: int) -> TransformerConfig:
        """The architecture for a game; ValueError says which option is illegal."""
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
class SeedOptions:
    """The policy's random input.

    Attributes:
        dim: Length of the seed vector; None for the game's own (10, or one entry a vertex).
        distribution: "bits" (0 or 1), "uniform" on [0, 1) or standard "gaussian", per entry.
        draw: "independent", "antithetic" (every other seed mirrors the one before it), "sobol"
            (a scrambled Sobol set), "distinct" (bits without repetition: all of them where there
            are as many seeds), or "fixed" (always one vector r0, so no randomness).
        r0_rng_seed: Integer seed that determines r0 of the "fixed" draw.
    """

    dim: int | None = None
    distribution: Literal["bits", "uniform", "gaussian"] = "gaussian"
    draw: Draw = "independent"
    r0_rng_seed: int = 0

    def spec(self, game: Game[Any]) -> SeedSpec:
        """The distribution for a game."""
        dim = game.default_seeds().dim if self.dim is None else self.dim
        return SeedSpec(dim, self.distribution, self.draw, self.r0_rng_seed)


@dataclass(frozen=True, kw_only=True)
class TrainOptions(ABC):
    """What training any game has in common.

    Attributes:
        out: The agent file to write, FILE.safetensors; it is also the checkpoint.
        updates: Updates of the whole run (gradient steps, or generations of evolution).
        rng_seed: Determines the initial weights and every draw.
        device: Where to compute, such as cpu or cuda.
        checkpoint_every: Save the run every so many updates.
        resume: Go on with the run in the file; start it if there is no file yet.
        overwrite: Replace the file if there is one.
        game: Size and rules of the game.
        policy: Shape of the transformer.
        seeds: The policy's random input.
    """

    out: Path
    updates: int = 1000
    rng_seed: int = 0
    device: str = "cpu"
    checkpoint_every: int = 100
    resume: Annotated[bool, FlagCreatePairsOff] = False
    overwrite: Annotated[bool, FlagCreatePairsOff] = False
    game: RecallOptions | ColoringOptions | GridOptions
    policy: PolicyOptions
    seeds: SeedOptions

    @abstractmethod
    def task(self) -> Task[Any]:
        """The game; ValueError says which argument is illegal."""

    @abstractmethod
    def agent(self) -> Agent[Any]:
        """An untrained agent; ValueError says which option is illegal."""

    def _agent(self, trainer: type[Agent[Any]], config: Any) -> Agent[Any]:
        game = game_for(self.task())
        seeds = self.seeds.spec(game)
        return trainer(
            self.policy.config(trainer.training_game(game, config), seeds.dim),
            game.task,
            config,
            seeds=seeds,
            rng_seed=self.rng_seed,
            device=usable_device(self.device),
        )


def usable_device(name: str) -> torch.device:
    """The device, once something was put there; ValueError where that fails."""
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the device {name!r} cannot be used here: {reason}") from None


@dataclass(frozen=True, kw_only=True)
class _OneShotOptions(TrainOptions):
    """Games of one answer, which either trainer can train.

    Attributes:
        trainer: "qnorm" (gradient steps) or "pepg" (evolution).
        qnorm: The gradient trainer, unless --trainer pepg.
        pepg: Evolution, with --trainer pepg.
    """

    trainer: Literal["qnorm", "pepg"] = "qnorm"
    qnorm: QNormConfig
    pepg: PEPGConfig

    def agent(self) -> Agent[Any]:
        """An untrained agent; ValueError says which option is illegal."""
        unused = "pepg" if self.trainer == "qnorm" else "qnorm"
        options = {option.name: option for option in dataclasses.fields(self)}
        factory: Any = options[unused].default_factory
        if getattr(self, unused) != factory():
            raise ValueError(f"options --{unused}.* need --trainer {unused}, got {self.trainer!r}")
        if self.trainer == "pepg":
            return self._agent(PEPG, self.pepg)
        return self._agent(QNorm, self.qnorm)


@dataclass(frozen=True, kw_only=True)
class TrainRecall(_OneShotOptions):
    """RandRecall-v0: remember pairs of keys and values, then recall one of them."""

    game: RecallOptions = field(default_factory=RecallOptions)
    policy: PolicyOptions = field(
        default_factory=lambda: PolicyOptions.of(game_for(RecallTask()).default_policy())
    )
    seeds: SeedOptions = field(default_factory=lambda: SeedOptions(distribution="bits"))
    qnorm: QNormConfig = field(default_factory=QNormConfig)
    pepg: PEPGConfig = field(default_factory=lambda: _sampling_pepg())

    def task(self) -> Task[Any]:
        """The game; ValueError says which argument is illegal."""
        return RecallTask(**vars(self.game))


@dataclass(frozen=True, kw_only=True)
class TrainColoring(_OneShotOptions):
    """RandColoring-v0: colour a cycle without conflicts, every vertex on its own."""

    game: ColoringOptions = field(default_factory=ColoringOptions)
    policy: PolicyOptions = field(
        default_factory=lambda: PolicyOptions.of(game_for(ColoringTask()).default_policy())
    )
    seeds: SeedOptions = field(default_factory=lambda: SeedOptions(distribution="uniform"))
    qnorm: QNormConfig = field(
        default_factory=lambda: QNormConfig(objective=ObjectiveConfig(q=10.0), m=10, batch_size=256)
    )
    pepg: PEPGConfig = field(default_factory=lambda: _sampling_pepg())

    def task(self) -> Task[Any]:
        """The game; ValueError says which argument is illegal."""
        return ColoringTask(**vars(self.game))


@dataclass(frozen=True, kw_only=True)
class TrainGrid(TrainOptions):
    """RandGrid-v0: find a hidden treasure, return to the start, and find it again.

    Attributes:
        policy: Shape of the transformer, by default small enough for a run of minutes; the
            paper's has num-heads 4, key-size 10, value-size 10, model-size 80, mlp-factor 4.
        pepg: Evolution, by default small enough for a run of minutes; the paper's has m 10,
            population 300, learning-rate 0.01, std 0.03.
    """

    game: GridOptions = field(default_factory=GridOptions)
    policy: PolicyOptions = field(default_factory=lambda: _small_grid_policy())
    seeds: SeedOptions = field(default_factory=SeedOptions)
    pepg: PEPGConfig = field(default_factory=lambda: _small_grid_pepg())

    def task(self) -> Task[Any]:
        """The game; ValueError says which argument is illegal."""
        return GridTask(**vars(self.game))

    def agent(self) -> Agent[Any]:
        """An untrained agent; ValueError says which option is illegal."""
        return self._agent(PEPG, self.pepg)


def _sampling_pepg() -> PEPGConfig:
    """Evolution on a sample of layouts: there are too many to play all in each generation."""
    search = SearchConfig(population=100)
    return PEPGConfig(objective=ObjectiveConfig(q=10.0), search=search, batch_size=64)


def _small_grid_policy() -> PolicyOptions:
    paper = PolicyOptions.of(game_for(GridTask()).default_policy())
    return dataclasses.replace(
        paper, num_heads=2, key_size=6, value_size=6, model_size=24, mlp_factor=2
    )


def _small_grid_pepg() -> PEPGConfig:
    search = SearchConfig(population=60, learning_rate=0.02, std=0.1)
    return PEPGConfig(objective=ObjectiveConfig(q=math.inf), search=search, m=8)
