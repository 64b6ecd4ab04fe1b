"""Who looks: the cookie of a browser, the session it opens, and who that is now. Decided anew on every request."""

from __future__ import annotations

from http.cookies import SimpleCookie

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.crypto import sha256
from freehold.core.db import writing
from freehold.core.errors import Forbidden, Unauthenticated
from freehold.identity.console import sessions, store
from freehold.identity.console.types import Session, Standing
from freehold.identity.errors import WrongForm
from freehold.identity.roles import permissions
from freehold.server.actors import Actor, actor_by, actor_showing
from freehold.server.console.page import BASE
from freehold.server.instance import Instance

FORM_FIELD = "form"
FORM_HEADER = "x-freehold-form"


class Visit(msgspec.Struct, frozen=True):
    """A request of somebody who is signed in."""

    actor: Actor
    session: Session
    forms: sessions.Forms


class Visits:
    """The browsers of one instance. `own` is the instance's own token."""

    def __init__(self, instance: Instance, own: str) -> None:
        self.instance = instance
        self._own = own
        # Cookies do not mind ports: two instances on one machine must not sign each other out.
        self.cookie = f"freehold_{sha256(instance.identity.key_id.encode()).hex()[:8]}"

    def of(self, request: Request, *, used: bool = True) -> Visit:
        """Raises Unauthenticated's kin where nobody is signed in, or not any more. What a page does by itself, while
        nobody need sit before it, is not `used`: it must not keep a session from ending.
        """
        token = request.cookies.get(self.cookie, "")
        if not token:
            raise Unauthenticated("nobody is signed in here", hint="open the link that freehold console prints")
        now = self.instance.clock()
        with self.instance.reading() as connection:
            found = store.by_digest(connection, sha256(token.encode()))
        session = sessions.known(found, request.headers.get("user-agent", ""), now)
        actor = actor_by(self.instance, self._own, session.standing)
        if used and sessions.stale(session, now):
            with writing(self.instance.engine) as connection:
                store.seen(connection, session.digest, now)
        return Visit(actor, session, sessions.Forms(token))

    def by_link(self, word: str, agent: str) -> str:
        """Sign a browser in by a link; its cookie's token. Raises LinkOver."""
        now = self.instance.clock()
        with writing(self.instance.engine) as connection:
            standing = sessions.follow(connection, word, now)
        return self.enter(standing, agent)

    def by_secret(self, secret: str, agent: str) -> str:
        """Sign a browser in by a key whose role may look, a session's token or the instance's own.

        Raises Unauthenticated and its kin, Forbidden.
        """
        actor = actor_showing(self.instance, self._own, secret)
        if actor.standing is None or "self:read" not in permissions(actor.role):
            hint = "use a key with a role: freehold keys create NAME --role auditor"
            raise Forbidden("this key is an application's: it asks models, and may see nothing here", hint=hint)
        return self.enter(actor.standing, agent)

    def enter(self, standing: Standing, agent: str) -> str:
        """A new session of whoever stands behind it; its cookie's token."""
        instance = self.instance
        actor = actor_by(instance, self._own, standing)
        content: dict[str, object] = {"by": standing.kind}
        with instance.noting(actor.name, "console.sign_in", content) as connection:
            token, made = sessions.begin(connection, standing, agent, instance.clock(), instance.random)
            content["session"] = made.id
        return token

    def leave(self, visit: Visit) -> None:
        """End a session."""
        instance, ended = self.instance, visit.session.id
        with instance.noting(visit.actor.name, "console.sign_out", {"session": ended}) as connection:
            store.end(connection, ended, instance.clock())

    def hand(self, response: Response, token: str, *, secure: bool) -> None:
        """Put the cookie of a session into an answer; an empty token takes it away."""
        put(response, self.cookie, token, sessions.LONGEST_SECONDS if token else 0.0, secure=secure)


def put(response: Response, name: str, value: str, seconds: float, *, secure: bool) -> None:
    """A cookie that no script reads and no other site sends along. 0 seconds take it away."""
    made: SimpleCookie = SimpleCookie()
    made[name] = value
    kept = {"path": BASE, "httponly": True, "samesite": "Lax", "max-age": str(int(seconds)), "secure": secure}
    for key, given in kept.items():
        made[name][key] = given
    response.headers.append("set-cookie", made[name].OutputString())


def same_site(request: Request) -> None:
    """Raises WrongForm where a browser says that another site sent this."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if site not in ("same-origin", "none") or (origin and origin.partition("://")[2] != request.headers["host"]):
        raise WrongForm("this form was sent by another site")


def own_form(request: Request, visit: Visit, given: str) -> None:
    """Raises WrongForm unless a page of this session sent it."""
    same_site(request)
    if not visit.forms.holds(given):
        raise WrongForm("this form is of another session, or of none")
