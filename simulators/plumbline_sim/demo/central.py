"""The demo's window on central: its API for what a person does, its command for what an auditor does."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

import httpx

from plumbline.errors import Unreachable
from plumbline_sim.demo.tree import ProcessTree

PLUMBLINE: Final = (sys.executable, "-m", "plumbline")
_SETTLE_S: Final = 60.0


class CentralClient:
    """Asks central's HTTP API. Raises Unreachable where it does not answer."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=30)

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> Any:
        return await self._ask("GET", path, params=query)

    async def acknowledge(self, alert: int, by: str, comment: str) -> None:
        await self._ask("POST", f"/api/v1/alerts/{alert}/acknowledge", json={"by": by, "comment": comment})

    async def ready(self) -> bool:
        try:
            await self.get("/api/v1/health")
        except Unreachable:
            return False
        return True

    async def until_ready(self, tree: ProcessTree) -> None:
        """Return once central answers. Raises Unreachable where it, or another child, ended instead."""
        try:
            async with asyncio.timeout(_SETTLE_S):
                while not await self.ready():
                    tree.check()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise Unreachable(f"central does not answer after {_SETTLE_S:.0f} s") from None

    async def until_projected(self) -> None:
        """Return once every projection has applied the ledger's last row. Raises Unreachable."""
        try:
            async with asyncio.timeout(_SETTLE_S):
                while any((await self.get("/api/v1/health"))["behind"].values()):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise Unreachable("central did not catch up with its own ledger in a minute") from None

    async def _ask(self, method: str, path: str, **how: Any) -> Any:
        try:
            answer = await self._http.request(method, path, **how)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unreachable(f"central does not answer {path}: {error}") from None
        return answer.json()


async def plumbline(*arguments: str | Path, fine: tuple[int, ...] = (0,)) -> str:
    """What `plumbline ARGUMENTS` prints. Raises Unreachable, with what it said, where its exit code is not `fine`."""
    process = await asyncio.create_subprocess_exec(
        *PLUMBLINE,
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await process.communicate()
    if process.returncode not in fine:
        words = (wrong or said).decode(errors="replace").strip()
        raise Unreachable(f"`plumbline {' '.join(map(str, arguments[:2]))}` failed: {words}")
    return said.decode()


async def plumbline_json(*arguments: str | Path, fine: tuple[int, ...] = (0,)) -> Any:
    """What `plumbline ARGUMENTS --json` prints, read."""
    return json.loads(await plumbline(*arguments, "--json", fine=fine))
