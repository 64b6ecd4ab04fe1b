"""The management API: one router a noun, in an explicit list, on a listener of its own."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI

from freehold import __version__
from freehold.identity.service import KEY_ID
from freehold.server.api import (
    admission,
    answers,
    audit,
    batches,
    break_glass,
    calls,
    chain,
    channels,
    config,
    console,
    conversations,
    engines,
    errata,
    evals,
    evidence,
    guard,
    jobs,
    keys,
    lifecycle,
    login,
    metrics,
    models,
    moves,
    optimise,
    overview,
    papers,
    people,
    plans,
    playground,
    policy,
    providers,
    receipts,
    replicas,
    routes,
    scim,
    status,
    usage,
    vault,
    workflows,
)
from freehold.server.api import annotations as judgements
from freehold.server.console.app import Console, to_console
from freehold.server.console.page import BASE
from freehold.server.document import complete
from freehold.server.instance import Instance
from freehold.server.rim import App, Rim, translate_errors
from freehold.server.sign_in import Issuers
from freehold.server.structs import components
from freehold.telemetry.tally import Tally

ROUTERS = (
    judgements.router,
    admission.router,
    answers.router,
    audit.router,
    batches.router,
    break_glass.router,
    calls.router,
    chain.router,
    channels.router,
    config.router,
    console.router,
    conversations.router,
    engines.router,
    errata.router,
    evals.router,
    evidence.router,
    guard.router,
    jobs.router,
    keys.router,
    lifecycle.router,
    login.router,
    metrics.router,
    models.router,
    moves.router,
    optimise.router,
    overview.router,
    papers.router,
    people.router,
    plans.router,
    playground.router,
    policy.router,
    providers.router,
    receipts.router,
    replicas.router,
    routes.router,
    scim.router,
    status.router,
    usage.router,
    vault.router,
    workflows.router,
)

FORMS = (
    *judgements.FORMS,
    *admission.FORMS,
    *answers.FORMS,
    *batches.FORMS,
    *calls.FORMS,
    *chain.FORMS,
    *channels.FORMS,
    *conversations.FORMS,
    *engines.FORMS,
    *errata.FORMS,
    *evals.FORMS,
    *evidence.FORMS,
    *guard.FORMS,
    *jobs.FORMS,
    *lifecycle.FORMS,
    *models.FORMS,
    *moves.FORMS,
    *optimise.FORMS,
    *overview.FORMS,
    *papers.FORMS,
    *plans.FORMS,
    *policy.FORMS,
    *providers.FORMS,
    *receipts.FORMS,
    *routes.FORMS,
    *usage.FORMS,
    *workflows.FORMS,
)


class Api(FastAPI):
    """FastAPI whose document also describes the structs that are not pydantic models."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi(), components(FORMS))
        return self.openapi_schema


def create_app(instance: Instance | None, token: str) -> FastAPI:
    """The application without its rim; `instance` may be None where only the OpenAPI document is wanted."""
    app = Api(
        title="Freehold management API",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        license_info={"name": "Apache-2.0"},
        description="Send the token in `run/admin.token` of the instance's home, a session's token, or a key whose "
        "role allows it, as `Authorization: Bearer`.",
    )
    app.state.instance = instance
    app.state.token = token
    app.state.tally = Tally((KEY_ID,))
    app.state.issuers = Issuers(instance) if instance else None
    for router in ROUTERS:
        app.include_router(router)
    translate_errors(app)
    if instance is not None:
        app.add_route("/", to_console, include_in_schema=False)
        app.mount(BASE, Console(app, instance, token).application())
    return app


def guarded(app: FastAPI, hosts: Sequence[str]) -> App:
    """The application as it is served."""
    return Rim(app, hosts)


def serve(app: App, listener: socket.socket) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT."""
    settings = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=5
    )
    uvicorn.Server(settings).run(sockets=[listener])
