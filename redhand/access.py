"""The commands of reviewers' access: `redhand access draft|sign|grant|revoke|list`. Two people sign a grant; any one may revoke it.

Drafting and signing need neither settings nor the resolver's machine, so that each person signs where his key is. Granting verifies everything again,
records it, and waits until the running program has it in force.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from authority.cli import PassphraseFile, signer_of
from blocklists import durable
from blocklists.errors import BadDocument, ConfigurationError, RedHandError
from blocklists.finding import when
from blocklists.names import clip, visible
from blocklists.times import read_time
from redhand import control, granted, privileges
from redhand.cli import AsJSON, Config, load
from redhand.config import Configuration
from redhand.granted import Record
from resolver import grants
from resolver.access import MOST_GRANTS
from resolver.grants import LONGEST_DAYS, PEOPLE, Grant

IN_FORCE_SECONDS = 10.0
"""How long the running program is given to put in force what it notices in a fraction of a second."""
_LOOK_SECONDS = 0.05
MAX_FILE = 1 << 17

app = typer.Typer(
    name="access", no_args_is_help=True, add_completion=False, help="Reviewers' access: granted networks resolve blocked names for real, for a time."
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The grant's file.", show_default=False)]


@app.command(
    epilog="Example: redhand access draft -o grant.json --network 192.0.2.8/29 --who 'Reviewer of orders' --ground 'Act, s. 6-1' --until 2027-01-31"
)
def draft(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the grant goes, to be signed.", show_default=False)],
    network: Annotated[list[str], typer.Option("--network", metavar="NETWORK", help="From where; may be given again.", show_default=False)],
    who: Annotated[str, typer.Option("--who", metavar="TEXT", help="Who is to have access.", show_default=False)],
    ground: Annotated[str, typer.Option("--ground", metavar="TEXT", help="Why he may: the law, and the decision.", show_default=False)],
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help=f"Its end: a day (its beginning, UTC) or a time, within {LONGEST_DAYS} days.")
    ],
) -> None:
    """Write a grant for two people to sign. It grants nothing by itself."""
    ends = read_time(f"{until}T00:00:00Z" if len(until) == 10 and until.count("-") == 2 else until, "--until")
    made = grants.draft(who, ground, network, ends, int(time.time()), secrets.token_hex(16))
    if output.exists():
        raise ConfigurationError(f"{output} exists, and may be somebody's signed grant; name another file, or move it away")
    _write(output, grants.sealed(made).encode())
    for line in _shown(made, ()):
        typer.echo(line)
    typer.echo(f"{PEOPLE} different people sign it, each with his own key: redhand access sign {output} --key KEY.pem")


@app.command(epilog="Example: redhand access sign grant.json --key a-martin.pem")
def sign(
    file: File,
    key: Annotated[
        str, typer.Option("--key", metavar="PEM|pkcs11:URI", help="The private key's file, or where it is on a token.", show_default=False)
    ],
    yes_typed: Annotated[
        str | None, typer.Option("--yes-typed", metavar="TEXT", help="What would be typed, for scripts.", show_default=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Show all of what a grant says, and sign it once its first network is typed. A key is made with: redhand authority key"""
    sealed, grant = grants.opened(_read(file), str(file))
    grants.check_time(grant, int(time.time()))
    for line in _shown(grant, ()):
        typer.echo(line)
    wanted = grant.networks[0]
    typed = yes_typed if yes_typed is not None else str(typer.prompt(f"To let these networks resolve what is blocked, type {wanted}"))
    if typed.strip() != wanted:
        raise BadDocument(f"{clip(typed.strip())} was typed, and {wanted} stands there: nothing is signed")
    signer = signer_of(key, passphrase_file)
    signed = sealed.with_signature(signer.key.keyid, signer.sign(sealed.signed_bytes()))
    _write(file, signed.encode())
    count = len(signed.signatures)
    if count < PEOPLE:
        typer.echo(f"{file}: {count} of {PEOPLE} signatures; pass it to the next person")
    else:
        typer.echo(f"{file}: {count} signatures. On the resolver's machine: redhand access grant {file}")


@app.command(epilog="Example: redhand access grant grant.json --config /etc/redhand/config.yaml")
def grant(ctx: typer.Context, file: File, config: Config = None, as_json: AsJSON = False) -> None:
    """Verify a grant that two of resolver.access.people signed, record it, and put it in force. Exit code 1 if it may not be."""
    configuration = load(ctx, config)
    sealed, found = grants.opened(_read(file), str(file))
    may = _people(configuration)
    signed = grants.check_signed(sealed, found, may)
    _check_allowed(configuration, found)
    privileges.step_down(configuration)
    state_dir = configuration.settings.state_dir

    def entry(records: Sequence[Record]) -> dict[str, Any]:
        now = int(time.time())
        grants.check_time(found, now)
        if any(record.reference == found.reference for record in records):
            raise BadDocument(f"{found.reference} was granted before, and a grant counts once; see: redhand access list. For a new one: draft anew")
        standing = granted.judge(records, may, now).grants
        if len(standing) >= MOST_GRANTS:
            raise BadDocument(f"{len(standing)} grants are in force, and {MOST_GRANTS} may be at a time; revoke one: redhand access revoke")
        return {"action": "grant", "at": now, "envelope": sealed.document()}

    number = granted.append(state_dir, entry)
    words = f"granted to {visible(found.who, 200)} by {' and '.join(signed)}"
    _settled(configuration, number, found.reference, True, {"signers": signed}, words, as_json)


@app.command(epilog='Example: redhand access revoke access-0123456789ab --by "A. Duty" --reason "mission over"')
def revoke(
    ctx: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="As redhand access list shows it.", show_default=False)],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who revokes it, and answers for it.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.", show_default=False)],
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """End a grant at once. One person is enough, and no key is needed: what is blocked is blocked again."""
    configuration = load(ctx, config)
    for option, text in (("--by", by), ("--reason", reason)):
        if not text.strip() or not text.isprintable() or len(text) > 500:
            raise ConfigurationError(f"{option}: {clip(text)} is not one line of 1 to 500 printable characters")
    privileges.step_down(configuration)

    def entry(records: Sequence[Record]) -> dict[str, Any]:
        if reference not in granted.standing(records):
            raise BadDocument(f"{clip(reference)} is no grant that could be revoked; see: redhand access list")
        return {"action": "revoke", "at": int(time.time()), "by": by.strip(), "reason": reason.strip(), "reference": reference}

    number = granted.append(configuration.settings.state_dir, entry)
    _settled(configuration, number, reference, False, {}, f"revoked by {visible(by, 200)}", as_json)


@app.command("list", epilog="Example: redhand access list --json")
def show(ctx: typer.Context, config: Config = None, as_json: AsJSON = False) -> None:
    """Check the log of grants, line by line and signature by signature, and print all that was ever granted and revoked.

    Note the head it prints somewhere else now and then: a log whose last lines were cut off shows it no more. Exit code 1 if the log is not sound.
    """
    configuration = load(ctx, config)
    state_dir = configuration.settings.state_dir
    records = granted.read(state_dir)
    now = int(time.time())
    found = granted.judge(records, granted.people(configuration.settings.resolver.access.people), now)
    in_force = {each.reference for each in found.grants}
    refused = dict(found.refused)
    if as_json:
        lines = [_document(record) for record in records]
        listed = {"number": found.number, "head": found.digest, "in_force": sorted(in_force), "refused": refused, "log": lines}
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    ends = {record.reference: record for record in records if record.action == "revoke"}
    for record in records:
        if record.grant is None:
            continue
        if record.reference in in_force:
            state = "in force"
        elif revoked := ends.get(record.reference):
            state = f"revoked at {when(revoked.at)} by {visible(revoked.by, 500)}: {visible(revoked.reason, 500)}"
        else:
            state = f"NOT in force: {refused[record.reference]}" if record.reference in refused else "ended"
        for line in _shown(record.grant, (("granted", when(record.at)), ("state", state))):
            typer.echo(line)
    count = f"{found.number} line{'s' if found.number != 1 else ''}"
    typer.echo(f"{count}, head {found.digest}; in force now: {len(in_force)}")


def _document(record: Record) -> dict[str, Any]:
    common = {"number": record.number, "at": record.at, "action": record.action, "reference": record.reference, "digest": record.digest}
    return common | (record.grant.document() if record.grant is not None else {"by": record.by, "reason": record.reason})


def _shown(found: Grant, more: Sequence[tuple[str, str]]) -> list[str]:
    rows = [
        ("for", visible(found.who, 200)),
        ("ground", visible(found.ground, 500)),
        ("from", ", ".join(found.networks)),
        ("drafted", when(found.drafted)),
        ("until", when(found.until)),
        *more,
    ]
    return [found.reference, *(f"  {name:<8} {text}" for name, text in rows)]


def _people(configuration: Configuration) -> granted.People:
    files = configuration.settings.resolver.access.people
    if not files:
        raise ConfigurationError("reviewers' access is off: name in resolver.access.people the public keys of those who may grant it")
    return granted.people(files)


def _check_allowed(configuration: Configuration, found: Grant) -> None:
    allow = [ipaddress.ip_network(text) for text in configuration.settings.resolver.allow]
    for text in found.networks:
        network = ipaddress.ip_network(text)
        if not any(network.version == each.version and network.subnet_of(each) for each in allow):  # type: ignore[arg-type]
            raise ConfigurationError(f"{text} may not ask this resolver at all; add it to resolver.allow and reload, then grant")


def _settled(configuration: Configuration, number: int, reference: str, wanted: bool, done: dict[str, Any], words: str, as_json: bool) -> None:
    """Says that it is recorded, once the running program goes by it. Raises RedHandError when one runs and does not."""
    running, in_force = _wait(configuration.settings.state_dir, number, reference)
    if as_json:
        typer.echo(json.dumps({"reference": reference, "number": number, "running": running, "in_force": in_force, **done}))
    else:
        now = ("it is in force" if wanted else "it is not in force") if in_force is wanted else "nothing runs here" if not running else "see below"
        typer.echo(f"{reference} is {words}: line {number} of the log; {now}.")
    if running and in_force is not wanted:
        raise RedHandError(
            f"{reference} is recorded, and what runs does not go by it: see what is wrong (redhand status); if its settings are older: redhand reload"
        )


def _wait(state_dir: Path, number: int, reference: str) -> tuple[bool, bool | None]:
    """Whether a program runs, and whether the grant is in force there once it has read that line; None: it has not read it in time."""
    ends = time.monotonic() + IN_FORCE_SECONDS
    while True:
        try:
            access = control.report(state_dir)["access"]
        except control.NothingRuns:
            return False, None
        except control.Unanswered:
            access = {"number": 0}
        if access is None:  # off there: the settings it runs with name nobody
            return True, False
        if access["number"] >= number:
            return True, any(each["reference"] == reference for each in access["grants"])
        if time.monotonic() >= ends:
            return True, None
        time.sleep(_LOOK_SECONDS)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_FILE).removesuffix(b"\n")
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}); name the grant's file, as redhand access draft wrote it") from None


def _write(file: Path, data: bytes) -> None:
    with durable.explained(f"writing {file}", "nothing was signed or granted"):
        durable.replace(file, data + b"\n")
        os.chmod(file, 0o644)
