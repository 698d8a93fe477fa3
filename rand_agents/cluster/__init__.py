"""What one machine is too small for, on a Ray cluster; needs the extra `cluster`."""

from rand_agents.cluster.connection import connected
from rand_agents.cluster.evolution import Actors, on_actors

__all__ = ["Actors", "connected", "on_actors"]
