"""Folds until it is killed: `python -m tests.authority.desk.compliance.killed DIRECTORY DATABASE NOW`. A line before each commit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.orm import Session

from authority.desk import compliance
from authority.desk.desk import Desk
from authority.desk.enforcement import following
from authority.desk.settings import DeskSettings


def small() -> None:
    """Pieces so small that many transactions are needed."""
    following.MOST, following.TOGETHER, compliance.RECEIPTS = 5, 4, 2


def main() -> None:
    directory, database, now = sys.argv[1:]
    small()
    desk = Desk(DeskSettings(directory=directory, database=database), Path(directory).parent, lambda: int(now))
    writing = desk.store.writing

    @contextmanager
    def told() -> Iterator[Session]:
        with writing() as session:
            yield session
            print("commits", flush=True)

    desk.store.writing = told  # type: ignore[method-assign]
    compliance.refresh(desk, int(now))
    print("done", flush=True)


if __name__ == "__main__":
    main()
