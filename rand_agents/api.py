"""What users of the package import: agents, their options, evaluation, the zoo."""

from rand_agents.agents.agent import Agent
from rand_agents.evaluation.evaluate import evaluate
from rand_agents.evaluation.report import Report
from rand_agents.policies.mlp import MLPConfig
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig
from rand_agents.training.configs import ObjectiveConfig, PEPGConfig, PSROConfig, QNormConfig
from rand_agents.training.entropy import ScoreConfig
from rand_agents.training.evolution import SearchConfig
from rand_agents.training.loading import load_agent
from rand_agents.training.objectives import CVaRObjective, QNormObjective, q_norm
from rand_agents.training.pepg import PEPG
from rand_agents.training.psro import PSRO
from rand_agents.training.qnorm import QNorm
from rand_agents.zoo import load_zoo, zoo_names

__all__ = [
    "PEPG",
    "PSRO",
    "Agent",
    "CVaRObjective",
    "MLPConfig",
    "ObjectiveConfig",
    "PEPGConfig",
    "PSROConfig",
    "QNorm",
    "QNormConfig",
    "QNormObjective",
    "Report",
    "ScoreConfig",
    "SearchConfig",
    "SeedSpec",
    "SeedTransformer",
    "TransformerConfig",
    "evaluate",
    "load_agent",
    "load_zoo",
    "q_norm",
    "zoo_names",
]
