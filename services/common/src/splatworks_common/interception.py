"""What server interceptors share: wrapping unary handlers, and leaving streams alone.

The streams of health and reflection live as long as their clients like and raise no errors of ours.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

Call = Callable[[Any, Any], Awaitable[Any]]
"""A unary handler: request and context to response."""


class UnaryInterceptor(grpc.aio.ServerInterceptor):
    """An interceptor that stands around every unary call."""

    @abstractmethod
    async def around(self, method: str, call: Call, request: Any, context: Any) -> Any:
        """Answers a call, as a rule by awaiting ``call(request, context)``.

        Args:
            method: "/package.Service/Method".
            call: The handler, or the next interceptor before it.
            request: The request message.
            context: The call's context.
        """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wraps a unary handler with ``around``."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        call: Any = handler.unary_unary

        async def answer(request: Any, context: Any) -> Any:
            return await self.around(handler_call_details.method, call, request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )
