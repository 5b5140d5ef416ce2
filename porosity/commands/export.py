"""`redhand porosity export`: writes a study in another's form, into a file of yours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blocklists.errors import RedHandError

if TYPE_CHECKING:
    from porosity.study import Study
    from porosity.words import Observation


def command(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's directory.", show_default=False)],
    form: Annotated[str, typer.Argument(metavar="ooni|pcap|fingerprints", help="In which form.", show_default=False)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.", show_default=False)],
    vantage: Annotated[str | None, typer.Option("--vantage", metavar="LABEL", help="Whose observations; needed if several observed.")] = None,
    rules: Annotated[str, typer.Option("--rules", metavar="NAME", help="ooni: whose verdicts stand beside, if there are any.")] = "red-hand-2",
    networks: Annotated[Path | None, typer.Option("--networks", metavar="FILE", help="ooni: CSV of prefix,asn,organisation.")] = None,
    country: Annotated[str, typer.Option("--country", metavar="CC", help="Two letters: where it was measured, or whose page it is.")] = "ZZ",
    asn: Annotated[int, typer.Option("--asn", min=0, help="ooni: number of the network it was measured from.")] = 0,
    landing: Annotated[list[str] | None, typer.Option("--landing", metavar="ADDRESS", help="fingerprints: the page's address.")] = None,
    operator: Annotated[str, typer.Option("--operator", metavar="NAME", help="fingerprints: whose page, such as example_telecom.")] = "redhand",
) -> None:
    """Write OONI measurements (JSON Lines), packets (pcapng), or fingerprints of our page (CSV).

    Nothing is sent to anyone. pcap has the messages of the record in made-up packets; fingerprints, where the study saw the page, its addresses.
    """
    from porosity import study  # noqa: PLC0415

    opened = study.open(directory)
    if len(country) != 2 or not country.isascii() or not country.isalpha() or not country.isupper():
        raise RedHandError(f"{country!r} is no country; write two capital letters, or ZZ for none")
    if form == "fingerprints":
        pieces = _fingerprints(opened, landing or [], operator, country)
    elif form in ("ooni", "pcap"):
        chosen = _vantage(opened, vantage)
        pieces = _pcap(opened, chosen) if form == "pcap" else _ooni(opened, chosen, rules, networks, country, asn)
    else:
        raise RedHandError(f"there is no form {form!r}; write ooni, pcap or fingerprints")
    count = _save(file, pieces)
    print(f"{file}: {count:,} {'lines' if form == 'fingerprints' else 'measurements' if form == 'ooni' else 'observations'}")


def _vantage(study: Study, label: str | None) -> str:
    known = study.vantages()
    if not known:
        raise RedHandError(f"{study.directory} has no observations; make some first: redhand porosity probe {study.directory}")
    if label is None and len(known) > 1:
        raise RedHandError(f"{', '.join(known)} have observed; name one with --vantage")
    if label is not None and label not in known:
        raise RedHandError(f"{label} has not observed anything here; there are {', '.join(known)}")
    return label or known[0]


def _save(file: Path, pieces: Iterator[tuple[int, bytes]]) -> int:
    """Writes a file that is whole or not there; returns how many things are in it. It replaces nothing."""
    count = 0
    temporary = file.with_name(f".{file.name}.new")
    try:
        with temporary.open("xb") as out:
            for number, data in pieces:
                out.write(data)
                count += number
        os.link(temporary, file)
    except FileExistsError as error:
        raise RedHandError(f"{error.filename2 or error.filename} is there already; name a new file, or remove it") from None
    except OSError as error:
        raise RedHandError(f"{file} cannot be written ({error.strerror}); name a file in a directory that you may write to") from None
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _rows(study: Study, vantage: str) -> Iterator[Observation]:
    from porosity import observations  # noqa: PLC0415

    return (row for _, rows in observations.cells(study, vantage) for row in rows)


def _pcap(study: Study, vantage: str) -> Iterator[tuple[int, bytes]]:
    from porosity.interchange import pcap  # noqa: PLC0415

    yield 0, pcap.begin(f"redhand {_version()}")
    for row in _rows(study, vantage):
        yield 1, b"".join(pcap.packets(row))


def _ooni(study: Study, vantage: str, rules: str, networks: Path | None, country: str, asn: int) -> Iterator[tuple[int, bytes]]:
    from porosity import classify, observations  # noqa: PLC0415
    from porosity import networks as tables  # noqa: PLC0415
    from porosity.interchange import ooni  # noqa: PLC0415

    table = tables.read(networks) if networks else None
    probe = ooni.Probe(country, asn, _version(), table)
    if not len(observations.done(study, vantage)):
        raise RedHandError(f"{vantage} has no observations yet; ask first: redhand porosity probe {study.directory}")
    began = min(
        each.column("sent_at").to_numpy().min() for each in observations.scan(study, [vantage]).scanner(columns=["sent_at"]).to_batches() if len(each)
    )
    verdicts = classify.read(study, rules, vantage) if rules in study.classifications() else iter(())
    for each in ooni.measurements(study.plan, _rows(study, vantage), verdicts, probe, int(began), vantage):
        yield 1, ooni.line(each).encode() + b"\n"


def _fingerprints(study: Study, landing: list[str], operator: str, country: str) -> Iterator[tuple[int, bytes]]:
    from porosity import classify  # noqa: PLC0415
    from porosity.interchange import fingerprints  # noqa: PLC0415
    from porosity.rules.facts import packed, shown  # noqa: PLC0415

    named = sorted(map(shown, packed(landing))) or classify.landing(study)
    if not named:
        raise RedHandError("the study does not say where the page is; give its address with --landing")
    rows = fingerprints.ours(named, name=operator, country=country, source="redhand")
    yield len(rows), fingerprints.text(rows).encode()


def _version() -> str:
    from porosity.probe import software  # noqa: PLC0415

    return software().get("redhand", "")
