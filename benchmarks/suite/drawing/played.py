"""What a game looks like: frames by its own painter."""

from pathlib import Path
from typing import Any

import numpy as np

from rand_agents.app.watching.instances import History, play_out
from rand_agents.games import task_of
from rand_envs.core.task import rules_of

from .pictures import Json, Picture, save_frame

SEEDS = 4
"""Under how many a policy is shown."""


def draw_played(name: str, task: Json, agent: Any, folder: Path) -> tuple[Path, Picture | None]:
    """A drawing of the game, and the trained policy on its worst layout under several seeds.

    Args:
        name: Begins the names of the files.
        task: The game's entry of results.json.
        agent: What was trained for the worst case; where there is none, or only one without
            seeds, the drawing is of a player who draws actions at random, and there is no more.
        folder: Where to.
    """
    rules = rules_of(agent.task if agent else task_of(task["env_id"], task["config"]))
    models = task["models"]
    layout = (models.get("adv-seeded") or next(iter(models.values())))["worst"]["layout"]
    packed = rules.layout_space.pack([layout])
    drawing = folder / f"{name}_game.png"
    if agent is None:
        return _frame(rules, _at_random(rules, packed), drawing, task["env_id"]), None
    agent.set_random_seed(0)
    histories = play_out(agent, packed, SEEDS, sample=False)
    _frame(rules, histories[0], drawing, task["env_id"])
    paths = [
        _frame(rules, history, folder / f"{name}_seed_{place}.png", f"Seed {place}")
        for place, history in enumerate(histories, 1)
    ]
    return drawing, Picture(
        tuple(paths),
        "One policy, one layout, four seeds",
        "What differs from picture to picture is only the seed, which is drawn after the adversary "
        "has chosen the layout.",
        "adv-seeded on the layout that was found to be worst for a policy of this training.",
    )


def _frame(rules: Any, history: History, path: Path, title: str) -> Path:
    # Imported here so that all else works where there is no pygame.
    from rand_envs.rendering import render_frame

    return save_frame(render_frame(rules, history.states, history.actions, title=title), path)


def _at_random(rules: Any, layout: Any) -> History:
    """One instance, played by one who draws actions at random."""
    rules.action_space.seed(0)
    state = rules.initial(layout)
    history = History([state.copy()])
    for _ in range(rules.max_steps):
        action = np.asarray([rules.action_space.sample()])
        moved = rules.step(state, action)
        state = moved.state
        history.states.append(state.copy())
        history.actions.append(action[0])
        if moved.terminated[0]:
            break
    return history
