"""Recipe: the passes of a conversion method, by name, and the files that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from thresher.converters.pass_ import PASSES, Pass
from thresher.errors import PassError, SpecError
from thresher.ir import Readout
from thresher.ir.fields import rules_of
from thresher.ir.marks import YamlList, YamlMap, YamlScalar, YamlValue, expect_map, found, text_of
from thresher.ir.spec_fields import read_plain_fields
from thresher.ir.yaml_reader import parse_yaml, read_yaml
from thresher.registry import suggest

KEYS = ("recipe", "source", "passes", "readout")


@dataclass(frozen=True)
class Recipe:
    """Hold the passes of a method, where it comes from, and the readout that it asks for."""

    passes: tuple[Pass, ...]
    name: str = ""
    source: str = ""
    readout: Readout | None = None

    def with_settings(self, settings: Mapping[str, object]) -> "Recipe":
        """Return the recipe with parameters replaced: "PASS.FIELD" to a value or its text.

        Raises
        ------
        PassError
            For a pass that the recipe does not run, an unknown field or a forbidden value.
        """
        chosen = {step.name: step for step in self.passes}
        for key, value in settings.items():
            name, dot, field = key.partition(".")
            if not dot:
                raise PassError(
                    f"setting '{key}' names no field; expected PASS.FIELD, such as "
                    "'balance-thresholds.percent'"
                )
            if name not in chosen:
                raise PassError(f"setting '{key}': {_no_such_pass(name, list(chosen))}")
            plain = parse_yaml(value, key).plain() if isinstance(value, str) else value
            chosen[name] = replace(chosen[name], **{field: chosen[name].parse(field, plain)})
        return replace(self, passes=tuple(chosen[step.name] for step in self.passes))

    def provenance(self) -> dict[str, object]:
        """Return name and source as plain values, where there are any."""
        told = {"recipe": self.name, "source": self.source}
        return {key: value for key, value in told.items() if value}


def recipe_names() -> list[str]:
    """List the recipes that come with the package."""
    folder = files("thresher.converters").joinpath("recipes")
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_recipe(recipe: str | Path) -> Recipe:
    """Load a recipe by its name, or from a file: a path, or text that ends in .yaml or .yml.

    Raises
    ------
    PassError
        For an unknown name.
    SpecError
        Where the file is missing or wrong; the message names the line.
    """
    if isinstance(recipe, Path) or recipe.endswith((".yaml", ".yml")):
        return _read(read_yaml(Path(recipe)), Path(recipe).stem)
    known = recipe_names()
    if recipe not in known:
        raise PassError(
            f"unknown recipe '{recipe}': {suggest(recipe, known)}known are {', '.join(known)}, or "
            "the path of a file that ends in .yaml"
        )
    source = files("thresher.converters").joinpath("recipes", f"{recipe}.yaml")
    return _read(parse_yaml(source.read_text("utf-8"), f"recipes/{recipe}.yaml"), recipe)


def _read(tree: YamlValue, name: str) -> Recipe:
    root = expect_map(tree, "a recipe")
    root.expect_keys(KEYS, "recipe")
    texts = {key: text_of(root.entries[key], key) for key in KEYS[:2] if key in root.entries}
    if "passes" not in root.entries:
        raise SpecError(f"{root.mark}: the recipe has no 'passes'; expected a list of passes")
    readout = root.entries.get("readout")
    return Recipe(
        passes=_read_passes(root.entries["passes"]),
        name=texts.get("recipe", name),
        source=texts.get("source", ""),
        readout=None if readout is None else _read_readout(readout),
    )


def _read_passes(value: YamlValue) -> tuple[Pass, ...]:
    if not isinstance(value, YamlList) or not value.items:
        raise SpecError(f"{value.mark}: 'passes' is {found(value)}; expected a list of passes")
    passes: dict[str, Pass] = {}
    for item in value.items:
        step = _read_pass(item)
        if step.name in passes:
            raise SpecError(f"{item.mark}: pass '{step.name}' is listed twice; expected once")
        passes[step.name] = step
    return tuple(passes.values())


def _read_pass(item: YamlValue) -> Pass:
    """Read `NAME` or `NAME: {FIELD: VALUE, ...}`."""
    if isinstance(item, YamlScalar):
        return _pass_class(text_of(item, "a pass"), item)()
    if not isinstance(item, YamlMap) or len(item.entries) != 1:
        raise SpecError(
            f"{item.mark}: a pass is {found(item)}; expected its name, or its name with its "
            "fields, such as `- shift: {mode: current}`"
        )
    ((name, value),) = item.entries.items()
    cls = _pass_class(name, item)
    fields = expect_map(value, f"what pass '{name}' is given")
    if fields.entries and not any(rules_of(cls)):
        raise SpecError(f"{fields.mark}: pass '{name}' takes no fields; expected its name alone")
    return cls(**read_plain_fields(cls, fields, f"pass '{name}'"))


def _pass_class(name: str, item: YamlValue) -> type[Pass]:
    if name not in PASSES:
        raise SpecError(f"{item.mark}: {PASSES.unknown(name)}")
    return PASSES.get(name)


def _read_readout(value: YamlValue) -> Readout:
    """Read `KIND` or `{kind: KIND, t_start: STEP}`."""
    if isinstance(value, YamlScalar):
        value = YamlMap(value.mark, {"kind": value}, {"kind": value.mark})
    return Readout(**read_plain_fields(Readout, value, "'readout'"))


def _no_such_pass(name: str, own: list[str]) -> str:
    if name not in PASSES:
        return PASSES.unknown(name)
    return f"the recipe does not run pass '{name}'; it runs {', '.join(own)}"
