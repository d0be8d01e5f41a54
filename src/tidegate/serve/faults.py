"""What a request is refused with: one word, a status of each protocol, and a message."""

from __future__ import annotations

import enum

from tidegate.errors import TidegateError

__all__ = ["RequestError", "Status"]


class Status(enum.Enum):
    """Why a request has no answer: the status over gRPC, and over HTTP."""

    INVALID = ("INVALID_ARGUMENT", 400)  # the request cannot be answered as it is
    UNKNOWN = ("NOT_FOUND", 404)  # no such model, version or page
    METHOD = ("UNIMPLEMENTED", 405)  # a page that is asked in another way
    UNFIT = ("FAILED_PRECONDITION", 409)  # a sequence that has not begun, or has expired
    LARGE = ("RESOURCE_EXHAUSTED", 413)  # a message, shape or batch beyond a limit
    BUSY = ("RESOURCE_EXHAUSTED", 429)  # too many at once; try again
    FAILED = ("INTERNAL", 500)  # a failure of Tidegate's own
    UNSUPPORTED = ("UNIMPLEMENTED", 501)  # this kind of model cannot do that
    UNREADY = ("UNAVAILABLE", 503)  # about to stop, or no model yet
    SLOW = ("DEADLINE_EXCEEDED", 408)  # the client took too long to send its request
    LATE = ("DEADLINE_EXCEEDED", 504)  # no answer within the time that the client gave

    @property
    def grpc(self) -> str:
        """The name of the gRPC status code."""
        return self.value[0]

    @property
    def http(self) -> int:
        """The HTTP status code."""
        return self.value[1]


class RequestError(TidegateError):
    """A request that is refused, or has failed; the server goes on.

    Parameters
    ----------
    status
        Which kind of fault.
    message
        For the client: what was expected, what came, what to do.
    """

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
