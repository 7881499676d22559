"""Which character parts the columns of a table: the comma, unless the lines say otherwise."""

from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.data import files


def read(tmp_path: Path, text: str, name: str = "t.csv") -> list[object]:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return [given.value for given in files.read(path)]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_each_delimiter(tmp_path: Path, mark: str) -> None:
    lines = ["question,answer", '"one, two; three|four\tfive",3', 'say ""hi"",4']
    text = lines[0].replace(",", mark) + "\r\n" + lines[1].replace('",', f'"{mark}')
    found = read(tmp_path, text + "\r\n")
    assert found == [{"question": "one, two; three|four\tfive", "answer": "3"}]


@pytest.mark.parametrize(
    "text",
    [
        # What a spreadsheet writes where the comma parts decimals.
        "\ufeffquestion;answer\r\nHow long, in cm?;3,5\r\nHow wide?;4\r\n",
        "sep=;\r\nquestion;answer\r\nHow long, in cm?;3,5\r\nHow wide?;4\r\n",
        # The first line has commas, and the lines below have other numbers of them.
        '"question";"answer"\nHow long, in cm?;3,5\nHow wide?;4\n',
    ],
)
def test_semicolons_of_a_spreadsheet(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == [
        {"question": "How long, in cm?", "answer": "3,5"},
        {"question": "How wide?", "answer": "4"},
    ]


def test_a_comma_in_a_name_of_a_semicolon_table(tmp_path: Path) -> None:
    found = read(tmp_path, "question, long;answer\nHow long?;3\nHow wide?;4\n")
    assert found[1] == {"question, long": "How wide?", "answer": "4"}


def test_the_comma_stays_where_it_can_be(tmp_path: Path) -> None:
    """A faulty row is that row's fault and makes no other table of the file."""
    found = read(tmp_path, "a,b\n1,2\n1,2,3\n4,5;6\n")
    assert found[0] == {"a": "1", "b": "2"} and found[2] == {"a": "4", "b": "5;6"}
    assert "has 3 fields" in str(found[1])
    assert read(tmp_path, "a;x,b\n1;2,3\n") == [{"a;x": "1;2", "b": "3"}]
    assert read(tmp_path, "text\none; two\n") == [{"text": "one; two"}]


def test_no_guess_between_two(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"may be parted by any of ';' '\|'"):
        read(tmp_path, "a;b|c\n1;2|3\n")
    with pytest.raises(UserError, match="no CSV table"):
        read(tmp_path, 'a;b\n1;"2\n')


def test_a_line_longer_than_what_is_looked_at(tmp_path: Path) -> None:
    long = "x, " * 40_000
    assert read(tmp_path, f'a;b\n"{long}";2\n') == [{"a": long, "b": "2"}]
