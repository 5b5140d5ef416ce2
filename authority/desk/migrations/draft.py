"""For who changes the models: `python -m authority.desk.migrations.draft WORDS` writes the next revision, from the last one to what the models say.

Read what it wrote, mend what it cannot know (data that move, names that change), and run the tests of storage: they compare both databases with the
models. Never change a revision that was released.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from authority.desk import migrations
from authority.desk.store import Store


def draft(words: str) -> Path:
    """Writes the next revision; its path."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(f"sqlite:///{scratch}/desk.db")
        config = migrations.config()
        known = len(list(ScriptDirectory.from_config(config).walk_revisions()))
        if known:
            migrations.upgrade(store)
        with store.engine.connect() as connection:
            config.attributes |= {"connection": connection, "batch": known > 0}
            made = command.revision(config, words, autogenerate=True, rev_id=f"{known + 1:04d}")
        store.close()
    if made is None or isinstance(made, list):
        raise SystemExit("nothing was written")
    path = Path(made.path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.strip().startswith("# ###")), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(draft(" ".join(sys.argv[1:])))
