"""Ruled fields of a spec: from marked YAML to a field's value, each error at its own line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thresher.errors import SpecError
from thresher.ir.fields import (
    ChoiceRule,
    NumberOrTensorRule,
    OptionalRule,
    Rule,
    TensorRule,
    TextRule,
    is_required,
    rules_of,
)
from thresher.ir.marks import YamlMap, YamlScalar, YamlValue, expect_map, found
from thresher.ir.node import Mark
from thresher.ir.tensor import Tensor


@dataclass(frozen=True)
class Reference:
    """A field that names a tensor; `written` tells a name in the spec from the default one."""

    field: str
    tensor: str
    mark: Mark
    rule: Rule
    written: bool


Settings = Mapping[str, Any]
Resolve = Callable[[Reference, Settings], Tensor]


def read_fields(
    owner: type, section: YamlMap, what: str, prefix: str, resolve: Resolve
) -> dict[str, Any]:
    """Read every ruled field of a dataclass from the section that bears their names.

    Parameters
    ----------
    what : str
        Who owns the section, for messages: ``"node 'conv1'"``.
    prefix : str
        A tensor whose name the section leaves out is called PREFIX.FIELD.
    resolve : callable
        Returns the tensor of a reference; its second argument holds the other fields.

    Raises
    ------
    SpecError
        Where a field is missing or breaks its rule; other keys of the section are left alone.
    """
    settings: dict[str, Any] = {}
    references: list[Reference] = []
    for field, rule in rules_of(owner):
        value = section.entries.get(field.name)
        if value is not None:
            name = _tensor_name(rule, value)
            if name is None:
                settings[field.name] = parse_value(rule, value, f"{what}: field '{field.name}'")
            else:
                references.append(Reference(field.name, name, value.mark, rule, True))
        elif isinstance(rule, TensorRule):
            name = f"{prefix}.{field.name}"
            references.append(Reference(field.name, name, section.mark, rule, False))
        elif is_required(field):
            raise SpecError(
                f"{section.mark}: {what}: field '{field.name}' is missing; expected {rule.expected}"
            )
    tensors: dict[str, Any] = {}
    for reference in references:
        tensor = resolve(reference, settings)
        try:
            tensors[reference.field] = reference.rule.parse(tensor)
        except ValueError as error:
            raise SpecError(
                f"{reference.mark}: {what}: field '{reference.field}' is tensor '{tensor.name}', "
                f"which holds {tensor.values.min():g} to {tensor.values.max():g}; expected {error}"
            ) from error
    return {**settings, **tensors}


def read_plain_fields(
    owner: type, value: YamlValue, what: str, *, beside: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Read a mapping of the ruled fields of a dataclass that holds no tensors.

    Raises
    ------
    SpecError
        Where it is no mapping, a key is neither a field nor one of `beside`, or a field is missing
        or breaks its rule.
    """
    section = expect_map(value, what)
    section.expect_keys([*beside, *(field.name for field, _ in rules_of(owner))], what)

    def refuse(reference: Reference, settings: Settings) -> Tensor:
        raise SpecError(f"{reference.mark}: {what}: '{reference.field}' cannot be a tensor")

    return read_fields(owner, section, what, "", refuse)


def parse_value(rule: Rule, value: YamlValue, what: str) -> Any:
    """Parse a value by a rule; `what` says whose it is, for the message."""
    try:
        return rule.parse(_candidate(rule, value))
    except ValueError as error:
        raise SpecError(f"{value.mark}: {what} is {found(value)}; expected {error}") from error


def _candidate(rule: Rule, value: YamlValue) -> object:
    if isinstance(rule, TensorRule):
        return None if value.plain() is False else value
    if isinstance(rule, (ChoiceRule, TextRule)) and isinstance(value, YamlScalar):
        return value.text
    return value.plain()


def _tensor_name(rule: Rule, value: YamlValue) -> str | None:
    """Return the tensor's name that a value is; None where it is none."""
    rule = rule.rule if isinstance(rule, OptionalRule) else rule
    if not isinstance(value, YamlScalar) or not value.text:
        return None
    plain = value.plain()
    if isinstance(rule, TensorRule):
        return None if plain is None or isinstance(plain, bool) else value.text
    return plain if isinstance(rule, NumberOrTensorRule) and isinstance(plain, str) else None
