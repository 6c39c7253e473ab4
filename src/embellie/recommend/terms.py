"""Terms: from a text, French or English, to the few words that say what it is about. No dictionary, no download."""

import re
import unicodedata
import zlib
from collections.abc import Iterable

_WORD = re.compile(r"[a-z]+|[0-9]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_OTHERS = re.compile("[^\x00-\x7f«»‐-…]+")  # what is left of French, accents gone: quotes, dashes
_STEM = 6
_SHORTEST = 2

ENGLISH = frozenset(
    """a about above after again against all also although among an and another any are around as at back be because been
    before being below between both but by came can cannot could did do does doing done down during each either else even
    ever every few first for from further get gets getting go goes going got had has have having he her here hers herself
    him himself his how however i if in into is it its itself just last less like made make many may me might more most
    much must my myself near new next no nor not now of off often on once one only onto or other our ours out over own per
    said same say says see seen several shall she should since so some still such take taken than that the their theirs
    them themselves then there these they this those though three through thus to too told two under until up upon us use
    used very via was way we well were what when where whether which while who whom whose why will with within without
    would year years yesterday today yet you your yours""".split()  # noqa: SIM905 - words in a row read better than in quotes
)
"""English words that say nothing of a subject."""

FRENCH = frozenset(
    """a afin ai ailleurs ainsi alors apres as au aucun aucune aujourd hui aupres auquel aura aurait aussi autant autre
    autres aux avaient avait avant avec avoir ayant beaucoup bien c car ce ceci cela celle celles celui cependant certain
    certaine certaines certains ces cet cette ceux chacun chaque chez ci comme comment contre d dans de debut dehors deja
    depuis derniere dernier derriere des dessous dessus deux devant doit doivent donc dont du durant e elle elles en encore
    ensuite entre envers est et etaient etait etant ete etre eu eux fait faire faut fois font hier hors ici il ils j je
    jusqu jusque l la laquelle le lequel les lesquelles lesquels leur leurs lors lorsque lui m ma mais malgre me meme memes
    mes mieux moi moins mon n ne ni non nos notre nous nouveau nouvelle ont on ou outre par parce parmi pas pendant peu
    peut peuvent plus plusieurs plutot pour pourquoi premier premiere pres puis puisque qu quand que quel quelle quelles
    quelque quelques quels qui quoi s sa sans sauf se selon sera serait ses seulement si sinon soit son sont sous souvent
    suite sur t ta tandis tant tel telle tels tellement tes toi ton toujours tous tout toute toutefois toutes tres trois
    trop tu un une vers via voici voila vos votre vous y an ans annee annees matin soir""".split()  # noqa: SIM905
)
"""French words, without their accents, that say nothing of a subject."""

_EMPTY = ENGLISH | FRENCH
_ONLY_ENGLISH, _ONLY_FRENCH = ENGLISH - FRENCH, FRENCH - ENGLISH


def words(text: str) -> list[str]:
    """Split a text into lower-case words without accents, and numbers.

    >>> words("L’Été à Nîmes : 3 000 spectateurs")
    ['l', 'ete', 'a', 'nimes', '3', '000', 'spectateurs']
    """
    lower = text.lower()
    if not lower.isascii():
        folded = unicodedata.normalize("NFKD", lower.replace("œ", "oe").replace("æ", "ae"))
        lower = _OTHERS.sub(_without_marks, _ACCENTS.sub("", folded))
    return _WORD.findall(lower)


def _without_marks(found: re.Match[str]) -> str:
    return "".join([letter for letter in found[0] if not unicodedata.combining(letter)])


def stems(text: str) -> list[str]:
    """Return the stems of the words that say something, in their order: their first six letters, without a plural's ending.

    Cutting words after a fixed number of letters does about as well as a stemmer in both languages, and needs no rules
    (McNamee and Mayfield, Information Retrieval 7, 2004).

    >>> stems("Les élections municipales : le maire élu")
    ['electi', 'munici', 'maire', 'elu']
    >>> stems("The mayors were elected in the elections")
    ['mayor', 'electe', 'electi']
    """
    return [
        (word[:-1] if len(word) > 3 and word[-1] in "sx" else word)[:_STEM]
        for word in words(text)
        if len(word) >= _SHORTEST and word not in _EMPTY
    ]


def guess_language(text: str) -> str:
    """Tell English from French by their small words; `""` when there are too few of them.

    >>> (
    ...     guess_language("The council votes on the budget"),
    ...     guess_language("Le conseil vote pour le budget"),
    ...     guess_language("Ok"),
    ... )
    ('en', 'fr', '')
    """
    found = words(text)
    english, french = sum(word in _ONLY_ENGLISH for word in found), sum(word in _ONLY_FRENCH for word in found)
    if max(english, french) < 2 or english == french:
        return ""
    return "en" if english > french else "fr"


def hashed(terms: Iterable[str], *, language: str, bits: int) -> list[int]:
    """Number terms from 1 to 2^bits − 1, the same on every machine; a term of another language is another term.

    >>> hashed(["maire"], language="fr", bits=18) == hashed(["maire"], language="en", bits=18)
    False
    """
    most, begun = (1 << bits) - 1, zlib.crc32(f"{language} ".encode())
    return [zlib.crc32(term.encode(), begun) % most + 1 for term in terms]
