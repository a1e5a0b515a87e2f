"""The documents say what the code says; each fails here when it lies."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from plumbline.cli import _PARTS, _load
from plumbline.errors import FaultyFile
from plumbline.metrics import METRICS, Flaw
from plumbline_edge.commission import paste
from plumbline_edge.config import load_site
from plumbline_edge.settings import BrokerSettings, CameraSettings, MeterSettings, SiteSettings
from plumbline_sim.pytest_plugin import RaiseSite
from plumbline_sim.teststand.site import Site

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name]


def test_every_metric_stands_in_the_wire_page_with_its_unit():
    page = (DOCS / "wire.md").read_text(encoding="utf-8")

    assert [f"| {m.code} | `{m.name}` | {m.unit} | {10**-m.decimals:g} |" for m in METRICS] == [
        line for line in page.splitlines() if re.match(r"\| \d+ \| `.*` \| .* \| .* \|$", line)
    ]


def test_every_flaw_stands_in_the_wire_page():
    page = (DOCS / "wire.md").read_text(encoding="utf-8")

    assert all(f"| {flaw.value} | `{flaw.name.lower()}` | {flaw.quality} |" in page for flaw in Flaw)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_file_that_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    named = re.findall(
        r"`((?:docs|edge|central|contract|simulators|models|firmware_configs|deploy|tests)/[\w./-]+)`", text
    )

    missing = [name for name in linked if not (page.parent / name).exists()]
    missing += [name for name in named if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_that_a_page_shows_exists(page):
    text = page.read_text(encoding="utf-8")
    shown = set(re.findall(r"plumbline (edge|central|sim|model) ([a-z]+)", text))
    commands = {
        (word, command.name or command.callback.__name__.replace("_", "-"))
        for word in {word for word, _ in shown}
        for command in _load(word).registered_commands
    } | {
        (word, group.name) for word in {word for word, _ in shown} for group in _load(word).registered_groups
    }

    assert shown - commands == set()


def fenced(page: Path, language: str) -> list[str]:
    """A page's code blocks of one language; an empty one is a terminal's."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_line_that_a_page_shows_is_understood(page):
    lines = [line for block in fenced(page, "") + fenced(page, "sh") for line in block.splitlines()]
    for line in lines:
        part, *words = shlex.split(line.removeprefix("plumbline ")) if line.startswith("plumbline ") else [""]
        if part not in _PARTS or len(_load(part).registered_commands) < 2:
            continue
        whole = typer.main.get_command(_load(part))
        whole.commands[words[0]].make_context(words[0], words[1:])  # raises where it is not


def test_the_test_page_shows_calls_that_the_fixture_knows():
    page = DOCS / "testing_your_site.md"
    calls = [
        node
        for block in fenced(page, "python")
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call)
    ]
    raised = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "plumbline_site"]
    for call in raised:
        inspect.signature(RaiseSite.__call__).bind(
            None, *call.args, **{word.arg: None for word in call.keywords}
        )
    asked = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
    cells = re.findall(r"^\| (`[^|]+) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)", cell)} - {
        "role",
        "trace",
        "map",
        "tape",
        "folder",
    }

    assert len(raised) >= 3
    assert {name for name in asked | named if not hasattr(Site, name)} == set()


@pytest.mark.parametrize("word", _PARTS)
def test_every_command_has_an_example(word):
    for command in _load(word).registered_commands:
        assert "Example" in (command.epilog or command.help or command.callback.__doc__ or ""), (
            command.callback
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_make_target_that_a_page_shows_exists(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = set(re.findall(r"`?make ([a-z]+)`?", page.read_text(encoding="utf-8")))

    assert {name for name in shown if f"`make {name}" in page.read_text(encoding="utf-8")} - targets == set()


def test_the_example_site_file_shows_every_table():
    example = tomllib.loads((ROOT / "firmware_configs/sites/example.toml").read_text(encoding="utf-8"))

    assert set(example) <= set(SiteSettings.__dataclass_fields__)
    assert set(example["broker"]) <= set(BrokerSettings.__dataclass_fields__)
    assert set(example["meters"][0]) <= set(MeterSettings.__dataclass_fields__)
    assert set(example["cameras"][0]) <= set(CameraSettings.__dataclass_fields__)


def test_the_least_site_file_lacks_nothing_but_what_the_scan_adds(tmp_path):
    site = tmp_path / "site.toml"
    shutil.copy(ROOT / "firmware_configs/sites/minimal.toml", site)
    with pytest.raises(FaultyFile) as lacking:
        load_site(site)
    paste.append(
        site, '[[meters]]\nname = "m1"\nprofile = "eastron_sdm630"\nhost = "192.168.1.50"\nunit = 1\n'
    )

    assert {fault.key for fault in lacking.value.faults} == {"meters"}
    assert [meter.name for meter in load_site(site).meters] == ["m1"]


def test_no_tracked_file_names_a_machine_or_an_outside_script():
    forbidden = [re.compile(rb"/(?:home|Users)/\w+/"), re.compile(rb"""(?:src|href)=["']https?://""")]
    bad = [
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if path.is_file() and path.suffix in {".py", ".md", ".html", ".js", ".css", ".toml", ".sh", ".svg"}
        for pattern in forbidden
        if path != Path(__file__) and pattern.search(path.read_bytes())
    ]

    assert bad == []


def test_big_artefacts_stay_out():
    big = {p.name: p.stat().st_size for p in tracked() if p.is_file() and p.stat().st_size > 8 << 20}

    assert big == {}
