"""Beginning: `redhand desk init`, which makes the database and the first people, and `redhand desk upgrade`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from authority.desk import migrations
from authority.desk.commands.context import AsJSON, opened
from authority.desk.errors import BadField
from authority.desk.people import founding
from authority.desk.people.accounts import NewPerson
from authority.desk.roles import Role
from authority.places import read

EXAMPLE = """\
# The first people of a desk. Two administrators and an auditor at least: they confirm whoever comes after, at the desk.
# `name` is the person's name as in the signed policy; an officer or a reviewer also names the office whose key the person holds.
people:
  - {login: a.martin, name: A. Martin, roles: [administrator], email: a.martin@authority.example}
  - {login: b.keller, name: B. Keller, roles: [administrator], email: b.keller@authority.example}
  - {login: c.rossi, name: C. Rossi, roles: [auditor], email: c.rossi@authority.example}
  # - {login: d.novak, name: D. Novak, roles: [clerk, officer], office: officer-1, email: d.novak@authority.example}
  # - {login: e.silva, name: E. Silva, roles: [officer], office: officer-2, email: e.silva@authority.example}
  # - {login: f.dubois, name: F. Dubois, roles: [reviewer], office: reviewer-1, email: f.dubois@authority.example}
  # For who signs in by the house's OpenID Connect provider: `subject`, what the provider calls the person.
"""


class _Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    login: str
    name: str
    roles: tuple[Role, ...]
    email: str = ""
    office: str = ""
    operator: str = ""
    subject: str = ""


class _People(BaseModel):
    model_config = ConfigDict(extra="forbid")

    people: tuple[_Person, ...]


def init(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="PEOPLE.yaml", help="The first people.", show_default=False)] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a file of people to begin with, and end.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Make the desk's database, and its first people with a code each, by which they choose a password.

    Only while there is nobody: everybody after them is proposed by one person and confirmed by another, at the desk.
    """
    if example:
        typer.echo(EXAMPLE, nl=False)
        return
    if file is None:
        raise BadField("PEOPLE.yaml", "name the file with the first people, or take --example for one to begin with")
    people = [NewPerson(**each.model_dump()) for each in _people(file).people]
    desk = opened(context, current=False)
    before, after = migrations.upgrade(desk.store)
    codes = founding.setup(desk, people, desk.now())
    if as_json:
        made = {login: {"first": first, "second": second} for login, (first, second) in codes.items()}
        typer.echo(json.dumps({"revision": after, "invitation": f"{desk.settings.url.rstrip('/')}/invitation", "codes": made}, indent=1))
        return
    if before is None:
        typer.echo(f"the desk's database is made (revision {after})")
    typer.echo(f"Each chooses a password within 7 days at {desk.settings.url.rstrip('/')}/invitation by a code, which is shown only now:")
    for login, (first, second) in codes.items():
        typer.echo(f"  {login}   {first}   {second}")
    for each in people:
        if each.subject:
            typer.echo(f"  {each.login}   signs in by the provider")


def upgrade(context: typer.Context) -> None:
    """Bring the database to this program's version. Stop the desk and make a backup before; nothing happens where it is there already."""
    desk = opened(context, current=False)
    before, after = migrations.upgrade(desk.store)
    typer.echo(f"the database is at revision {after}" + ("" if before == after else f"; before: {before or 'no tables'}"))


def _people(file: Path) -> _People:
    try:
        found = yaml.safe_load(read(file, "the first people").decode("utf-8"))
        return _People.model_validate(found)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadField(str(file), f"it is no YAML ({str(error).splitlines()[0]}); begin with: redhand desk init --example") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadField(str(file), f"{where}: {first['msg']}; compare: redhand desk init --example") from None
