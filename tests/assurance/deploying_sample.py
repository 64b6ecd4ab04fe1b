"""A configuration with one of everything that a deployment has to carry, and its site."""

from __future__ import annotations

import yaml

from freehold.assurance.deploying.types import Size
from freehold.settings.deployment import Wanted, site
from freehold.settings.load import load

SECRET = "sk-house-71c2"
CONFIGURATION = """
[gateway]
hosts = ["models.example.com"]
tls_certificate = "tls/chain.pem"
tls_key = "tls/key.pem"

[telemetry]
otlp = "https://192.0.2.7:4318"

[providers.openai]
vendor = "openai"
api_key = "${env:OPENAI_API_KEY}"

[providers.house]
base_url = "https://10.1.2.3:8443/v1"
api_key = "${file:secrets/house.key}"
tls_ca = "ca/house.pem"
owned = true

[targets.gpt]
provider = "openai"
model = "gpt-5.5"

[targets.house]
provider = "house"

[routes.gpt]
targets = ["gpt"]

[engines.large]
kind = "vllm"
command = ["python", "-m", "vllm.entrypoints.openai.api_server"]
arguments = ["--tensor-parallel-size", "2", "--pipeline-parallel-size=2"]
model = "large-8b"
context_tokens = 32768
clearance = "restricted"
"""


DOCKED = (
    CONFIGURATION
    + """
[dock]
enabled = true
[valkey]
url = "valkeys://192.0.2.9/0"
password = "${env:VALKEY_PASSWORD}"
[database]
url = "postgresql://f@192.0.2.10/f"
password = "${env:DB_PASSWORD}"
"""
)

VERSION = "1.29"
"""Of Kubernetes: the oldest that has what the manifests use."""


def configured(folder, text=CONFIGURATION):
    (folder / "ca").mkdir(exist_ok=True)
    (folder / "ca" / "house.pem").write_text("-----BEGIN {{ CERTIFICATE }}-----\n")
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "house.key").write_text(SECRET)
    (folder / "freehold.toml").write_text(text)
    return folder / "freehold.toml"


def sample(folder, text=CONFIGURATION, **asked):
    defaults = {
        "version": "1.2.3",
        "image": "freehold:1.2.3",
        "namespace": "models",
        "size": Size(),
        "engines_as": "vllm",
        "engine_image": "vllm:0.26",
        "weights": {},
        "blocks": {},
        "cilium": False,
        "contained": True,
    }
    return site(load(str(configured(folder, text))), Wanted(**{**defaults, **asked}))


def documents(texts):
    streams = [text for name, text in texts.items() if name.endswith(".yaml")]
    return [one for text in streams for one in yaml.safe_load_all(text)]


def of(texts, kind, name="freehold"):
    return next(one for one in documents(texts) if (one["kind"], one["metadata"]["name"]) == (kind, name))


def pod(texts):
    return of(texts, "StatefulSet")["spec"]["template"]["spec"]
