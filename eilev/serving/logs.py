"""What the server logs: a line for each answer, readable or as JSON, with the request's id."""

import logging
from typing import Any

from asgi_correlation_id import correlation_id
from pythonjsonlogger.json import JsonFormatter

LOG = logging.getLogger("eilev.serving")
_TEXT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"
_JSON = "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s"


class RequestId(logging.Filter):
    """Adds the id of the request that a line is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        record.request_id = correlation_id.get() or "-"
        return True


def log_config(as_json: bool, level: str) -> dict[str, Any]:
    """Configuration for `logging.config`, for uvicorn's loggers and our own."""
    formatter: dict[str, Any] = (
        {"format": _JSON, "()": JsonFormatter} if as_json else {"format": _TEXT}
    )
    handler = {
        "class": "logging.StreamHandler",
        "formatter": "lines",
        "filters": ["request_id"],
    }
    quiet = {"handlers": ["stderr"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestId}},
        "formatters": {"lines": formatter},
        "handlers": {"stderr": handler},
        "loggers": dict.fromkeys(("uvicorn", "eilev"), quiet),
    }
