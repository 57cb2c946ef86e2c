"""The repository's layout: who may import whom, what is never used, what the package carries."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "thresher"
TOP_FOLDERS = ("ir", "sim", "converters", "cython_ext")

# Each part of the package and the other parts that it may import; the command line may import all.
BASE = {"errors", "registry", "files", "version"}
MAY_IMPORT = {
    "errors": set(),
    "registry": {"errors"},
    "files": {"errors"},
    "version": set(),
    "cython_ext": set(),
    "digits": set(),
    "ir": BASE,
    "converters": BASE | {"ir"},
    "sim": BASE | {"ir", "cython_ext"},
    "datasets": BASE | {"ir", "digits"},
    "conversion": BASE | {"ir", "sim", "converters"},
    "report": BASE | {"ir", "sim"},
    "export": BASE | {"ir", "sim"},
    "diagnosis": BASE | {"ir", "sim", "converters"},
    "search": BASE | {"ir", "sim", "converters", "conversion"},
    "training": BASE | {"ir", "converters"},
    "sweep": BASE | {"ir", "sim", "converters", "datasets", "diagnosis"},
}
ON_TOP = {"__init__", "__main__", "cli"}


def parts() -> list[str]:
    """List the modules and sub-packages directly under thresher."""
    found = {path.stem for path in PACKAGE.glob("*.py")}
    return sorted(found | {path.parent.name for path in PACKAGE.glob("*/__init__.py")})


def sources(part: str, *suffixes: str) -> list[Path]:
    """List the source files of one part."""
    if not (PACKAGE / part).is_dir():
        return [PACKAGE / f"{part}.py"]
    found = (PACKAGE / part).resolve().rglob("*")
    return sorted(path for path in found if path.suffix in suffixes)


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of all that a Python file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", sorted(set(parts()) - ON_TOP))
def test_a_part_imports_only_parts_below_it(part: str) -> None:
    assert part in MAY_IMPORT, f"say in MAY_IMPORT what '{part}' may import"
    for path in sources(part, ".py", ".pyi"):
        used = {name.split(".")[1] for name in imported(path) if name.startswith("thresher.")}
        above = used - MAY_IMPORT[part] - {part}
        assert not above, f"{path} imports thresher.{', thresher.'.join(sorted(above))}"


def test_kernels_cimport_only_one_another() -> None:
    for path in sources("cython_ext", ".pyx", ".pxd"):
        used = re.findall(
            r"^\s*(?:from|c?import)\s+(thresher[\w.]*)", path.read_text("utf-8"), re.M
        )
        assert all(name.startswith("thresher.cython_ext") for name in used), path


def test_setup_names_every_kernel_and_each_has_its_stub() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
    (named,) = (
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KERNELS"
    )
    written = {path.stem for path in sources("cython_ext", ".pyx")}
    assert set(named) == written
    assert {path.stem for path in sources("cython_ext", ".pyi")} == written


@pytest.mark.parametrize("part", parts())
def test_no_source_uses_heapq_pickle_or_an_unsafe_loader(part: str) -> None:
    banned = re.compile(
        r"^\s*(?:from|import)\s+(?:heapq|c?[Pp]ickle|dill|shelve|marshal)\b"
        r"|\byaml\.(?:load|unsafe_load|full_load)\(|allow_pickle\s*=\s*True|weights_only\s*=\s*False",
        re.M,
    )
    for path in sources(part, ".py", ".pyx"):
        found = banned.search(path.read_text("utf-8"))
        assert found is None, f"{path} holds '{found.group() if found else ''}'"


@pytest.mark.parametrize("folder", TOP_FOLDERS)
def test_a_top_folder_is_a_package_of_thresher(folder: str) -> None:
    if (ROOT / "PKG-INFO").exists():
        pytest.skip("a source distribution holds the folders themselves, not links to them")
    link = PACKAGE / folder
    assert link.is_symlink()
    assert link.resolve() == ROOT / folder


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "digits/digits.npz",
        "digits/LICENSE.txt",
        "digits/digits_cnn.yaml",
        "digits/digits_cnn.safetensors",
    ],
)
def test_the_installed_package_carries_its_files(name: str) -> None:
    assert files("thresher").joinpath(name).is_file()


def test_the_installed_package_carries_every_recipe_of_the_source() -> None:
    installed = {item.name for item in files("thresher").joinpath("converters/recipes").iterdir()}
    written = {path.name for path in (PACKAGE / "converters" / "recipes").glob("*.yaml")}
    assert written
    assert written <= installed
