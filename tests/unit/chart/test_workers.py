from __future__ import annotations

import importlib
import re

import click
import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.server import Service
from splatworks_common.server_options import server_options
from splatworks_operator.requests import CALLS
from tests.unit.chart.rendering import WORKERS, Chart, Manifests

UNITS = {"Mi": 2**20, "Gi": 2**30, "": 1}


def service(worker: str) -> Service:
    found: Service = importlib.import_module(f"splatworks_{worker}.server").SERVICE
    return found


def options(worker: str) -> dict[str, click.Option]:
    return {
        flag.removeprefix("--"): option
        for option in [*server_options(), *service(worker).options]
        for flag in [*option.opts, *option.secondary_opts]
    }


def size(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\D*)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


@pytest.mark.parametrize("worker", WORKERS)
def test_every_flag_is_one_of_the_real_server_and_takes_its_value(rendering: Manifests, worker: str):
    pod = rendering.pod(worker)
    command = click.Command(worker, params=list(dict.fromkeys(options(worker).values())))
    given = command.make_context(worker, list(pod.container["args"])).params
    assert given["listen"] == "0.0.0.0:50051"


@pytest.mark.parametrize("worker", WORKERS)
def test_every_variable_is_one_that_the_real_server_reads(rendering: Manifests, worker: str):
    known = {f"SPLATWORKS_{flag.upper().replace('-', '_')}" for flag in options(worker)}
    known |= {f"SPLATWORKS_STORE_{name}" for name in ("URL", "BUCKET", "REGION", "CA_FILE", "SSE")}
    known |= {f"SPLATWORKS_STORE_{name}_FILE" for name in ("ACCESS_KEY", "SECRET_KEY")}
    given = {name for name in rendering.pod(worker).environment if name.startswith("SPLATWORKS_")}
    assert given <= known


@pytest.mark.parametrize("component", [*WORKERS, "operator", "test"])
def test_the_stores_settings_are_read_from_what_every_client_of_it_gets(
    rendering: Manifests, component: str, tmp_path, monkeypatch
):
    pod = rendering.pod(component)
    environment = {name: value for name, value in pod.environment.items() if "_STORE_" in name}
    for name in ("ACCESS_KEY", "SECRET_KEY"):
        mounted = environment[f"SPLATWORKS_STORE_{name}_FILE"]
        assert mounted == f"/etc/splatworks/store/{name.lower().replace('_', '-')}"
        key = tmp_path / name
        key.write_text("key\n")
        environment[f"SPLATWORKS_STORE_{name}_FILE"] = str(key)
    settings = StoreSettings.from_environment(environment)
    assert settings.url.startswith("https://")


@pytest.mark.parametrize("worker", WORKERS)
def test_the_command_is_the_services_own(defaults: Manifests, worker: str):
    assert defaults.pod(worker).container["command"] == [f"splatworks-{service(worker).name}"]


@pytest.mark.parametrize("worker", WORKERS)
def test_readiness_asks_for_the_stages_own_service_and_liveness_for_the_server(
    defaults: Manifests, worker: str
):
    container = defaults.pod(worker).container
    assert container["readinessProbe"]["grpc"] == {"port": 50052, "service": service(worker).full_names[0]}
    assert container["livenessProbe"]["grpc"] == {"port": 50052, "service": ""}
    assert container["startupProbe"]["grpc"] == {"port": 50052, "service": ""}


def test_a_probe_on_a_busy_node_has_more_than_a_second(rendering: Manifests):
    for pod in rendering.pods():
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if name in pod.container:
                assert pod.container[name]["timeoutSeconds"] >= 3, (pod.name, name)


def test_the_workers_are_the_ones_that_the_operator_calls():
    assert {call.service for call in CALLS.values()} == set(WORKERS)


@pytest.mark.parametrize("worker", WORKERS)
def test_a_pod_is_killed_only_after_it_could_drain_and_store_a_checkpoint(rendering: Manifests, worker: str):
    pod = rendering.pod(worker)
    (drain,) = pod.flags("drain-seconds")
    assert pod.spec["terminationGracePeriodSeconds"] >= float(drain) + 60


def test_the_trainer_stores_a_checkpoint_within_a_short_notice(defaults: Manifests):
    (drain,) = defaults.pod("trainer").flags("drain-seconds")
    assert float(drain) <= 10
    assert any(
        toleration["key"] == "cloud.google.com/gke-spot"
        for toleration in defaults.pod("trainer").spec["tolerations"]
    )


@pytest.mark.parametrize("worker", WORKERS)
def test_an_operation_ends_with_out_of_memory_before_the_kernel_ends_the_pod(
    rendering: Manifests, worker: str
):
    pod = rendering.pod(worker)
    for limit in pod.flags("memory-limit-mb"):
        capacity = int(pod.flags("capacity")[0])
        assert int(limit) * capacity * 2**20 < size(pod.container["resources"]["limits"]["memory"])


@pytest.mark.parametrize("worker", WORKERS)
def test_the_disk_limit_has_room_for_all_that_may_be_written(rendering: Manifests, worker: str):
    pod = rendering.pod(worker)
    limit = pod.container["resources"]["limits"]["ephemeral-storage"]
    on_disk = [
        volume["emptyDir"]["sizeLimit"]
        for volume in pod.spec["volumes"]
        if "emptyDir" in volume and "medium" not in volume["emptyDir"]
    ]
    assert sum(map(size, on_disk)) <= size(limit)


@pytest.mark.parametrize("worker", WORKERS)
def test_threads_follow_the_pods_cpus(defaults: Manifests, worker: str):
    source = defaults.pod(worker).environment["SPLATWORKS_THREADS"]
    assert source == {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1"}}


def test_without_a_cpu_limit_threads_follow_the_request(chart: Chart):
    manifests = chart.render(sfm={"resources": {"limits": {"cpu": None}}})
    assert manifests.pod("sfm").environment["SPLATWORKS_THREADS"]["resourceFieldRef"]["resource"] == (
        "requests.cpu"
    )


def test_threads_that_are_given_are_taken(chart: Chart):
    pod = chart.render(sfm={"threads": 3}).pod("sfm")
    assert pod.flags("threads") == ["3"]
    assert "SPLATWORKS_THREADS" not in pod.environment


def test_a_gpu_comes_with_its_limit_its_toleration_and_its_runtime(chart: Chart):
    pod = chart.render(
        trainer={"gpu": {"enabled": True, "count": 2, "runtimeClassName": "nvidia"}, "tolerations": []}
    ).pod("trainer")
    assert pod.container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert [toleration["key"] for toleration in pod.spec["tolerations"]] == ["nvidia.com/gpu"]
    assert pod.spec["runtimeClassName"] == "nvidia"


def test_a_rollout_takes_no_gpu_that_is_not_there(chart: Chart):
    manifests = chart.render(trainer={"gpu": {"enabled": True}})
    strategies = {
        name: manifests.get("Deployment", f"splatworks-{name}")["spec"]["strategy"]["rollingUpdate"]
        for name in ("trainer", "sfm")
    }
    assert strategies == {
        "trainer": {"maxSurge": 0, "maxUnavailable": 1},
        "sfm": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_no_worker_has_a_gpu_unless_asked(defaults: Manifests):
    assert not [pod.name for pod in defaults.pods() if "nvidia.com/gpu" in str(pod.spec)]


def test_a_workers_own_values_win_over_the_common_ones(chart: Chart):
    manifests = chart.render(
        worker={"replicas": 2, "capacity": 3, "env": {"ONE": "1", "TWO": "2"}},
        sfm={"replicas": 5, "env": {"TWO": "3"}},
    )
    assert manifests.get("Deployment", "splatworks-sfm")["spec"]["replicas"] == 5
    assert manifests.get("Deployment", "splatworks-trainer")["spec"]["replicas"] == 2
    assert manifests.pod("sfm").flags("capacity") == ["3"]
    assert manifests.pod("sfm").environment.items() >= {"ONE": "1", "TWO": "3"}.items()


def test_the_operator_finds_workers_by_headless_services(defaults: Manifests):
    for worker in WORKERS:
        spec = defaults.get("Service", f"splatworks-{worker}")["spec"]
        assert spec["clusterIP"] == "None"
        assert [port["port"] for port in spec["ports"]] == [50051]


def test_service_links_do_not_litter_the_environment(rendering: Manifests):
    """A Service splatworks-sfm would become SPLATWORKS_SFM_PORT in every pod."""
    assert all(pod.spec["enableServiceLinks"] is False for pod in rendering.pods())


@pytest.mark.parametrize("worker", WORKERS)
def test_a_drain_takes_one_pod_at_a_time(defaults: Manifests, worker: str):
    assert defaults.get("PodDisruptionBudget", f"splatworks-{worker}")["spec"]["maxUnavailable"] == 1


def test_priority_classes_reach_their_pods(chart: Chart):
    manifests = chart.render(priorityClasses={"create": True}, sfm={"priorityClassName": "own"})
    classes = {
        pod.component: pod.spec["priorityClassName"] for pod in manifests.pods() if pod.component != "test"
    }
    assert classes == {
        "operator": "splatworks-control",
        "streamer": "splatworks-control",
        "store": "splatworks-control",
        "sfm": "own",
        "trainer": "splatworks-batch",
        "compressor": "splatworks-batch",
    }


def test_the_pages_answer_to_the_service_and_the_ingress(chart: Chart):
    pod = chart.render(
        streamer={
            "ingress": {"enabled": True, "hosts": ["splats.example.com"]},
            "http": {"hosts": ["*.splats.example.com"]},
        }
    ).pod("streamer")
    assert pod.flags("http-host") == [
        "splatworks-streamer-http",
        "splatworks-streamer-http.demo",
        "splatworks-streamer-http.demo.svc",
        "splatworks-streamer-http.demo.svc.cluster.local",
        "splats.example.com",
        "*.splats.example.com",
    ]


def test_the_pages_answer_to_the_name_in_every_viewer_url(chart: Chart):
    pod = chart.render(operator={"viewerBaseURL": "https://splats.example.com:8443"}).pod("streamer")
    assert "splats.example.com" in pod.flags("http-host")


def test_the_ingress_leads_to_the_pages(chart: Chart):
    manifests = chart.render(
        streamer={"ingress": {"enabled": True, "hosts": ["splats.example.com"], "tlsSecret": "web"}}
    )
    (ingress,) = manifests.of("Ingress")
    assert ingress["spec"]["tls"] == [{"secretName": "web", "hosts": ["splats.example.com"]}]
    (rule,) = ingress["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "splatworks-streamer-http", "port": {"name": "http"}}
