"""The commands as a person types them; `plan SITE FILE` goes on working."""

import pytest

from plumbline.cli import run


@pytest.fixture
def central(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def say(*words):
        code = run(["central", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    say("init")
    say("site", "a12")
    return say


def test_a_plan_is_drawn_imported_changed_and_compared(central, tmp_path):
    for start in ("2026-03-01", "2026-03-15"):
        assert central("plan", "generate", f"{start}.csv", "--start", start, "--end", "2026-09-01")[0] == 0
    _, imported, _ = central("plan", "a12", "2026-03-01.csv", "--by", "li")
    central("plan", "import", "a12", "2026-03-15.csv", "--by", "li")
    _, versions, _ = central("plan", "versions", "a12")
    _, changed, _ = central("plan", "diff", "a12", "1", "2")

    assert "plan of a12: version 1, 28 points, 2026-03-01 to 2026-09-01" in imported
    assert len(versions.splitlines()) == 3
    assert changed.startswith("begins +14 days, ends +0 days\nfurthest apart: -")
    assert (
        central("plan", "generate", "2026-03-01.csv", "--start", "2026-03-01", "--end", "2026-09-01")[0] == 2
    )


def test_a_faulty_plan_is_told_row_by_row_and_a_try_keeps_nothing(central, tmp_path):
    (tmp_path / "bad.csv").write_text("date,percent\n2026-03-01,0\n2026-02-01,101\n", encoding="utf-8")
    (tmp_path / "good.csv").write_text("date,percent\n2026-03-01,0\n2026-04-01,100\n", encoding="utf-8")
    code, _, said = central("plan", "a12", "bad.csv")

    assert code == 2
    assert said.count("bad.csv: row 3:") == 2
    assert "nothing kept" in central("plan", "a12", "good.csv", "--dry-run")[1]
    assert len(central("plan", "versions", "a12")[1].splitlines()) == 1


def test_values_are_handed_in_and_the_score_is_a_sum_by_hand(central, tmp_path):
    assert central("indicator", "add", "a12", "funds_paid", "--owner", "Li Wei")[0] == 0
    (tmp_path / "plan.csv").write_text("date,percent\n2025-03-01,40\n", encoding="utf-8")
    (tmp_path / "values.csv").write_text("indicator,date,value\nfunds_paid,2025-03-31,10\n", encoding="utf-8")
    assert central("plan", "a12", "plan.csv", "-i", "funds_paid")[0] == 0
    assert central("indicator", "import", "a12", "values.csv")[1] == "1 values kept\n"
    assert central("indicator", "push", "a12", "funds_paid", "30")[1] == "kept\n"

    score = central("indicator", "score", "a12")[1]
    assert "attainment 75.00 × share 1.0000 = 75.00" in score
    assert "75.00" in central("indicator", "ranking")[1]
    assert central("indicator", "push", "a12", "nonsense", "30")[0] == 2


def test_milestones_are_imported_done_and_drawn_through(central, tmp_path):
    (tmp_path / "m.csv").write_text(
        "id,name,due,weight\nroof,Roof,2026-05-31,3\nwall,Wall,2026-03-31,1\n", encoding="utf-8"
    )
    central("plan", "milestones", "a12", "m.csv")
    code, shown, _ = central("plan", "milestones", "a12", "--done", "wall", "--on", "2025-03-30")
    drawn = ("--shape", "milestones", "--milestones", "m.csv")
    central("plan", "generate", "through.csv", "--start", "2026-01-01", *drawn)

    assert code == 0
    assert "version 2" in shown
    assert "2025-03-30" in shown
    assert (tmp_path / "through.csv").read_text(encoding="utf-8").splitlines() == [
        "date,percent", "2026-01-01,0.000", "2026-04-01,25.000", "2026-06-01,100.000",
    ]  # fmt: skip


def test_the_library_and_a_sites_own_are_shown(central):
    central("indicator", "add", "a12", "energy", "--device", "main", "--weight", "7")

    assert "群众满意度" in central("indicator", "templates")[1]
    assert "energy" in central("indicator", "list", "a12")[1]
    central("indicator", "retire", "a12", "energy")
    assert "energy" not in central("indicator", "list", "a12")[1]
    assert central("indicator", "list", "b1")[0] == 2
