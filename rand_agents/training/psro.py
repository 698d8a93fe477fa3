"""PSRO: a mixed strategy of best responses, learned one after the other, which seeds then hold.

Policy-space response oracles (Lanctot et al. 2017), a double oracle (McMahan, Gordon and Blum
2003) whose responses are learned. A game in which all layouts are played is a matrix game with
a row for each strategy and a column for each layout. The trainer keeps some rows, weighs the
layouts by what these rows leave, learns a policy that answers the weights well, adds rows from
what that policy met and tried, and begins again. At last as many rows as there are seeds are
chosen, so that the worst layout costs least in their mean; each is exchanged for the best answer
to the others, as long as that helps; and the policy learns from examples to play one of them
under each seed. Where what was seen leaves one layout, play is planned and not tried, see
`rand_agents.games.path.plans`.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rand_agents.agents.agent import Agent
from rand_agents.agents.aim import Aim
from rand_agents.agents.schema import check_tensors
from rand_agents.games.game import Game
from rand_agents.games.generic import TaskGame
from rand_agents.games.path.episodes import Ints, Minds
from rand_agents.games.path.histories import leaves_of
from rand_agents.games.path.plans import Plans
from rand_agents.games.path.score import Episodes
from rand_agents.games.path.tree import Tree, together
from rand_agents.games.registry import Environment, model_of
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import SeedTransformer
from rand_agents.training.configs import PSROConfig
from rand_agents.training.mixing import Mixture
from rand_agents.training.objectives import Weighted
from rand_agents.training.qnorm import QNormStep

ROWS_AT_ONCE = 1 << 16
"""About how many instances are played to look for strategies."""
MOST_PATHS = 128
"""How many times the paths of an update these are at most."""
SHORTEST = 40
"""Updates that a round, or a part of the distillation, has at least: a short run has fewer."""


def _parts(wanted: int, updates: int) -> int:
    """Into how many parts updates are divided, none of them too short."""
    return max(1, min(wanted, updates // SHORTEST))


class PSRO(Agent[PSROConfig]):
    """Policy-space response oracles, distilled into one policy with seeds.

    For games whose layouts can all be played, whose actions have probabilities and that leave
    nothing to chance. Seeds are bits, and each vector of them holds one strategy. Play by argmax.
    """

    config_type = PSROConfig

    @classmethod
    def default_config(cls, game: Game[Any] | Environment) -> PSROConfig:
        """The same for every game."""
        return PSROConfig()

    @classmethod
    def default_seeds(cls, game: Game[Any]) -> SeedSpec:
        """Sixteen vectors of four bits."""
        return SeedSpec(4, "bits", "distinct")

    @property
    def has_begun(self) -> bool:
        """From the first update of distillation on."""
        return self._examples is not None

    def _setup(self) -> None:
        self._check()
        self._aim = Aim(self.game, self.config.objective, None)
        self._layouts = self.task.layout_space.enumerate()
        assert isinstance(self.game, TaskGame)
        self._plans = Plans(self.game.task, self.game.codes, self.game.cost_of)
        seeds = self.seeds.every()
        assert seeds is not None
        self._every = torch.from_numpy(seeds).to(self.device)
        # The seed of a response, which holds one strategy.
        self._nothing = torch.zeros_like(self._every[:1])
        self._mixture = Mixture(
            len(self._layouts), self.config.rounds, self.config.objective.q == 1.0
        )
        # What learns now: a response in one of the rounds, or the policy itself.
        self._responder: Any = None
        self._step: QNormStep | None = None
        self._chosen: Ints | None = None
        self._examples: list[Minds] | None = None

    def _check(self) -> None:
        game, env_id = self.game, self.task.env_id
        if game.differentiable:
            raise ValueError(f"costs of {env_id} have a gradient, which QNorm follows: use QNorm")
        game.check_sampled()
        if game.is_stepped or game.has_chance:
            raise ValueError(
                f"PSRO needs rules on batches that leave nothing to chance, and {env_id} is "
                "stepped: use QNorm"
            )
        if not isinstance(self.model, SeedTransformer):
            raise ValueError("PSRO needs a policy that sees the whole instance: a SeedTransformer")
        if self.layouts is not None:
            raise ValueError("PSRO plays every layout, so there is nothing to choose for a source")
        if self.seeds.every() is None:
            raise ValueError(
                f'PSRO needs seeds that can be listed, such as SeedSpec(4, "bits", "distinct"), '
                f"got {self.seeds}"
            )

    # Rounds.

    def _rounds(self) -> tuple[int, int]:
        """How many rounds there are, and how many updates they have together."""
        updates = self._updates_of_rounds(self._total_timesteps)
        return _parts(self.config.rounds, updates), updates

    def _updates_of_rounds(self, total: int) -> int:
        return max(total - round(self.config.distillation * total), 1)

    def _check_length(self, done: int, total: int) -> None:
        super()._check_length(done, total)
        if done > 0 and self._chosen is None and done >= self._updates_of_rounds(total):
            raise ValueError(
                f"after {done} updates no strategies are chosen yet, and with {total} in all they "
                "would be learned now: go on with resume(), or with more updates"
            )

    def phases(self, total: int) -> list[tuple[str, int]]:
        """Responses, then what the seeds learn of them."""
        return [("responses", self._updates_of_rounds(total)), ("distillation", total)]

    def _update(self, progress: float) -> dict[str, float]:
        rounds, updates = self._rounds()
        now = self.num_timesteps
        if now >= updates:
            return self._distil(now - updates, self._total_timesteps - updates)
        number = ((now + 1) * rounds - 1) // updates
        begin, end = number * updates // rounds, (number + 1) * updates // rounds
        if self._responder is None:
            self._begin_response(number)
        logs = self._respond((now - begin) / (end - begin))
        if now + 1 == end:
            tree = self._explored(self._responder, self._nothing)
            self._mixture.respond(tree)
            self._responder = self._step = None
            if number + 1 == rounds:
                self._choose(tree)
        return logs | self._found()

    def _begin_response(self, number: int) -> None:
        """New weights, which its number determines."""
        sequence = np.random.SeedSequence(self.rng_seed, spawn_key=(5, number))
        rng_seed = int(sequence.generate_state(1)[0])
        self._responder = model_of(self.model.config, rng_seed).to(self.device)
        self._step = QNormStep(list(self._responder.parameters()), self.config.response())
        self._examples = None
        self._chosen = None

    def _played(
        self, model: Any, seed: Tensor, paths: int, temperature: float
    ) -> tuple[Episodes, Tensor]:
        """Sampled play of every layout under a seed, (1, dim), and what it cost."""
        episodes = self.game.sample(
            model,
            self._layouts,
            seed,
            self._rngs["noise"],
            paths=paths,
            temperature=temperature,
            branches=self.config.branches,
            plans=self._plans,
        )
        self.env_steps += episodes.costs.numel() * self.task.max_steps
        return episodes, self._aim.of(episodes.costs, self._layouts)

    def _respond(self, progress: float) -> dict[str, float]:
        """An update of a best response."""
        assert self._step is not None
        episodes, costs = self._played(self._responder, self._nothing, self.config.paths, 1.0)
        objective = Weighted(torch.from_numpy(self._mixture.weights()))
        return self._step.update_by_score(self._responder, episodes, costs, objective, progress)

    def _explored(self, model: Any, seed: Tensor) -> Tree:
        """What a policy meets and tries under a seed, (1, dim)."""
        paths = min(max(1, ROWS_AT_ONCE // len(self._layouts)), MOST_PATHS * self.config.paths)
        episodes, costs = self._played(model, seed, paths, self.config.temperature)
        return Tree(episodes.moments, costs.double().cpu().numpy(), self._plans, episodes.end)

    def _found(self) -> dict[str, float]:
        """The worst cost of the best mix so far, and of how many strategies it is."""
        if not len(self._mixture):
            return {}
        return {"train/objective": self._mixture.value, "train/strategies": len(self._mixture)}

    # Distillation.

    def _distil(self, now: int, updates: int) -> dict[str, float]:
        """An update of the policy: one strategy's actions under each seed."""
        parts = _parts(self.config.iterations, updates)
        # The last one is twice as long: what is learned in it is not looked at again.
        shares = parts + (parts > 1)
        part = min(((now + 1) * shares - 1) // updates, parts - 1)
        begin = part * updates // shares
        end = updates if part == parts - 1 else (part + 1) * updates // shares
        if now == begin and part > 0:
            self._look_again()
        if now == begin or self._examples is None:
            self._begin_distillation()
        assert isinstance(self.game, TaskGame)
        assert self._step is not None
        assert self._examples is not None
        examples, actions = self._examples, self.game.codes.actions
        even = [np.full(len(step.tokens), 1.0) for step in examples]
        total = sum(map(len, even))
        self._step.optimizer.zero_grad(set_to_none=True)
        surprise = 0.0
        for leaves in leaves_of(examples, even, even, self.config.branches, self._rngs["noise"]):
            outputs = leaves.answers(self.model, self._every)
            logs = actions.log_probability(outputs, leaves.codes)
            loss = -(leaves.weights * logs).sum() / total
            torch.autograd.backward(loss)
            surprise += loss.item()
        return (
            self._found()
            | self._step.descend((now - begin + 1) / (end - begin + 1))
            | {"train/surprise": surprise}
        )

    def _choose(self, tree: Tree) -> None:
        """Strategies for the seeds, from those found and from the last tree."""
        chosen = self._mixture.chosen(len(self._every))
        self._mixture.sweep(tree, chosen)
        self._chosen = self._mixture.anew(tree, chosen)

    def _look_again(self) -> None:
        """Better strategies for the seeds, with what the policy itself adds."""
        assert self._chosen is not None
        for place in range(len(self._every)):
            tree = self._explored(self.model, self._every[place : place + 1])
            self._mixture.extend(tree)
            self._mixture.improve(tree, self._chosen, [place])
        self._chosen = self._mixture.chosen(len(self._every), self._chosen)

    def _begin_distillation(self) -> None:
        assert self._chosen is not None
        self._examples = together([self._mixture.strategies[k] for k in self._chosen.tolist()])
        self._step = QNormStep(list(self.model.parameters()), self.config.distilling())

    # Files.

    def _trainer_tensors(self) -> dict[str, Tensor]:
        named = {f"mixture.{name}": t for name, t in self._mixture.tensors().items()}
        if self._responder is not None:
            weights = self._responder.named_weights().items()
            named |= {f"responder.{name}": w.detach() for name, w in weights}
        if self._chosen is not None:
            named["chosen"] = torch.from_numpy(self._chosen)
        if self._step is not None:
            named |= {f"step.{name}": t for name, t in self._step.tensors().items()}
        return named

    def _load_trainer_tensors(self, tensors: dict[str, Tensor]) -> None:
        chosen = tensors.pop("chosen", None)
        parts: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            kind, _, name = key.partition(".")
            parts.setdefault(kind, {})[name] = tensor
        self._mixture.load(parts.pop("mixture", {}), self.model.config.token_dim)
        self._check_parts(chosen, parts)
        self._chosen = None if chosen is None else chosen.numpy()
        responder = parts.pop("responder", None)
        if "step" not in parts:
            return
        if responder is None:
            self._begin_distillation()
        else:
            # Its number determined the first weights alone.
            self._begin_response(0)
            check_tensors("response", responder, self._responder.named_weights())
            with torch.no_grad():
                for name, weight in self._responder.named_weights().items():
                    weight.copy_(responder[name])
        assert self._step is not None
        self._step.load(parts["step"])

    def _check_parts(self, chosen: Tensor | None, parts: dict[str, Any]) -> None:
        """Raise ValueError unless a file has what there is at some moment of a run."""
        if extra := parts.keys() - {"responder", "step"}:
            raise ValueError(f"the file's state has {', '.join(extra)}, which nothing is for")
        if chosen is not None:
            check_tensors("choice", {"all": chosen}, {"all": torch.zeros(len(self._every)).long()})
            if not ((chosen >= 0) & (chosen < len(self._mixture))).all():
                raise ValueError("the file's choice is of strategies that it does not have")
        rounds = self._rounds()[1]
        # What seeds will hold is chosen at the end of the last round, and learned from then on.
        learns = "responder" in parts or (chosen is not None and self.num_timesteps != rounds)
        if (
            learns != ("step" in parts)
            or (chosen is None and self.num_timesteps >= rounds)
            or ("responder" in parts and chosen is not None)
            or (self.num_timesteps > 0 and not (learns or len(self._mixture)))
        ):
            raise ValueError("the file lacks a part of the state that a run has at any moment")
