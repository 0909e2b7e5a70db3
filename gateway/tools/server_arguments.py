"""What a model says of a server that it writes: argument types, and the draft they make."""

from typing import Annotated, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.servers import Draft
from gateway.servers.edit import Edit
from gateway.tools.arguments import CredentialKey
from gateway.tools.sentences import Refused
from sandboxes.policy import Network, NetworkMode
from supervisor.spec import DeclaredCredential


class CredentialArgument(BaseModel):
    """A credential that the server reads from its environment."""

    model_config = ConfigDict(extra="forbid")

    key: CredentialKey
    required: bool = True
    description: Annotated[str, Field(max_length=1000)] = ""
    value: SecretStr | None = None


def _listed(credentials: object) -> object:
    """Return credentials given as {KEY: value}, or by name alone, as the objects they stand for."""
    if isinstance(credentials, dict):
        pairs = cast("dict[object, object]", credentials).items()
        return [{"key": key, "value": value} for key, value in pairs]
    if isinstance(credentials, list):
        listed = cast("list[object]", credentials)
        return [{"key": each} if isinstance(each, str) else each for each in listed]
    return credentials


def _hosts(network: object) -> object:
    """Return hosts that were given as metadata.json gives them as the list that they are."""
    if network == "full":
        raise PydanticCustomError(
            "network",
            "Input should be 'none' or a list of hosts (full network is the owner's to grant)",
        )
    if isinstance(network, dict):
        said = cast("dict[object, object]", network)
        return said["hosts"] if said.keys() == {"hosts"} else said
    return [] if network == "none" else network


Code = Annotated[
    str,
    Field(
        max_length=1_000_000,
        description=(
            "The whole text of server.py. Functions decorated with `@mcp.tool` are enough: `mcp` is"
            " a FastMCP that is provided and run. A whole server (`mcp = FastMCP('name')`, with or"
            " without `mcp.run()`) will do too. Type hints and docstrings become the schemas."
            " DATA_DIR is a global Path of the only folder it may write. Print to standard error,"
            " never to standard output."
        ),
    ),
]
Description = Annotated[str, Field(max_length=2000, description="What the server is for.")]
CredentialArguments = Annotated[
    list[CredentialArgument],
    BeforeValidator(_listed),
    Field(max_length=50),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "maxItems": 50, "items": {"type": ["string", "object"]}},
                {"type": "object", "maxProperties": 50, "additionalProperties": {"type": "string"}},
            ],
            "description": (
                'Secrets that the server reads from its environment: a list of names or of {"key",'
                ' "required", "description"} to ask for them, or, for a new server, {"KEY":'
                ' "value"} to store them, encrypted and never shown again. What the code reads with'
                " os.environ or os.getenv is found without this."
            ),
        }
    ),
]
Hosts = Annotated[
    list[str],
    BeforeValidator(_hosts),
    Field(max_length=100),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "maxItems": 100, "items": {"type": "string"}},
                {"type": "string", "const": "none"},
            ],
            "description": (
                "Every host the server may reach over https, such as 'api.example.com',"
                " '*.example.com' for all names below it, or 'example.com:8443'; replaces what was"
                " granted before. 'none' or an empty list means no network, which is the default."
            ),
        }
    ),
]
OldText = Annotated[
    str,
    Field(
        max_length=100_000,
        description=(
            "Text of the present code that is to be replaced: exact, with its indentation, and"
            " enough of it to be there once only. Goes with new_text, not with code."
        ),
    ),
]
NewText = Annotated[
    str, Field(max_length=1_000_000, description="What takes the place of old_text.")
]


Dependencies = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=1000)]],
    Field(
        max_length=200,
        description=(
            "Python packages the server imports, such as 'httpx>=0.28': it gets an environment of "
            "its own, built from wheels before it starts. A script block (PEP 723) in the code "
            "says the same. Without any it has fastmcp and mcp. An empty list takes them back."
        ),
    ),
]


def to_draft(
    code: str | None,
    description: str | None,
    credentials: list[CredentialArgument] | None,
    hosts: list[str] | None,
    dependencies: list[str] | None,
) -> Draft:
    """Return the draft that these arguments make."""
    return Draft(
        code=code,
        description=description,
        credentials=None if credentials is None else tuple(map(_declared, credentials)),
        values=tuple(
            (c.key, c.value.get_secret_value()) for c in credentials or () if c.value is not None
        ),
        network=None if hosts is None else _network(hosts),
        dependencies=None if dependencies is None else tuple(dependencies),
    )


def to_edit(code: str | None, old: str | None, new: str | None) -> Edit | None:
    """Return the edit that was asked for, if one was. Raises Refused for half of one."""
    if old is None and new is None:
        return None
    if old is None or new is None or code is not None:
        raise Refused(
            "old_text and new_text go together, and not with code; give both, or the whole code."
        )
    return Edit(old, new)


def _declared(credential: CredentialArgument) -> DeclaredCredential:
    return DeclaredCredential(credential.key, credential.required, credential.description)


def _network(hosts: list[str]) -> Network:
    return Network(NetworkMode.HOSTS, tuple(hosts)) if hosts else Network(NetworkMode.NONE)
