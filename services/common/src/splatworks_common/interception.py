"""What server interceptors share: standing around unary handlers, and standing before any.

``UnaryInterceptor`` leaves streams alone: those of health and reflection live as long as their clients like
and raise no errors of ours. ``guarded`` spares none.
"""

from __future__ import annotations

import inspect
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


Check = Callable[[Any], Awaitable[None]]
"""Looks at a call's context and aborts the call, or returns."""

_KINDS = (
    ("unary_unary", grpc.unary_unary_rpc_method_handler),
    ("unary_stream", grpc.unary_stream_rpc_method_handler),
    ("stream_unary", grpc.stream_unary_rpc_method_handler),
    ("stream_stream", grpc.stream_stream_rpc_method_handler),
)


def guarded(handler: grpc.RpcMethodHandler[Any, Any], check: Check) -> grpc.RpcMethodHandler[Any, Any]:
    """The same handler, of whichever kind, with ``check`` before its first step."""
    kind, make = next((kind, make) for kind, make in _KINDS if getattr(handler, kind) is not None)
    behaviour = getattr(handler, kind)

    async def answer(request: Any, context: Any) -> Any:
        await check(context)
        answering = behaviour(request, context)
        if not inspect.isasyncgen(answering):
            return await answering
        async for message in answering:
            await context.write(message)
        return None

    return make(answer, handler.request_deserializer, handler.response_serializer)
