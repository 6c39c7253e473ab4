"""The Helm chart: rendered by Helm itself, valid for Kubernetes, and with a configuration that embellie reads."""

import json
import re
from pathlib import Path

import pytest

from embellie.app.config import read_config

pytestmark = pytest.mark.engines

helm = pytest.importorskip("helm_python", reason="needs helm-python-sdk: see requirements/operate.txt")
yaml = pytest.importorskip("yaml", reason="needs PyYAML: see requirements/operate.txt")

CHART = Path(__file__).parents[2] / "examples" / "operate" / "helm" / "embellie"
QUESTION = Path(__file__).parents[2] / "examples" / "question.toml"
SEVERAL = {
    "replicas": 3,
    "postgres": {"host": "db.example", "passwordSecret": {"name": "news-pg"}},
    "keys": {"existingSecret": "news-keys"},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "news-tls"},
    "serviceMonitor": {"enabled": True, "tokenSecret": {"name": "news-viewer"}},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]},
    "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}],
    "question": QUESTION.read_text(encoding="utf-8"),
}
SHARED = SEVERAL | {"keys": {}, "persistence": {"sharedClaim": "news-data"}}
SHAPES = {"one pod": {}, "several": SEVERAL, "several, one folder": SHARED}


def objects(values):
    """Render the chart and list its Kubernetes objects by (kind, name)."""
    with helm.Chart.load(str(CHART)) as chart:
        written = chart.render(values, name="news", namespace="prod")
    texts = (text for name, text in written.items() if name.endswith(".yaml"))
    found = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def of_kind(values, kind):
    return next(one for (found, _), one in objects(values).items() if found == kind)


def test_lint_finds_nothing_wrong():
    """Only an icon is recommended."""
    found = helm.lint(str(CHART))
    assert (found["errors"], [one["error"] for one in found["messages"]]) == ([], ["icon is recommended"])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_object_is_valid_for_kubernetes(shape):
    """Against Kubernetes' own schemas, strictly: a misspelt field is refused."""
    validate = pytest.importorskip("kubernetes_validate")
    kinds = set()
    for (kind, _), one in objects(SHAPES[shape]).items():
        kinds.add(kind)
        if kind != "ServiceMonitor":  # the Prometheus operator's own kind
            validate.validate(one, "1.29", strict=True)
    usual = {"ConfigMap", "Service", "StatefulSet"}
    more = {"Ingress", "NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"}
    assert kinds == (usual if shape == "one pod" else usual | more)


@pytest.mark.parametrize("shape", SHAPES)
def test_embellie_reads_the_configuration_that_the_chart_writes(shape, tmp_path):
    """Helm's numbers are all fractions; the file must be read all the same."""
    data = of_kind(SHAPES[shape], "ConfigMap")["data"]
    (tmp_path / "embellie.toml").write_text(data["embellie.toml"], encoding="utf-8")
    config = read_config(tmp_path)
    assert (config.server.host, config.server.port, config.data) == ("0.0.0.0", 8400, "/srv/embellie/data")
    assert config.sites["gazette"].placements["article-bottom"].slots == 4
    several = shape != "one pod"
    log = "postgresql://embellie@db.example:5432/embellie?sslmode=require" if several else ""
    assert (config.storage.log, "question.toml" in data) == (log, several)
    assert data.get("question.toml", SEVERAL["question"]) == SEVERAL["question"]


def test_numbers_come_through_as_they_were_written(tmp_path):
    """Counts stay whole however large, fractions stay fractions, and texts that look like numbers stay texts."""
    values = {
        "config": {
            "read_seconds": 12.25,
            "experiments": {"e": {"planned": 3_000_000, "variants": {"status_quo": 1, "heuristic": 2.5}}},
            "metrics": {
                "articles_per_visit": {"numerator": "reads", "denominator": "visits", "role": "primary"},
                "back": {"numerator": "visits", "form": "retention", "days": [1, 7], "goal": "a = 1.0"},
            },
        }
    }
    text = of_kind(values, "ConfigMap")["data"]["embellie.toml"]
    (tmp_path / "embellie.toml").write_text(text, encoding="utf-8")
    config = read_config(tmp_path)
    assert (config.read_seconds, config.experiments["e"].planned) == (12.25, 3_000_000)
    assert config.experiments["e"].variants == {"status_quo": 1, "heuristic": 2.5}
    assert (config.metrics["back"].days, config.metrics["back"].goal) == ((1, 7), "a = 1.0")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pod_holds_no_privilege_and_no_secret_in_the_open(shape):
    """Not root, nothing writable but the data and /tmp, the password only by reference."""
    found = of_kind(SHAPES[shape], "StatefulSet")
    pod = found["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"]
        assert not own["allowPrivilegeEscalation"]
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        mounted = {one["name"] for one in container["volumeMounts"]}
        offered = {one["name"] for one in pod["volumes"]}
        offered |= {one["metadata"]["name"] for one in found["spec"].get("volumeClaimTemplates", [])}
        assert mounted <= offered
    env = {one["name"]: one for one in pod["containers"][0]["env"]}
    if shape != "one pod":
        assert env["PGPASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "news-pg", "key": "password"}


def test_probes_ask_what_the_server_answers_and_there_is_time_to_drain():
    """Dead by /healthz, not ready by /readyz; readiness fails before the drain is over, and the kill comes after."""
    pod = of_kind({}, "StatefulSet")["spec"]["template"]["spec"]
    one = pod["containers"][0]
    paths = [one[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")]
    assert paths == ["/healthz", "/healthz", "/readyz"]
    ready = one["readinessProbe"]
    drain = 8
    assert ready["periodSeconds"] * ready["failureThreshold"] < drain
    assert pod["terminationGracePeriodSeconds"] >= drain + 20


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 2}, "cannot share a log in SQLite"),
        ({"replicas": 2, "postgres": SEVERAL["postgres"]}, "must know the same keys"),
        ({"postgres": {"host": "db"}}, "comes from a Secret"),
        ({"serviceMonitor": {"enabled": True}}, "viewer's token"),
        ({"config": {"sites": {"a": {}}, "storage": {"log": "postgresql://x"}}}, r"writes \[storage\] itself"),
        ({"replica": 2}, "not allowed"),
        ({"persistence": {"size": "much"}}, "pattern"),
    ],
)
def test_what_cannot_work_is_refused_when_rendered(values, said):
    """With what to set instead."""
    with pytest.raises(Exception, match=said):
        objects(values)


def test_the_schema_knows_every_value():
    """A value without a schema could be misspelt and do nothing."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(values) <= set(schema["properties"])
    for name, value in values.items():
        own = schema["properties"][name].get("properties")
        if isinstance(value, dict) and own and name != "config":
            assert set(value) == set(own), name


def test_every_value_is_used():
    """A value that nothing reads promises what it does not do."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    text = "\n".join(one.read_text(encoding="utf-8") for one in (CHART / "templates").iterdir())
    for name in values:
        assert re.search(rf"\.Values\.{name}\b", text), name
