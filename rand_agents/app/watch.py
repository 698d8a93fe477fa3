"""`watch`: one agent on one layout under several seeds, side by side."""

import io
import json
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from rand_agents.app.commands import Watch
from rand_agents.app.gym_frames import gym_frames
from rand_agents.evaluation.evaluate import evaluate
from rand_agents.evaluation.tables import interval_of, number
from rand_agents.training.agent import Agent
from rand_envs.core.arrays import Array, Json
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import Task, rules_of
from rand_envs.core.writing import checked_output, write_atomically

LAST_FRAME_SECONDS = 3.0
"""How long the end is shown before the animation starts again."""


def watch(options: Watch, contestant: Callable[[], Any], console: Console, errors: Console) -> int:
    """Play, and show or record it; the exit code.

    Args:
        options: What to watch.
        contestant: Makes the player: an agent, or what is watched like one.
        console: Where to report.
        errors: Where to show that it is working.
    """
    _check(options)
    player = contestant()
    with errors.status("playing …"):
        choice = choose_layout(player, options.layout, options.rng_seed)
        player.set_random_seed(options.rng_seed)
        frames = _frames(player, choice.layout, options)
    described = player.task.layout_space.unpack(choice.layout)[0].to_json()
    console.print(f"Layout ({choice.remark}):", soft_wrap=True, markup=False)
    console.print(f"  {shlex.quote(json.dumps(described))}", soft_wrap=True, markup=False)
    if options.record is None:
        name = options.player or Path(options.subject).name
        show(frames, f"{name} on {player.task.env_id}", options.fps)
        return 0
    record(frames, options.record, options.fps)
    console.print(f"Saved {options.record}", soft_wrap=True, markup=False)
    return 0


def _check(options: Watch) -> None:
    if options.seeds < 1:
        raise ValueError(f"--seeds must be at least 1, got {options.seeds}")
    if not 0 < options.fps <= 50:
        raise ValueError(f"--fps must be above 0 and at most 50, got {options.fps}")
    if options.record is not None:
        checked_output(options.record, "--record", ".gif", ".png", overwrite=options.overwrite)


def _frames(player: Any, layout: Array, options: Watch) -> list[Array]:
    if not isinstance(player.task, Task):
        return gym_frames(player, layout, options.seeds, sample=options.sample)
    return draw_frames(player, play_out(player, layout, options.seeds, sample=options.sample))


@dataclass
class History:
    """One instance so far, as the renderer wants it.

    Attributes:
        states: States since the start, each of shape (1,).
        actions: Actions between them.
    """

    states: list[Array]
    actions: list[Array] = field(default_factory=list)

    def until(self, step: int) -> "History":
        """What was known after `step` actions, or all where it ended before."""
        return History(self.states[: step + 1], self.actions[:step])


@dataclass(frozen=True)
class Choice:
    """The layout to watch.

    Attributes:
        layout: Shape (1,).
        remark: Where it comes from, for the user.
    """

    layout: Array
    remark: str


def choose_layout(agent: Agent[Any], wish: str, rng_seed: int) -> Choice:
    """Find the layout that the user asked for.

    Args:
        agent: The player.
        wish: "uniform", "worst" (for this agent), or the JSON of a layout.
        rng_seed: Determines the uniform layout, and the search for the worst one.

    Raises:
        ValueError: If the wish is none of these, or not a legal layout.
    """
    space = agent.task.layout_space
    if wish == "uniform":
        rng = generator(Stream.WATCHING, rng_seed)
        return Choice(space.sample(rng, 1), "a uniformly drawn layout")
    if wish == "worst":
        report = evaluate(
            agent, layouts=200, num_seeds=30, num_fresh_seeds=300, votes=(), rng_seed=rng_seed
        )
        worst = report.worst
        how = {
            "exact": "the worst of all layouts",
            "estimate": "what looked worst of all layouts",
            "bound": "the worst layout that was found",
        }
        mean, interval = number(worst.estimate, report.unit), interval_of(worst, report.unit)
        return Choice(
            space.pack([worst.layout]),
            f"{how[worst.kind]}; mean {report.unit} {mean}, 95 % interval {interval}",
        )
    return Choice(space.pack([_parsed(wish, agent)]), "the layout asked for")


def _parsed(wish: str, agent: Agent[Any]) -> Json:
    space = agent.task.layout_space
    try:
        layout = json.loads(wish)
    except json.JSONDecodeError:
        layout = None
    if not isinstance(layout, dict):
        example = space.unpack(space.sample(np.random.default_rng(0), 1))[0].to_json()
        raise ValueError(
            f"--layout must be uniform, worst, or the JSON of a layout of {agent.task.env_id} "
            f"such as {json.dumps(example)}, got {wish!r}"
        )
    return layout


def play_out(agent: Agent[Any], layout: Array, num_seeds: int, *, sample: bool) -> list[History]:
    """Play one layout, shape (1,), to its end under several seeds.

    Seeds, and samples where actions are sampled, come from the agent's own generator.
    """
    task = rules_of(agent.task)
    state = task.initial(np.repeat(layout, num_seeds))
    histories = [History([state[i : i + 1].copy()]) for i in range(num_seeds)]
    playing = np.arange(num_seeds)
    memory: Any = None
    while len(playing):
        actions, memory = agent.predict(task.observe(state), memory, deterministic=not sample)
        moved = task.step(state[playing], actions[playing])
        state[playing] = moved.state
        for i in playing.tolist():
            histories[i].states.append(state[i : i + 1].copy())
            histories[i].actions.append(actions[i])
        playing = playing[~moved.terminated]
    return histories


def draw_frames(agent: Agent[Any], histories: Sequence[History]) -> list[Array]:
    """One picture for every step, all instances side by side, each uint8 (H, W, 3)."""
    # Imported here so that training and evaluation work where there is no pygame.
    from rand_envs.rendering import render_frame, tile

    task = rules_of(agent.task)
    name = "Fixed seed" if agent.is_deterministic else "Seed"
    length = max(len(history.actions) for history in histories)
    panels: list[Any] = [None] * len(histories)
    frames = []
    for step in range(length + 1):
        for i, history in enumerate(histories):
            if step <= len(history.actions):
                seen = history.until(step)
                title = f"{name} {i + 1}"
                panels[i] = render_frame(task, seen.states, seen.actions, title=title)
        frames.append(tile(panels, len(panels) if len(panels) <= 3 else None))
    return frames


def record(frames: Sequence[Array], path: Path, fps: float) -> None:
    """Write the frames to a .gif, or the last one to a .png, atomically."""
    images = [Image.fromarray(frame) for frame in frames]
    data = io.BytesIO()
    if path.suffix == ".png":
        images[-1].save(data, "PNG", optimize=True)
    else:
        paletted = _paletted(images)
        durations = [round(1000 / fps)] * (len(images) - 1) + [round(1000 * LAST_FRAME_SECONDS)]
        paletted[0].save(
            data, "GIF", save_all=True, append_images=paletted[1:], duration=durations, loop=0
        )
    write_atomically(path, data.getvalue())


def _paletted(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Reduce images to their 256 commonest colours, which stay exact, and those nearest.

    The palette is common to all, since one for each would flicker, and Pillow's own mapping to
    a palette turns white into grey.
    """
    counts: Counter[Any] = Counter()
    for image in images:
        for count, color in image.getcolors(image.width * image.height) or []:
            counts[color] += count
    colors = np.array([color for color, _ in counts.most_common()])
    palette = colors[:256]
    distance = ((colors[:, None] - palette) ** 2).sum(-1)
    place = np.zeros(1 << 24, np.uint8)
    code = np.array([1 << 16, 1 << 8, 1])
    place[colors @ code] = distance.argmin(-1)
    paletted = [Image.fromarray(place[np.asarray(image) @ code]) for image in images]
    for image in paletted:
        image.putpalette(palette.astype(np.uint8).tobytes())
    return paletted


def show(frames: Sequence[Array], title: str, fps: float) -> None:
    """Play the frames in a window, again and again until it is closed.

    Raises:
        ValueError: If there is no display.
    """
    import pygame

    from rand_envs.rendering import Window

    window = Window(title, fps)
    pause = max(1, round(LAST_FRAME_SECONDS * fps))
    try:
        while not window.closed:
            for frame in [*frames, *[frames[-1]] * pause]:
                window.show(frame)
    except pygame.error as error:
        raise ValueError(
            f"no window can be opened here ({error}): use --record FILE.gif or FILE.png"
        ) from None
    finally:
        window.close()
