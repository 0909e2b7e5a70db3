"""The form of a channel: for a new one, and for what is to be another of one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator

from gateway.dashboard.fields import WrongFields, check_fields
from gateway.notify.channels import Change, Wish
from gateway.secret import Secret
from gateway.tools.notification_arguments import (
    Address,
    ChannelName,
    Kind,
    Occasions,
    SigningSecret,
)

M = TypeVar("M", bound=BaseModel)


def _or_none(text: object) -> object:
    return text or None


SecretField = Annotated[SigningSecret | None, BeforeValidator(_or_none)]


class _New(BaseModel):
    name: ChannelName
    kind: Kind
    address: Address
    occasions: Occasions
    secret: SecretField = None


class _Changed(BaseModel):
    name: ChannelName
    address: Annotated[Address | None, BeforeValidator(_or_none)] = None
    occasions: Occasions
    secret: SecretField = None


def read_wish(values: Mapping[str, str], occasions: Sequence[str]) -> Wish:
    """Return the channel that the form asks for. Raises WrongFields."""
    form = _checked(_New, values, occasions)
    return Wish(
        form.name,
        form.kind,
        Secret(form.address),
        frozenset(form.occasions),
        None if form.secret is None else Secret(form.secret),
    )


def read_change(values: Mapping[str, str], occasions: Sequence[str]) -> Change:
    """Return what is to be another; an empty address or secret stays. Raises WrongFields."""
    form = _checked(_Changed, values, occasions)
    return Change(
        form.name,
        None if form.address is None else Secret(form.address),
        frozenset(form.occasions),
        None if form.secret is None else Secret(form.secret),
    )


def _checked(model: type[M], values: Mapping[str, str], occasions: Sequence[str]) -> M:
    if not occasions:
        raise WrongFields({"occasions": "Choose what it is told."})
    return check_fields(model, {**values, "occasions": list(occasions)})
