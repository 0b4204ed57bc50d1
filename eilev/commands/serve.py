"""`eilev serve`: answer requests over HTTP from exported models."""

import argparse
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import CliSettingsSource

from eilev.serving.settings import Settings, explain
from eilev.serving.starting import serve


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command; its flags are the settings."""
    parser = subparsers.add_parser("serve", help="answer requests over HTTP from exported models")
    source: CliSettingsSource[Any] = CliSettingsSource(Settings, root_parser=parser)
    parser.set_defaults(run=lambda options: serve(_settings(source, vars(options))))


def _settings(source: "CliSettingsSource[Any]", options: Mapping[str, Any]) -> Settings:
    given = {name: value for name, value in options.items() if name != "run"}
    sources: dict[str, Any] = {"_cli_settings_source": source(parsed_args=given)}
    try:
        return Settings(**sources)
    except ValidationError as error:
        raise ValueError(explain(error)) from error
