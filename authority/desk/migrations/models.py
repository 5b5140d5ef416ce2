"""All tables of the desk: importing this makes every module known that declares some."""

from __future__ import annotations

from sqlalchemy import MetaData

from authority.desk.enforcement import tables as _enforcement
from authority.desk.tables import Base

METADATA: MetaData = Base.metadata
MODULES = (_enforcement,)
"""Those beside `authority.desk.tables`."""
