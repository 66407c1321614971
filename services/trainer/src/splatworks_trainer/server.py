"""The gRPC face of the trainer service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from google.longrunning import operations_pb2

from splatworks.v1 import trainer_pb2, trainer_pb2_grpc
from splatworks_common import server
from splatworks_common.operations.servicer import StageStarter
from splatworks_trainer.stage import STAGE


class TrainerServicer(trainer_pb2_grpc.TrainerServiceServicer):
    """``splatworks.v1.TrainerService``."""

    def __init__(self, start: StageStarter) -> None:
        self._start = start

    async def Train(self, request: trainer_pb2.TrainRequest, context: Any) -> operations_pb2.Operation:
        """Starts a training."""
        return self._start(request)


@contextlib.asynccontextmanager
async def _open(context: server.Context) -> AsyncIterator[None]:
    trainer_pb2_grpc.add_TrainerServiceServicer_to_server(TrainerServicer(context.start), context.server)
    yield


SERVICE = server.Service(
    name="trainer",
    distribution="splatworks-trainer",
    stage=STAGE,
    stage_reference="splatworks_trainer.stage:STAGE",
    full_names=["splatworks.v1.TrainerService"],
    open=_open,
)


def main() -> None:
    """The entry point ``splatworks-trainer``."""
    server.main(SERVICE)


if __name__ == "__main__":
    main()
