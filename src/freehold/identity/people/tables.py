"""The tables of people: who they are, their sessions and sign-ins, SCIM's groups, break-glass."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, ForeignKey, LargeBinary, String, Table, Text, UniqueConstraint

from freehold.core.db import metadata

people = Table(
    "people",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("issuer", String(512), doc="NULL before the first sign-in."),
    Column("subject", String(255)),
    Column("user_name", String(320), unique=True, doc="SCIM's; NULL where SCIM does not know the person."),
    Column("external_id", String(255), nullable=False),
    Column("email", String(320), nullable=False),
    Column("name", String(256), nullable=False),
    Column("groups", Text, nullable=False, doc="JSON list, as the issuer told."),
    Column("pinned", String(32), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("signed_in_at", Double),
    Column("revoked_at", Double),
    UniqueConstraint("issuer", "subject"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("person", String(32), ForeignKey("people.id"), nullable=False, index=True),
    Column("bound", LargeBinary(32), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("ended_at", Double),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("state", LargeBinary(32), primary_key=True),
    Column("ticket", LargeBinary(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
    Column("external_id", String(255), nullable=False),
    Column("made_at", Double, nullable=False),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group", String(32), ForeignKey("groups.id"), primary_key=True),
    Column("person", String(32), ForeignKey("people.id"), primary_key=True, index=True),
)

break_glass = Table(
    "break_glass",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("right", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("why", Text, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("asked_by", String(32), ForeignKey("people.id"), nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("approved_by", String(32), nullable=False),
    Column("approved_at", Double),
    Column("ended_by", String(128), nullable=False),
    Column("ended_at", Double),
)
