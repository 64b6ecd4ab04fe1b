"""People in the database. Every function takes an open connection: the caller decides what is one transaction."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, or_, select, update

from freehold.core.errors import Conflict, NotFound
from freehold.identity.people.tables import break_glass, group_members, groups, people, sessions, sign_ins
from freehold.identity.people.types import BreakGlass, Group, Pending, Person, Session


def put(connection: Connection, person: Person) -> None:
    """Store a person, new or changed."""
    values = {
        "issuer": person.issuer or None,
        "subject": person.subject or None,
        "user_name": person.user_name or None,
        "external_id": person.external_id,
        "email": person.email,
        "name": person.name,
        "groups": json.dumps(person.groups),
        "pinned": person.pinned,
        "active": person.active,
        "created_at": person.created_at,
        "signed_in_at": person.signed_in_at,
        "revoked_at": person.revoked_at,
    }
    if connection.execute(update(people).where(people.c.id == person.id).values(**values)).rowcount == 0:
        connection.execute(people.insert().values(id=person.id, **values))


def everybody(connection: Connection) -> tuple[Person, ...]:
    """Every person, oldest first."""
    rows = connection.execute(select(people).order_by(people.c.created_at, people.c.id)).mappings()
    return tuple(_person(row) for row in rows)


def by_id(connection: Connection, person: str) -> Person:
    """Raises NotFound."""
    row = connection.execute(select(people).where(people.c.id == person)).mappings().first()
    if row is None:
        raise NotFound(f"there is no person {person!r}", hint="list them: freehold people list")
    return _person(row)


def by_name(connection: Connection, name: str) -> Person:
    """The person of an id, an e-mail address or a user name. Raises NotFound; Conflict where several have it."""
    columns = (people.c.id, people.c.email, people.c.user_name, people.c.subject)
    wanted = or_(*(one == name for one in columns))
    found = [_person(row) for row in connection.execute(select(people).where(wanted)).mappings()]
    if not found:
        raise NotFound(f"there is no person {name!r}", hint="list them: freehold people list")
    if len(found) > 1:
        ids = ", ".join(one.id for one in found)
        raise Conflict(f"several people are known as {name!r}", hint=f"name one by id: {ids}")
    return found[0]


def by_subject(connection: Connection, issuer: str, subject: str) -> Person | None:
    """Who an issuer means by a subject."""
    mine = (people.c.issuer == issuer) & (people.c.subject == subject)
    row = connection.execute(select(people).where(mine)).mappings().first()
    return _person(row) if row else None


def awaited(connection: Connection, subject: str, email: str) -> Person | None:
    """A person SCIM told of who has not signed in yet: by the subject as external id, else by e-mail as user name."""
    fresh = people.c.subject.is_(None) & people.c.user_name.is_not(None)
    ways = [people.c.external_id == subject, *([func.lower(people.c.user_name) == email.lower()] if email else [])]
    for mine in ways:
        row = connection.execute(select(people).where(fresh, mine)).mappings().first()
        if row:
            return _person(row)
    return None


def by_user_name(connection: Connection, user_name: str) -> Person | None:
    """SCIM's name for a person; it does not mind the case."""
    mine = func.lower(people.c.user_name) == user_name.lower()
    row = connection.execute(select(people).where(mine)).mappings().first()
    return _person(row) if row else None


def taken_out(connection: Connection, external_id: str, user_name: str) -> Person | None:
    """A person the directory took out, by the same external id, else by the same e-mail address."""
    gone = people.c.user_name.is_(None) & people.c.active.is_(False)
    ways = [people.c.external_id == external_id] if external_id else []
    for mine in (*ways, func.lower(people.c.email) == user_name.lower()):
        row = connection.execute(select(people).where(gone, mine)).mappings().first()
        if row:
            return _person(row)
    return None


def add_session(connection: Connection, session: Session) -> None:
    """Store a session."""
    names = ("digest", "person", "bound", "made_at", "expires_at", "ended_at")
    connection.execute(sessions.insert().values(**{name: getattr(session, name) for name in names}))


def session(connection: Connection, digest: bytes) -> Session | None:
    """The session a token with this digest opens, whether or not it still counts."""
    row = connection.execute(select(sessions).where(sessions.c.digest == digest)).mappings().first()
    return Session(**row) if row else None


def end_sessions(connection: Connection, person: str, now: float, digest: bytes | None = None) -> int:
    """End those of a person's sessions that last, or the one of a digest; how many those were."""
    mine = (sessions.c.person == person) & sessions.c.ended_at.is_(None) & (sessions.c.expires_at > now)
    if digest is not None:
        mine &= sessions.c.digest == digest
    return connection.execute(update(sessions).where(mine).values(ended_at=now)).rowcount


def forget_sessions(connection: Connection, before: float) -> None:
    """Drop sessions that expired before a time."""
    connection.execute(delete(sessions).where(sessions.c.expires_at < before))


def begin(connection: Connection, pending: Pending, now: float) -> int:
    """Store a sign-in that was begun, and forget those out of time; how many are under way."""
    connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= now))
    names = ("state", "ticket", "sealed", "made_at", "expires_at")
    connection.execute(sign_ins.insert().values(**{name: getattr(pending, name) for name in names}))
    return connection.scalar(select(func.count()).select_from(sign_ins)) or 0


def take(connection: Connection, state: bytes) -> Pending | None:
    """The sign-in of a state, which is thereby used up."""
    row = connection.execute(select(sign_ins).where(sign_ins.c.state == state)).mappings().first()
    connection.execute(delete(sign_ins).where(sign_ins.c.state == state))
    return Pending(**row) if row else None


def put_group(connection: Connection, group: Group) -> None:
    """Store a group, new or changed, with exactly these members. Raises Conflict where its name is another's."""
    taken = select(groups.c.id).where(groups.c.name == group.name, groups.c.id != group.id)
    if connection.scalar(taken):
        raise Conflict(f"there is a group named {group.name!r} already", hint="choose another name")
    values = {"name": group.name, "external_id": group.external_id, "made_at": group.made_at}
    if connection.execute(update(groups).where(groups.c.id == group.id).values(**values)).rowcount == 0:
        connection.execute(groups.insert().values(id=group.id, **values))
    connection.execute(delete(group_members).where(group_members.c.group == group.id))
    for one in sorted(set(group.members)):
        connection.execute(group_members.insert().values(group=group.id, person=by_id(connection, one).id))


def drop_group(connection: Connection, group: str) -> None:
    """Forget a group."""
    connection.execute(delete(group_members).where(group_members.c.group == group))
    connection.execute(delete(groups).where(groups.c.id == group))


def all_groups(connection: Connection) -> tuple[Group, ...]:
    """Every group, by name."""
    members: dict[str, list[str]] = {}
    for row in connection.execute(select(group_members).order_by(group_members.c.person)).mappings():
        members.setdefault(row["group"], []).append(row["person"])
    rows = connection.execute(select(groups).order_by(groups.c.name)).mappings()
    return tuple(
        Group(
            id=row["id"],
            name=row["name"],
            external_id=row["external_id"],
            members=tuple(members.get(row["id"], ())),
            made_at=row["made_at"],
        )
        for row in rows
    )


def memberships(connection: Connection) -> dict[str, tuple[str, ...]]:
    """By person: the names of the groups SCIM put them into, sorted."""
    query = select(group_members.c.person, groups.c.name).join(groups, group_members.c.group == groups.c.id)
    found: dict[str, tuple[str, ...]] = {}
    for person, name in connection.execute(query.order_by(groups.c.name)):
        found[person] = (*found.get(person, ()), name)
    return found


def lasting_sessions(connection: Connection, now: float) -> dict[str, int]:
    """By person: how many sessions count now."""
    counts = sessions.c.ended_at.is_(None) & (sessions.c.expires_at > now)
    query = select(sessions.c.person, func.count()).where(counts).group_by(sessions.c.person)
    return {row[0]: row[1] for row in connection.execute(query)}


def groups_of(connection: Connection, person: str) -> tuple[str, ...]:
    """Names of the groups SCIM put a person into."""
    query = select(groups.c.name).join(group_members, group_members.c.group == groups.c.id)
    return tuple(connection.scalars(query.where(group_members.c.person == person).order_by(groups.c.name)))


def put_break_glass(connection: Connection, one: BreakGlass) -> None:
    """Store a break-glass, new or changed."""
    names = ("right", "key", "why", "seconds", "asked_by", "asked_at", "approved_by", "approved_at")
    values = {name: getattr(one, name) for name in (*names, "ended_by", "ended_at")}
    if connection.execute(update(break_glass).where(break_glass.c.id == one.id).values(**values)).rowcount == 0:
        connection.execute(break_glass.insert().values(id=one.id, **values))


def one_break_glass(connection: Connection, name: str) -> BreakGlass:
    """Raises NotFound."""
    row = connection.execute(select(break_glass).where(break_glass.c.id == name)).mappings().first()
    if row is None:
        raise NotFound(f"there is no break-glass {name!r}", hint="list them: freehold people break-glass list")
    return BreakGlass(**row)


def every_break_glass(connection: Connection, since: float = 0.0) -> tuple[BreakGlass, ...]:
    """Those asked for since a time, newest first."""
    query = select(break_glass).where(break_glass.c.asked_at >= since)
    rows = connection.execute(query.order_by(break_glass.c.asked_at.desc(), break_glass.c.id)).mappings()
    return tuple(BreakGlass(**row) for row in rows)


def _person(row: RowMapping) -> Person:
    values: dict[str, Any] = dict(row)
    values["groups"] = tuple(json.loads(row["groups"]))
    for name in ("issuer", "subject", "user_name"):
        values[name] = row[name] or ""
    return Person(**values)
