"""`redhand demo`: the whole life of one order on this machine, from a referral to the name's return, with the time that each step took.

Nothing is acted: the desk's own functions take the case's steps, two officers' keys sign its packet, the authority's server publishes it, a resolver
follows the feed, a client asks and a visitor looks. Only the host's answer is made up.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from authority import keys, packets
from authority.desk import cases, delivery, facts, ordering, publishing, referrals, removal, signing, steps
from authority.desk.desk import Desk
from authority.desk.people import accounts
from authority.desk.people.sessions import actor_of
from authority.desk.referrals import Given
from authority.desk.roles import Actor
from authority.desk.tables import Order
from redhand import demonstration
from redhand.demo_stage import ELSEWHERE, PASSWORD, PEOPLE, Failed, Stage, stage

NAME = "incitement.redhand.example"
"""Nobody's: it exists in the demonstration alone."""
ENFORCED_SECONDS = 30.0
app = typer.Typer(add_completion=False)


@dataclass
class Line:
    """One line of the timeline."""

    who: str
    what: str
    seconds: float | None = None
    """Since the clock of its part began; None while it has not happened."""


class Timeline:
    """What happened and when, drawn while it happens."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lines: list[Line] = []
        self._zero = time.perf_counter()

    def zero(self) -> None:
        """The clock of the next part begins."""
        self._zero = time.perf_counter()

    def say(self, who: str, what: str, timed: bool = True) -> float:
        """Something happened; how long after the clock began, in seconds."""
        seconds = time.perf_counter() - self._zero
        self._lines.append(Line(who, what, seconds if timed else None))
        self._live.update(self.table())
        return seconds

    def table(self) -> Table:
        """All so far."""
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        for title, options in (("clock", {"justify": "right"}), ("who", {"style": "cyan"}), ("what happened", {})):
            table.add_column(title, **options)  # type: ignore[arg-type]
        for line in self._lines:
            table.add_row("" if line.seconds is None else f"{line.seconds:.2f} s", line.who, line.what)
        return table


class Play:
    """The case, step by step."""

    def __init__(self, stage: Stage, desk: Desk, timeline: Timeline) -> None:
        self.stage = stage
        self.desk = desk
        self.timeline = timeline
        self.number = ""

    def actor(self, login: str) -> Actor:
        """One of the desk's people."""
        with self.desk.store.reading() as session:
            return actor_of(accounts.active(session, login))

    def file(self) -> None:
        """From a referral to the point at which nothing is left but an order."""
        desk, now, say = self.desk, self.desk.now(), self.timeline.say
        clerk, officer = self.actor("clerk"), self.actor("officer-1")
        given = Given(names=(NAME,), location=f"http://{NAME}/video", words="It calls for attacks, and praises those of last week.")
        with desk.store.writing() as session:
            self.number = referrals.take(session, desk, clerk, given, now, source="officer", why="reported by a reader").number
        say("clerk", f"case {self.number}: {NAME} is referred", timed=False)
        with desk.store.writing() as session:
            cases.assess(session, desk, officer, self.number, "terrorism", "It calls for attacks.", "seen today, in full", now)
        say("officer-1", "assessed: the law forbids it", timed=False)
        with desk.store.writing() as session:
            removal.request(session, desk, clerk, self.number, "abuse@host.example", "host", "the host could remove it at once", now)
        self.stage.wait(self._posted, "the letter that asks the host")
        say("clerk", "the host is asked to remove it, and has 24 hours", timed=False)
        with desk.store.writing() as session:
            removal.refused(session, desk, clerk, self.number, "the host answered that it will not", now)
        say("host", "refuses (made up: else this would take a day)", timed=False)
        with desk.store.writing() as session:
            stated = {
                "legal_basis": "Example Act 2026-1, section 6",
                "reasons": {"en": "It calls for attacks.", "fr": "Il appelle à des attentats."},
                "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Example Court"},
            }
            facts.set_facts(session, desk, officer, self.number, stated, "as the law asks", now)

    def _posted(self) -> bool:
        """Posts the letter once it is written; False until then. A request that has not left was never made, and no order can stand on it."""
        desk = self.desk
        with desk.store.writing() as session:
            case = steps.find(session, self.number)
            letters = delivery.by_hand(session, case)
            for letter in letters:
                delivery.posted(session, desk, self.actor("clerk"), case.number, letter.id, "by hand, to the host's desk", desk.now())
            return bool(letters)

    def sign(self, order: Order, *officers: str) -> None:
        """Officers take the packet away, sign it on their own machines, and bring it back."""
        for login in officers:
            actor = self.actor(login)
            _, data = signing.packet(self.desk, actor, order.digest, self.desk.now())
            key = keys.read_private(self.stage.authority / "keys" / f"{login}.pem", None)
            signed = packets.sign_packet(packets.read(data, "the packet"), key).encode()
            signing.take(self.desk, actor, signed, self.desk.now())
            self.timeline.say(login, "signed, with a key that the desk never saw", timed=False)

    def block(self) -> dict[str, float]:
        """Draft, guards, signatures, publication, and what clients and visitors see of it."""
        desk, say = self.desk, self.timeline.say
        order = ordering.draft(desk, self.actor("clerk"), self.number, "block", "nothing else is left", desk.now())
        say("desk", "order drafted; the guards have no objection", timed=False)
        order = ordering.open_signing(desk, self.actor("officer-1"), order.digest, "two officers must sign", desk.now())
        self.sign(order, "officer-1", "officer-2")
        self.timeline.zero()
        times = {"signed": say("officers", "signed: the clock begins")}
        times |= self._published(order, "published", "enforced", lambda: ELSEWHERE not in self.stage.leads_to(NAME), "every answer leads to the page")
        status, text = self.stage.page(NAME)
        if status != 451 or "Example Act" not in text:
            raise Failed(f"the visitor of {NAME} got status {status} and no red hand; what the processes said last:\n{self.stage.said()}")
        return times | {"red hand seen": say("visitor", "sees the red hand: status 451, law, remedies")}

    def withdraw(self) -> dict[str, float]:
        """The content is gone: the order is withdrawn."""
        desk, say = self.desk, self.timeline.say
        with desk.store.writing() as session:
            cases.recheck(session, desk, self.actor("clerk"), self.number, "gone", "the publisher has removed it", desk.now())
        say("clerk", "looked again: the content is gone", timed=False)
        reasons = {"en": "The publisher has removed it.", "fr": "L'éditeur l'a retiré."}
        order = ordering.draft(desk, self.actor("clerk"), self.number, "withdraw", "the content is gone", desk.now(), reasons=reasons)
        self.sign(order, "officer-1")
        self.timeline.zero()
        say("officer-1", "withdrawal signed: the clock begins")
        return self._published(
            order, "withdrawn", "restored", lambda: self.stage.leads_to(NAME) == {ELSEWHERE}, "every answer is the site's own again"
        )

    def _published(self, order: Order, published: str, enforced: str, is_so: Callable[[], bool], seen: str) -> dict[str, float]:
        """Publishes, and watches what a client is answered meanwhile, in a thread of its own."""
        desk, say, times = self.desk, self.timeline.say, dict[str, float]()
        faults: list[Exception] = []

        def watch() -> None:
            try:
                self.stage.wait(is_so, enforced, ENFORCED_SECONDS)
                times[enforced] = say("client", f"{enforced}: {seen}")
            except Exception as error:
                faults.append(error)

        client = threading.Thread(target=watch)
        client.start()
        try:
            publishing.publish(desk, self.actor("clerk"), order.digest, "signed by all who must", desk.now())
            times[published] = say("authority", f"{published}: in the log, hinted to who follows it")
        finally:
            client.join()
        if faults:
            raise faults[0]
        return times


@app.command("demo", epilog="Examples: redhand demo   redhand demo --once")
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the last step, instead of leaving pages to look at.")] = False,
) -> None:
    """Show one order's whole life on this machine: referred, signed, published, enforced, seen, withdrawn, restored.

    Starts an authority with a desk, its feed, a resolver and the page on free ports of 127.0.0.1, in a directory that is removed at the end. No other
    machine is asked anything. Exit code 1 if a step fails, and why.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    with console.status("An authority is made; its feed, a resolver, the page and a desk are started …"):
        opened = stage()
        made = opened.__enter__()
    try:
        assert made.desk is not None  # noqa: S101 - the stage is complete once it is entered
        with Live(console=console, refresh_per_second=10, transient=False) as live:
            play = Play(made, made.desk, Timeline(live))
            play.file()
            times = play.block() | play.withdraw()
        console.print()
        console.print(" · ".join(f"{what} {seconds:.2f} s" for what, seconds in times.items()), style="bold")
        if not once:
            _look(console, made, play.number)
    finally:
        opened.__exit__(*sys.exc_info())


def _look(console: Console, made: Stage, number: str) -> None:
    console.print(
        f"""
The red hand, as visitors of {demonstration.NAME} see it   {made.url(made.window)}
The case at the desk                                       {made.url(made.pages)}cases/{number}
  sign in as {", ".join(PEOPLE)}; password: {PASSWORD}
Ask the resolver                                           dig @127.0.0.1 -p {made.dns} {demonstration.NAME}

Ctrl-C ends all of it, and leaves nothing behind.""",
        highlight=False,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print()
