"""Who may call: the holder of the bearer token, or of a certificate with one of the allowed names.

Every call is asked, unary or stream, of every service on the listener. A refused one is UNAUTHENTICATED and
counted by why; the answer never says which names or tokens would do.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Set
from typing import Any

import grpc
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry, Counter

from splatworks_common import grpc_errors
from splatworks_common.interception import guarded
from splatworks_common.tokens import TokenFile

NO_CREDENTIALS, WRONG_TOKEN, WRONG_IDENTITY = "no_credentials", "wrong_token", "wrong_identity"

_COMPLAINTS = {
    NO_CREDENTIALS: "The call carries no credentials; send the worker's token or an allowed certificate.",
    WRONG_TOKEN: "The token is not the worker's.",
    WRONG_IDENTITY: "The certificate has none of the names that may call this worker.",
}
_NAMES = ("peer_dns", "peer_uri")
"""Where gRPC tells the names of a verified client certificate; an email or an IP address is no identity."""


class RefusedCalls:
    """``splatworks_auth_refused_total``: calls without the right identity, by why."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "splatworks_auth_refused",
            "Calls refused for want of the right identity.",
            ["why"],
            registry=registry,
        )
        for why in _COMPLAINTS:
            self._counter.labels(why)

    def count(self, why: str) -> None:
        """Takes note of a refused call."""
        self._counter.labels(why).inc()


class IdentityInterceptor(grpc.aio.ServerInterceptor):
    """Lets a call pass whose token or certificate is right.

    Args:
        allowed_sans: DNS names and URIs of which a client's certificate must have one; may be empty.
        token: The token that does as well, or None.
        refused: Where refusals are counted.
    """

    def __init__(self, allowed_sans: Set[str], token: TokenFile | None, refused: RefusedCalls) -> None:
        self._allowed_sans = allowed_sans
        self._token = token
        self._refused = refused

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Puts the question before the handler."""
        handler = await continuation(handler_call_details)
        return None if handler is None else guarded(handler, self._check)

    async def _check(self, context: Any) -> None:
        why = self._objection(context)
        if why is not None:
            self._refused.count(why)
            status = grpc_errors.unauthenticated(_COMPLAINTS[why], why)
            await context.abort_with_status(rpc_status.to_status(status))

    def _objection(self, context: Any) -> str | None:
        """Why the call may not pass; None where it may."""
        properties = context.auth_context()
        names = {name.decode(errors="replace") for kind in _NAMES for name in properties.get(kind, ())}
        if names & self._allowed_sans:
            return None
        tokens = _bearer_tokens(context)
        if self._token is not None and tokens:
            expected = self._token.current().encode()
            return None if any(hmac.compare_digest(token, expected) for token in tokens) else WRONG_TOKEN
        return WRONG_IDENTITY if names and self._allowed_sans else NO_CREDENTIALS


def _bearer_tokens(context: Any) -> list[bytes]:
    values = [str(value) for key, value in context.invocation_metadata() if key == "authorization"]
    return [value[7:].strip().encode() for value in values if value[:7].lower() == "bearer "]
