"""What the gateway does not load before it needs it: memory on a small board, and what is not installed there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import plumbline_edge

ROOT = Path(plumbline_edge.__file__).parent
COMMANDS = {"camera.cli", "vision.cli", "vision.calibrate"}
"""Only a person's command loads these."""


def loaded(module, *heavy):
    code = f"import sys, {module}; print(*sorted({set(heavy)} & set(sys.modules)))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def modules(*packages):
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_a_gateway_without_cameras_loads_nothing_that_only_photos_or_people_need():
    heavy = (
        "numpy",
        "cv2",
        "onnxruntime",
        "httpx",
        "pydantic",
        "typer",
        "rich",
        "plumbline_edge.camera.capture",
    )

    assert loaded("plumbline_edge.app", *heavy) == []


def test_no_module_of_camera_or_vision_loads_a_library_of_100_mb_by_itself():
    """OpenCV and onnxruntime come with the first photo: a camera that is away costs next to nothing."""
    every = ", ".join(
        f"plumbline_edge.{name}" for name in modules("camera", "vision") if name not in COMMANDS
    )

    assert loaded(every, "cv2", "onnxruntime", "torch", "pydantic", "typer", "plumbline_sim") == []


@pytest.mark.parametrize(
    "name", [*modules("camera/sources"), "vision.album", "vision.course", "vision.interval"]
)
def test_what_needs_no_arithmetic_on_pictures_needs_no_numpy(name):
    assert loaded(f"plumbline_edge.{name}", "numpy") == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_says_its_help_before_it_loads_what_it_works_with(name):
    assert loaded(f"plumbline_edge.{name}", "numpy", "cv2", "onnxruntime", "httpx") == []
