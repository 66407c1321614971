from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.chart.rendering import EXTERNAL_STORE, WORKERS, Chart, Manifests

COMPONENTS = (*WORKERS, "operator", "store")


def pem(manifests: Manifests, secret: str, key: str) -> bytes:
    return base64.b64decode(manifests.get("Secret", f"splatworks-{secret}")["data"][key])


def certificate(manifests: Manifests, secret: str, key: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem(manifests, secret, key))


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_certificate_has_the_name_that_the_others_expect(defaults: Manifests, component: str):
    names = certificate(defaults, f"{component}-tls", "tls.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName)[0] == f"splatworks-{component}.demo.svc"


@pytest.mark.parametrize("component", COMPONENTS)
def test_only_the_store_is_reached_through_a_forwarded_port(defaults: Manifests, component: str):
    names = certificate(defaults, f"{component}-tls", "tls.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    further = [*names.value.get_values_for_type(x509.DNSName)[1:]]
    further += [str(address) for address in names.value.get_values_for_type(x509.IPAddress)]
    assert further == (["localhost", "127.0.0.1"] if component == "store" else [])


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_certificate_is_signed_by_the_releases_ca(defaults: Manifests, component: str):
    authority = certificate(defaults, "ca", "ca.crt")
    certificate(defaults, f"{component}-tls", "tls.crt").verify_directly_issued_by(authority)
    assert pem(defaults, f"{component}-tls", "ca.crt") == pem(defaults, "ca", "ca.crt")


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_certificate_is_for_servers_and_clients(defaults: Manifests, component: str):
    usage = certificate(defaults, f"{component}-tls", "tls.crt").extensions.get_extension_for_class(
        x509.ExtendedKeyUsage
    )
    assert set(usage.value) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_each_component_has_a_key_of_its_own(defaults: Manifests):
    keys = [pem(defaults, f"{component}-tls", "tls.key") for component in COMPONENTS]
    assert len(set(keys)) == len(keys)
    assert all(isinstance(load_pem_private_key(key, None), ec.EllipticCurvePrivateKey) for key in keys)


def test_certificates_last_as_long_as_the_values_say(chart: Chart):
    manifests = chart.render(tls={"selfSigned": {"days": 30, "caDays": 60}})
    for secret, key, days in (("sfm-tls", "tls.crt", 30), ("ca", "ca.crt", 60)):
        found = certificate(manifests, secret, key)
        lasting = found.not_valid_after_utc - found.not_valid_before_utc
        assert abs(lasting - timedelta(days=days)) <= timedelta(days=1)


def test_the_cas_key_is_mounted_nowhere(rendering: Manifests):
    for pod in rendering.pods():
        secrets = {volume["secret"]["secretName"] for volume in pod.spec["volumes"] if "secret" in volume}
        assert "splatworks-ca" not in secrets, pod.name


def test_every_pod_mounts_its_own_certificate_only(rendering: Manifests):
    for pod in rendering.pods():
        for volume in pod.spec["volumes"]:
            if volume["name"] != "tls":
                continue
            if pod.component in COMPONENTS:
                assert volume["secret"]["secretName"] == f"splatworks-{pod.component}-tls", pod.name
            else:  # a client of the embedded store: it trusts, and shows nothing
                assert [item["key"] for item in volume["secret"]["items"]] == ["ca.crt"], pod.name


def test_the_operators_name_is_the_one_that_workers_admit(rendering: Manifests):
    for worker in WORKERS:
        assert rendering.pod(worker).flags("allowed-san") == ["splatworks-operator.demo.svc"]


def test_cert_manager_makes_the_same_secrets_with_the_same_names(chart: Chart, defaults: Manifests):
    manifests = chart.render(tls={"mode": "certManager"})
    made = {
        found["spec"]["secretName"]: found["spec"]["dnsNames"] + found["spec"].get("ipAddresses", [])
        for found in manifests.of("Certificate")
        if "dnsNames" in found["spec"]
    }
    assert made.pop("splatworks-store-tls") == ["splatworks-store.demo.svc", "localhost", "127.0.0.1"]
    others = [name for name in COMPONENTS if name != "store"]
    assert made == {f"splatworks-{name}-tls": [f"splatworks-{name}.demo.svc"] for name in others}
    assert not [found for found in manifests.of("Secret") if found["type"] == "kubernetes.io/tls"]


def test_cert_manager_makes_a_ca_where_no_issuer_is_given(chart: Chart):
    manifests = chart.render(tls={"mode": "certManager"})
    issuers = {issuer["metadata"]["name"] for issuer in manifests.of("Issuer")}
    assert issuers == {"splatworks-root", "splatworks-ca"}
    assert manifests.get("Certificate", "splatworks-ca")["spec"]["isCA"] is True


def test_an_issuer_of_ones_own_is_used_as_it_is(chart: Chart):
    issuer = {"name": "company", "kind": "ClusterIssuer"}
    manifests = chart.render(tls={"mode": "certManager", "certManager": {"issuerRef": issuer}})
    assert not manifests.of("Issuer")
    assert all(found["spec"]["issuerRef"] == issuer for found in manifests.of("Certificate"))


def test_an_external_store_gets_no_certificate(chart: Chart):
    manifests = chart.render(**EXTERNAL_STORE)
    assert "splatworks-store-tls" not in {secret["metadata"]["name"] for secret in manifests.of("Secret")}
