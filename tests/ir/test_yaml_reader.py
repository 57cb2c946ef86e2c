"""YAML as a marked tree: what scalars mean, where things stand, what is refused."""

import math
from pathlib import Path

import pytest

from thresher.errors import SpecError
from thresher.ir.marks import YamlMap, YamlScalar, text_of, texts_of
from thresher.ir.yaml_reader import DEEPEST, LARGEST_TEXT, parse_yaml, read_yaml


def plain(text: str) -> object:
    return parse_yaml(text, "f.yaml").plain()


def mapping(text: str) -> YamlMap:
    value = parse_yaml(text, "f.yaml")
    assert isinstance(value, YamlMap)
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("1.0e-5", 1e-5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.25", -0.25),
        ("+3", 3),
        ("0", 0),
        ("-12", -12),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("true", True),
        ("no", False),
        ("Off", False),
        ("~", None),
        ("", None),
        ("soft", "soft"),
        ("'1e-5'", "1e-5"),
        ('"no"', "no"),
        ("010", "010"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0x1f", "0x1f"),
        ("2001-01-01", "2001-01-01"),
        ("<<", "<<"),
    ],
)
def test_a_scalar_reads_as_the_value_that_its_text_shows(text: str, value: object) -> None:
    found = plain(f"[{text}, x]" if text else "[~, x]")
    assert found == [value, "x"]
    assert type(found[0]) is type(value)  # type: ignore[index]


def test_nan_reads_as_nan() -> None:
    (value,) = plain("[.nan]")  # type: ignore[misc]
    assert math.isnan(value)


def test_names_are_taken_from_the_text() -> None:
    value = mapping("no: {from: on}\ny: {from: [1.50, yes]}")
    assert list(value.entries) == ["no", "y"]
    first, second = value.entries["no"], value.entries["y"]
    assert isinstance(first, YamlMap) and isinstance(second, YamlMap)
    assert text_of(first.entries["from"], "from") == "on"
    assert texts_of(second.entries["from"], "from") == ("1.50", "yes")


def test_marks_say_where_keys_and_values_stand() -> None:
    value = mapping("a: 1\nb:\n  - 2\n")
    assert (value.keys["b"].line, value.keys["b"].column) == (2, 1)
    assert (value.entries["b"].mark.line, value.entries["b"].mark.column) == (3, 3)
    assert str(value.keys["b"]) == "f.yaml:2"


def test_a_doubled_key_is_named_with_both_lines() -> None:
    message = r"f\.yaml:3: 'conv1' is written twice, here and in line 1; rename one"
    with pytest.raises(SpecError, match=message):
        plain("conv1: 1\nconv2: 2\nconv1: 3\n")


def test_an_alias_stands_for_what_it_names() -> None:
    assert plain("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(SpecError, match="holds more than 1,000,000 values, aliases counted"):
        plain("\n".join(lines))


def test_an_alias_inside_its_own_anchor_is_refused() -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:1: the alias '\*x' has no finished anchor"):
        plain("a: &x [1, *x]")


def test_a_chain_of_aliases_counts_as_nesting() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, DEEPEST + 5)]
    with pytest.raises(SpecError, match=f"stand more than {DEEPEST} deep"):
        plain("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused_without_recursion(text: str) -> None:
    with pytest.raises(SpecError, match=f"f.yaml:1: .* stand more than {DEEPEST} deep"):
        plain(text)


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object/apply:os.system [ls]", "a: !!str 1", "!!map {a: 1}", "a: !x 1", "!x a: 1"],
)
def test_tags_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:1: (the tag '.*' is not|a key is no plain)"):
        plain(text)


def test_a_list_as_key_is_refused() -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:1: a key is no plain text"):
        plain("[a, b]: 1")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    with pytest.raises(SpecError, match=r"f\.yaml: is empty; expected a mapping"):
        plain(text)


def test_a_second_document_is_refused() -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:2: a second document begins"):
        plain("a: 1\n---\nb: 2\n")


def test_a_tab_is_answered_with_spaces() -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:2: not valid YAML: .*; indent with spaces"):
        plain("a:\n\tb: 1\n")


def test_truncated_text_is_said_to_be_cut_off() -> None:
    message = r"f\.yaml:2: not valid YAML: .* that began in line 2\); the file seems to be cut off"
    with pytest.raises(SpecError, match=message):
        plain("a: 1\nb: {c: 1, d")


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', "%YAML " + "9" * 5000 + ".1\n---\na: 1"])
def test_numbers_that_python_cannot_hold_are_a_spec_error(text: str) -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:1: not valid YAML"):
        plain(text)


def test_a_control_character_is_named_with_its_line() -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:2: holds the character '\\x00'"):
        plain("a: 1\nb: \0\n")


def test_bytes_that_are_not_utf_8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes("a: 1\nname: é\n".encode("latin-1"))
    with pytest.raises(SpecError, match=r"f\.yaml:2: is not UTF-8 text \(byte 0xe9\)"):
        read_yaml(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes("\ufeffa: é\n".encode())
    assert read_yaml(path).plain() == {"a": "é"}


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    with path.open("wb") as file:
        file.truncate(LARGEST_TEXT + 1)
    with pytest.raises(SpecError, match="is larger than 4,194,304 bytes"):
        read_yaml(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no such file"):
        read_yaml(tmp_path / "f.yaml")
    with pytest.raises(SpecError, match="it is a folder"):
        read_yaml(tmp_path)


def test_an_unknown_key_is_answered_with_the_nearest() -> None:
    message = r"f\.yaml:2: node 'a': unknown field 'kernal': did you mean 'kernel'\? known are"
    with pytest.raises(SpecError, match=message):
        mapping("op: x\nkernal: 3").expect_keys(["op", "kernel"], "node 'a'")


def test_a_name_must_be_a_scalar_that_is_not_empty() -> None:
    value = mapping("a: [1]\nb:\nc: ''")
    with pytest.raises(SpecError, match=r"f\.yaml:1: name is \[1\]; expected a name"):
        text_of(value.entries["a"], "name")
    with pytest.raises(SpecError, match=r"f\.yaml:2: name is empty; expected a name"):
        text_of(value.entries["b"], "name")
    assert value.entries["c"] == YamlScalar(value.entries["c"].mark, "", quoted=True)
