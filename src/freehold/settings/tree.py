"""The settings tree: one line per room. What stands in `freehold.toml`, checked as a whole."""

from __future__ import annotations

from pydantic import Field

from freehold.batches.settings import BatchSettings
from freehold.core.section import Name, Port, Section
from freehold.gateway.settings import (
    CompositeSettings,
    GatewaySettings,
    ProviderSettings,
    RouteSettings,
    TargetSettings,
)
from freehold.guard.settings import GuardSettings
from freehold.identity.settings import IdentitySettings
from freehold.jobs.settings import JobsSettings
from freehold.ledger.settings import AuditSettings, CaptureSettings, DockSettings
from freehold.moves.settings import MoveSettings
from freehold.planner.settings import PlanSettings
from freehold.policy.settings import BudgetSettings, PolicySettings, RightsSettings, TeamSettings
from freehold.registry.settings import LicenseeSettings, ModelsSettings
from freehold.serving.settings import EngineSettings, ServingSettings
from freehold.settings.bodies import BodiesSettings
from freehold.settings.database import DatabaseSettings
from freehold.settings.mcp import McpSettings
from freehold.settings.valkey import ValkeySettings
from freehold.telemetry.settings import TelemetrySettings


class InstanceSettings(Section):
    """This installation."""

    home: str = Field(".freehold", description="Folder of everything it keeps; relative to the file's own folder.")


class AdminSettings(Section):
    """The management API's own listener."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8701, description="Port to listen on; 0 takes a free one.")
    hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="Host headers that are served, without port."
    )


class Settings(Section):
    """The whole of `freehold.toml`."""

    instance: InstanceSettings = InstanceSettings()
    database: DatabaseSettings = DatabaseSettings()
    bodies: BodiesSettings = BodiesSettings()
    valkey: ValkeySettings = ValkeySettings()
    gateway: GatewaySettings = GatewaySettings()
    admin: AdminSettings = AdminSettings()
    dock: DockSettings = DockSettings()
    identity: IdentitySettings = IdentitySettings()
    capture: CaptureSettings = CaptureSettings()
    audit: AuditSettings = AuditSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    policy: PolicySettings = PolicySettings()
    rights: RightsSettings = RightsSettings()
    licensee: LicenseeSettings = LicenseeSettings()
    models: ModelsSettings = ModelsSettings()
    serving: ServingSettings = ServingSettings()
    engines: dict[Name, EngineSettings] = Field(default_factory=dict)
    batches: BatchSettings = BatchSettings()
    jobs: JobsSettings = JobsSettings()
    providers: dict[Name, ProviderSettings] = Field(default_factory=dict)
    targets: dict[Name, TargetSettings] = Field(default_factory=dict)
    moves: MoveSettings = MoveSettings()
    plan: PlanSettings = PlanSettings()
    mcp: dict[Name, McpSettings] = Field(default_factory=dict)
    composites: dict[Name, CompositeSettings] = Field(default_factory=dict)
    routes: dict[Name, RouteSettings] = Field(default_factory=dict)
    teams: dict[Name, TeamSettings] = Field(default_factory=dict)
    guard: dict[Name, GuardSettings] = Field(default_factory=dict)
    budgets: tuple[BudgetSettings, ...] = ()
