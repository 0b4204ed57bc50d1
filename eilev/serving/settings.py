"""Everything that a server can be told: flags of `eilev serve`, or EILEV_... in the environment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from eilev.clips.limits import Limits
from eilev.serving.addresses import Network
from eilev.serving.fetching import Fetching
from eilev.serving.ready import read_examples

MIB = 2**20
DEFAULT_ID = "eilev"


def _listed(value: Any) -> Any:
    """The environment has one string: a,b,c."""
    return [item for item in value.split(",") if item] if isinstance(value, str) else value


def _with_examples(folder: Path) -> Path:
    read_examples(folder)
    return folder


Listed = NoDecode, BeforeValidator(_listed)


class Settings(BaseSettings):
    """A flag goes before the environment, which goes before the default."""

    model_config = SettingsConfigDict(
        env_prefix="EILEV_",
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
    )

    bundle: Annotated[list[str], *Listed] = Field(
        ["data/export/bundle"],
        min_length=1,
        description="folder of an exported model, or ID=FOLDER; again for another one beside it",
    )
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every network")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on")
    cors_origin: Annotated[list[str], *Listed] = Field(
        [], description="of a web page that may call; * for any, again for another"
    )
    api_key: Annotated[list[SecretStr], *Listed] = Field(
        [],
        description="only requests with one of these are answered; better in the environment, as "
        "every user of a machine sees flags",
    )
    page_examples: Annotated[Path, AfterValidator(_with_examples)] | None = Field(
        None, description="folder of ready examples for the web page, in place of the kitchen's"
    )
    log_format: Literal["text", "json"] = Field("text", description="of the lines on stderr")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is logged, and all that is worse"
    )
    drain_s: PositiveInt = Field(30, description="seconds for open requests when told to stop")
    may_load: bool = Field(
        False,
        description="POST /v2/repository/models/ID/load reads a bundle again, as SIGHUP does with "
        "all; who may ask may do that, too",
    )
    max_requests: PositiveInt = Field(
        64, description="requests that are answered or wait for it; one more gets 429"
    )
    max_body_mib: PositiveInt = Field(64, description="largest request")
    max_arriving_mib: PositiveInt = Field(
        512, description="of all requests that are arriving or whose videos are not decoded yet"
    )
    body_timeout_s: PositiveFloat = Field(60.0, description="for a request to arrive")
    answer_timeout_s: PositiveFloat = Field(
        120.0, description="from a request's last byte to its answer's last token"
    )
    num_decoders: PositiveInt = Field(2, description="processes that decode videos")
    num_threads: PositiveInt | None = Field(
        None, description="CPU threads of the model; all that this process may use if not given"
    )
    batch_mib: PositiveInt = Field(
        1024, description="keys and values of all answers that are written at the same time"
    )
    context_cache_mib: PositiveInt = Field(
        256, description="keys and values that are kept of contexts, for the next query on one"
    )
    feature_cache_mib: PositiveInt = Field(128, description="features that are kept of videos")
    max_pixels: PositiveInt = Field(Limits.max_pixels, description="of a video's frame")
    max_seconds: PositiveFloat = Field(Limits.max_duration_s, description="of a video")

    bank: Path | None = Field(
        None,
        description="folder of narrated clips that requests may have shown before their own: "
        "bank.csv or bank.tsv with the columns file, narration and, if wanted, start and end",
    )
    bank_mib: PositiveInt = Field(256, description="features of all examples in the bank")
    bank_may_grow: bool = Field(
        False,
        description="POST /v1/bank adds an example, in memory only; who may ask may do that, too",
    )
    examples: Literal["none", "similar", "random"] = Field(
        "none", description="what requests are shown from the bank that bring no example themselves"
    )

    request_log: Path | None = Field(
        None,
        description="folder for notes of answered requests, which eilev drift reads: figures, and "
        "those words of narrations that training has; nothing is noted without one",
    )
    request_log_reference: Path = Field(
        Path("data/drift/reference.json"),
        description="what eilev drift --write-reference wrote; it has the words that may be noted",
    )
    request_log_mib: PositiveInt = Field(16, description="of one file of these notes")
    request_log_files: int = Field(
        4, ge=2, description="files of these notes that are kept; the oldest is dropped"
    )

    media_host: Annotated[list[str], *Listed] = Field(
        [],
        description="from which https:// videos are fetched: media.example.com, *.example.com or "
        "minio.lan:9000; again for another. Without one, nothing is ever fetched",
    )
    media_network: Annotated[list[Network], *Listed] = Field(
        [], description="10.0.0.0/8, say: hosts may have addresses there, though not public"
    )
    media_ca_file: Path | None = Field(
        None, description="certificates (PEM) that are trusted besides the system's"
    )
    media_timeout_s: PositiveFloat = Field(30.0, description="for a video to be fetched")

    @property
    def fetching(self) -> Fetching:
        """What may be fetched.

        Raises:
            ValueError: a host is written in another form.
        """
        return Fetching(
            tuple(self.media_host),
            tuple(self.media_network),
            self.media_ca_file,
            self.max_body_mib * MIB,
            self.media_timeout_s,
        )

    @property
    def limits(self) -> Limits:
        """Of one video."""
        return Limits(max_pixels=self.max_pixels, max_duration_s=self.max_seconds)

    def bundles(self) -> dict[str, Path]:
        """Folders by model id.

        Raises:
            ValueError: two have the same id.
        """
        named = [_named(text) for text in self.bundle]
        found = dict(named)
        if len(found) < len(named):
            raise ValueError("bundle: two have the same id; name them ID=FOLDER")
        return found


def _named(text: str) -> tuple[str, Path]:
    name, equals, folder = text.rpartition("=")
    return (name if equals else DEFAULT_ID), Path(folder)


def explain(error: ValidationError) -> str:
    """One line for what is wrong with settings, by the names that a user has given."""
    problems = [f"{_name(item['loc'])}: {item['msg']}" for item in error.errors()]
    return "; ".join(problems)


def _name(location: Sequence[int | str]) -> str:
    name = str(location[0])
    return f"--{name.replace('_', '-')} (EILEV_{name.upper()})"
