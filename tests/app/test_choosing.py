"""What was left out is never guessed."""

import pytest

from embellie.app.choosing import choose
from embellie.domain.errors import InputError, UnknownName
from embellie.domain.release import setting_of


def test_the_only_one_need_not_be_named():
    """One site is the site."""
    assert choose("site", "", {"gazette": object()}) == "gazette"


def test_the_named_one_is_taken():
    """Among several, the one that is named."""
    assert choose("site", "herald", ["gazette", "herald"]) == "herald"


@pytest.mark.parametrize(("known", "said"), [(["herald", "gazette"], "2 sites"), ([], "no sites")])
def test_of_several_or_none_nothing_is_guessed(known, said):
    """The error tells how many there are, and names them in order."""
    with pytest.raises(InputError, match=said) as caught:
        choose("site", "", known)
    assert "`--site`" in caught.value.hint
    assert ", ".join(sorted(known)) in caught.value.hint


def test_a_name_that_does_not_exist_is_told_with_the_nearest():
    """A slip of the finger is mended at once."""
    with pytest.raises(UnknownName, match="Did you mean `gazette`"):
        choose("site", "gazete", ["gazette", "herald"])


@pytest.mark.parametrize(
    ("text", "value"), [("6", 6), ("-0.5", -0.5), ("1e3", 1000.0), ("true", True), ("false", False), ("True", "True")]
)
def test_a_setting_has_the_type_it_has_in_toml(text, value):
    """So that a release built on the command line equals the one of the file."""
    found = setting_of(text)
    assert found == value
    assert type(found) is type(value)
