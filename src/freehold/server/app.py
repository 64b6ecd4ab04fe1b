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
    audit,
    batches,
    break_glass,
    calls,
    channels,
    config,
    engines,
    errata,
    evals,
    evidence,
    jobs,
    keys,
    lifecycle,
    login,
    metrics,
    models,
    moves,
    optimise,
    papers,
    people,
    plans,
    policy,
    providers,
    receipts,
    routes,
    scim,
    status,
    usage,
    vault,
    workflows,
)
from freehold.server.api import annotations as judgements
from freehold.server.document import complete
from freehold.server.instance import Instance
from freehold.server.rim import App, Rim, translate_errors
from freehold.server.sign_in import Issuers
from freehold.server.structs import components
from freehold.telemetry.tally import Tally

ROUTERS = (
    judgements.router,
    admission.router,
    audit.router,
    batches.router,
    break_glass.router,
    calls.router,
    channels.router,
    config.router,
    engines.router,
    errata.router,
    evals.router,
    evidence.router,
    jobs.router,
    keys.router,
    lifecycle.router,
    login.router,
    metrics.router,
    models.router,
    moves.router,
    optimise.router,
    papers.router,
    people.router,
    plans.router,
    policy.router,
    providers.router,
    receipts.router,
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
    *batches.FORMS,
    *calls.FORMS,
    *channels.FORMS,
    *engines.FORMS,
    *errata.FORMS,
    *evals.FORMS,
    *evidence.FORMS,
    *jobs.FORMS,
    *lifecycle.FORMS,
    *models.FORMS,
    *moves.FORMS,
    *optimise.FORMS,
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
