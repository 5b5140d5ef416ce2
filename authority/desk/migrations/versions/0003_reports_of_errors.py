"""Reports of errors that visitors of blocked sites wrote, and what was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "error_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("contact", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decision", sa.String(length=16), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answer_language", sa.String(length=35), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["desk_case.id"], name=op.f("error_report_case_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("error_report_pkey")),
        sa.UniqueConstraint("operator", "reference", name=op.f("error_report_operator_reference_key")),
    )
    op.create_index("error_report_case", "error_report", ["case_id", "id"], unique=False)
    op.create_index("error_report_reference", "error_report", ["reference"], unique=False)
    op.create_index("error_report_untold", "error_report", ["told_at", "decided_at"], unique=False)
    op.create_index("error_report_waiting", "error_report", ["decided_at", "case_id", "order_id", "taken_at"], unique=False)
