import re
from pathlib import Path

import pytest
import yaml

from core.gateway_settings import GatewaySettings

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
PORT = GatewaySettings().port
PINNED = re.compile(r"[a-z0-9./-]+:[0-9][A-Za-z0-9.-]*")


@pytest.fixture(scope="module")
def kubernetes():
    """The objects of the manifest, by kind."""
    objects = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    return {one["kind"]: one for one in objects}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_every_image_is_pinned_to_a_release(kubernetes, compose):
    images = [one["image"] for one in compose["services"].values()]
    images += [one["image"] for one in kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"]]
    images += re.findall(r"^FROM (\S+)$", (DEPLOY / "Dockerfile").read_text(), re.M)

    assert len(images) == 4
    assert [one for one in images if PINNED.fullmatch(one) is None] == []


def test_no_file_holds_a_secret_and_each_takes_them_from_where_they_are_kept(kubernetes, compose):
    texts = "".join(one.read_text() for one in sorted(DEPLOY.iterdir()))
    container = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"][0]

    assert re.search(r"(?i)(password|secret|api_?key|token)\s*[:=]\s*[\"']?[A-Za-z0-9+/_-]{6,}", texts) is None
    assert container["envFrom"] == [{"secretRef": {"name": "preceptor-gateway"}}]
    assert {name: one["env_file"] for name, one in compose["services"].items()} == {
        "gateway": ["gateway.env"],
        "database": ["database.env"],
    }


def test_the_container_writes_nowhere_but_where_it_must_and_is_not_root(kubernetes, compose):
    pod = kubernetes["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    gateway = compose["services"]["gateway"]

    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")} == {"/data", "/tmp"}
    assert (gateway["read_only"], gateway["tmpfs"], gateway["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert re.search(r"^USER 10001:10001$", (DEPLOY / "Dockerfile").read_text(), re.M)


def test_ports_are_the_settings_own(kubernetes, compose):
    (container,) = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"]

    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    assert kubernetes["Service"]["spec"]["ports"][0]["port"] == PORT
    assert kubernetes["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"] == PORT
    assert compose["services"]["gateway"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert f"EXPOSE {PORT}\n" in (DEPLOY / "Dockerfile").read_text()


def test_probes_ask_paths_that_the_server_answers(kubernetes, make_client):
    (container,) = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"]
    client = make_client()

    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
    assert {client.get(path).status_code for path in paths.values()} == {200}


def test_objects_choose_the_same_pods_and_one_may_always_leave(kubernetes):
    deployment = kubernetes["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [
        deployment["selector"]["matchLabels"],
        kubernetes["Service"]["spec"]["selector"],
        kubernetes["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kubernetes["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]

    assert selectors == [labels] * 4
    assert kubernetes["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == deployment["replicas"] == 3
    assert kubernetes["PodDisruptionBudget"]["spec"]["minAvailable"] == deployment["replicas"] - 1
    # preStop, the goodbye, and the 30 s of requests under way
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] >= 5 + 1 + 30 + 10
