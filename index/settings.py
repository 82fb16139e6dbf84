"""The one place that reads the environment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from index.inbox import Limits


class Settings(BaseSettings):
    """Everything a user can set, from `GROUNDWORK_*` variables; see the README's table."""

    model_config = SettingsConfigDict(
        env_prefix="GROUNDWORK_", frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    home: Path = Path("data")
    index_uri: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    prefect_api_url: str | None = Field(default=None, validation_alias="PREFECT_API_URL")
    sample: bool = True
    sources: Annotated[tuple[str, ...], NoDecode] = ()
    embedder: str | None = None
    embedder_url: str | None = None
    embedder_key: SecretStr | None = None
    embedder_price: float = Field(default=0.0, ge=0, description="What a million tokens cost at the embedding service.")
    chunk_tokens: int = Field(default=256, ge=64, description="The longest passage, title and headings included.")
    near_duplicate: float = Field(default=0.85, ge=0, le=1)
    contract: Path | None = Field(default=None, description="A TOML file with thresholds of the data contract.")
    index_policy: Path | None = Field(default=None, description="A TOML file that says when and how the vector index is made.")
    retention: Path | None = Field(default=None, description="A TOML file that says how long releases are kept.")
    inbox_documents: int = Field(default=200_000, ge=1)
    inbox_mib: int = Field(default=4096, ge=1)
    latency_goal_ms: float = Field(default=50.0, gt=0, description="95 of 100 searches shall take less; the forecast is about it.")
    freshness_goal_s: float = Field(default=3.0, gt=0)
    query_log: float = Field(default=1.0, ge=0, le=1, description="The share of the questions that is kept, to notice drift; 0: none.")
    serving: Path | None = Field(default=None, description="A TOML file that says how much the API takes on at once, and how.")
    llm_url: str | None = None
    llm_model: str | None = None
    llm_key: SecretStr | None = None
    judge_url: str | None = None
    judge_model: str | None = None
    judge_key: SecretStr | None = None
    webhook_url: str | None = Field(default=None, description="Is told of alarms, as JSON.")
    webhook_secret: SecretStr | None = Field(default=None, description="Signs what it is told (Standard Webhooks).")
    auto_rollback: bool = Field(default=False, description="Goes back when a release is significantly worse.")
    judge_budget: Path | None = Field(default=None, description="A TOML file that says what a judge may use up.")
    log_format: Literal["text", "json"] = Field(default="text", description="Lines of the log for people, or JSON objects for machines.")
    otlp_endpoint: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otlp_traces_endpoint: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    otel_exporter: str | None = Field(default=None, validation_alias="OTEL_TRACES_EXPORTER")
    otel_disabled: bool = Field(default=False, validation_alias="OTEL_SDK_DISABLED")
    url: str | None = Field(default=None, description="Where the command line finds the API; default: host and port above.")
    key: SecretStr | None = Field(default=None, description="The key the command line uses; default: the admin key's file.")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("sources", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("embedder_url", "llm_url", "judge_url", "webhook_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if url is not None and not _is_on_the_web(url):
            raise PydanticCustomError("web_address", "it should be a URL that begins with http:// or https://, with a host and no odd port")
        return url

    @property
    def index(self) -> str:
        """The LanceDB URI."""
        return self.index_uri or str(self.home / "index")

    @property
    def inbox_limits(self) -> "Limits":
        """How much may wait."""
        from index.inbox import MIB, Limits

        return Limits(documents=self.inbox_documents, bytes=self.inbox_mib * MIB)

    @property
    def prefect_url(self) -> str:
        """Base URL of Prefect's REST API, without a trailing slash."""
        return (self.prefect_api_url or f"http://127.0.0.1:{self.prefect_port}/api").rstrip("/")

    @property
    def prefect_ui(self) -> str:
        """Where people look at runs."""
        return self.prefect_url.removesuffix("/api")

    @property
    def api_url(self) -> str:
        """Where clients on this machine reach the HTTP API."""
        return self.url or self.own_url

    @property
    def own_url(self) -> str:
        """Where this machine's API is reached from this machine, whatever clients are told to use."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - a comparison, nothing is bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def traces(self) -> Literal["otlp", "console"] | None:
        """Where spans go, by the standard variables of OpenTelemetry; None: nowhere."""
        if self.otel_disabled or self.otel_exporter == "none":
            return None
        if self.otel_exporter == "console":
            return "console"
        return "otlp" if self.otlp_endpoint or self.otlp_traces_endpoint or self.otel_exporter == "otlp" else None

    @property
    def admin_key_file(self) -> Path:
        """The file that holds the first admin key, mode 0600."""
        return self.home / "admin.key"

    @property
    def keys_file(self) -> Path:
        """The file with the hashes of all keys, mode 0600."""
        return self.home / "keys.json"

    @property
    def counts(self) -> Path:
        """Where several workers leave what they count."""
        return self.home / "run" / "counts"

    @property
    def first_start_file(self) -> Path:
        """Present from the first start until the sample is indexed."""
        return self.home / "first-start"


def _is_on_the_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # it quotes the address, which may hold a password
        return False
