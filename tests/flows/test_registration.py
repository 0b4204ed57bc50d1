"""What is told where nothing can be registered; tests/flows/test_postgres.py registers."""

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.registration import RegistrationError, register


@pytest.mark.parametrize(
    ("url", "told"),
    [(None, "no server is named: set PREFECT_API_URL"), ("http://127.0.0.1:9/api", r":9/api: .+")],
)
def test_a_server_that_is_not_there_is_named(url: str | None, told: str) -> None:
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(RegistrationError, match=told):
        register()
