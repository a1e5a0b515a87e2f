"""A run that was cut off goes on to what it would have come to, and says what it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not here; see requirements-train.lock")

from plumbline.errors import ConfigError  # noqa: E402
from plumbline_train.ablate import FIGURES, rows, variants  # noqa: E402
from plumbline_train.dataset import SAMPLE, Recipe, Shards, dataset_hash  # noqa: E402
from plumbline_train.monitor import judge  # noqa: E402
from plumbline_train.net import StageNet  # noqa: E402
from plumbline_train.train import Settings, mix_in, train  # noqa: E402

FEW = {"seed": 3, "shards": 1, "batch": 2, "real": False, "watch_minutes": 0.0}


@pytest.fixture(autouse=True)
def one_thread():
    """Small steps on a busy machine wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def samples(tmp_path):
    """Shards that need no rendering: noise, with a facade at stage 2 in it."""
    rng = np.random.default_rng(8)
    made = np.zeros(8, SAMPLE)
    made["now"], made["day0"] = (rng.integers(0, 255, made["now"].shape) for _ in range(2))
    made["stage"][:], made["aux"][:] = 255, 0
    made["stage"][:, 20:116, 16:144] = 2
    made["floors"], made["bays"], made["camera"] = 2, 2, np.arange(8) // 4
    made["percent"][:, :4], made["weight"][:, :4] = 0.12, 0.25
    made["day"] = np.arange(8) % 4
    folder = tmp_path / "samples"
    for recipe, count in ((Recipe(seed=3), 1), (Recipe(seed=9, split="holdout", fault_share=0.0), 2)):
        (folder / dataset_hash(recipe)).mkdir(parents=True)
        for number in range(count):
            kept = made if recipe.split == "train" else made[:1]
            np.save(folder / dataset_hash(recipe) / f"{number:05d}.npy", kept)
    return folder


def trained(out, samples, **asked):
    lines = []
    run = train(
        out, Settings(**(FEW | asked)), lambda _, line: lines.append(line), samples=samples, workers=1
    )
    return run, lines


def test_cut_off_and_gone_on_is_the_same_net_as_in_one_go(tmp_path, samples):
    settings = Settings(**FEW | {"steps": 4, "checkpoint_s": 0.0, "watch_minutes": 1e-9})

    def cut_off(_share, line):
        if "after step 2" in line:
            raise KeyboardInterrupt

    trained(tmp_path / "whole", samples, steps=4)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", settings, cut_off, samples=samples, workers=1)
    run = train(tmp_path / "parts", settings, lambda *_: None, samples=samples, workers=1)
    whole, again = (torch.load(tmp_path / name / "weights.pt")["mean"] for name in ("whole", "parts"))

    assert run.steps == 4
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_checkpoint_of_another_run_is_not_gone_on_with(tmp_path, samples):
    trained(tmp_path / "run", samples, steps=1)

    with pytest.raises(ConfigError, match="other settings"):
        trained(tmp_path / "run", samples, steps=2, peak_rate=1e-3)


def test_a_run_goes_on_with_what_was_rendered_meanwhile_and_says_so(tmp_path, samples):
    trained(tmp_path / "run", samples, steps=2)
    shards = samples / dataset_hash(Recipe(seed=3))
    (shards / "00001.npy").write_bytes((shards / "00000.npy").read_bytes())
    run, _ = trained(tmp_path / "run", samples, steps=4, shards=2)

    assert run.grown == [[0, 8, 0.4], [2, 16, 0.4]]


def test_a_run_says_what_it_was(tmp_path, samples):
    trained(tmp_path / "run", samples, steps=3)
    facts = json.loads((tmp_path / "run" / "trained.json").read_text(encoding="utf-8"))

    assert facts["steps"] == 3
    assert facts["samples_shown"] == 6
    assert facts["samples_distinct"] == 8
    assert facts["dataset_hash"] == dataset_hash(Recipe(seed=3))
    assert facts["photos"] == []


def test_the_loss_falls_on_what_is_shown_again_and_again(tmp_path, samples):
    run, _ = trained(tmp_path / "run", samples, steps=12)

    assert run.curve[-1][1] < run.curve[0][1]


def test_an_odd_batch_is_refused():
    with pytest.raises(ConfigError, match="even"):
        Settings(batch=3)


def test_hold_out_figures_are_told_by_track(samples):
    shards = Shards.opened([samples / dataset_hash(Recipe(seed=3)) / "00000.npy"])
    figures = judge(StageNet(), shards, torch.device("cpu"))

    assert {name.split("_")[0] for name in figures} == {"new"}
    assert 0 <= figures["new_stage_exact"] <= figures["new_stage_within_1"] <= 1


def test_marked_facades_take_their_share_of_a_step():
    shown, marked = np.zeros(200, SAMPLE), np.zeros(1, SAMPLE)
    marked["camera"] = -1
    mix_in(shown, marked, np.random.default_rng(2), 0.06)

    assert 2 <= (shown["camera"] < 0).sum() <= 25


def test_each_variant_lacks_one_thing_and_one_lacks_nothing():
    settings = Settings()
    every = variants(settings)

    assert every.pop("whole") == settings
    assert [v.day0 for v in every.values()].count(False) == 1
    assert [v.real for v in every.values()].count(False) == 1
    assert [v.weights.ranking for v in every.values()].count(0.0) == 1
    assert [v.weights.consistency for v in every.values()].count(0.0) == 1


def test_the_table_has_a_row_a_variant_and_track():
    judged = dict.fromkeys(FIGURES, 0.5)
    tables = {"whole": {f"unseen_families.{track}": judged for track in ("new", "reno")}}

    assert rows(tables)[1:] == [("whole", track, *["0.500"] * len(FIGURES)) for track in ("new", "reno")]
