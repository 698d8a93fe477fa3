"""The main job: its results, its figures, its report, and that it goes on after a stop."""

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.suite import publish
from benchmarks.suite.experiments import PRESETS, select
from benchmarks.suite.job import MODELS, Job, jobs
from benchmarks.suite.main import default_out
from benchmarks.suite.report.printed import shown_gap
from benchmarks.suite.summary import ground_truth, over_runs
from benchmarks.suite.worker import read_result, result_path, train
from rand_agents.evaluation.evaluate import gap_to
from rand_agents.evaluation.intervals import Figure
from rand_envs import Found
from rand_envs.adversaries import FoundConfig

ROOT = Path(__file__).parents[2]


def run_benchmark(out: Path) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--preset", "smoke"]
    command += ["--tasks", "recall", "--out", str(out)]
    environment = os.environ | {"SDL_VIDEODRIVER": "dummy"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("smoke")
    return out, run_benchmark(out)


def test_results_follow_the_schema(smoke: tuple[Path, str]) -> None:
    out, printed = smoke
    results = json.loads((out / "results.json").read_text())
    assert results["schema"] == 1
    assert results["preset"] == "smoke"
    assert {"cpu", "cores", "torch", "numba"} <= set(results["machine"])
    assert results["command"].startswith("python ")
    assert set(results["code"]) == {"version", "revision", "digest"}
    assert task_of(results)["code"] == [results["code"]]
    task = results["tasks"]["RandRecall-v0"]
    assert (task["unit"], task["higher_is_better"]) == ("success", True)
    assert set(task["ground_truth"]) >= {"value", "kind"}
    assert tuple(task["models"]) == MODELS
    for model in task["models"].values():
        for name in ("average", "p95", "worst"):
            low, high = model[name]["ci95"]
            assert 0.0 <= low <= model[name]["estimate"] <= high <= 1.0
        assert model["worst"]["kind"] == "bound"
        assert model["training_runs"] == 1
        assert model["search"] == {"rounds": 2, "starts": 4, "seeds": model["search"]["seeds"]}
    assert task["models"]["erm-fixed"]["seed_variance"] == 0.0
    assert task["models"]["erm-fixed"]["majority"] is None
    assert task["models"]["adv-seeded"]["majority"]["votes"] == 5
    assert "adv-seeded" in printed


def task_of(results: Any) -> Any:
    return results["tasks"]["RandRecall-v0"]["models"]["adv-seeded"]


def test_report_and_figures_are_there(smoke: tuple[Path, str]) -> None:
    out, _ = smoke
    page = (out / "report.html").read_text()
    assert "search: 2 rounds of mutation, after an ascent from each of the 4 worst" in page
    frames, charts = (list((out / "figures").glob(kind)) for kind in ("*.png", "*.svg"))
    assert {path.stem for path in charts} == {
        f"recall_{name}" for name in ("worst_case", "layouts", "training")
    }
    # The game, on its card, and one policy under four seeds.
    assert page.count("data:image/png;base64,") == len(frames) == 5
    assert page.count("<svg") == len(charts)
    assert not re.search(r'(src|href)="(?!data:|#)', page), "all is in the one file"
    for model in MODELS:
        assert model in page


def test_second_run_trains_nothing_and_agrees(smoke: tuple[Path, str]) -> None:
    out, _ = smoke
    before = json.loads((out / "results.json").read_text())["tasks"]
    assert "(4 already there)" in run_benchmark(out)
    assert json.loads((out / "results.json").read_text())["tasks"] == before


def test_a_benchmark_changes_no_file_that_git_knows() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for preset in PRESETS:
        assert f"/{default_out(preset).parts[0]}/" in ignored


def test_what_is_committed_is_made_by_another_command(
    smoke: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = smoke
    before = (out / "results.json").read_bytes()
    arguments = ["--preset", "smoke", "--runs", str(out), "--to", str(tmp_path / "made")]
    monkeypatch.setattr(sys, "argv", ["publish.py", *arguments])
    assert publish.main() == 0
    made, ran = (json.loads((p / "results.json").read_text()) for p in (tmp_path / "made", out))
    for name in ("tasks", "machine", "code", "command", "seconds"):
        assert made[name] == ran[name]
    assert "run.py --preset smoke" in made["command"]
    assert (tmp_path / "made" / "report.html").is_file()
    assert (out / "results.json").read_bytes() == before
    monkeypatch.setattr(sys, "argv", ["publish.py", "--runs", str(tmp_path / "none")])
    assert publish.main() == 2


def smoke_job() -> Job:
    planned = jobs(select("smoke", ("recall",)), 0)
    return next(job for job in planned if job.model == "adv-seeded")


def test_result_of_another_recipe_is_not_reused(smoke: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = smoke
    job = smoke_job()
    assert read_result(out, job) is not None
    other = jobs(select("smoke", ("recall",)), 1)[-1]
    assert other.name == job.name
    assert read_result(out, other) is None
    result_path(tmp_path, job).parent.mkdir(parents=True)
    result_path(tmp_path, job).write_text("{half")
    assert read_result(tmp_path, job) is None


def test_found_layouts_are_for_the_adv_models_and_determine_their_weights(tmp_path: Path) -> None:
    found = FoundConfig(share=0.5, size=4, learn_every=20)
    plain = {job.model: job for job in jobs(select("smoke", ("recall",)), 0)}
    changed = {
        name: dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, found=found))
        for name, job in plain.items()
    }
    sources = {name: job.agent().layouts for name, job in changed.items()}
    assert sources["erm-fixed"] is sources["erm-seeded"] is None
    for name in ("adv-fixed", "adv-seeded"):
        source = sources[name]
        assert isinstance(source, Found)
        assert source.config == found
        assert plain[name].agent().layouts is None
        assert changed[name].training_fingerprint != plain[name].training_fingerprint
    agent, _ = train(changed["adv-seeded"], tmp_path, lambda _: None)
    assert isinstance(agent.layouts, Found)
    before = sources["adv-seeded"]
    assert isinstance(before, Found)
    assert agent.layouts.layouts != before.layouts, "it learned"


def test_an_option_that_came_later_changes_no_fingerprint_of_runs_that_had_none() -> None:
    plain = jobs(select("smoke", ("recall",)), 0, ("adv-seeded",))[0]
    found = FoundConfig(share=0.5, size=4)
    job = dataclasses.replace(plain, recipe=dataclasses.replace(plain.recipe, found=found))
    recipe = dataclasses.asdict(job.recipe)
    del recipe["evaluation"], recipe["found"]["learn_from"]
    facts = json.dumps(["recall", job.model, job.rng_seed, recipe], sort_keys=True)
    assert hashlib.sha256(facts.encode()).hexdigest().startswith(job.training_fingerprint)
    late = dataclasses.replace(job.recipe, found=dataclasses.replace(found, learn_from=5))
    assert dataclasses.replace(job, recipe=late).training_fingerprint != job.training_fingerprint
    scored = dataclasses.replace(job.recipe.evaluation, rng_seed=0)
    again = dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, evaluation=scored))
    assert again.training_fingerprint == job.training_fingerprint
    assert again.fingerprint != job.fingerprint


def test_interrupted_training_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.suite.worker.CHECKPOINT_SECONDS", 0.0)
    job = smoke_job()
    whole, _ = train(job, tmp_path / "whole", lambda _: None)

    def stop_half_way(fraction: float) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(job, tmp_path / "parts", stop_half_way)
    seen: list[float] = []
    resumed, _ = train(job, tmp_path / "parts", seen.append)
    assert seen[0] > 0.5
    assert not list((tmp_path / "parts" / "partial").iterdir())
    for name, weight in whole.model.named_weights().items():
        assert weight.equal(resumed.model.named_weights()[name])


def test_every_job_differs_only_as_the_four_models_do() -> None:
    planned = jobs(PRESETS["quick"], 0)
    assert len(planned) == 60
    assert len({job.fingerprint for job in planned}) == 60
    for job in planned:
        if job.run == 0 and job.task == "recall":
            agent = job.agent()
            config: Any = agent.config
            assert agent.seeds.is_fixed == job.model.endswith("fixed")
            assert (config.objective.q == 1.0) == job.model.startswith("erm")


def test_over_runs_of_three_covers_their_range() -> None:
    figures = [{"estimate": x, "ci95": [x, x]} for x in (10.0, 10.0, 16.0)]
    together = over_runs(figures)
    assert together["estimate"] == 12.0
    assert together["ci95"] == [10.0, 16.0]
    alone = over_runs([{"estimate": 0.5, "ci95": [0.4, 0.7]}] * 3)
    assert alone["ci95"] == pytest.approx([0.4, 0.7])


def test_gap_is_positive_where_the_policy_is_worse() -> None:
    assert gap_to(7.0, Figure(8.5, (8.0, 9.0)), False) == Figure(1.5, (1.0, 2.0))
    assert gap_to(1.0, Figure(0.5, (0.25, 0.75)), True) == Figure(0.5, (0.25, 0.75))


def test_gap_says_when_it_is_a_bound(smoke: tuple[Path, str]) -> None:
    out, _ = smoke
    task = json.loads((out / "results.json").read_text())["tasks"]["RandRecall-v0"]
    model = task["models"]["erm-fixed"]
    assert task["ground_truth"] == {"value": 1.0, "kind": "exact"}
    assert model["gap"]["estimate"] == pytest.approx(1.0 - model["worst"]["estimate"], abs=1e-5)
    figure = {"estimate": 0.5, "ci95": [0.25, 0.75], "kind": "bound"}
    assert shown_gap(figure, "exact", "success") == "≤ 50.0 [25.0, 75.0]"
    assert shown_gap(figure | {"kind": "exact"}, "exact", "steps") == "0.50 [0.25, 0.75]"
    assert shown_gap(None, "exact", "steps") == "-"
    # A search may have missed worse layouts: the gap is what was found, or more.
    assert shown_gap(figure | {"kind": "exact"}, "bound", "steps") == "≥ 0.50 [0.25, 0.75]"
    assert shown_gap(figure, "bound", "success") == "≈ 50.0 [25.0, 75.0]"


def test_grid_of_the_quick_preset_has_game_value_seven() -> None:
    job = jobs(select("quick", ("grid",)), 0)[0]
    assert job.recipe.task["start"] == [1, 1]
    truth = ground_truth(job.task, job.recipe.task)
    assert truth["value"] == pytest.approx(7.0, abs=1e-6)
