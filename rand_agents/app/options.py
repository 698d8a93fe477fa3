"""The options of `train` for one game, policy and trainer, and the agent they describe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from typing import Any

from rand_agents.agents.agent import Agent
from rand_agents.app import commands
from rand_agents.app.arguments import options_of
from rand_agents.app.lookup import introduced
from rand_agents.app.parsing import parsed
from rand_agents.app.shapes import SHAPES, changed
from rand_agents.app.words import subject_of, value_of
from rand_agents.games.game import Game
from rand_agents.games.registry import game_for
from rand_agents.policies.seeds import SeedSpec
from rand_agents.training.loading import ALGORITHMS
from rand_envs.adversaries import FoundConfig
from rand_envs.core.task import Setting

TRAINERS = {name.lower(): kind for name, kind in ALGORITHMS.items()}
POLICIES = {"transformer": "SeedTransformer", "mlp": "MlpPolicy"}


@dataclass(frozen=True)
class Training:
    """A game, and which policy and trainer are meant, before the rest is known.

    Attributes:
        game: As this kind of policy plays it.
        policy: Of `POLICIES`.
        trainer: Of `TRAINERS`.
    """

    game: Game[Any]
    policy: str
    trainer: str

    @classmethod
    def of(cls, task: Setting[Any], words: Sequence[str]) -> "Training":
        """What a command line asks for; policy and trainer are the game's where it does not.

        Raises:
            ValueError: There are options of the trainer that was not chosen.
        """
        game = game_for(task)
        # Without an adversary there is nothing to find out of it, that had to be remembered.
        policy = value_of(words, "--policy") or ("transformer" if game.has_adversary else "mlp")
        if policy == "mlp":
            game = game_for(task, POLICIES[policy])
        trainer = value_of(words, "--trainer") or game.default_trainer
        for other in set(TRAINERS) - {trainer}:
            if any(word.startswith(f"--{other}.") for word in words):
                raise ValueError(f"options --{other}.* need --trainer {other}, got {trainer!r}")
        # What is neither one nor the other the parser refuses, with the choices there are.
        return cls(
            game,
            policy if policy in POLICIES else "transformer",
            trainer if trainer in TRAINERS else game.default_trainer,
        )

    @property
    def others(self) -> str:
        """Whose options the help does not have."""
        trainer = " or ".join(name for name in TRAINERS if name != self.trainer)
        policy = next(name for name in POLICIES if name != self.policy)
        return f"With --trainer {trainer} or --policy {policy} come the options of these."

    def options(self) -> type[Any]:
        """The dataclass of all options, with the game's defaults."""
        own = options_of(self.game.task.env_id)
        shape = SHAPES[self.policy]
        kind = TRAINERS[self.trainer]
        fields: list[Any] = [
            ("trainer", commands.TrainerName, self.trainer),
            ("policy_kind", commands.PolicyKind, self.policy),
            *([own] if own else []),
            ("policy", shape, _group(lambda: shape.of(self.game))),
            ("seeds", SeedSpec, _group(self._seeds)),
            (self.trainer, kind.config_type, _group(self._config)),
        ]
        if self.game.has_adversary:
            fields.append(("found", FoundConfig, _group(lambda: FoundConfig(share=0.0))))
        wider = make_dataclass("Of", fields, bases=(commands.Train,), frozen=True, kw_only=True)
        wider.__doc__ = commands.Train.__doc__
        return wider

    def _seeds(self) -> SeedSpec:
        return TRAINERS[self.trainer].default_seeds(self.game)

    def _config(self) -> Any:
        """The trainer's default options in this game, for a run of minutes."""
        config = TRAINERS[self.trainer].default_config(self.game)
        return changed(config, self.game.quick.get(self.trainer, {}))

    def agent(self, options: Any) -> Agent[Any]:
        """An untrained agent; ValueError says which option is illegal."""
        found, layouts = getattr(options, "found", None), None
        if found is not None:
            layouts = found.source(self.game.task.layout_space, options.rng_seed)
        return TRAINERS[self.trainer](
            options.policy.config(self.game, options.seeds.dim),
            self.game.task,
            getattr(options, self.trainer),
            seeds=options.seeds,
            layouts=layouts,
            rng_seed=options.rng_seed,
            device=options.device,
        )


def parsed_training(task: Setting[Any], words: Sequence[str]) -> tuple[Training, Any]:
    """What a command line from `train` on asks for, in a game that is known already.

    Raises:
        ValueError: It is not legal.
    """
    training, name = Training.of(task, words), str(subject_of(words[1:]))
    about = f"{introduced(task.env_id)} {training.others}"
    prog = f"{commands.PROG} train {name}"
    return training, parsed(training.options(), words[1:], prog, name, about)


def _group(default: Callable[[], Any]) -> Any:
    """Options of a kind, which only `--help-all` shows."""
    return field(default_factory=default, metadata={commands.RARE: True})
