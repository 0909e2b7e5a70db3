"""What a server's `metadata.json` may say, and reading it. Above: `catalog`."""

from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from supervisor.errors import InvalidServer
from supervisor.spec import Era, Instances, ReloadStrategy, StartTime

METADATA = "metadata.json"
MAX_METADATA_BYTES = 64 * 1024
MAX_IDLE_S = 30 * 24 * 3600.0

Seconds = Annotated[float, Field(gt=0, le=3600)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Credential(_Strict):
    key: str
    required: bool = True
    description: str = ""


class HostsGiven(_Strict):
    """Names of hosts that a server may reach."""

    hosts: tuple[str, ...]
    private_addresses: bool = False


class _Limits(_Strict):
    memory_mb: Annotated[int, Field(gt=0)] = 512
    address_space_mb: Annotated[int, Field(gt=0)] | None = None
    processes: Annotated[int, Field(gt=0)] = 128
    cpu: Annotated[float, Field(ge=0.05, le=1024)] | None = None
    open_files: Annotated[int, Field(gt=0)] = 256
    file_size_mb: Annotated[int, Field(gt=0)] = 256
    data_dir_mb: Annotated[int, Field(gt=0)] = 512
    data_dir_files: Annotated[int, Field(gt=0)] = 100_000
    shared_memory_mb: Annotated[int, Field(gt=0)] = 16


class Metadata(_Strict):
    """What `metadata.json` may say; every member is optional, unknown ones are refused."""

    description: str = ""
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    environment: dict[str, str] = {}
    credentials: tuple[_Credential, ...] = ()
    network: Literal["none", "full"] | HostsGiven = "none"
    limits: _Limits | None = None
    start_timeout_s: Seconds = 30.0
    call_timeout_s: Seconds = 300.0
    instances: Instances = Instances.SHARED
    max_instances: Annotated[int, Field(gt=0, le=64)] = 8
    start: StartTime | None = None
    idle_stop_s: Annotated[float, Field(ge=0, le=MAX_IDLE_S)] | None = None
    reload: ReloadStrategy = ReloadStrategy.SIDE_BY_SIDE
    era: Era | None = None
    read_only: tuple[Path, ...] = ()
    read_write: tuple[Path, ...] = ()
    allow_source_builds: bool = False
    unix_sockets: bool = False
    dynamic_tools: bool = False
    notify: bool = False
    system_packages: dict[str, str] = {}
    enabled: bool = True

    @field_validator("credentials", mode="before")
    @classmethod
    def _bare_names(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        items = cast(list[object], value)
        return [{"key": item} if isinstance(item, str) else item for item in items]


def read_metadata(folder: Path) -> Metadata:
    """Return what a server's metadata file says; the defaults when there is none.

    Raises:
        InvalidServer: it is not JSON, too large, or says something unknown or wrong.
    """
    path = folder / METADATA
    try:
        with path.open("rb") as file:
            text = file.read(MAX_METADATA_BYTES + 1)
    except FileNotFoundError:
        return Metadata()
    except OSError as error:
        raise InvalidServer(f"{path} cannot be read: {error.strerror}.") from error
    if len(text) > MAX_METADATA_BYTES:
        raise InvalidServer(f"{path} is larger than {MAX_METADATA_BYTES} bytes.")
    try:
        return Metadata.model_validate_json(text)
    except ValidationError as error:
        raise InvalidServer(f"{METADATA} of server {folder.name!r}: {_first(error)}.") from error


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"]) or "the file"
    return f"{where}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
