"""`plumbline central head|stamp|export`: what a supervisor keeps, and what others can check without us."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from plumbline.clock import clock_from_environment, from_us
from plumbline.errors import ConfigError, Refused
from plumbline_central.config import load_central
from plumbline_central.proof import heads
from plumbline_central.proof.export import export as write_export
from plumbline_central.proof.folder import Proofs, open_proofs
from plumbline_central.proof.heads import Head

app = typer.Typer()

Settings = Annotated[
    Path, typer.Option("--config", "-c", metavar="CENTRAL.toml", help="The settings of the service.")
]
Data = Annotated[Path | None, typer.Option(metavar="DIR", help="A data folder, instead of a settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]
_FILE = Path("central.toml")


@app.command(epilog="Example: plumbline central head --out head.json")
def head(
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write it here, to mail or print and keep.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show those made so far; make none.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Whether the ledger still holds what the newest head says; make none."),
    ] = False,
    file: Settings = _FILE,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a signed tree head over all that is kept now; one number that proves the rest. Works beside the service."""
    with _proofs(file, data) as proofs:
        if check:
            _check(proofs, as_json=as_json)
            return
        if listed:
            _list(proofs, as_json=as_json)
            return
        with _bar("leaves", proofs.ledger.last_id(), hidden=as_json) as shown:
            made = heads.make_head(
                proofs.tree, proofs.book, proofs.key, clock_from_environment().wall(), shown
            )
    if out is not None:
        _write(out, made.file)
    if as_json:
        print(json.dumps(made.to_json()))
        return
    print(f"{made.size} batches, {from_us(made.at_us):%Y-%m-%d %H:%M:%S} UTC")
    print(f"root {made.root.hex()}")
    print(f"key  {made.key}")


@app.command(epilog="Example: plumbline central stamp --response head-4711.tsr --tsa-ca tsa-ca.pem")
def stamp(
    *,
    response: Annotated[
        Path | None, typer.Option(metavar="FILE.tsr", help="What the time-stamp authority answered.")
    ] = None,
    tsa_ca: Annotated[
        Path | None, typer.Option("--tsa-ca", metavar="CA.pem", help="The authority's certificates.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the request goes.")] = Path(),
    file: Settings = _FILE,
    data: Data = None,
) -> None:
    """Without --response: write a time-stamp request (RFC 3161) for the newest head. With it: check it and keep it."""
    from plumbline_central.proof import stamp as stamps  # noqa: PLC0415 - head and export do without

    with _proofs(file, data) as proofs:
        newest = _newest(proofs)
        name = f"head-{newest.size}"
        if response is None:
            request, nonce = stamps.request(newest.file)
            proofs.book.keep_nonce(newest.size, nonce)
            _write(folder / f"{name}.json", newest.file)
            _write(folder / f"{name}.tsq", request)
            print(f"{folder / f'{name}.tsq'} written, for {folder / f'{name}.json'}")
            print(
                f"next: plumbline central stamp --response {name}.tsr --tsa-ca CA.pem, once it was answered"
            )
            return
        answer = _read(response)
        asked = _asked(proofs, response, newest)
        at = stamps.check(
            answer,
            asked.file,
            nonce=proofs.book.nonce(asked.size),
            ca_pem=None if tsa_ca is None else _read(tsa_ca),
        )
        proofs.book.keep_stamp(asked.size, answer)
    print(f"the head of {asked.size} batches existed on {at:%Y-%m-%d %H:%M:%S} UTC")
    if tsa_ca is None:
        print("who says so was not checked: name the authority's certificates with --tsa-ca")


@app.command(epilog="Example: plumbline central export --site a12 --out evidence.zip")
def export(
    *,
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="Where it goes.")],
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Only this gateway.")] = None,
    file: Settings = _FILE,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write what was received, with all proofs, to be checked anywhere by deploy/verify/plumbline_verify.py."""
    now = clock_from_environment().wall()
    with (
        _proofs(file, data) as proofs,
        _bar("batches", proofs.ledger.last_id(), hidden=as_json) as shown,
    ):
        done = write_export(proofs, out, now, site=site, gateway=gateway, shown=shown)
    counts = {"lanes": done.lanes, "batches": done.batches}
    if as_json:
        print(json.dumps({"file": str(out), **counts, "head": done.head.to_json()}))
        return
    print(f"{out}: {done.lanes} lanes, {done.batches} batches")
    print(f"head of {done.head.size} batches, root {done.head.root.hex()}")


def _check(proofs: Proofs, *, as_json: bool) -> None:
    newest = _newest(proofs)
    with _bar("rows", proofs.ledger.last_id(), hidden=as_json) as shown:
        gateways = proofs.registry.gateways()
        found = heads.check(proofs.ledger, proofs.tree, proofs.book, gateways, proofs.key.public, shown)
    if as_json:
        word = "faulty" if found else "ok"
        print(json.dumps({"check": word, "size": newest.size, "findings": [asdict(f) for f in found]}))
    else:
        for finding in found:
            print(f"  {finding}")
        print("FAULTY" if found else f"ok: the ledger contains the tree of the head of {newest.size} batches")
    if found:
        raise typer.Exit(1)


def _list(proofs: Proofs, *, as_json: bool) -> None:
    stamped = proofs.book.stamps()
    made = proofs.book.all()
    if as_json:
        print(json.dumps([{**one.to_json(), "stamped": one.size in stamped} for one in made]))
        return
    table = Table("made (UTC)", "batches", Column("root", overflow="fold"), "stamped")
    for one in made:
        mark = "yes" if one.size in stamped else ""
        table.add_row(f"{from_us(one.at_us):%Y-%m-%d %H:%M:%S}", str(one.size), one.root.hex(), mark)
    Console().print(table)


def _newest(proofs: Proofs) -> Head:
    newest = proofs.book.newest()
    if newest is None:
        raise Refused("there is no tree head yet", hint="plumbline central head")
    return newest


def _asked(proofs: Proofs, response: Path, newest: Head) -> Head:
    """The head that the response's name says, as `stamp` named its request; the newest for any other name."""
    return next((one for one in proofs.book.all() if response.stem == f"head-{one.size}"), newest)


def _proofs(file: Path, data: Path | None) -> AbstractContextManager[Proofs]:
    if data is not None:
        return open_proofs(data)
    settings = load_central(file)
    return open_proofs(Path(settings.data_dir), settings.archive_dir)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Name a file that can be read.") from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Name a file that can be written.") from None


@contextmanager
def _bar(what: str, total: int, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    with Progress(console=console, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
