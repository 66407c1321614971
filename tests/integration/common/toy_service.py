"""``python -m tests.integration.common.toy_service``: a whole service around the toy stage."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from splatworks.v1 import sfm_pb2_grpc
from splatworks_common import server
from tests.integration.common.toy_stage import STAGE


class ToyServicer(sfm_pb2_grpc.SfmServiceServicer):
    def __init__(self, start) -> None:
        self._start = start

    async def Reconstruct(self, request, context):  # noqa: N802
        return self._start(request)


@contextlib.asynccontextmanager
async def _open(context: server.Context) -> AsyncIterator[None]:
    sfm_pb2_grpc.add_SfmServiceServicer_to_server(ToyServicer(context.start), context.server)
    yield


if __name__ == "__main__":
    server.main(
        server.Service(
            name="toy",
            distribution="splatworks-common",
            stage=STAGE,
            stage_reference="tests.integration.common.toy_stage:STAGE",
            full_names=["splatworks.v1.SfmService"],
            open=_open,
        )
    )
