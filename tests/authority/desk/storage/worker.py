"""What is killed: a process of a desk that takes referrals, decides, and opens cases in several threads, and tells each thing that is done."""

from __future__ import annotations

import random
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from authority.desk import backup, cases, migrations, reading
from authority.desk.errors import DeskError
from authority.desk.roles import Actor
from authority.desk.store import Store
from tests.authority.desk.storage.house import NOW, house

THREADS = 3


def work(directory: Path, database: str, seed: int, told: Connection) -> None:
    """Until it is killed, or the database goes away."""
    home = house(directory, database, people=False)
    lock, done = threading.Lock(), threading.Event()

    def tell(*what: object) -> None:
        with lock:
            told.send(what)

    def one(number: int) -> None:
        draw, mine = random.Random(f"{seed}.{number}"), list[str]()
        for turn in range(10_000):
            if done.is_set():
                return
            key = f"{seed}.{number}.{turn}"
            if not mine or draw.random() < 0.5:
                name = f"n{draw.randrange(100_000)}.test"
                taken = home.refer(name, key)
                if not taken.joined:
                    mine.append(taken.number)
                tell("refer", key, taken.reference, taken.number)
            elif draw.random() < 0.7:
                chosen = draw.choice(mine)
                with home.desk.store.writing() as session:
                    case = cases.assess(session, home.desk, home.people["officer"], chosen, "terrorism", "It is.", "seen", NOW)
                tell("assess", chosen, case.version)
            else:
                chosen = draw.choice(mine)
                reading.opened(home.desk, home.people["officer"], chosen)
                tell("read", chosen)

    def until_it_ends(number: int) -> None:
        try:
            one(number)
        except Exception as error:
            done.set()
            tell("ended", f"{type(error).__name__}: {error}"[:300])

    threads = [threading.Thread(target=until_it_ends, args=(number,)) for number in range(THREADS)]
    tell("ready")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.close()


def restore(database: str, path: Path, told: Connection) -> None:
    """A restore into an empty database."""
    store = Store(database)
    told.send("ready")
    backup.restore(store, path, Actor("keeper"), NOW)
    told.send("done")


def upgrade(database: str, told: Connection) -> None:
    """The tables of an empty database."""
    store = Store(database)
    told.send("ready")
    migrations.upgrade(store)
    told.send("done")


def write(database: str, path: Path, told: Connection) -> None:
    """A backup."""
    store = Store(database)
    told.send("ready")
    try:
        backup.write(store, path, Actor("keeper"), NOW)
    except DeskError as error:
        told.send(str(error))
        return
    told.send("done")
