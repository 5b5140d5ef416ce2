"""What stands between the commands of measuring and who calls them: what to install, and which errors are a study's and not the program's."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from blocklists.errors import RedHandError, StoreError

EXTRAS = {
    "porosity": ("aioquic", "altair", "duckdb", "h2", "numpy", "pyarrow", "vl_convert"),
    "vantages": ("dask", "distributed"),
}
"""What the commands need beyond the lean install, by the extra that brings it. Commands import it when they run, so that help needs none of it."""


READERS = ("pyarrow", "duckdb", "_duckdb")


class Measuring(TyperGroup):
    """Says what to install, when a command needs what is not there; and that a study is damaged, when the libraries that read it say so."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command called."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            extra = next((name for name, modules in EXTRAS.items() if missing in modules), None)
            if extra is None:
                raise
            raise RedHandError(f"measuring needs {missing}, which is not installed; install it with: pip install 'redhand[{extra}]'") from None
        except Exception as error:
            # Of damage behind a file's first and last octets the libraries tell whoever is reading; an OSError of theirs has no number.
            theirs = type(error).__module__.partition(".")[0] in READERS or (isinstance(error, OSError) and error.errno is None)
            if not theirs:
                raise
            why = str(error).strip().partition("\n")[0]
            raise StoreError(f"a file of the study is not as it was written ({why}); put a copy in its place, or make the stage anew") from error
