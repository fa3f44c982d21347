"""A file that cannot be read is refused with its name and the place, whatever is wrong with it."""

import pytest
import yaml

from cli.__main__ import main
from shared.errors import ConfigurationError
from shared.profiles.loader import load_profile, parse_profile
from shared.profiles.yaml_file import DEEPEST, MOST_VALUES, read_yaml
from tests.unit.erp_at_hand import profile_source

WHOLE = yaml.safe_dump(profile_source(), sort_keys=False)
LAUGHS = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
LAUGHS += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
MERGED = ["a0: &a0 {}"]
MERGED += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]


def refused(source):
    with pytest.raises(ConfigurationError) as error:
        parse_profile(source, "f.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "f.yaml:1:1: (top): keys with values have to stand here"),
        ("- a\n", "f.yaml:1:1: (top): keys with values have to stand here"),
        ("a: 1\nb: \x00\n", "f.yaml:2:4: the character '\\x00' cannot stand in YAML"),
        ("a: 1\nb: c\x07\n", "f.yaml:2:5: the character '\\x07' cannot stand in YAML"),
        ('a: "\\ud800"', "f.yaml:1:4: half a surrogate pair is no text"),
        (
            "a: 1\ntitle: {{x}}\n",
            "f.yaml:2:9: a key has to be text; text that begins with a brace or bracket",
        ),
        ("? [a, b]\n: c\n", "f.yaml:1:3: a key has to be text"),
        ("a: &a [*a]", f"f.yaml:1:4: nested more than {DEEPEST} levels deep, or an alias (*) holds itself"),
        ("a: &a {b: *a}", f"nested more than {DEEPEST} levels deep"),
        ("a: &a {<<: *a}", "f.yaml:1:1: it is nested too deeply to be read"),
        (f"a: {'[' * 5000}{']' * 5000}", "f.yaml:1:1: it is nested too deeply to be read"),
        ("\n".join(LAUGHS), f"more than {MOST_VALUES} values, counting those that aliases (*) repeat"),
        ("\n".join(MERGED), f"more than {MOST_VALUES} values"),
        ("a: !!int abc", "f.yaml:1:4: not a value of type int"),
        ("a: !!int [1]", "f.yaml:1:4: not a value of type int"),
        ("a: !!float .nan", "f.yaml:1:4: not a value of type float"),
        ("a: !!bool maybe", "f.yaml:1:4: not a value of type bool"),
        ("a: !!null x", "f.yaml:1:4: not a value of type null"),
        ("a: !!map [x]", "f.yaml:1:4: not a mapping"),
        (f"a: {'9' * 5000}", "f.yaml:1:4: not a value of type int: Exceeds the limit"),
        ("a: !!timestamp 2026-01-01", "f.yaml:1:4: unknown tag '!!timestamp'; valid: !!str, !!int"),
        ("a: !!binary 'QQ=='", "unknown tag '!!binary'"),
        ("a: !!set {a, b}", "unknown tag '!!set'"),
        ("a: !!python/object/apply:os.getcwd []", "unknown tag '!!python/object/apply:os.getcwd'"),
        ("a: !ours x", "f.yaml:1:4: unknown tag '!ours'"),
        (f"extends: {'a' * 500}.yaml", "f.yaml:1:1: extends: no file 'aaa"),
    ],
)
def test_what_is_no_yaml_of_ours_is_refused_where_it_is(source, problem):
    assert problem in refused(source).splitlines()[0]


@pytest.mark.parametrize(
    "deep", ["(" * 3000 + "qty" + ")" * 3000, "!" * 5000 + "qty", "||".join(["qty"] * 5000)]
)
def test_an_expression_without_end_is_refused_where_it_is(deep):
    problem = refused(WHOLE.replace("=qty", f'"={deep}"'))
    assert "pull.orders.map.quantity: nested too deeply" in problem
    assert problem.startswith("f.yaml:")


def test_a_file_that_is_not_utf8_is_refused_where_it_is(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_bytes("extends: tryton\ntitle: für uns\n".encode("latin-1"))
    with pytest.raises(ConfigurationError) as error:
        load_profile(str(path))
    assert str(error.value) == "ours.yaml:2:9: the file is not UTF-8: save it as such"


def test_a_file_beneath_that_cannot_be_read_is_the_one_named(tmp_path):
    (tmp_path / "site.yaml").write_bytes(b"extends: tryton\ntitle: \xff\n")
    (tmp_path / "ours.yaml").write_text("extends: site.yaml\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"^site\.yaml:2:8: the file is not UTF-8"):
        load_profile(str(tmp_path / "ours.yaml"))


@pytest.mark.parametrize("content", [b"title: {{x}}\n", b"title: \xff\n", b"title: \x00\n", b""])
def test_the_command_line_shows_it_and_goes_on(content, tmp_path, capsys):
    path = tmp_path / "ours.yaml"
    path.write_bytes(content)
    assert main(["profile", "check", str(path), "tryton"]) == 1
    shown = capsys.readouterr().out
    assert "✗ ours.yaml:1:" in shown
    assert "✓ tryton" in shown


@pytest.mark.parametrize(
    ("text", "value"),
    [("!!str 5", "5"), ("!!int 5", 5), ("!!bool true", True), ("!!null ~", None), ("&x [a]", ["a"])],
)
def test_core_tags_and_anchors_say_what_yaml_says(text, value):
    assert read_yaml(f"a: {text}", "f.yaml").data == {"a": value}
