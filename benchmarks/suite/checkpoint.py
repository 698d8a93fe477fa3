"""A training run in one file: the agent, and beside it what is known of its training."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rand_agents.agents.agent import Agent
from rand_agents.agents.files import Contents, read_agent, write_agent
from rand_agents.evaluation.provenance import code_version, machine
from rand_agents.training.loading import agent_of

Json = dict[str, Any]

RECORD = "training"
"""What the record is called among the facts of an agent file."""


@dataclass
class Training:
    """What is known of a training run beside the agent.

    Attributes:
        seconds: Spent so far.
        machine: What it began on.
        code: What it began with; None if that was not recorded yet.
        history: (update, average, 95th percentile, worst) over layouts of the mean outcome.
        scores: The objective whenever it was compared with other starts.
    """

    seconds: float = 0.0
    machine: Json = field(default_factory=machine)
    code: Json | None = field(default_factory=code_version)
    history: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """Where a training run is kept.

    Attributes:
        path: The agent file; `rand_agents` reads it like any other.
        fingerprint: Of all that determines the run, so that another one's file is not taken.
    """

    path: Path
    fingerprint: str

    def load(self) -> tuple[Agent[Any], Training] | None:
        """The run, or None where there is none or another one; ValueError if it is damaged."""
        if not self.path.is_file():
            return None
        contents = read_agent(self.path)
        record = contents.facts.get(RECORD) or self._older_record()
        if not isinstance(record, dict) or record.pop("fingerprint", None) != self.fingerprint:
            return None
        # Earlier records have the number of starts that were tried.
        if record.pop("starts", None) is not None:
            record["scores"] = []
        if record.keys() != {each.name for each in fields(Training)}:
            raise ValueError(f"{self.path} cannot be loaded: its record of training is malformed")
        return agent_of(self.path, contents), Training(**record)

    def _older_record(self) -> Json | None:
        """From when it was a file of its own, and said nothing of the code."""
        try:
            record: Json = json.loads(self.path.with_suffix(".json").read_text())
        except (OSError, ValueError):
            return None
        return {"code": None, **record}

    def save(self, agent: Agent[Any], training: Training) -> None:
        """Write all of it in one step."""
        contents = agent.contents()
        record = {"fingerprint": self.fingerprint, **vars(training)}
        write_agent(self.path, Contents(contents.tensors, contents.facts | {RECORD: record}))
