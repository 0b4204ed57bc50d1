"""The Data Docs: where Great Expectations writes them, and what makes each run's the same."""

import re
from datetime import UTC, datetime
from pathlib import Path

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig

# Part of the pages' paths: a fixed time keeps the site the same from run to run.
RUN = RunIdentifier("validate", datetime(2000, 1, 1, tzinfo=UTC))

# What makes the same page differ from run to run: times of reading and ids of foldable blocks.
_TIME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
_FOLD_ID = re.compile(r"(?<=-collapse-body-)[0-9a-f-]{36}")
# Viewing a page would fetch the logo from the makers' server, with the time of the build.
_REMOTE_LOGO = re.compile(r"https://great-expectations-web-assets[^\"']*")


def make_context(docs: Path) -> AbstractDataContext:
    """A context of Great Expectations that writes its Data Docs into a folder."""
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for name in context.get_site_names():
        context.delete_data_docs_site(name)
    context.add_data_docs_site(
        "docs",
        {
            "class_name": "SiteBuilder",
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(docs.absolute()),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    return context


def settle_pages(docs: Path) -> None:
    """Make the site's bytes depend on the outcomes only, and its logo come from the site."""
    for page in docs.rglob("*.html"):
        home = "../" * (len(page.relative_to(docs).parts) - 1)
        text = _TIME.sub(f"{RUN.run_time:%Y%m%dT%H%M%S.%fZ}", page.read_text())
        text = _REMOTE_LOGO.sub(f"{home}static/images/logo-long.png", text)
        for number, fold_id in enumerate(dict.fromkeys(_FOLD_ID.findall(text))):
            text = text.replace(fold_id, str(number))
        page.write_text(text)
