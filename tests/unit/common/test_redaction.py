from __future__ import annotations

from splatworks.v1 import common_pb2, sfm_pb2
from splatworks_common.redaction import redacted


def test_keys_are_cleared_and_all_else_stays() -> None:
    request = sfm_pb2.ReconstructRequest(
        request_id="job.sfm.1",
        photos_uri="s3://private/photos",
        photos_credentials=sfm_pb2.SourceCredentials(access_key="who", secret_key="hidden"),
        options=sfm_pb2.SfmOptions(seed=7),
    )

    bare = redacted(request)

    assert b"who" not in bare.SerializeToString()
    assert b"hidden" not in bare.SerializeToString()
    assert (bare.request_id, bare.photos_uri, bare.options.seed) == ("job.sfm.1", "s3://private/photos", 7)
    assert request.photos_credentials.secret_key == "hidden"


def test_lists_and_maps_of_a_message_without_secrets_stay() -> None:
    result = common_pb2.StageResult(artifacts=[common_pb2.Artifact(path="a"), common_pb2.Artifact(path="b")])
    progress = common_pb2.StageProgress(metrics={"psnr": 28.5})

    assert redacted(result) == result
    assert redacted(progress) == progress


def test_only_the_keys_of_a_request_are_secret() -> None:
    secret = [
        field.full_name
        for message in sfm_pb2.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
        if field.GetOptions().debug_redact
    ]

    assert secret == [
        "splatworks.v1.SourceCredentials.access_key",
        "splatworks.v1.SourceCredentials.secret_key",
    ]
