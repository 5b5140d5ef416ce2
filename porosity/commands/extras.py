"""What to install, said when a command needs what is not there."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from blocklists.errors import RedHandError

EXTRAS = {
    "porosity": ("aioquic", "altair", "duckdb", "h2", "numpy", "pyarrow", "vl_convert"),
    "vantages": ("dask", "distributed"),
}
"""What the commands need beyond the lean install, by the extra that brings it. Commands import it when they run, so that help needs none of it."""


class Measuring(TyperGroup):
    """Says what to install, when a command needs what is not there."""

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
