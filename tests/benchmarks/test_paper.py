"""The paper preset: its declarations, and its whole path at tiny sizes."""

import dataclasses
import json
import re
import shutil
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from rich.console import Console

from benchmarks.suite import worker
from benchmarks.suite.benchmark import write_outputs
from benchmarks.suite.drawing.recipe_figures import RECIPES
from benchmarks.suite.earlier import differences
from benchmarks.suite.experiments import PRESETS, select
from benchmarks.suite.job import START_STRIDE, TASKS, Experiment, Job, Point, jobs
from benchmarks.suite.make_zoo import OF_SWEEPS, publish
from benchmarks.suite.paper import DRAWN, PAPER, RECALL, RECALL_FIRST
from benchmarks.suite.summary import readable_json
from benchmarks.suite.worker import (
    agent_path,
    details_of,
    objective_of,
    read_result,
    train,
)
from benchmarks.suite.zoo_scores import zoo_plays, zoo_scores
from rand_agents import QNormConfig, evaluate, load_zoo, zoo_names
from rand_agents import zoo as zoo_module
from rand_agents.__main__ import main
from rand_agents.evaluation.trial import usual_effort
from rand_agents.games.registry import task_of
from rand_agents.policies.transformer import TransformerConfig
from rand_agents.zoo import zoo_card
from rand_envs import GridTask
from tests.rand_agents.games.test_rollout import blind_agent

from .tiny import TINY, TINY_PAPER, finish, tiny


def experiment(name: str) -> Experiment:
    return next(found for found in PAPER if found.name == name)


def way_points() -> list[Point]:
    found = [e for e in PAPER if e.name.startswith("recall-m")]
    return [point for one in found for point in one.points]


def qnorm(point: Point) -> QNormConfig:
    assert isinstance(point.recipe.trainer, QNormConfig)
    return point.recipe.trainer


def test_every_experiment_has_results_and_figures(outputs: tuple[Path, Any, str]) -> None:
    out, results, printed = outputs
    assert set(results["tasks"]) == set(TASKS.values())
    assert set(results["sweeps"]) == {e.name for e in PAPER if e.axis is not None}
    for sweep in results["sweeps"].values():
        assert [point["x"] for point in sweep["points"]] == sorted(p["x"] for p in sweep["points"])
    drawn = {path.stem for path in (out / "figures").glob("*.svg")}
    assert drawn >= {"recall_sizes", "recall_q", "recall_m", "recall_histograms_q"}
    assert drawn >= {"recall_recipe", "recall_draws", "grid_m", "grid_sizes"}
    assert drawn >= {"coloring_q", "coloring_histograms_q"}
    for env_id, task in results["tasks"].items():
        name = task["label"]
        assert drawn >= {f"{name}_{figure}" for figure in ("worst_case", "layouts", "training")}
        in_paper = env_id not in ("RandPatrol-v0", "RandPaging-v0")
        assert (f"{name}_beside_the_paper" in drawn) == in_paper
    grid = results["tasks"]["RandGrid-v0"]["label"]
    assert drawn >= {f"{grid}_{figure}" for figure in ("first_visits", "steps", "weakest")}
    assert max(path.stat().st_size for path in (out / "figures").iterdir()) < 100_000
    for path in (out / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 150
    assert "adv-seeded" in printed


def test_results_have_what_the_figures_show(outputs: tuple[Path, Any, str]) -> None:
    out, results, _ = outputs
    seeded = results["tasks"]["RandRecall-v0"]["models"]["adv-seeded"]
    assert seeded["training_runs"] == 2
    assert len(seeded["average"]["runs"]) == 2
    assert seeded["majority"]["votes"] == 30
    assert [vote["votes"] for vote in seeded["majority"]["fewer"]] == [5]
    assert set(seeded["loss"]) == {"average", "p95"}
    assert len(seeded["histogram"]["share"]) == 20
    assert sum(seeded["histogram"]["share"]) == pytest.approx(1.0, abs=1e-4)
    cells = results["tasks"]["RandGrid-v0"]["models"]["adv-seeded"]["cells"]
    assert (
        cells["rng_seed"] == results["tasks"]["RandGrid-v0"]["models"]["adv-seeded"]["rng_seeds"][0]
    )
    assert [len(row) for row in cells["first_visit"]] == [2, 2]
    assert cells["worst_runs"] == [pytest.approx(max(map(max, cells["steps"])), abs=1e-3)]
    text = (out / "results.json").read_text()
    assert len(text) < 200_000
    assert max(map(len, text.splitlines())) < 3000


def test_results_of_runs_that_are_gone_are_kept_while_the_recipe_is_the_same(
    tmp_path: Path, outputs: tuple[Path, Any, str]
) -> None:
    out, results, _ = outputs

    def written(experiments: tuple[Experiment, ...], rng_seed: int = 0) -> Any:
        shutil.copy(out / "results.json", tmp_path)
        console = Console(file=(tmp_path / "printed.txt").open("w"))
        write_outputs(
            experiments, tmp_path, console, preset="paper", rng_seed=rng_seed, seconds=1.0
        )
        printed = (tmp_path / "printed.txt").read_text()
        assert ("are kept from the results.json that was there" in printed) == (rng_seed == 0)
        return json.loads((tmp_path / "results.json").read_text())

    again = written(TINY_PAPER)
    assert again["tasks"] == results["tasks"]
    assert again["sweeps"] == results["sweeps"]
    with pytest.raises(ValueError, match="preset paper with rng_seed 0, not of paper with 1"):
        written(TINY_PAPER, rng_seed=1)

    # What is trained anew replaces what was, unless it is fewer runs of the same.
    headline = next(found for found in TINY_PAPER if found.name == "recall-headline")
    finish(jobs((headline,), 0, ("adv-seeded",), max_runs=1), tmp_path)
    fewer = written(TINY_PAPER)["tasks"]["RandRecall-v0"]["models"]
    assert fewer == results["tasks"]["RandRecall-v0"]["models"]

    # Another recipe leaves nothing of the point, and the others as they were.
    longer = dataclasses.replace(headline.points[0].recipe, updates=3)
    point = dataclasses.replace(headline.points[0], recipe=longer)
    changed = (dataclasses.replace(headline, points=(point,)), *TINY_PAPER[1:])
    assert TINY_PAPER[0] is headline
    tasks = written(changed)["tasks"]
    assert set(tasks) == set(results["tasks"]) - {"RandRecall-v0"}
    assert tasks["RandGrid-v0"] == results["tasks"]["RandGrid-v0"]


def test_a_sweep_says_all_that_differs_from_its_first_recipe() -> None:
    base = {"a": 1, "policy": {"width": 8, "gain": 2.0}, "same": {"x": 1}}
    assert differences({"a": 2, "policy": {"gain": 2.0, "heads": 3}, "same": {"x": 1}}, base) == {
        "a": 2,
        "policy": {"width": None, "heads": 3},
    }
    assert differences(base, base) == {}


def test_scoring_otherwise_does_not_train_again(tmp_path: Path) -> None:
    point = TINY_PAPER[0].points[0]
    job = jobs(TINY_PAPER[:1], 0, ("adv-seeded",), max_runs=1)[0]
    finish([job], tmp_path)
    before = agent_path(tmp_path, job).stat().st_mtime_ns
    more = dataclasses.replace(point.recipe, evaluation=dataclasses.replace(TINY, num_seeds=5))
    again = dataclasses.replace(job, recipe=more)
    assert again.training_fingerprint == job.training_fingerprint
    assert read_result(tmp_path, again) is None
    finish([again], tmp_path)
    found = read_result(tmp_path, again)
    assert found is not None
    assert found["report"]["num_seeds"] == 5
    assert agent_path(tmp_path, job).stat().st_mtime_ns == before
    longer = dataclasses.replace(job, recipe=dataclasses.replace(more, updates=3))
    assert longer.training_fingerprint != job.training_fingerprint


def test_a_run_goes_on_from_the_best_of_its_starts(tmp_path: Path) -> None:
    point = tiny(experiment("coloring-headline")).points[0]
    recipe = dataclasses.replace(point.recipe, starts=3)
    job = Job("coloring", "starts", "adv-seeded", 0, 5, recipe)
    reported: list[float] = []
    agent, training = train(job, tmp_path, reported.append)
    assert job.updates == 4
    assert len(training.scores) == 1
    assert [update for update, *_ in training.history] == [1, 2]
    objectives = {}
    for start in range(1, 4):
        other = job.agent(start)
        other.learn(recipe.updates, callback=lambda *_, other=other: other.num_timesteps < 1)
        objectives[other.rng_seed] = objective_of(other, job.rng_seed + 800)
    assert len(set(objectives.values())) == 3
    assert agent.rng_seed == min(objectives, key=lambda rng_seed: objectives[rng_seed])
    assert agent.num_timesteps == 2
    # Going on from the trial is the same as never having stopped.
    whole = job.agent(agent.rng_seed // START_STRIDE)
    whole.learn(recipe.updates)
    for weight, same in zip(agent.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(weight, same)
    assert reported == sorted(reported)
    assert reported[-1] == 1.0

    # Interrupted in the third start, it goes on from there, with the same result.
    def interrupt(fraction: float) -> None:
        if fraction == reported[2]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(job, tmp_path / "parts", interrupt)
    rest: list[float] = []
    resumed, record = train(job, tmp_path / "parts", rest.append)
    assert rest == reported[2:]
    assert record.history == training.history
    for weight, same in zip(agent.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(weight, same)


def test_the_best_quarter_of_the_starts_goes_on() -> None:
    recipe = experiment("coloring-headline").points[0].recipe
    assert recipe.rungs == [(8, 2000), (2, 8000)]
    assert Job("coloring", "x", "adv-seeded", 0, 0, recipe).updates == 16_000 + 12_000
    many = dataclasses.replace(recipe, starts=24, trial=1000)
    assert many.rungs == [(24, 1000), (6, 4000), (2, 8000)]
    assert dataclasses.replace(recipe, starts=1).rungs == [(1, 8000)]
    assert dataclasses.replace(many, starts=5).rungs == [(5, 1000), (2, 4000), (1, 8000)]


def test_rungs_go_on_from_wherever_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine starts, of which three are trained again and compared, interrupted at each update."""
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    point = tiny(experiment("coloring-headline")).points[0]
    recipe = dataclasses.replace(point.recipe, starts=9, updates=6)
    assert recipe.rungs == [(9, 1), (3, 4), (1, 6)]
    job = Job("coloring", "rungs", "adv-seeded", 0, 5, recipe)
    whole, training = train(job, tmp_path, lambda _: None)
    assert len(training.scores) == 2
    last = 0.0

    def stop(fraction: float) -> None:
        nonlocal last
        if fraction > last:
            last = fraction
            raise KeyboardInterrupt

    for _ in range(job.updates + 1):
        try:
            agent, record = train(job, tmp_path / "parts", stop)
            break
        except KeyboardInterrupt:
            continue
    assert record.scores == training.scores
    assert record.history == training.history
    for weight, same in zip(agent.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(weight, same)


def test_runs_that_experiments_share_are_done_once() -> None:
    headline = jobs((experiment("recall-headline"),), 0)
    assert len(headline) == 20
    sizes = jobs((experiment("recall-sizes"),), 0)
    shared = {job.name for job in headline} & {job.name for job in sizes}
    assert shared == {
        f"recall20-{model}-{RECALL_FIRST}" for model in {job.model for job in headline}
    }
    assert len(jobs(PAPER, 0)) == len({job.name for job in jobs(PAPER, 0)})
    other = Point("recall20", dataclasses.replace(RECALL, updates=7), first=RECALL_FIRST)
    with pytest.raises(ValueError, match="points of one label must be trained alike"):
        jobs((experiment("recall-headline"), Experiment("other", "recall", (other,))), 0)


def test_a_point_may_begin_at_a_later_run() -> None:
    point = Point("recall20", RECALL, ("adv-seeded",), runs=2, first=3)
    planned = jobs((Experiment("later", "recall", (point,)),), 1)
    assert [(job.run, job.rng_seed) for job in planned] == [(3, 1003), (4, 1004)]


def test_declared_points_are_the_papers() -> None:
    def axis(name: str) -> list[float | None]:
        return [point.x for point in experiment(name).points]

    assert axis("recall-sizes") == [10, 12, 14, 16, 18, 20]
    assert axis("recall-q") == [1, 4, 16, 32, 100, 512]
    assert axis("recall-m") == [1, 2, 4, 8, 16, 32]
    assert axis("recall-recipe") == list(range(len(RECIPES)))
    assert axis("coloring-q") == [1, 2, 3, 5, 10]
    assert axis("grid-sizes") == [3, 4, 5, 6, 8]
    assert axis("grid-pepg") == [3, 4, 5]
    assert axis("grid-m") == [1, 5, 10, 20]
    for point in experiment("recall-q").points:
        assert point.recipe.task["num_pairs"] == 15
        if point.x != 1:
            assert point.recipe.adversarial.q == point.x
            assert (point.recipe.adversarial.q_start or 1.0) <= point.x
    for name in ("recall-m", *(f"recall-m-{way}" for way, _, _ in DRAWN)):
        for point in experiment(name).points:
            assert qnorm(point).m == point.x
    assert {(p.recipe.seed_draw, qnorm(p).seeds_kept) for p in way_points()} == {
        ("independent", 1),
        ("antithetic", 1),
        ("sobol", 1),
        ("distinct", 1),
        ("distinct", 10),
    }
    for job in jobs(PAPER, 0, max_runs=1):
        assert isinstance(job.agent().model.config, TransformerConfig)


def test_experiments_are_selected_by_name_and_game() -> None:
    assert [e.name for e in select("paper", ("coloring",))] == ["coloring-headline", "coloring-q"]
    assert [e.name for e in select("paper", ("recall", "grid"), ("grid-m",))] == ["grid-m"]
    assert [e.name for e in select("quick", ("grid",))] == ["grid"]
    legal = r"preset paper has the experiments .*grid-m, .*, not recall"
    with pytest.raises(ValueError, match=legal):
        select("paper", ("recall",), ("recall",))
    with pytest.raises(ValueError, match="none of grid-m is an experiment on recall"):
        select("paper", ("recall",), ("grid-m",))
    games = {"recall", "coloring", "grid", "patrol", "paging"}
    assert {e.task for e in PRESETS["smoke"]} == games


def test_zoo_is_made_of_first_headline_runs_and_retraining_gives_the_same_weights(
    tmp_path: Path,
    outputs: tuple[Path, Any, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(zoo_module, "FOLDER", tmp_path / "zoo")
    small = partial(evaluate, layouts=8, num_seeds=4, num_fresh_seeds=6, search_rounds=0)
    monkeypatch.setattr("benchmarks.suite.make_zoo.evaluate", small)
    of_sweeps = (f"{OF_SWEEPS[0]}-grid-pepg",)
    monkeypatch.setattr("benchmarks.suite.make_zoo.OF_SWEEPS", of_sweeps)
    out = outputs[0]
    assert len(publish(TINY_PAPER, out, 0)) == 15
    name = next(name for name in zoo_names() if re.match(r"recall.*adv-seeded", name))
    card = zoo_card(name)
    # One number for one agent: the card has what `evaluate` finds.
    found = small(load_zoo(name))
    assert card["scores"]["average"]["estimate"] == found.average.estimate
    assert card["scores"]["worst"]["layout"] == found.worst.layout
    assert card["scores"]["game_value_kind"] == found.game_value_kind
    assert card["rng_seed"] == RECALL_FIRST
    assert "--models adv-seeded --runs 1" in card["command"]
    assert card["check"].startswith(f"python -m rand_agents zoo --compare {name} results/again")
    assert load_zoo(name).num_timesteps == card["updates"] == 2
    job = jobs(TINY_PAPER, 0, (card["model"],), max_runs=1)[0]
    finish([job], tmp_path / "again")
    again = agent_path(tmp_path / "again", job)
    assert main(["zoo", "--compare", name, str(again)]) == 0
    assert "to the last bit" in capsys.readouterr().out


def test_an_empty_zoo_has_no_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_module, "FOLDER", tmp_path)
    assert zoo_plays(("recall", "coloring")) == []
    assert zoo_scores({}) == {}


def test_readable_json_is_json_with_short_lines() -> None:
    value = {"a": {"estimate": 1.0, "ci95": [0.5, 1.5]}, "b": ["x" * 60, "y" * 60], "c": None}
    text = readable_json(value)
    assert json.loads(text) == value
    assert text.splitlines()[1] == ' "a": {"estimate": 1.0, "ci95": [0.5, 1.5]},'


def test_cells_of_a_grid_by_hand() -> None:
    # At cell 1 after a step, and again after another; at cell 2 after two, but then a detour.
    cells = details_of(blind_agent(GridTask((1, 3), horizon=4), "RRLRRRRR"), 0)
    assert cells == {"first_visit": [[0.0, 1.0, 2.0]], "steps": [[0.0, 2.0, 5.0]], "direct": 0.5}
    # Who never moves finds nothing.
    cells = details_of(blind_agent(GridTask((1, 3), horizon=4), "LLLLLLLL"), 0)
    assert cells == {"first_visit": [[0.0, 4.0, 4.0]], "steps": [[0.0, 8.0, 8.0]], "direct": None}


def test_what_may_come_into_the_zoo_is_scored_as_evaluate_scores_it() -> None:
    shared = {"layouts", "num_seeds", "num_fresh_seeds", "search_rounds", "search_starts"}
    for name in ("recall", "coloring"):
        recipe = experiment(f"{name}-headline").points[0].recipe
        usual = usual_effort(task_of(TASKS[name], recipe.task))
        assert {key: getattr(recipe.evaluation, key) for key in shared} == {
            key: getattr(usual, key) for key in shared
        }
    agent = blind_agent(GridTask((1, 3), horizon=4), "RRLRRRRR")
    size = dataclasses.replace(TINY, rng_seed=0)
    assert size.evaluate(agent, 7).to_json() == size.evaluate(agent, 8).to_json()
    default = signature(evaluate).parameters["rng_seed"].default
    assert recipe.evaluation.rng_seed == default
