"""The tables of the data plane: [gateway], [providers.*], [targets.*], [composites.*] and [routes.*]."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from freehold.core.section import Count, Flag, LabelText, Money, Name, OptionalLabel, Port, Seconds, Secret, Section
from freehold.policy.settings import BudgetField

RESERVED_HEADERS = ("authorization", "content-length", "content-type", "host", "transfer-encoding", "x-api-key")


class GatewaySettings(Section):
    """The listener that applications call."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8700, description="Port to listen on; 0 takes a free one.")
    processes: Count = Field(1, description="Data-plane processes that share the port.")
    hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="Host headers that are served, without port; `*` serves any."
    )
    max_body_bytes: Count = Field(32 * 1024 * 1024, description="Largest request body.")
    journal: Literal["strict", "metered"] = Field(
        "strict",
        description="`strict`: each call is written down before it leaves and before its end is told, so a killed "
        "gateway loses and doubles nothing. `metered`: ten times a second, and no call waits for it: faster, but the "
        "last tenth may be lost, and money budgets cannot be kept.",
    )
    cache_bytes: Annotated[int, Field(strict=True, ge=0)] = Field(
        64 * 1024 * 1024, description="Memory of each process for answers of routes that have a `cache`."
    )
    drain_notice_seconds: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = Field(
        0.0, description="How long `/readyz` fails, while all is served, before an ending process closes its listener: "
        "longer than a load balancer takes to see it. Part of the half-minute in which it ends; 0 for at once."
    )  # fmt: skip
    receipts: Flag = Field(default=True, description="Digest bodies, so that receipts can vouch for them.")
    tls_certificate: str = Field("", description="PEM file of the listener's certificate chain; empty for plain HTTP.")
    tls_key: str = Field("", description="PEM file with the certificate's private key.")


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if name.lower() in RESERVED_HEADERS:
            raise PydanticCustomError("header", "{name} is set by Freehold itself", {"name": name})
        if "${" in text:
            raise PydanticCustomError("interpolation", "takes no ${...}: it is not a secret")
        if not name.isascii() or not text.isprintable():
            raise PydanticCustomError("header", "{name} is no header line", {"name": name})
    return value


class ProviderSettings(Section):
    """Who serves models. Calls leave only to addresses written here."""

    vendor: str = Field("", description="A vendor Freehold knows: fills in address, driver and dialects.")
    base_url: str = Field(
        "",
        description="Address up to and with the API's base path, such as `https://host/v1`. `{model}` in its path "
        "stands for the model's name; `?api-version=2024-10-21` behind it goes with every call.",
    )
    api_key: Secret = Field("", description="Reference to the provider's key.")
    driver: str = Field("", description="How it is spoken to; `openai` unless the vendor says otherwise.")
    dialects: tuple[str, ...] = Field((), description="Wire protocols it speaks, best first.")
    region: str = Field("", description="Where it runs; the vendor's where empty; targets may say more exactly.")
    owned: Flag = Field(default=False, description="True for an engine on machines of your own.")
    offering: str = Field(
        "", description="What is called, as facts about vendors name it, such as `azure-openai`; the vendor's if empty."
    )
    tls_ca: str = Field(
        "", description="PEM file of the authorities its certificate is checked against, instead of the system's."
    )
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default_factory=dict, description="Headers sent with every call."
    )
    quirks: tuple[str, ...] = Field((), description="Facts about its server that the driver acts on.")


class PriceSettings(Section):
    """Dollars per million tokens, and for what is not sold by tokens, with their source and date."""

    input: Money = Field(description="Plain input; 0 for what is not sold by tokens.")
    output: Money = Field(description="Output; 0 for what is not sold by tokens.")
    cached: Money | None = Field(None, description="Input read from the prompt cache.")
    cache_write: Money | None = Field(None, description="Input written to the prompt cache.")
    cache_write_1h: Money | None = Field(None, description="Input kept in the prompt cache for an hour.")
    per_call: Money | None = Field(None, description="One call of a tool.")
    per_image: Money | None = Field(None, description="One picture.")
    per_minute: Money | None = Field(None, description="One minute of sound that is listened to.")
    per_million_characters: Money | None = Field(None, description="Text that is spoken.")
    per_search: Money | None = Field(None, description="One ranking of up to 100 documents.")
    source: str = Field("freehold.toml", description="Where the price stands.")
    as_of: date = Field(description="Day it was read.")


class TargetSettings(Section):
    """One model at one provider."""

    provider: str = Field(description="Name of a [providers] table.")
    model: str = Field("", description="What the provider calls the model; the target's own name where empty.")
    region: str = Field("", description="Where it runs; the provider's where empty.")
    clearance: LabelText | None = Field(
        None, description="Most sensitive label it may take: `internal` for rented targets, everything for owned ones."
    )
    price: PriceSettings | None = Field(
        None, description="What it costs; where absent, the dated list price Freehold knows for vendor and model."
    )
    context_tokens: Annotated[int, Field(strict=True, ge=0)] = Field(0, description="Context window; 0 if unknown.")
    max_output_tokens: Count = Field(4096, description="Reserved for output where the caller names no limit.")
    connect_seconds: Seconds = Field(5.0, description="Longest wait for a connection.")
    first_token_seconds: Seconds = Field(60.0, description="Longest silence before the answer begins.")
    idle_seconds: Seconds = Field(60.0, description="Longest silence once it has begun.")
    prompt_cache: Literal["", "5m", "1h"] = Field(
        "", description="Set prompt-cache breakpoints that live so long in translated requests whose caller set none."
    )
    most_in_flight: Annotated[int, Field(strict=True, ge=0)] = Field(
        0, description="Calls it is sent at once by each gateway process; others wait. 0 for no limit."
    )
    most_waiting: Annotated[int, Field(strict=True, ge=0)] = Field(
        100, description="Calls that may wait for it in each gateway process; more are refused."
    )
    batches: Literal["", "pass"] = Field(
        "", description="`pass`: batches whose route leads to this target alone go to the vendor's own batch service."
    )
    batch_price: PriceSettings | None = Field(
        None, description="What a line of a passed batch costs; where absent, the vendor's share of the price."
    )
    quirks: tuple[str, ...] = Field((), description="Facts about this model that the driver acts on.")


class CompositeSettings(Section):
    """Several targets that are used like one: its members answer where they suffice, another one where they do not."""

    kind: Literal["agreement", "confidence"] = Field(
        description="`agreement`: the first member's answer, where the second says the same. `confidence`: the only "
        "member's answer, where it states to be sure enough."
    )
    members: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)] = Field(
        description="Targets asked first: two for `agreement`, one for `confidence`."
    )
    escalate: str = Field(description="Target asked where the members do not suffice.")
    grader: str = Field("", description="What tells agreement: `label`, `number`, `tool_call` or another grader.")
    options: dict[str, Any] = Field(default_factory=dict, description="The grader's options.")
    threshold: float = Field(0.9, ge=0, le=1, description="Least stated confidence that is served.")
    member_seconds: Seconds = Field(30.0, description="Longest wait for a member's whole answer.")


class ArmSettings(Section):
    """One target of a route, with its share."""

    target: str = Field(description="Name of a target.")
    weight: float = Field(1.0, ge=0, allow_inf_nan=False, description="Share of the traffic of its step.")


def _steps(value: Any) -> Any:
    """Names alone are steps tried in order; entries with weights share one step; an inner list is one step."""
    if not isinstance(value, list):
        return value
    if not value:
        raise PydanticCustomError("targets", "needs at least one target")
    kinds = {type(one) for one in value}
    if kinds == {dict}:
        return [value]
    if kinds <= {str, list}:
        return [[_arm(one)] if isinstance(one, str) else [_arm(each) for each in one] for one in value]
    raise PydanticCustomError("targets", "mixes names and weights: put each step into a list of its own")


def _arm(value: Any) -> Any:
    return {"target": value} if isinstance(value, str) else value


_ARM = ({"type": "string"}, ArmSettings.model_json_schema())
Steps = Annotated[
    tuple[tuple[ArmSettings, ...], ...],
    BeforeValidator(_steps),
    WithJsonSchema({"type": "array", "items": {"anyOf": [*_ARM, {"type": "array", "items": {"anyOf": [*_ARM]}}]}}),
]


class CacheSettings(Section):
    """Answers that are served again for exactly the same request, from memory."""

    seconds: Seconds = Field(description="How long an answer is served.")
    share: Literal["key", "team", "everyone"] = Field(
        "team", description="Who may be served an answer: the key that asked for it, its team, or every caller of the "
        "route. Labels and policy hold whatever stands here."
    )  # fmt: skip
    tools: Flag = Field(default=False, description="Keep answers to requests that offer tools too.")


class HedgeSettings(Section):
    """A slow first token is asked of the next target too, and who begins first answers."""

    after_seconds: Seconds | None = Field(
        None, description="How long the first target is waited for; where absent, the time in which 95 of 100 of its "
        "recent answers began."
    )  # fmt: skip
    whole: Flag = Field(
        default=False, description="Hedge answers that are not streamed too: they are waited for until they are whole."
    )
    most_dollars: Money | None = Field(
        None, description="Largest bound of the second target's price for one call; where absent, budgets alone say."
    )
    ratio: float = Field(0.1, ge=0, le=1, description="Largest share of recent calls that may be hedged.")


class RouteSettings(Section):
    """What a client names in `model`."""

    targets: Steps = Field(
        description="Names: tried in order. Tables with `target` and `weight`: share the traffic. "
        "A list in the list: one step, whose members share."
    )
    choose: Literal["weighted", "least_loaded", "fastest", "cheapest"] = Field(
        "weighted", description="How a step picks among its members: by weight, by calls under way for each share, by "
        "how soon its recent answers began, or by what they cost."
    )  # fmt: skip
    sticky: Flag = Field(default=True, description="Keep a conversation on the target it began on.")
    attempts: Annotated[int, Field(strict=True, ge=1, le=10)] = Field(3, description="Most attempts for one call.")
    retry_ratio: float = Field(0.1, ge=0, le=1, description="Largest share of recent calls that may be retries.")
    first_token_seconds: Seconds | None = Field(None, description="Overrides the targets' own.")
    strict: Flag = Field(default=False, description="Refuse rather than drop a field in translation.")
    baseline: str = Field("", description="Target whose price says what the call would have cost rented.")
    label: OptionalLabel = Field("", description="Least label of everything sent here; empty for none.")
    regions: tuple[str, ...] | None = Field(
        None, description="Where its targets must stand, such as `EU`; where absent, [policy] alone says."
    )
    capture: Flag | None = Field(None, description="Keep bodies; where absent, [capture] bodies decides.")
    guard: str | None = Field(
        None, description="Profile that its calls are scanned by; empty for none, where absent [policy] guard decides."
    )
    budget: BudgetField | None = Field(None, description="Money limit: a number of dollars a month, or a table.")
    priority: Literal["interactive", "normal", "batch"] = Field(
        "interactive", description="Who goes first where a target is full; callers may ask for less by header."
    )
    cache: CacheSettings | None = Field(None, description="Serve the same request its answer again; absent for never.")
    hedge: HedgeSettings | None = Field(None, description="Ask a second target where the first is slow to begin.")
    aliases: tuple[Name, ...] = Field((), description="Other names clients may use.")
