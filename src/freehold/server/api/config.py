"""The configuration in force, over the management API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.settings.load import load
from freehold.settings.problems import InvalidConfig
from freehold.settings.show import Shown, shown
from freehold.settings.tree import Settings

router = APIRouter(prefix="/api/config", tags=["config"])

READ = [Depends(Allowed("config:read"))]
Reloader = Annotated[Actor, Depends(Allowed("config:reload"))]


class SettingView(BaseModel):
    """One setting in force and where it was set."""

    name: str
    value: Any
    origin: str
    kind: str = Field(description="`default`, `file` or `environment`.")
    line: int | None = Field(description="Of the file, where it declares the setting.")


class ConfigView(BaseModel):
    """The settings in force, and what is wrong with a newer file, where one was refused."""

    file: str | None
    home: str
    versions: dict[str, int]
    settings: list[SettingView]
    problems: list[dict[str, str]]
    restart_needed: tuple[str, ...] = Field(description="Tables that were changed and are read at the next start only.")


@router.get("", dependencies=READ)
def show(instance: Served) -> ConfigView:
    """Every setting in force with its origin."""
    return _view(instance)


@router.get("/schema", dependencies=READ)
def schema() -> dict[str, Any]:
    """The JSON schema of `freehold.toml`."""
    return Settings.model_json_schema()


@router.post("/reload")
def reload(instance: Served, actor: Reloader) -> ConfigView:
    """Read the file again now. Where it is bad, the settings in force stay."""
    loaded = load(str(instance.loaded.file) if instance.loaded.file else None, str(instance.home))
    instance.adopt(loaded, actor.name)
    return _view(instance)


def _view(instance: Instance) -> ConfigView:
    rows: list[Shown] = shown(instance.loaded)
    bad = instance.problems
    return ConfigView(
        file=str(instance.loaded.file) if instance.loaded.file else None,
        home=str(instance.home),
        versions=instance.versions,
        settings=[
            SettingView(name=one.name, value=one.value, origin=one.origin, kind=one.kind, line=one.line) for one in rows
        ],
        problems=_problems(bad) if bad else [],
        restart_needed=instance.restart_needed,
    )


def _problems(bad: InvalidConfig) -> list[dict[str, str]]:
    return [
        {"code": one.code, "message": one.message, "where": one.where, "remark": one.remark, "fix": one.fix}
        for one in bad.problems
    ]
