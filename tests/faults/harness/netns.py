"""Two network namespaces with one cable between them, whose link can be bad. Needs root; removes what it made."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from harness.result import CannotRun

SITE_ADDRESS: Final = "10.213.7.1"
CENTRE_ADDRESS: Final = "10.213.7.2"


@dataclass(frozen=True, slots=True)
class Cable:
    """The building site's namespace at one end, the centre's at the other."""

    site: str
    centre: str

    def inside(self, namespace: str) -> tuple[str, ...]:
        """What to put before a command so that it runs in there.

        Not `ip netns exec`: that copies every mount of now, and a disk that is unmounted here would live on in there.
        """
        return ("nsenter", f"--net=/run/netns/{namespace}")

    def shape(self, kbit_s: int) -> None:
        """This bandwidth and no more, each way."""
        for namespace in (self.site, self.centre):
            _run(
                *self.inside(namespace),
                *f"tc qdisc replace dev cable root tbf rate {kbit_s}kbit burst 4kb latency 2s".split(),
            )

    def lose(self, percent: int) -> None:
        """This share of what the site sends is lost, and so as many of a hundred pings."""
        self._drop(self.centre, f"numgen random mod 100 < {percent} drop")

    def swallow_answers(self) -> None:
        """The return path is gone: what the site sends arrives, what the centre sends does not."""
        self._drop(self.site, "drop")

    def heal(self) -> None:
        for namespace in (self.site, self.centre):
            subprocess.run(
                [*self.inside(namespace), "nft", "delete", "table", "ip", "fault"],
                capture_output=True,
                check=False,
            )

    def _drop(self, namespace: str, rule: str) -> None:
        rules = (
            "table ip fault {\n chain in {\n  type filter hook input priority 0;\n"
            f'  iifname "cable" {rule}\n }}\n}}\n'
        )
        _run(*self.inside(namespace), "nft", "-f", "-", said=rules)


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """Raises CannotRun where this machine cannot have namespaces."""
    if os.geteuid() != 0:
        raise CannotRun("network namespaces need root")
    made = Cable(f"plf{os.getpid()}s", f"plf{os.getpid()}c")
    try:
        for namespace in (made.site, made.centre):
            _run("ip", "netns", "add", namespace)
            _run("ip", "-n", namespace, "link", "set", "lo", "up")
        _run(*f"ip -n {made.site} link add cable type veth peer name cable netns {made.centre}".split())
        for namespace, address in ((made.site, SITE_ADDRESS), (made.centre, CENTRE_ADDRESS)):
            _run("ip", "-n", namespace, "address", "add", f"{address}/30", "dev", "cable")
            _run("ip", "-n", namespace, "link", "set", "cable", "up")
        yield made
    finally:
        for namespace in (made.site, made.centre):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)


def _run(*argv: str, said: str = "") -> None:
    try:
        done = subprocess.run(argv, input=said, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotRun(f"no {argv[0]}: apt-get install iproute2 nftables") from None
    if done.returncode:
        raise CannotRun(f"{' '.join(argv)}: {done.stderr.strip()}")
