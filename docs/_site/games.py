"""A page for every registered game: its docstring, its spaces, its value, reference scores."""

import inspect
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image
from tables import plain, results, shown, size, table

from rand_agents import evaluate, load_zoo, zoo_names
from rand_agents.app.lookup import short_name
from rand_agents.evaluation.tables import number
from rand_agents.zoo import zoo_card
from rand_envs.adversaries import MAX_EXHAUSTIVE
from rand_envs.core.register import TASKS
from rand_envs.core.task import Task, resolved
from rand_envs.minimax import game_value

SIZES: dict[str, list[dict[str, Any]]] = {
    "RandGrid-v0": [
        *({"size": size} for size in range(2, 6)),
        {"size": 3, "start": (1, 1), "horizon": 12},
    ],
    "RandPatrol-v0": [{"graph": graph} for graph in (("cycle", 5), ("line", 4), ("star", 4))],
    "RandPaging-v0": [{"num_requests": requests} for requests in range(4, 9)],
}
"""Sizes whose exact values a page shows beside that of the default one."""

SAMPLED = 500
"""Layouts that a classical player plays where they are too many for all of them."""

INSTANCES = 8
"""Of which a page shows the longest that ends well."""

SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
FOR_PROGRAMMERS = "The rules as a class"


def slug(task: Task[Any]) -> str:
    """The name of a game's page."""
    return short_name(task.env_id) or task.env_id


def summary(task: Task[Any]) -> str:
    """The first sentence of its docstring."""
    return (inspect.getdoc(type(task)) or "").partition("\n")[0]


def pages() -> Iterator[tuple[str, Task[Any]]]:
    """The registered games by the names of their pages."""
    for kind in TASKS.values():
        task = kind()
        yield slug(task), task


def index() -> str:
    """The page that lists all games."""
    rows = []
    for name, task in pages():
        value = number_of(game_value(task), task)
        rows.append((f"[{task.env_id}]({name}.md)", summary(task), task.unit, value))
    head = ("game", "what it asks", "unit", "game value, default size")
    return (
        "# The games\n\nIn each of them an adversary who knows the policy, but not its random "
        "seed, picks the instance: the *layout*.\n\n"
        + table(head, rows)
        + "\n≤ marks a bound: nobody can do better, and it is open whether anybody can do as well. "
        "Yours can be the next: [write your own game](../own-game.md).\n"
    )


def page(task: Task[Any]) -> str:
    """One game's page."""
    name = slug(task)
    parts = [
        f"# {task.env_id}\n\n**{summary(task)}**\n",
        f"![One instance of {task.env_id}]({name}.png){{ .instance }}\n",
        _snippet(task),
        *_sections(task),
        f"## At its default size\n\n{_facts(task)}",
        f"## Exact values\n\n{_values(task)}",
        f"## Reference scores\n\n{_scores(task)}",
    ]
    return "\n".join(parts)


def _snippet(task: Task[Any]) -> str:
    return f"""```python
import gymnasium as gym
import rand_envs

env = gym.make("{task.env_id}")
envs = gym.make_vec(
    "{task.env_id}", num_envs=64, vectorization_mode="vector_entry_point"
)
```
"""


def _sections(task: Task[Any]) -> Iterator[str]:
    """The docstring's sections, but for what is for those who use the class itself."""
    text = inspect.getdoc(type(task)) or ""
    _, *found = SECTION.split(text)
    for title, body in zip(found[::2], found[1::2], strict=True):
        if title != FOR_PROGRAMMERS:
            # Lists need an empty line before them, and four spaces to go on.
            body = re.sub(r"^  (?=\S)", "    ", body.strip(), flags=re.MULTILINE)
            yield f"## {title}\n\n{body}\n"


def _facts(task: Task[Any]) -> str:
    layouts = task.layout_space.size
    count = (
        "not counted" if layouts is None else f"{layouts:,}" if layouts < 1e9 else f"{layouts:.1e}"
    )
    low, high = task.outcome_range
    better = "more is better" if task.higher_is_better else "fewer is better"
    rows = [
        ("actions", f"`{task.action_space}`"),
        ("observations", f"`{task.observation_space}`"),
        ("layouts", count),
        ("steps of an instance, at most", f"{task.max_steps}"),
        ("outcome", f"{task.unit}, {low:g} to {high:g}; {better}"),
    ]
    return table(("", f"`{type(task).__name__}()`"), rows)


def number_of(value: Any, task: Task[Any]) -> str:
    """A game value, with a sign where it is a bound."""
    if value.value is None:
        return "not known"
    sign = "" if value.kind == "exact" else "≤ " if task.higher_is_better else "≥ "
    return sign + number(value.value, task.unit)


def _values(task: Task[Any]) -> str:
    default = game_value(task)
    text = f"At its default size the game value is **{number_of(default, task)}**"
    if default.kind == "exact":
        text += ", exactly.\n"
    else:
        text += ". The game is too large to be solved here, and this is only its bound.\n"
    rows = []
    for config in SIZES.get(task.env_id, []):
        said = ", ".join(f"`{key}={value}`" for key, value in config.items())
        rows.append((said, number_of(game_value(type(task)(**config)), task)))
    if rows:
        text += f"\n{table(('arguments', 'game value'), rows)}"
    return text + (
        "\nThe [game value](../understand/glossary.md) is the best worst case that any randomised "
        "strategy can reach; see [how it is computed](../understand/values.md).\n"
    )


def _scores(task: Task[Any]) -> str:
    """Tables of classical players, of the zoo's agents, and of the default benchmark's."""
    rows = [_player(name, task) for name in task.players]
    text = "Classical players at the default size:\n\n"
    text += table(("`--player`", "what it does", "average", "worst case"), rows)
    cards = {name: zoo_card(name) for name in zoo_names()}
    rows = [
        (f"`{name}`", _config(card["recipe"]["task"]), *_figures(card["scores"]))
        for name, card in cards.items()
        if card["env_id"] == task.env_id
    ]
    if rows:
        text += "\nTrained agents that come with the package:\n\n"
        text += table(("zoo", "arguments", "average", "worst case"), rows)
    trained = results("quick")["tasks"].get(task.env_id)
    if trained:
        rows = [
            (f"`{name}`", *_figures(model | {"unit": trained["unit"]}))
            for name, model in trained["models"].items()
        ]
        text += f"\nTrained by the default benchmark, {size(trained)}:\n\n"
        text += table(("model", "average", "worst case"), rows)
    return text + (
        "\nIn brackets for players and the zoo the 95 % interval of the evaluation, for the "
        "benchmark about the range of its training runs. † was found by a search: there may be "
        "worse.\n"
    )


def _config(arguments: dict[str, Any]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in arguments.items())


def _player(name: str, task: Task[Any]) -> tuple[str, ...]:
    player = resolved(task.players[name])(task)
    space = task.layout_space
    few = space.size is not None and space.size <= MAX_EXHAUSTIVE
    layouts = None if few else space.sample(np.random.default_rng(0), SAMPLED)
    report = evaluate(player, layouts=layouts, num_seeds=50, search_rounds=3, votes=())
    does = (inspect.getdoc(player) or "").partition("\n")[0]
    return f"`{name}`", does, *_figures(report.to_json())


def _figures(scores: dict[str, Any]) -> tuple[str, str]:
    """Average and worst case."""
    worst = shown(scores["worst"], scores["unit"])
    dagger = " †" if scores["worst"]["kind"] == "bound" else ""
    return plain(scores["average"]["estimate"], scores["unit"]), worst + dagger


def picture(task: Task[Any]) -> bytes:
    """A long instance, as PNG: played by the zoo's agent if there is one, else at random."""
    env = gym.make(task.env_id, render_mode="rgb_array", disable_env_checker=True)
    agents = [
        load_zoo(name)
        for name in zoo_names()
        if zoo_card(name)["env_id"] == task.env_id and name.endswith("adv-seeded")
    ]
    agent = next((agent for agent in agents if agent.task.config == task.config), None)
    _played(env, agent, max(range(INSTANCES), key=lambda seed: _played(env, agent, seed)))
    file, frame = BytesIO(), env.render()
    assert isinstance(frame, np.ndarray)
    Image.fromarray(frame).save(file, "PNG")
    env.close()
    return file.getvalue()


def _played(env: gym.Env[Any, Any], agent: Any, seed: int) -> tuple[bool, int]:
    """Play an instance to its end; whether it ended well, and after how many steps."""
    env.action_space.seed(seed)
    if agent is not None:
        agent.set_random_seed(seed)
    observation, _ = env.reset(seed=seed)
    memory, over, steps = None, False, 0
    while not over:
        if agent is None:
            action = env.action_space.sample()
        else:
            action, memory = agent.predict(observation, memory)
        observation, _, over, _, info = env.step(action)
        steps += 1
    return bool(info["is_success"]), steps
