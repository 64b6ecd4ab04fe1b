"""SCIM 2.0 for a directory: people and groups are made, changed and taken out here. Errors are ours in SCIM's form."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.clock import iso
from freehold.core.errors import Conflict, FreeholdError, NotFound
from freehold.identity.errors import BadScim
from freehold.identity.people import scim, store
from freehold.identity.people.types import Group, Person
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.api.people import end_break_glass
from freehold.server.instance import Instance
from freehold.server.rim import status_of

CORE = "urn:ietf:params:scim:schemas:core:2.0"
MESSAGES = "urn:ietf:params:scim:api:messages:2.0"
MEDIA = "application/scim+json"

T = TypeVar("T")
Answer = Callable[[Request], Coroutine[Any, Any, Response]]


class ScimRoute(APIRoute):
    """An endpoint whose errors a directory understands."""

    def get_route_handler(self) -> Answer:
        """The endpoint within the translation."""
        inner = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await inner(request)
            except FreeholdError as error:
                return _error(error)
            except RequestValidationError as error:
                return _error(BadScim("; ".join(str(one["msg"]) for one in error.errors())))

        return answered


router = APIRouter(prefix="/scim/v2", tags=["scim"], route_class=ScimRoute)

Directory = Annotated[Actor, Depends(Allowed("scim:write"))]
Told = Annotated[dict[str, Any], Body(description="A resource or a message of SCIM.")]
Start = Annotated[int, Query(alias="startIndex", description="First to show, from 1.")]
Count = Annotated[int, Query(ge=0, le=1000, description="Most to show.")]


@router.get("/ServiceProviderConfig")
def config(_actor: Directory) -> Response:
    """What of SCIM is taken here."""
    plain = {name: {"supported": False} for name in ("bulk", "changePassword", "sort", "etag")}
    told = {
        "schemas": [f"{CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "filter": {"supported": True, "maxResults": 1000},
        "authenticationSchemes": [
            {"type": "oauthbearertoken", "name": "Bearer token", "description": "[identity] scim_token"}
        ],
    }
    return _answer({**told, **plain})


@router.get("/Users")
def users(instance: Served, _actor: Directory, filter: str = "", start: Start = 1, count: Count = 100) -> Response:  # noqa: A002  SCIM's name
    """People the directory knows of."""
    wanted = scim.wanted(filter, ("userName", "externalId", "id"))
    with instance.reading() as connection:
        every = [one for one in store.everybody(connection) if one.user_name]
        if wanted:
            field = {"userName": "user_name", "externalId": "external_id", "id": "id"}[wanted[0]]
            every = [one for one in every if getattr(one, field).lower() == wanted[1].lower()]
        known = store.all_groups(connection)
        return _listed(every, lambda one: _user(one, known), start, count)


@router.post("/Users", status_code=201)
def add_user(told: Told, instance: Served, actor: Directory) -> Response:
    """Make a person known; signing in is the issuer's part. Who was taken out comes back as the same person."""
    content: dict[str, object] = {}
    with instance.noting(actor.name, "scim.person.create", content) as connection:
        new = Person(id=f"person_{instance.random(8).hex()}", created_at=instance.clock())
        made = scim.described(new, told)
        if store.by_user_name(connection, made.user_name):
            raise Conflict(f"there is a person {made.user_name!r} already", hint="patch that one")
        back = store.taken_out(connection, made.external_id, made.user_name)
        if back is not None:
            made = scim.described(replace(back, active=True), told)
        store.put(connection, made)
        content |= {"person": made.id, "name": made.user_name}
        return _answer(_user(made, store.all_groups(connection)), 201)


@router.get("/Users/{person}")
def user(person: str, instance: Served, _actor: Directory) -> Response:
    """One person."""
    with instance.reading() as connection:
        return _answer(_user(_known(connection, person), store.all_groups(connection)))


@router.patch("/Users/{person}")
def patch_user(person: str, told: Told, instance: Served, actor: Directory) -> Response:
    """Change a person. Who is no longer active is out at once."""
    steps, content = _steps(told), dict[str, object](person=person)
    with instance.changing(actor.name, "scim.person.change", content) as connection:
        before = _known(connection, person)
        after = scim.patched(before, steps)
        other = store.by_user_name(connection, after.user_name)
        if other is not None and other.id != after.id:
            raise Conflict(f"there is a person {after.user_name!r} already", hint="choose another userName")
        content |= {"name": after.user_name, "active": after.active}
        store.put(connection, after)
        if before.active and not after.active:
            _out(connection, after, actor, instance)
        return _answer(_user(after, store.all_groups(connection)))


@router.delete("/Users/{person}", status_code=204)
def drop_user(person: str, instance: Served, actor: Directory) -> Response:
    """Take a person out: every session ends at once. What they did stays in the audit under their name."""
    with instance.changing(actor.name, "scim.person.delete", {"person": person}) as connection:
        gone = _known(connection, person)
        _out(connection, gone, actor, instance)
        store.put(connection, replace(gone, user_name="", active=False))
        for group in store.all_groups(connection):
            if person in group.members:
                store.put_group(
                    connection, replace(group, members=tuple(one for one in group.members if one != person))
                )
    return Response(status_code=204)


@router.get("/Groups")
def groups(instance: Served, _actor: Directory, filter: str = "", start: Start = 1, count: Count = 100) -> Response:  # noqa: A002  SCIM's name
    """Groups, with the people in them."""
    wanted = scim.wanted(filter, ("displayName", "externalId", "id"))
    with instance.reading() as connection:
        every = store.all_groups(connection)
        if wanted:
            field = {"displayName": "name", "externalId": "external_id", "id": "id"}[wanted[0]]
            every = tuple(one for one in every if getattr(one, field) == wanted[1])
        return _listed(every, _group, start, count)


@router.post("/Groups", status_code=201)
def add_group(told: Told, instance: Served, actor: Directory) -> Response:
    """Make a group. Which role it has says [identity.oidc] roles, with groups_from = "scim"."""
    content: dict[str, object] = {}
    with instance.noting(actor.name, "scim.group.create", content) as connection:
        new = Group(id=f"group_{instance.random(8).hex()}", name="", made_at=instance.clock())
        named = {name: told[name] for name in ("displayName", "externalId") if name in told}
        made = _put(
            connection,
            replace(scim.regrouped(new, [scim.Step("add", "", named)]), members=scim.members_of(told.get("members"))),
        )
        content |= {"group": made.id, "name": made.name, "members": len(made.members)}
        return _answer(_group(made), 201)


@router.get("/Groups/{group}")
def one_group(group: str, instance: Served, _actor: Directory) -> Response:
    """One group."""
    with instance.reading() as connection:
        return _answer(_group(_known_group(connection, group)))


@router.patch("/Groups/{group}")
def patch_group(group: str, told: Told, instance: Served, actor: Directory) -> Response:
    """Change a group's name or its people. Roles follow at their next request."""
    steps, content = _steps(told), dict[str, object](group=group)
    with instance.noting(actor.name, "scim.group.change", content) as connection:
        made = _put(connection, scim.regrouped(_known_group(connection, group), steps))
        content |= {"name": made.name, "members": list(made.members)}
        return _answer(_group(made))


@router.delete("/Groups/{group}", status_code=204)
def drop_group(group: str, instance: Served, actor: Directory) -> Response:
    """Forget a group."""
    with instance.noting(actor.name, "scim.group.delete", {"group": group}) as connection:
        store.drop_group(connection, _known_group(connection, group).id)
    return Response(status_code=204)


def _out(connection: Connection, person: Person, actor: Actor, instance: Instance) -> None:
    store.end_sessions(connection, person.id, instance.clock())
    end_break_glass(connection, person.id, actor.name, instance.clock())


def _put(connection: Connection, group: Group) -> Group:
    if not group.name:
        raise BadScim("a group has a displayName")
    for one in group.members:
        _known(connection, one)
    store.put_group(connection, group)
    return group


def _known(connection: Connection, person: str) -> Person:
    """A person the directory knows of. Raises NotFound."""
    found = store.by_id(connection, person)
    if not found.user_name:
        raise NotFound(f"the directory knows of no person {person!r}")
    return found


def _known_group(connection: Connection, group: str) -> Group:
    found = next((one for one in store.all_groups(connection) if one.id == group), None)
    if found is None:
        raise NotFound(f"there is no group {group!r}")
    return found


def _steps(told: dict[str, Any]) -> list[scim.Step]:
    try:
        found: list[scim.Step] = msgspec.convert(told.get("Operations"), list[scim.Step])
    except msgspec.ValidationError as error:
        raise BadScim(f"Operations: {error}") from None
    return found


def _user(person: Person, known: Sequence[Group]) -> dict[str, Any]:
    return {
        "schemas": [f"{CORE}:User"],
        "id": person.id,
        "userName": person.user_name,
        "externalId": person.external_id,
        "displayName": person.name,
        "emails": [{"value": person.email, "primary": True}] if person.email else [],
        "active": person.active,
        "groups": [{"value": one.id, "display": one.name} for one in known if person.id in one.members],
        "meta": {"resourceType": "User", "created": iso(person.created_at), "location": f"/scim/v2/Users/{person.id}"},
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "schemas": [f"{CORE}:Group"],
        "id": group.id,
        "displayName": group.name,
        "externalId": group.external_id,
        "members": [{"value": one} for one in group.members],
        "meta": {"resourceType": "Group", "created": iso(group.made_at), "location": f"/scim/v2/Groups/{group.id}"},
    }


def _listed(found: Sequence[T], shown: Callable[[T], dict[str, Any]], start: int, count: int) -> Response:
    first = max(start, 1)
    page = [shown(one) for one in found[first - 1 : first - 1 + count]]
    told = {"totalResults": len(found), "startIndex": first, "itemsPerPage": len(page), "Resources": page}
    return _answer({"schemas": [f"{MESSAGES}:ListResponse"], **told})


def _answer(value: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(value, status, media_type=MEDIA)


def _error(error: FreeholdError) -> Response:
    status = status_of(error)
    kind = {"scimType": "invalidValue"} if status == 400 else {"scimType": "uniqueness"} if status == 409 else {}
    told = {"schemas": [f"{MESSAGES}:Error"], "status": str(status), "detail": error.message, **kind}
    return JSONResponse({**told, "error": error.as_dict()}, status, media_type=MEDIA)
