"""What `freehold deploy render` writes: valid to Kubernetes, closed to the outside, without a secret, always the same.

The chart's templates use one construct of Helm's, so that putting the values into its places gives the plain
manifests; Helm itself is asked where it is installed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from freehold.assurance.deploying.render import rendered
from freehold.assurance.deploying.types import KINDS
from freehold.core.errors import BadRequest
from freehold.settings.load import load
from tests.assurance.deploying_sample import (
    CONFIGURATION,
    DOCKED,
    SECRET,
    VERSION,
    configured,
    documents,
    of,
    pod,
    sample,
)

FOREIGN = {"CiliumNetworkPolicy", "LLMInferenceService"}
PLACE = re.compile(r"\{\{ \.Values\.([A-Za-z.]+) \| toJson \}\}")


@pytest.fixture
def plain(tmp_path):
    return rendered(sample(tmp_path), "kubernetes")


@pytest.mark.parametrize("version", [VERSION, kubernetes_validate.latest_version()])
def test_manifests_are_what_kubernetes_takes(plain, version):
    kinds = set()
    for one in documents(plain):
        kubernetes_validate.validate(one, version, strict=True)
        kinds.add(one["kind"])
    assert kinds >= {"Namespace", "ServiceAccount", "ConfigMap", "StatefulSet", "Service", "PodDisruptionBudget"}
    assert kinds >= {"NetworkPolicy", "Deployment"} and "Secret" not in kinds


def test_a_manifest_that_is_none_is_found():
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Service", "spec": {"prots": []}}, VERSION, strict=True
        )


def test_everything_lies_in_the_namespace(plain):
    assert {one["metadata"].get("namespace", "") for one in documents(plain)} == {"", "models"}
    assert [one["kind"] for one in documents(plain) if "namespace" not in one["metadata"]] == ["Namespace"]


def test_there_is_one_instance_on_a_volume_that_one_pod_mounts(plain):
    found = of(plain, "StatefulSet")["spec"]
    assert found["replicas"] == 1
    assert found["volumeClaimTemplates"][0]["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert of(plain, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 0


def test_pods_have_no_rights(plain):
    pods = [one["spec"]["template"]["spec"] for one in documents(plain) if "template" in one.get("spec", {})]
    assert len(pods) == 2
    for one in pods:
        assert one["automountServiceAccountToken"] is False and one["securityContext"]["runAsNonRoot"] is True
        for container in one["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_probes_ask_what_the_gateway_answers_under_a_host_it_serves(plain):
    (container,) = pod(plain)["containers"]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert [one["path"] for one in asked.values()] == ["/healthz", "/healthz", "/readyz"]
    assert {one["scheme"] for one in asked.values()} == {"HTTPS"}
    hosts = next(one["value"] for one in container["env"] if one["name"] == "FREEHOLD__GATEWAY__HOSTS")
    assert asked["readinessProbe"]["httpHeaders"][0]["value"] in json.loads(hosts)


def test_the_configuration_is_taken_in_the_pod_as_it_is_given_there(plain, tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    volumes = {one["name"]: one for one in pod(plain)["volumes"]}
    told = of(plain, "ConfigMap", "freehold-configuration")["data"]
    for one in volumes["configuration"]["projected"]["sources"][0]["configMap"]["items"]:
        (inside / one["path"]).parent.mkdir(parents=True, exist_ok=True)
        (inside / one["path"]).write_text(told[one["key"]])
    for one in pod(plain)["containers"][0]["env"]:
        if "value" in one and one["name"].startswith("FREEHOLD__"):
            monkeypatch.setenv(one["name"], one["value"])
    settings = load(str(inside / "freehold.toml"), str(tmp_path / "home")).settings
    assert settings.gateway.host == "0.0.0.0" and "freehold.models.svc" in settings.gateway.hosts
    assert settings.gateway.tls_key == "/etc/freehold-tls/tls.key"
    engine = settings.engines["large"]
    assert engine.url == "https://freehold-engine-large.models.svc.cluster.local:8000/v1" and not engine.command
    assert engine.clearance == "restricted" and engine.api_key == "${env:ENGINE_KEY_LARGE}"
    assert (inside / "ca" / "house.pem").is_file() and settings.providers["house"].tls_ca.endswith("ca/house.pem")


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_written(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-rented-99")
    text = "".join(rendered(sample(tmp_path, engines_as="none", contained=kind != "systemd"), kind).values())
    assert SECRET not in text and "sk-rented-99" not in text
    assert "OPENAI_API_KEY" in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_site_gives_the_same_bytes(kind, tmp_path):
    assert rendered(sample(tmp_path), kind) == rendered(sample(tmp_path), kind)


def test_secrets_are_named_by_reference(plain):
    found = {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in pod(plain)["containers"][0]["env"]
        if "valueFrom" in one
    }
    assert found["OPENAI_API_KEY"] == {"name": "freehold-variables", "key": "OPENAI_API_KEY", "optional": True}
    assert found["ENGINE_KEY_LARGE"]["name"] == "freehold-engine-keys"
    sources = next(one for one in pod(plain)["volumes"] if one["name"] == "configuration")["projected"]["sources"]
    assert {"key": "secrets-house.key", "path": "secrets/house.key"} in sources[1]["secret"]["items"]


def test_the_engine_and_the_instance_have_one_key(plain):
    engine = of(plain, "Deployment", "freehold-engine-large")["spec"]["template"]["spec"]["containers"][0]
    key = next(one for one in engine["env"] if one["name"] == "VLLM_API_KEY")["valueFrom"]["secretKeyRef"]
    mine = next(one for one in pod(plain)["containers"][0]["env"] if one["name"] == "ENGINE_KEY_LARGE")
    assert mine["valueFrom"]["secretKeyRef"] == {**key, "optional": True}
    assert engine["resources"]["limits"] == {"nvidia.com/gpu": "4"}
    assert engine["args"][:4] == ["--model", "/models/large", "--served-model-name", "large-8b"]


# The network


def blocks(texts):
    rules = of(texts, "NetworkPolicy")["spec"]["egress"]
    return {
        (peer["ipBlock"]["cidr"], port["port"])
        for one in rules
        for peer in one["to"]
        if "ipBlock" in peer
        for port in one["ports"]
    }


def test_the_network_lets_through_addresses_of_the_configuration_alone(plain):
    assert blocks(plain) == {("10.1.2.3/32", 8443), ("192.0.2.7/32", 4318)}
    closed = of(plain, "NetworkPolicy", "freehold-closed")["spec"]
    assert closed["policyTypes"] == ["Ingress", "Egress"] and "egress" not in closed and "ingress" not in closed
    assert "api.openai.com:443" in plain["NOTES.md"]


def test_the_server_that_gateways_share_is_let_through(tmp_path):
    text = CONFIGURATION + '\n[valkey]\nurl = "valkeys://192.0.2.9/0"\npassword = "${env:VALKEY_PASSWORD}"\n'
    found = rendered(sample(tmp_path, text), "kubernetes")
    assert blocks(found) == {("10.1.2.3/32", 8443), ("192.0.2.7/32", 4318), ("192.0.2.9/32", 6379)}
    assert "VALKEY_PASSWORD" in found["NOTES.md"]


def test_where_state_is_kept_is_let_through(tmp_path):
    text = CONFIGURATION + (
        '\n[database]\nurl = "postgresql://f@192.0.2.10/f"\npassword = "${env:DB_PASSWORD}"\n'
        '[bodies]\nurl = "s3://bodies/here"\nendpoint = "https://192.0.2.11:9000"\n'
        'access_key = "${env:S3_KEY}"\nsecret_key = "${env:S3_SECRET}"\n'
    )
    found = rendered(sample(tmp_path, text), "kubernetes")
    assert {("192.0.2.10/32", 5432), ("192.0.2.11/32", 9000)} <= blocks(found)
    assert all(name in found["NOTES.md"] for name in ("DB_PASSWORD", "S3_KEY", "S3_SECRET"))


def test_every_rule_of_the_network_names_its_peers_and_ports(plain):
    for one in documents(plain):
        if one["kind"] == "NetworkPolicy":
            for rule in one["spec"].get("egress", []):
                assert rule["to"] and rule["ports"]


def test_blocks_of_a_name_are_said_by_people(tmp_path):
    found = rendered(sample(tmp_path, blocks={"api.openai.com": ("198.51.100.0/24",)}), "kubernetes")
    assert ("198.51.100.0/24", 443) in blocks(found) and "api.openai.com" not in found["NOTES.md"]
    with pytest.raises(BadRequest, match="does not connect"):
        sample(tmp_path, blocks={"elsewhere.example": ("198.51.100.0/24",)})


def test_names_are_let_through_where_the_network_knows_names(tmp_path):
    found = rendered(sample(tmp_path, cilium=True), "kubernetes")
    rules = of(found, "CiliumNetworkPolicy", "freehold-names")["spec"]["egress"]
    assert rules[1] == {
        "toFQDNs": [{"matchName": "api.openai.com"}],
        "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}],
    }
    assert rules[0]["toPorts"][0]["rules"]["dns"] == [{"matchName": "api.openai.com"}]


# KServe


def test_kserve_is_told_of_the_model_in_its_own_form(tmp_path):
    found = rendered(
        sample(tmp_path, engines_as="kserve", engine_image="", weights={"large": "s3://m/large"}), "kubernetes"
    )
    made = of(found, "LLMInferenceService", "freehold-large")
    assert made["apiVersion"] == "serving.kserve.io/v1alpha2"
    # From KServe's types: what a spec may hold, and what the containers of a pod's template must.
    assert set(made["spec"]) <= {
        "model",
        "replicas",
        "parallelism",
        "router",
        "template",
        "worker",
        "prefill",
        "baseRefs",
    }
    assert made["spec"]["model"] == {"uri": "s3://m/large", "name": "large-8b"}
    (container,) = made["spec"]["template"]["containers"]
    assert container["name"] == "main"
    pod_of = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": made["spec"]["template"]}
    kubernetes_validate.validate(pod_of, VERSION, strict=True)
    env = {one["name"]: one.get("value") for one in container["env"]}
    assert env["VLLM_ADDITIONAL_ARGS"].startswith("--max-model-len 32768 --tensor-parallel-size 2")
    assert "freehold-large-kserve-workload-svc.models.svc" in found["instance.yaml"]
    assert "freehold-large-kserve-self-signed-certs" in found["instance.yaml"]


def test_the_documents_of_others_are_known_to_be_unchecked_by_kubernetes_schemas(tmp_path):
    found = rendered(sample(tmp_path, engines_as="kserve", cilium=True), "kubernetes")
    for one in documents(found):
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, VERSION, strict=True)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"namespace": "Not One"}, "no name of a namespace"),
        ({"engine_image": ""}, "image"),
        ({"weights": {"large": "hf://a/b"}}, "pvc"),
        ({"weights": {"other": "pvc://a/b"}}, "no engine"),
    ],
)
def test_what_cannot_be_written_is_refused(asked, why, tmp_path):
    with pytest.raises(BadRequest, match=why):
        sample(tmp_path, **asked)


def test_an_engine_that_the_image_does_not_have_is_told_of(tmp_path):
    found = sample(tmp_path, engines_as="none")
    assert any("engines.large" in one for one in found.remarks)
    assert "engines.large" in rendered(found, "kubernetes")["NOTES.md"]


# Helm


def looked_up(values, path):
    for step in path.split("."):
        values = values[step]
    return values


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("served", ["vllm", "kserve", "none"])
def test_the_chart_with_its_values_is_the_plain_manifests(served, count, tmp_path):
    text = DOCKED.replace('"large-8b"', '"{{ large }}"')
    chosen = sample(tmp_path, text, engines_as=served, cilium=True, replicas=count)
    chart, plain = rendered(chosen, "helm"), rendered(chosen, "kubernetes")
    values = yaml.safe_load(chart["values.yaml"])
    for name in [one for one in chart if one.startswith("templates/")]:
        filled = PLACE.sub(lambda found: json.dumps(looked_up(values, found[1])), chart[name])
        filled = filled.replace('{{ "{{" }}', "{{")
        mine = list(yaml.safe_load_all(filled))
        theirs = list(yaml.safe_load_all(plain[name.removeprefix("templates/")]))
        for one in theirs:
            one["metadata"].pop("namespace")
        assert mine == theirs


def test_the_templates_use_one_construct_and_every_value(tmp_path):
    chart = rendered(sample(tmp_path, DOCKED, replicas=2), "helm")
    templates = "".join(text for name, text in chart.items() if name.startswith("templates/"))
    used = set(PLACE.findall(templates))
    assert "{{" not in PLACE.sub("", templates).replace('{{ "{{" }}', "")
    values = yaml.safe_load(chart["values.yaml"])
    nested = {"network", "replicas", "service"}
    held = {f"{key}.{below}" for key in nested for below in values[key]}
    held |= set(values) - nested
    assert used == held


def test_the_chart_says_what_it_is(tmp_path):
    about = yaml.safe_load(rendered(sample(tmp_path), "helm")["Chart.yaml"])
    assert about["apiVersion"] == "v2" and re.fullmatch(r"\d+\.\d+\.\d+", about["version"])


@pytest.mark.parametrize("served", ["vllm", "kserve", "none"])
def test_helm_itself_makes_the_plain_manifests_of_the_chart(served, tmp_path):
    tool = shutil.which("helm")
    if tool is None:
        pytest.skip("helm is not installed")
    chosen = sample(tmp_path, CONFIGURATION.replace('"large-8b"', '"{{ large }}"'), engines_as=served, cilium=True)
    chart = tmp_path / "chart"
    for name, text in rendered(chosen, "helm").items():
        (chart / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / name).write_text(text)
    asked = ["template", "gateway", str(chart), "--namespace", "models", "--kube-version", f"{VERSION}.0"]
    told = [
        subprocess.run([tool, *one], capture_output=True, text=True, check=False)
        for one in (["lint", "--strict", str(chart)], asked)
    ]
    assert [one.returncode for one in told] == [0, 0], told
    mine = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(told[1].stdout) if one}
    theirs = {(one["kind"], one["metadata"]["name"]): one for one in documents(rendered(chosen, "kubernetes"))}
    del theirs["Namespace", "models"]
    for one in theirs.values():
        one["metadata"].pop("namespace")
    assert mine == theirs


# One machine


def test_compose_hands_secrets_on_and_gives_no_rights(tmp_path):
    made = yaml.safe_load(rendered(sample(tmp_path, engines_as="none"), "compose")["compose.yaml"])
    service = made["services"]["freehold"]
    assert service["environment"]["OPENAI_API_KEY"] is None
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert all(one.startswith("127.0.0.1:") for one in service["ports"])
    assert {one["source"] for one in service["secrets"]} == set(made["secrets"])
    assert "./freehold.toml:/etc/freehold/freehold.toml:ro" in service["volumes"]


def test_the_health_check_of_compose_is_a_program(tmp_path):
    made = yaml.safe_load(rendered(sample(tmp_path), "compose")["compose.yaml"])
    _, python, option, program, url, _ = made["services"]["freehold"]["healthcheck"]["test"]
    compile(program, "healthcheck", "exec")
    assert (python, option) == ("python", "-c") and url.endswith("/readyz")


def test_the_unit_is_hardened_and_gives_the_instance_its_time(tmp_path):
    text = rendered(sample(tmp_path, contained=False, engines_as="none"), "systemd")["freehold.service"]
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert found["NoNewPrivileges"] == "yes" and found["ProtectSystem"] == "strict" and found["KillMode"] == "mixed"
    assert int(found["TimeoutStopSec"]) >= 4 * 35
    assert found["PrivateDevices"] == "no", "an engine is started here, and needs its accelerator"
    assert found["MemoryMax"] == "4G" and found["CapabilityBoundingSet"] == ""
    assert "$" not in text


def test_systemd_itself_takes_the_unit(tmp_path):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "freehold.service"
    text = rendered(sample(tmp_path, contained=False, engines_as="none"), "systemd")["freehold.service"]
    unit.write_text(text.replace("/opt/freehold/bin/freehold", "/bin/true"))
    told = subprocess.run([tool, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert str(unit) not in told.stderr and "freehold.service" not in told.stderr, told.stderr


def test_files_outside_the_folder_are_told_of(tmp_path):
    configured(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = sample(elsewhere, CONFIGURATION.replace("ca/house.pem", str(tmp_path / "ca" / "house.pem")))
    assert any("same place" in one for one in found.remarks)
