import importlib.util
import shutil
import sys
from pathlib import Path

import httpx
import pytest


def _world_module():
    """tests are no package, so what two folders of them share is loaded by its path."""
    name = "plumbline_tests_world"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("world.py"))
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def told():
    """The module world.py: names, and what makes values."""
    return _world_module()


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """The files of a central in which nothing has happened: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("blank")
    _world_module().World(folder).close()
    return folder


@pytest.fixture
def open_world(tmp_path, told, blank):
    """Opens centrals, and closes them."""
    made = []

    def open_it(**how):
        folder = tmp_path / f"central{len(made)}"
        shutil.copytree(blank, folder)
        made.append(told.World(folder, **how))
        return made[-1]

    yield open_it
    for world in made:
        world.close()


@pytest.fixture
def world(open_world):
    """One site with a plan of 100 days and nothing else."""
    made = open_world()
    made.add_site()
    made.plan((0, 0), (100, 100))
    return made


@pytest.fixture
async def browse(world):
    """Makes clients of a world, each with its own cookies."""
    made = []

    def browse_it(other=world, **headers):
        made.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=other.api), base_url="http://127.0.0.1", headers=headers
            )
        )
        return made[-1]

    yield browse_it
    for one in made:
        await one.aclose()


@pytest.fixture
def client(browse):
    return browse()
