"""What all tables share: types of columns, how names are turned, and the base that knows every table."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase

Seconds = BigInteger
Name = String(256).with_variant(String(256, collation="C"), "postgresql")
"""Names are compared octet by octet, so that a range of an index holds all that begin alike."""


def backwards(name: str) -> str:
    """`www.site.test` as `test.site.www.`."""
    return "".join(f"{label}." for label in reversed(name.split(".")))


class Base(DeclarativeBase):
    """All tables."""

    # Every constraint has a name, so that a later migration can change it in both databases.
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON, list[Any]: JSON, bytes: LargeBinary}
