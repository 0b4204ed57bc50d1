"""Who may ask: bearers of one of the keys, where the server has any."""

import hmac
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from eilev.serving.protocol import ApiError

_BEARER = HTTPBearer(auto_error=False, description="one of the server's API keys, if it has any")
Given = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


class Keys:
    """A dependency of the routes that need a key."""

    def __init__(self, keys: Sequence[SecretStr]):
        self._keys = [key.get_secret_value().encode() for key in keys]

    async def __call__(self, given: Given) -> None:
        """Let a request through.

        Raises:
            ApiError: 401.
        """
        if not self._keys:
            return
        sent = b"" if given is None else given.credentials.encode()
        # All are compared, each in a time that does not tell how much of it is right.
        if not sum(hmac.compare_digest(sent, key) for key in self._keys):
            message = "send one of the server's API keys: 'Authorization: Bearer KEY'"
            raise ApiError(401, message, code="invalid_api_key")
