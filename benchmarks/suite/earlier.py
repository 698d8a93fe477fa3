"""What an earlier results.json says of runs that are not on this machine.

Trained agents are not committed, results.json is: a new clone that trains one experiment would
otherwise lose the figures of all others. They are kept where the recipe is still the same.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rand_envs.core.sealed import read_json, without_infinities

Json = dict[str, Any]


def differences(recipe: Json, base: Json) -> Json:
    """Entries of a nested recipe that differ from another's; those it lacks are None."""
    found: Json = {}
    for name, value in recipe.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            inner = differences(value, base[name])
            found |= {name: inner} if inner else {}
        elif value != base.get(name):
            found[name] = value
    return found | {name: None for name, value in base.items() if name not in recipe}


@dataclass(frozen=True)
class Earlier:
    """Points of an earlier results.json.

    Attributes:
        points: By group and place on the axis, each with the recipe that its changes refer to.
            The group is the environment's id of a headline, whose place is None, or the name
            of a sweep.
    """

    points: dict[tuple[str, float | None], tuple[Json, Json]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, preset: str, rng_seed: int) -> "Earlier":
        """Those of a file; none where there is no file.

        Raises:
            ValueError: The file is damaged, or of another preset or rng_seed: what it says would
                be lost.
        """
        try:
            found = without_infinities(read_json(path))
        except FileNotFoundError:
            return cls()
        except ValueError as error:
            raise ValueError(
                f"{error}; put the right one in its place, or move it away: then results of the "
                "runs that are here are written anew"
            ) from None
        if (found.get("preset"), found.get("rng_seed")) != (preset, rng_seed):
            raise ValueError(
                f"{path} has results of preset {found.get('preset')} with rng_seed "
                f"{found.get('rng_seed')}, not of {preset} with {rng_seed}: choose another --out"
            )
        points: dict[tuple[str, float | None], tuple[Json, Json]] = {}
        for env_id, task in found["tasks"].items():
            points[env_id, None] = task | {"recipe_changes": {}}, task["recipe"]
        for name, sweep in found["sweeps"].items():
            for point in sweep["points"]:
                points[name, point["x"]] = point, sweep["recipe"]
        return cls(points)

    def point(self, group: str, x: float | None, label: str, recipe: Json) -> Json | None:
        """The point at a place of a group if it has this label and this recipe."""
        point, base = self.points.get((group, x), ({}, {}))
        if point.get("label") != label:
            return None
        changes = differences(json.loads(json.dumps(without_infinities(recipe))), base)
        return point if changes == point["recipe_changes"] else None
