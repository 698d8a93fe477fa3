"""Seeded policies that are trained to stay good when an adversary picks the layout."""

from rand_agents.algorithm import Agent
from rand_agents.algorithms import load_agent
from rand_agents.evaluation import evaluate
from rand_agents.mlp import MLPConfig
from rand_agents.objectives import CVaRObjective, ObjectiveConfig, QNormObjective, q_norm
from rand_agents.pepg import PEPG
from rand_agents.pepg_config import PEPGConfig
from rand_agents.qnorm import QNorm, QNormConfig
from rand_agents.report import Report
from rand_agents.search import SearchConfig
from rand_agents.seeds import SeedSpec
from rand_agents.transformer import SeedTransformer, TransformerConfig
from rand_agents.zoo import load_zoo, zoo_names

__all__ = [
    "PEPG",
    "Agent",
    "CVaRObjective",
    "MLPConfig",
    "ObjectiveConfig",
    "PEPGConfig",
    "QNorm",
    "QNormConfig",
    "QNormObjective",
    "Report",
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
