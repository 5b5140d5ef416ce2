"""The commands `redhand authority …`; the server's are in `serving`. Each does one step of the procedure in docs/regulator.md."""

from __future__ import annotations

import json
import os
import pydoc
import shutil
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from authority import ceremony as ceremonies
from authority import drafts, handover, hardware, keys, packets, serving, shown, spec
from authority import status as states
from authority.errors import AuthorityError
from authority.example import EXAMPLE
from authority.keys import Signer
from authority.packets import Packet
from authority.places import STILL, Places, read
from authority.publisher import Published, Publisher
from blocklists.durable import explained, replace

app = typer.Typer(name="authority", no_args_is_help=True, help="Write, sign and publish orders: keys, ceremony, packets, log and metadata.")
app.command(epilog="Example: redhand authority serve /srv/authority --listen 127.0.0.1:8443")(serving.serve)
app.add_typer(serving.operator_app, name="operator")

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The authority's directory.", show_default=False)]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", metavar="FILE", help="First line: passphrase or PIN. Else $REDHAND_PASSPHRASE, else it is asked.", show_default=False
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the packet goes.", show_default=False)]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]

PIECE = 5000
"""Entries of the log judged between two words about it: some 3 s."""


def _now() -> int:
    return int(time.time())


def _passphrase(file: Path | None, prompt: str, twice: bool = False) -> bytes:
    """The passphrase from the file, the environment, or whoever sits there; no argument, which every process could read. Raises AuthorityError."""
    given = os.environ.get("REDHAND_PASSPHRASE")
    if file is not None:
        given = read(file, "the passphrase").decode("utf-8", "replace").split("\n")[0]
    elif given is None:
        given = str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice))
    if not given:
        raise AuthorityError("the passphrase is empty; give one, for a private key is only as safe as it")
    return given.encode()


def _write(path: Path, data: bytes) -> None:
    with explained(f"writing {path}", STILL):
        replace(path, data)
        path.chmod(path.stat().st_mode | 0o200)  # who may read it is for the umask to say


def _said(packet: Packet, path: Path) -> None:
    typer.echo(f"{path}: {packet.kind} packet")
    for line in shown.signatures(packet):
        typer.echo(f"  {line}")


@app.command(epilog="Example: redhand authority key officer-1.pem --person 'A. Martin'")
def key(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="OUT.pem for a new key, or the name of OUT.pub.json.", show_default=False)],
    person: Annotated[str, typer.Option("--person", help="Name or service number of who holds it.", show_default=False)],
    pkcs11: Annotated[
        str | None, typer.Option("--pkcs11", metavar="URI", help="The key is on this token; only its public half is written.", show_default=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a private key in an encrypted file, and the file OUT.pub.json that introduces its public half."""
    public = out.with_suffix(".pub.json") if out.suffix == ".pem" else out.with_name(f"{out.name}.pub.json")
    if public.exists():
        raise AuthorityError(f"{public} exists; give another name, or move it away")
    signer: Signer
    if pkcs11 is not None:
        signer = hardware.KeyOnToken(pkcs11, None)
        held = keys.holder(signer.key, person)
    else:
        signer = keys.generate()
        held = keys.holder(signer.key, person)
        keys.write_private(out, signer, _passphrase(passphrase_file, f"Passphrase for {out}", twice=True))
        typer.echo(f"{out}: private key, encrypted; keep it, and never pass it on")
    _write(public, held.encode())
    typer.echo(f"{public}: public key {signer.key.keyid} of {held.person}; pass it to whoever holds the ceremony")


@app.command(epilog="Examples: redhand authority init --example > ceremony.yaml   redhand authority init /srv/authority ceremony.yaml")
def init(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help="The directory to make.", show_default=False)] = None,
    file: Annotated[
        Path | None, typer.Argument(metavar="CEREMONY.yaml", help="Who holds which key, and what may be ordered.", show_default=False)
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a ceremony's file to begin with, and end.")] = False,
) -> None:
    """Make an authority's directory with its online keys, and the packets that holders of root and targets must sign."""
    if example:
        typer.echo(EXAMPLE, nl=False)
        return
    if directory is None or file is None:
        raise AuthorityError("give the directory and the ceremony's file, or --example")
    made = ceremonies.ceremony(directory, spec.load(file), _now())
    typer.echo(f"{directory}: online keys in {directory / 'online'}; back them up where only you can read them")
    for packet, name in zip(made, (ceremonies.ROOT, ceremonies.TARGETS), strict=True):
        _said(packet, directory / "packets" / name)
    typer.echo(f"When both are signed: redhand authority publish {directory} {directory / 'packets'}/*.packet.json")


@app.command(epilog="Example: redhand authority draft order.yaml --dir /srv/authority -o order.packet.json")
def draft(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.yaml", help="An order, a reviewer's decision, or the ceremony's file as edited.", show_default=False)
    ],
    directory: Annotated[Path, typer.Option("--dir", metavar="DIR", help="The authority's directory.", show_default=False)],
    output: Output,
    begins: Annotated[
        int | None,
        typer.Option("--begins", metavar="INDEX", help="For a policy: the log position it judges from. Default: the next.", show_default=False),
    ] = None,
) -> None:
    """Make the packet that officers, the reviewer or the holders of targets sign.

    An order gets the log's origin, a nonce, what the guards say, and where it follows another that one's digest.
    """
    document = spec.document_in(file, "the draft")
    if "origin" in document:
        packet = drafts.draft_policy(directory, spec.from_document(document, file.parent), _now(), begins)
    else:
        packet = drafts.draft_order(directory, document)
    _write(output, packet.encode())
    _said(packet, output)


@app.command(epilog="Example: redhand authority sign order.packet.json --key officer-1.pem")
def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packet; the signature is added to it.", show_default=False)],
    key: Annotated[
        str, typer.Option("--key", metavar="PEM|pkcs11:URI", help="The private key's file, or where it is on a token.", show_default=False)
    ],
    yes_typed: Annotated[
        str | None, typer.Option("--yes-typed", metavar="TEXT", help="What would be typed, for scripts.", show_default=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Show all of what a packet says, run the guards, and sign it once the name is typed."""
    packet = packets.load(file)
    text = shown.text(packet)
    if sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines - 4:
        pydoc.pager(text + "\n")
    else:
        typer.echo(text)
    typer.echo(f"\nThis is: {shown.summary(packet)}")
    wanted = shown.typed(packet)
    given = yes_typed if yes_typed is not None else str(typer.prompt(f"To sign this, type {wanted}"))
    if given.strip() != wanted:
        raise AuthorityError(f"{given.strip()!r} was typed, and {wanted!r} stands there: nothing is signed")
    signed = packets.sign_packet(packet, signer_of(key, passphrase_file))
    _write(file, signed.encode())
    _said(signed, file)


def signer_of(where: str, file: Path | None) -> Signer:
    """The signer for a private key's file, or a token's URI; `file` has the passphrase or PIN, which is asked otherwise. Raises AuthorityError."""
    if where.startswith(hardware.SCHEME):
        hardware.parse(where)
        return hardware.KeyOnToken(where, _passphrase(file, "PIN of the token"))
    if not keys.is_encrypted(Path(where)):
        typer.echo(f"{where} is not encrypted: whoever reads that file can sign as well; only a demonstration's key may be so", err=True)
        return keys.read_private(Path(where), None)
    return keys.read_private(Path(where), _passphrase(file, f"Passphrase of {where}"))


@app.command(epilog="Example: redhand authority publish /srv/authority order.packet.json")
def publish(
    directory: Directory,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="Signed packets; several copies of one are joined.", show_default=False)
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Publish signed packets: orders into the log, root and policy as metadata.

    Without packets, completes what was cut short. What lacks signatures, or no operator would put in force, is refused before anything changes.
    """
    _publish(directory, [packets.load(file) for file in files or ()], as_json)


@app.command(epilog="Example: redhand authority refresh /srv/authority")
def refresh(
    directory: Directory,
    as_json: AsJSON = False,
    today: Annotated[
        datetime | None,
        typer.Option("--today", formats=["%Y-%m-%d"], help="The day it is (UTC), when nothing was signed for a month.", show_default=False),
    ] = None,
) -> None:
    """Sign checkpoint, snapshot and timestamp afresh, before they expire. The server does so by itself."""
    if today is None:
        return _publish(directory, [], as_json)
    if f"{datetime.now(UTC):%Y-%m-%d}" != f"{today:%Y-%m-%d}":
        raise AuthorityError(f"this machine's clock says {datetime.now(UTC):%Y-%m-%d}, and you say {today:%Y-%m-%d}; set the clock")
    return _show(Publisher(directory).publish([], _now(), sure=True), as_json)


def _publish(directory: Path, found: list[Packet], as_json: bool) -> None:
    Places(directory).require()
    _show(handover.hand_over(directory, found, _say) or _published_here(directory, found), as_json)


def _show(done: Published, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=1))
        return
    for each in done.orders:
        note = " (it was there already)" if each.already else " (operators HOLD it: it goes beyond the policy's limits)" if each.held else ""
        typer.echo(f"{each.id}: entry {each.index} of the log, {each.digest}{note}")
    typer.echo(f"Published: log of {done.size} entries, root {done.root}, targets {done.targets}, timestamp {done.timestamp}")


def _published_here(directory: Path, found: list[Packet]) -> Published:
    """No server runs, so that the log must be read here first, when there is something to block."""
    made = Publisher(directory)
    began, first = time.monotonic(), made.unread(found)
    while made.unread(found) > PIECE:
        made.read_on(PIECE)
        left = made.unread(found)
        _say(f"judging the log: {left} of {first} entries left, about {(time.monotonic() - began) / (first - left) * left:.0f} s")
    return made.publish(found, _now())


def _say(what: str) -> None:
    typer.echo(what, err=True)


@app.command(epilog="Example: redhand authority rotate /srv/authority root --key new.pub.json --key old.pub.json --threshold 2")
def rotate(
    directory: Directory,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"One of {', '.join(drafts.ROLES)}.", show_default=False)],
    key: Annotated[
        list[Path] | None, typer.Option("--key", metavar="PUB", help="For root and targets: each holder from now on.", show_default=False)
    ] = None,
    threshold: Annotated[int | None, typer.Option("--threshold", help="For root and targets: how many must sign.", show_default=False)] = None,
) -> None:
    """Draft new keys for a role. Root or targets without --key: only a new expiry."""
    made = drafts.rotate(directory, role, _now(), [keys.read_holder(path) for path in key or ()], threshold)
    _drafted(directory, made)


@app.command(epilog="Example: redhand authority revoke /srv/authority officer-2 --since 1290")
def revoke(
    directory: Directory,
    who: Annotated[str, typer.Argument(metavar="KEYID", help="An officer's or reviewer's key id, or office id.", show_default=False)],
    since: Annotated[
        int, typer.Option("--since", metavar="INDEX", help="The first log position at which the key counts no more.", show_default=False)
    ],
) -> None:
    """Draft the policy that says a key was compromised: orders from that log position on fall unless enough others signed them."""
    _drafted(directory, [drafts.revoke(directory, who, since, _now())])


def _drafted(directory: Path, made: list[Packet]) -> None:
    names = {"root": ceremonies.ROOT, "targets": ceremonies.TARGETS}
    paths = [directory / "packets" / names[packet.kind] for packet in made]
    for packet, path in zip(made, paths, strict=True):
        _said(packet, path)
    typer.echo(f"When signed: redhand authority publish {directory} {' '.join(map(str, paths))}")


@app.command(epilog="Example: redhand authority status /srv/authority --json")
def status(directory: Directory, as_json: AsJSON = False) -> None:
    """Say which roles expire when, how large the log is, what was ordered last, and what waits for signatures.

    Exit code 1 when a role has expired.
    """
    found = states.report(directory, _now())
    for line in [json.dumps(found, indent=1)] if as_json else states.text(found):
        typer.echo(line)
    if any(role["state"] == "expired" for role in found["roles"].values()):
        raise typer.Exit(1)
