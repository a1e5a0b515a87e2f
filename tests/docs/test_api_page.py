"""Every curl example of docs/api.md, run as it stands there against a server on this machine."""

import asyncio
import csv
import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from plumbline_central.settings import HttpSettings
from plumbline_central.webserver import listen, web_server

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"
EXAMPLES = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def world(tmp_path):
    spec = importlib.util.spec_from_file_location("api_page_world", ROOT / "tests/unit/web/world.py")
    sys.modules[spec.name] = told = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(told)
    made = told.World(tmp_path / "central")
    made.add_site()
    made.plan((0, 0), (100, 100))
    told.fill(made)
    yield made
    made.close()


@pytest.fixture
async def run(world, tmp_path):
    """Runs one example in a folder of its own; what it printed, and its exit status."""
    folder = tmp_path / "shell"
    folder.mkdir()
    http = HttpSettings(host="127.0.0.1", port=0)
    socket = listen(http)
    server = web_server(world.api, http)
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    address = f"http://127.0.0.1:{socket.getsockname()[1]}"

    async def shell(example):
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", example,
            cwd=folder, stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PLUMBLINE": address, "no_proxy": "127.0.0.1", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return said.decode(), process.returncode

    yield folder, shell
    world.services.stopping.set()
    server.should_exit = True
    await serving


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt install curl")
async def test_the_five_examples_do_what_the_page_says(world, run):
    folder, shell = run
    (folder / "plan.csv").write_text("date,percent\n2026-03-01,0\n2026-09-01,100\n", encoding="gbk")
    listing, following, acknowledging, importing, exporting = EXAMPLES

    assert (await shell(listing))[0] == "200\n"
    listed = json.loads((folder / "alerts.json").read_bytes())
    assert {(alert["site"], alert["severity"]) for alert in listed} == {("east-lake", "red")}
    assert (await shell(listing))[0] == "304\n"
    assert json.loads((folder / "alerts.json").read_bytes()) == listed

    stream, status = await shell(following)
    ids = [int(number) for number in re.findall(r"^id: (\d+)$", stream, re.MULTILINE)]
    assert status == 28  # its time was over
    assert len(ids) > 2
    assert ids == sorted(set(ids))
    later, _ = await shell(following.replace("Last-Event-ID: 0", f"Last-Event-ID: {ids[1]}"))
    assert [int(number) for number in re.findall(r"^id: (\d+)$", later, re.MULTILINE)] == ids[2:]

    alert = json.loads((await shell(acknowledging))[0])
    assert (alert["id"], alert["state"], alert["acknowledged_by"]) == (2, "acknowledged", "李伟")
    assert json.loads((await shell(acknowledging))[0])["status"] == 409
    assert (await shell(listing))[0] == "200\n"

    plan = json.loads((await shell(importing))[0])
    assert (plan["version"], plan["points"], plan["last"]) == (4, 2, 100.0)

    assert await shell(exporting) == ("", 0)
    rows = list(csv.DictReader((folder / "readings.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert {(row["metric"], row["unit"]) for row in rows} == {
        ("voltage_l1", "V"),
        ("power_active_total", "W"),
    }
    assert {row["quality"] for row in rows} == {"good", "uncertain", "bad"}
