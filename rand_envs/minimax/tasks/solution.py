"""An exactly solved task as a value: bounds, both mixes, and JSON both ways."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rand_envs.core.arrays import Json, shown
from rand_envs.core.sealed import parsed_json, read_json, write_json
from rand_envs.core.task import Task
from rand_envs.minimax.matrix import Floats
from rand_envs.minimax.tasks.strategy import MixPlayer, Strategy

SCHEMA = "rand_envs.task_game/1"

LARGEST = 10**300


@dataclass(frozen=True, eq=False)
class TaskSolution:
    """The bracket of a game's value with the two mixes that prove it.

    Attributes:
        env_id: of the task.
        config: the task's keyword arguments, JSON-ready.
        unit: of the outcomes, and of both bounds.
        higher_is_better: whether a larger outcome is the better one.
        lower: the value is at least this.
        upper: the value is at most this.
        strategies: the player's pure strategies.
        probabilities: of the strategies, shape (strategies,).
        adversary: layouts, as JSON, each with its positive probability.
        interrupted: stopped before the bracket closed.
    """

    env_id: str
    config: Json
    unit: str
    higher_is_better: bool
    lower: float
    upper: float
    strategies: tuple[Strategy, ...]
    probabilities: Floats
    adversary: tuple[tuple[Json, float], ...]
    interrupted: bool = False

    @property
    def value(self) -> float:
        """The mean outcome that the mix guarantees: the game value up to `gap`."""
        return self.lower if self.higher_is_better else self.upper

    @property
    def gap(self) -> float:
        """Upper minus lower bound."""
        return self.upper - self.lower

    @staticmethod
    def is_file_of_one(file: str | Path) -> bool:
        """Whether a file says of itself that it holds a task's solution."""
        try:
            data = parsed_json(Path(file).read_text())
        except ValueError:
            return False
        return isinstance(data, dict) and data.get("schema") == SCHEMA

    def is_of(self, task: Task[Any]) -> bool:
        """Whether this is the solution of that very task."""
        mine, other = (json.dumps(config, sort_keys=True) for config in (self.config, task.config))
        mine_is = (self.env_id, self.unit, self.higher_is_better)
        return mine_is == (task.env_id, task.unit, task.higher_is_better) and mine == other

    def player(self, task: Task[Any]) -> MixPlayer:
        """The player that reaches the value, for evaluation.

        Raises:
            ValueError: this is not a solution of that task.
        """
        if not self.is_of(task):
            raise ValueError(
                f"this is a solution of {self.env_id} with {self.config}, "
                f"not of {task.env_id} with {task.config}"
            )
        return MixPlayer(task, self.strategies, self.probabilities)

    def to_json(self) -> Json:
        """The solution as plain JSON data; see `from_json` for the schema."""
        return {
            "schema": SCHEMA,
            "env_id": self.env_id,
            "config": self.config,
            "unit": self.unit,
            "higher_is_better": self.higher_is_better,
            "lower": self.lower,
            "upper": self.upper,
            "interrupted": self.interrupted,
            "adversary": [[layout, probability] for layout, probability in self.adversary],
            "probabilities": self.probabilities.tolist(),
            "strategies": [strategy.to_json() for strategy in self.strategies],
        }

    @classmethod
    def from_json(cls, data: Json) -> "TaskSolution":
        """Read what `to_json` wrote. Only the form is checked: `verify_task_solution` proves.

        The schema: `env_id`, `config`, `unit` and `higher_is_better` of the task; `lower` and
        `upper` in its unit; `interrupted`; `adversary`, a list of [layout, probability];
        `probabilities`, one for each of `strategies`, whose schema `Strategy.from_json` tells.

        Raises:
            ValueError: where a field is missing or of another form.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(
                f"a solution file needs schema {SCHEMA!r}, got {shown(data.get('schema'))}"
            )
        try:
            return cls._read(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the solution file does not follow its schema: {error!r}") from error

    @classmethod
    def _read(cls, data: Json) -> "TaskSolution":
        strategies = tuple(Strategy.from_json(strategy) for strategy in data["strategies"])
        probabilities = [_number(probability) for probability in data["probabilities"]]
        if not strategies or len(probabilities) != len(strategies):
            raise ValueError(
                f"there must be as many strategies as probabilities, at least one, got "
                f"{len(strategies)} and {len(probabilities)}"
            )
        return cls(
            env_id=_of(str, data["env_id"]),
            config=_of(dict, data["config"]),
            unit=_of(str, data["unit"]),
            higher_is_better=_of(bool, data["higher_is_better"]),
            lower=_number(data["lower"]),
            upper=_number(data["upper"]),
            strategies=strategies,
            probabilities=np.array(probabilities, np.float64),
            adversary=tuple((_of(dict, layout), _number(p)) for layout, p in data["adversary"]),
            interrupted=_of(bool, data["interrupted"]),
        )

    def save(self, file: str | Path) -> None:
        """Write the solution as a JSON file; the file is complete or not there."""
        write_json(file, self.to_json())

    @classmethod
    def load(cls, file: str | Path) -> "TaskSolution":
        """Read a JSON file written by `save`.

        Raises:
            ValueError: where the file is not JSON, not what was written, or does not follow the
                schema.
        """
        return cls.from_json(read_json(file))


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"expected a {kind.__name__}, got {shown(value)}")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"expected a number, got {shown(value)}")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise ValueError(f"expected a number that a float can be, got {shown(value)}")
    return float(value)
