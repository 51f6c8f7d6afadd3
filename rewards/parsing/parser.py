r"""The parser of whole answers: a value, a collection, a region, a named value, a relation, or words.

>>> parse_answer("x=5")
Named(label=Symbol(name='x'), value=Scalar(value=Number(value=Fraction(5, 1)), unit=None, is_percent=False))
>>> type(parse_answer(r"2<x\le 5")).__name__, type(parse_answer("Alice")).__name__
('Region', 'Words')
"""

import re
from fractions import Fraction
from functools import lru_cache

from rewards.answer.renaming import symbols_of
from rewards.answer.types import (
    INFINITY,
    Answer,
    Collection,
    Interval,
    Named,
    Number,
    Operation,
    Region,
    Relation,
    Scalar,
    Symbol,
    Words,
)
from rewards.arithmetic import real_sets as regions
from rewards.parsing.brackets import flat_collection, parse_structure
from rewards.parsing.ellipses import written_out
from rewards.parsing.equations import parse_item
from rewards.parsing.normalize import normalize
from rewards.parsing.plus_minus import both_signs
from rewards.parsing.quantities import parse_quantity, total
from rewards.parsing.remarks import separate, signs_in_words, without_remark
from rewards.parsing.sentences import is_subject, sentence_value
from rewards.parsing.spelling import spelling
from rewards.parsing.splitting import separator_kind, split_tokens, split_words
from rewards.parsing.tokens import Token, tokenize
from rewards.parsing.words import (
    ALL_REALS,
    INFINITY_WORDS,
    NO_SOLUTION,
    canonical_words,
    has_words,
    number_in_words,
    parse_clock,
    parse_numeral,
)
from rewards.verdict import AnswerTooLarge, UnparsableAnswer

_PART_MARK = re.compile(
    r"(?:\\text\s?\{[\s,;]*(?:and\s+)?|(?:^|(?<=[\s,;}\w]))\s?(?:and\s+)?)"
    r"\((?P<name>[a-h]|i{1,3}|iv|v)\)[\s:.]*(?:(?<=[\s):.])\})?"
)
_LETTERS, _ROMAN = list("abcdefgh"), ["i", "ii", "iii", "iv", "v"]
_INTEGER = re.compile(r"-?\d{1,4000}")
_OUTWARD_INTERVAL = re.compile(
    r"(?:(?<=^)|(?<=\\cup)|(?<=\\cup )|(?<=\\in)|(?<=\\in )|(?<=U )|(?<==)|(?<== ))"
    r"(?P<low>[\[\](])(?P<ends>[^\[\](),;]*+[,;][^\[\]()]*+)(?P<high>[\[\])])(?=\s?(?:$|\\cup|U ))"
)
"""An interval with its brackets turned outward where an end is open: ]2, 7] and [2, 7[."""


@lru_cache(maxsize=16384)
def parse_answer(text: str, splits_thousands: bool = False) -> Answer:
    """Return the typed answer; UnparsableAnswer when the text is not one, AnswerTooLarge past the limits."""
    normal = normalize(text)
    if not normal:
        raise UnparsableAnswer("nothing is left after normalization")
    if _INTEGER.fullmatch(normal):
        return Scalar(Number(Fraction(int(normal))))
    if special := parse_numeral(normal) or parse_clock(normal):
        return special
    if has_words(normal) and (known := _known_words(canonical_words(normal))) is not None:
        return known
    if (several := _lettered_parts(normal)) is not None:
        return several
    if "[" in normal or "]" in normal:
        normal = _OUTWARD_INTERVAL.sub(_inward, normal)
    try:
        answer = _parse(tokenize(normal, splits_thousands=splits_thousands))
        return (_sentence(normal) or answer) if isinstance(answer, Words) else answer
    except UnparsableAnswer:
        if (stated := _sentence(normal)) is not None:
            return stated
        if re.search(r"[^\W\d_]{2}", normal):
            return Words(spelling(normal))
        raise
    except RecursionError:
        raise AnswerTooLarge("nested too deeply") from None


def _lettered_parts(text: str) -> Answer | None:
    """(a) 3 (b) 4 is two answers in this order; the letters have to follow one another from the first."""
    marks = list(_PART_MARK.finditer(text)) if "(a)" in text or "(i)" in text else []
    names = [mark["name"] for mark in marks]
    if (
        len(marks) < 2
        or marks[0].start()
        or (names != _LETTERS[: len(names)] and names != _ROMAN[: len(names)])
    ):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    texts = [text[mark.end() : end].strip(" ,;.") for mark, end in zip(marks, ends, strict=True)]
    return Collection("tuple", tuple(parse_answer(part) for part in texts)) if all(texts) else None


def _inward(interval: re.Match[str]) -> str:
    low = "(" if interval["low"] == "]" else interval["low"]
    high = ")" if interval["high"] == "[" else interval["high"]
    return low + interval["ends"] + high


def _known_words(words: str) -> Answer | None:
    if words in ALL_REALS:
        return Region((regions.REALS,))
    if words in INFINITY_WORDS:
        return Scalar(INFINITY)
    if (number := number_in_words(words)) is not None:
        return Scalar(Number(Fraction(number)))
    return Collection("set", ()) if words in NO_SOLUTION else None


def _sentence(normal: str) -> Answer | None:
    """The value that a sentence states, with its subject as the name."""
    stated = sentence_value(normal)
    if stated is None:
        return None
    subject, value = stated
    try:
        answer = parse_answer(value)
    except UnparsableAnswer:
        return None
    if isinstance(answer, Words):
        return None
    return Named(Symbol(subject), answer) if subject and not isinstance(answer, Named) else answer


def _parse(tokens: list[Token]) -> Answer:
    is_wordy = any(token.kind == "word" for token in tokens)
    if is_wordy:
        tokens = signs_in_words(split_words(tokens))
    tokens = separate(tokens)
    if is_wordy:
        tokens = without_remark(tokens)
    is_text = all(token.kind == "word" or token.value in ("-", "'", ".", "!", "?") for token in tokens)
    if tokens and is_text and not any(separator_kind(token) for token in tokens):
        return _words(tokens)
    separators: list[str] = []
    parts = split_tokens(tokens, lambda token: separator_kind(token) is not None, separators)
    if len(parts) == 1:
        return _headed(parts[0]) or _expanded(_item(parts[0]))
    if (systems := _systems(tokens)) is not None:
        return systems
    kept = [part for part in parts if part]
    if (labeled := _labeled(kept)) is not None:
        return labeled
    # The members of {x > 1}, {x > 2} are two sets; those of x > 1, x < 2 are one.
    is_one_set = not any(part[0].value in ("\\{", "(", "[") for part in kept)
    return _assemble([_item(part) for part in kept], separators, is_one_set)


def _item(tokens: list[Token]) -> Answer:
    return parse_item(tokens, _value)


def _systems(tokens: list[Token]) -> Answer | None:
    """Several solutions of several unknowns: x = 2, y = 3 or x = 3, y = 2. None for anything else."""
    if sum(token.value == "=" for token in tokens) < 4:
        return None
    for words in (("or",), ("and",), (";", "\\\\")):
        parts = split_tokens(
            tokens,
            lambda token, words=words: (
                token.value in words or (words[0] != ";" and separator_kind(token) == words[0])
            ),  # type: ignore[misc]
        )
        if len(parts) < 2 or any(sum(token.value == "=" for token in part) < 2 for part in parts):
            continue
        solutions = [_parse(_without_commas(part)) for part in parts]
        if all(_is_system(solution) for solution in solutions):
            return Collection("list", tuple(solutions))
    return None


def _without_commas(tokens: list[Token]) -> list[Token]:
    while tokens and separator_kind(tokens[0]):
        tokens = tokens[1:]
    while tokens and separator_kind(tokens[-1]):
        tokens = tokens[:-1]
    return tokens


def _is_system(answer: Answer) -> bool:
    items = answer.items if isinstance(answer, Collection) else ()
    return len({item.label for item in items if isinstance(item, Named)}) == len(items) > 1


def _labeled(parts: list[list[Token]]) -> Answer | None:
    """A: 4, B: 14 names two values."""
    items = []
    for part in parts:
        place = next((n for n, token in enumerate(part) if token.value == ":"), 0)
        if not 0 < place < len(part) - 1 or any(t.kind not in ("name", "word") for t in part[:place]):
            return None
        items.append(Named(Symbol("".join(token.value for token in part[:place])), _item(part[place + 1 :])))
    return Collection("list", tuple(items)) if len(items) > 1 else None


def _headed(tokens: list[Token]) -> Answer | None:
    """Area: 24 names one value by words."""
    place = next((n for n, token in enumerate(tokens) if token.value.rstrip().endswith(":")), len(tokens))
    head, rest = tokens[: place + 1], tokens[place + 1 :]
    heading = " ".join(token.value for token in head).rstrip(" :")
    if (
        not rest
        or any(token.kind != "word" and token.value != ":" for token in head)
        or not is_subject(heading)
    ):
        return None
    return Named(Symbol(canonical_words(heading)), _item(rest))


def _words(tokens: list[Token]) -> Answer:
    words = canonical_words(" ".join(token.value for token in tokens).replace(" - ", "-"))
    number = number_in_words(words)
    return Words(words) if number is None else Scalar(Number(Fraction(number)))


def _assemble(items: list[Answer], separators: list[str], is_one_set: bool) -> Answer:
    if not items:
        raise UnparsableAnswer("only separators")
    items = [items[0], *(item for item in items[1:] if not _is_qualifier(item, items[0]))]
    if len(items) == 1:
        return _expanded(items[0])
    if (
        is_one_set
        and all(isinstance(item, Region) for item in items)
        and (joined := _join_regions(items, separators))
    ):
        return joined
    if (tuples := _tuples(items)) is not None:
        return tuples
    if set(separators) == {"and"} and (time := _time(items)) is not None:
        return time
    first = items[0]
    rest_bare = all(not isinstance(item, Named | Relation | Region | Words) for item in items[1:])
    if isinstance(first, Named) and rest_bare:
        return Named(first.label, flat_collection("list", (first.value, *items[1:])))
    if all(isinstance(item, Named) for item in items):
        labels = {item.label for item in items if isinstance(item, Named)}
        if len(labels) == 1 and isinstance(first, Named):
            values = dict.fromkeys(item.value for item in items if isinstance(item, Named))
            return Named(
                first.label, flat_collection("list", tuple(values)) if len(values) > 1 else first.value
            )
    return flat_collection("list", written_out(tuple(items)))


def _time(items: list[Answer]) -> Scalar | None:
    """2 hours and 30 minutes; lengths with "and" between may be two answers."""
    parts = [item for item in items if isinstance(item, Scalar)]
    is_time = len(parts) == len(items) and all(
        part.unit and part.unit.dimension == (("time", 1),) for part in parts
    )
    return total(parts) if is_time else None


def _tuples(items: list[Answer]) -> Answer | None:
    """(x, y) = (5, 8), (8, 5): two solutions, each with the names of the first."""
    first = items[0]
    if not (isinstance(first, Named) and isinstance(first.label, Operation) and first.label.name == "@tuple"):
        return None
    solutions = []
    for item in items:
        named = item if isinstance(item, Named) else Named(first.label, item)
        if not isinstance(named.label, Operation) or named.label.name != "@tuple":
            return None
        solutions.append(_expanded(named))
    return Collection("list", tuple(solutions)) if all(_is_system(s) for s in solutions) else None


def _expanded(answer: Answer) -> Answer:
    """(x, y) = (2, 5) names two values."""
    if not (isinstance(answer, Named) and isinstance(answer.label, Operation)):
        return answer
    label, value = answer.label, answer.value
    if label.name != "@tuple":
        return answer
    if isinstance(value, Collection) and len(value.items) == len(label.operands) and value.kind != "list":
        named = zip(label.operands, value.items, strict=True)
        return Collection("list", tuple(Named(name, item) for name, item in named))
    return answer


def _is_qualifier(item: Answer, first: Answer) -> bool:
    """A remark such as `k in Z` that gives the range of a parameter; one about the unknown is an answer."""
    if isinstance(item, Region) and isinstance(first, Named) and isinstance(first.label, Operation):
        return item == Region((regions.REALS,), item.variable) and item.variable in first.label.operands
    if not (isinstance(item, Named) and isinstance(item.value, Words)):
        return False
    if isinstance(item.label, Symbol) and item.label.name not in symbols_of(first):
        return False
    is_unknown = isinstance(first, Region) and first.variable == item.label
    return item.value.text.startswith("mathbb") and not is_unknown


def _join_regions(items: list[Answer], separators: list[str]) -> Region | None:
    pieces = [item for item in items if isinstance(item, Region)]
    variable = next((piece.variable for piece in pieces if piece.variable), None)
    if any(piece.variable not in (None, variable) for piece in pieces) or variable is None:
        return None
    if "or" not in separators:
        common: list[Interval] | None = list(pieces[0].intervals)
        for piece in pieces[1:]:
            common = regions.intersect(common, piece.intervals) if common is not None else None
        if common:
            return Region(tuple(common), variable)
    return Region(regions.merge([interval for piece in pieces for interval in piece.intervals]), variable)


def _value(tokens: list[Token]) -> Answer:
    """Parse a value without relations around it."""
    tokens = _trim(tokens)
    if not tokens:
        raise UnparsableAnswer("a value is missing")
    if all(token.kind == "word" for token in tokens):
        return _words(tokens)
    if (structure := parse_structure(tokens, _parse)) is not None:
        return structure
    scalar = parse_quantity(tokens)
    return both_signs(scalar)


def _trim(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].kind == "sign" and tokens[-1].value in (".", ":", "!?"):
        tokens = tokens[:-1]
    if (
        len(tokens) > 1
        and tokens[0].value == "\\{"
        and tokens[1].kind == "begin"
        and tokens[-1].value != "\\}"
    ):
        tokens = tokens[1:]
    return tokens
