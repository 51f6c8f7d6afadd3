r"""A LaTeX reader that imitates Open-Reasoner-Zero's: sympy's grammar, applied to a prefix of the text.

It covers the subset of that grammar that answers use; it builds expression trees and evaluates nothing. The
original's oddities are kept because published scores depend on them: `1,2` is 1, `1011_2` is 1011, `2 3` is
23, `3:4` is a quotient, `\pi` and e are variables, and words are products of their letters.

>>> read_latex("1,2"), read_latex("1011_3")
(Number(value=Fraction(1, 1)), Number(value=Fraction(1011, 1)))
"""

import re
from fractions import Fraction

from rewards.answer.types import INFINITY, MINUS_ONE, Expression, Number, Operation, Symbol, symbols
from rewards.verdict import UnparsableAnswer

MAX_DEPTH = 60
"""Deepest nesting that is read; the original too hits Python's recursion limit somewhere past it."""

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\\[,:;!*\-./"(=]|\\(?:left|right)(?![A-Za-z|])
        |\\(?:thinspace|medspace|thickspace|quad|qquad|negthinspace|hfil|vspace|vskip)(?![A-Za-z]))
    |(?P<differential>d\s*?(?:[a-zA-Z]|\\[a-zA-Z]+))
    |(?P<command>\\(?:left\||right\||int\\limits|[a-zA-Z]+|[{}]))
    |(?P<letter>[a-zA-Z])|(?P<digit>[0-9])|(?P<equal>&?\s*?=(?:\s*?&)?)|(?P<quotes>'+)
    |(?P<sign>[-+*/()\[\]{}|_^:<>!,.])""",
    re.VERBOSE,
)
_RELATIONS = {"=": "=", "<": "<", ">": ">", "\\neq": "ne"}
_RELATIONS |= dict.fromkeys(("\\leq", "\\le", "\\leqq", "\\leqslant"), "le")
_RELATIONS |= dict.fromkeys(("\\geq", "\\ge", "\\geqq", "\\geqslant"), "ge")
_PRODUCTS = {"*": "*", "\\times": "*", "\\cdot": "*", "/": "/", "\\div": "/", ":": "/"}
_CIRCULAR = ("sin", "cos", "tan", "csc", "sec", "cot")
_FUNCTIONS = {f"\\{name}": name for name in (*_CIRCULAR, "sinh", "cosh", "tanh", "exp", "log", "ln", "lg")}
_FUNCTIONS |= {f"\\arc{name}": f"a{name}" for name in _CIRCULAR}
_FUNCTIONS |= {"\\arsinh": "arsinh", "\\arcosh": "arcosh", "\\artanh": "artanh"}
_GROUPS = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
_NO_SYMBOLS = {
    "\\lim",
    "\\int",
    "\\int\\limits",
    "\\sum",
    "\\prod",
    "\\langle",
    "\\rangle",
    "\\to",
    "\\mathit",
}
_NO_SYMBOLS |= {
    "\\rightarrow",
    "\\Rightarrow",
    "\\left|",
    "\\right|",
    "\\rfloor",
    "\\rceil",
    "\\}",
    "\\limits",
}
_NO_SYMBOLS |= _RELATIONS.keys() | _PRODUCTS.keys()
_NO_BRACES = str.maketrans("", "", "{}")
_END, _ILLEGAL = "", "\0"


def read_latex(text: str) -> Expression:
    """Return the tree of the longest readable prefix; UnparsableAnswer where the grammar reports an error."""
    reader = _Reader(_tokens(text.strip()))
    value = reader.sum()
    if reader.next in _RELATIONS:
        operator = _RELATIONS[reader.take()]
        value = Operation(operator, (value, reader.sum()))
        if reader.next in _RELATIONS:
            raise UnparsableAnswer("a chain of relations has no value")
    return value


def _tokens(text: str) -> list[str]:
    """Cut into tokens; an illegal character ends the list, and raises only when the reader gets to it."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return [*tokens, _ILLEGAL]
        if match.lastgroup == "equal":
            tokens.append("=")
        elif match.lastgroup == "differential":
            tokens.append("d" + match[0][1:].strip().removeprefix("\\"))
        elif match.lastgroup != "skip":
            tokens.append(match[0])
        position = match.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.n_bars = 0

    def peek(self, offset: int = 0) -> str:
        place = self.position + offset
        token = self.tokens[place] if place < len(self.tokens) else _END
        if token == _ILLEGAL:
            raise UnparsableAnswer("a character that the grammar does not know")
        return token

    @property
    def next(self) -> str:
        return self.peek()

    def take(self) -> str:
        token = self.next
        self.position += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise UnparsableAnswer(f"expected {token!r}")

    def sum(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnparsableAnswer("nested too deeply")
        terms = [self.product()]
        while self.next in ("+", "-"):
            sign = self.take()
            term = self.product()
            terms.append(_negated(term) if sign == "-" else term)
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Operation("+", tuple(terms))

    def product(self, has_functions: bool = True) -> Expression:
        value = self.unary(has_functions)
        while self.next in _PRODUCTS:
            kind = _PRODUCTS[self.take()]
            value = Operation(kind, (value, self.unary(has_functions)))
        return value

    def unary(self, has_functions: bool) -> Expression:
        """Signs, then factors side by side; an x between two numbers is a multiplication sign."""
        sign = ""
        while self.next in ("+", "-"):
            sign = "-" if (self.take() == "-") != (sign == "-") else ""
        factors = [self.power()]
        while self.starts_factor(has_functions):
            factors.append(self.power())
        kept = [
            factor
            for n, factor in enumerate(factors)
            if not (
                factor == Symbol("x")
                and 0 < n < len(factors) - 1
                and not symbols(factors[n - 1])
                and not symbols(factors[n + 1])
            )
        ]
        value = kept[0] if len(kept) == 1 else Operation("*", tuple(kept))
        return _negated(value) if sign else value

    def starts_factor(self, has_functions: bool) -> bool:
        token = self.next
        if token == "|":
            return not self.n_bars
        if token in ("(", "[", "{", "\\{", "\\lfloor", "\\lceil") or token.isalnum():
            return True
        is_function = token in _FUNCTIONS or token in ("\\sqrt", "\\overline")
        return token.startswith("\\") and token not in _NO_SYMBOLS and (has_functions or not is_function)

    def power(self) -> Expression:
        value = self.atom()
        while True:
            if self.next == "^":
                self.take()
                value = Operation("^", (value, self.script()))
                if self.next == "_":
                    self.take()
                    self.script()
            elif self.next == "!":
                self.take()
                value = Operation("!", (value,))
            else:
                return value

    def script(self) -> Expression:
        """What follows ^ or _: a group in braces, an integer, or a name."""
        if self.next == "{":
            return self.group()
        if self.next.isalnum() or self.next.startswith("\\"):
            return self.atom(is_script=True)
        raise UnparsableAnswer(f"{self.next!r} cannot be raised or lowered")

    def group(self) -> Expression:
        closing = _GROUPS[self.take()]
        bars, self.n_bars = self.n_bars, 0
        value = self.sum()
        self.n_bars = bars
        self.expect(closing)
        return value

    def atom(self, is_script: bool = False) -> Expression:
        token = self.next
        if token.isdigit():
            return self.number()
        if token == "|":
            self.take()
            self.n_bars += 1
            value = self.sum()
            self.n_bars -= 1
            self.expect("|")
            return Operation("abs", (value,))
        if token in _GROUPS:
            value = self.group()
            return Operation(token[2:], (value,)) if token in ("\\lfloor", "\\lceil") else value
        if token in ("\\frac", "\\dfrac", "\\tfrac"):
            self.take()
            top, bottom = self.fraction_part(), self.fraction_part()
            return Operation("/", (top, bottom))
        if token in ("\\binom", "\\dbinom", "\\tbinom"):
            self.take()
            return Operation("binom", (self.braced(), self.braced()))
        if token == "\\sqrt":
            return self.root()
        if token == "\\overline":
            self.take()
            return Operation("conj", (self.braced(),))
        if token in _FUNCTIONS:
            return self.function(_FUNCTIONS[self.take()])
        if token.isalpha() or (token.startswith("\\") and token not in _NO_SYMBOLS):
            return self.name(is_script)
        raise UnparsableAnswer(f"unexpected {token!r}")

    def number(self) -> Expression:
        digits = ""
        while self.next.isdigit():
            digits += self.take()
        while self.next == "," and all(self.peek(n).isdigit() for n in (1, 2, 3)):
            self.take()
            digits += "".join(self.take() for _ in range(3))
        if self.next == ".":
            digits += self.take()
            if not self.next.isdigit():
                raise UnparsableAnswer("a decimal point without digits")
            while self.next.isdigit():
                digits += self.take()
        return Number(Fraction(digits))

    def fraction_part(self) -> Expression:
        return Number(Fraction(int(self.take()))) if self.next.isdigit() else self.braced()

    def braced(self) -> Expression:
        if self.next != "{":
            raise UnparsableAnswer("an argument without braces")
        return self.group()

    def root(self) -> Expression:
        self.take()
        index: Expression = Number(Fraction(2))
        if self.next == "[":
            index = self.group()
        return Operation("root", (self.braced(), index))

    def function(self, name: str) -> Expression:
        base, power = None, None
        for _ in range(2):
            if self.next == "_":
                self.take()
                base = self.script()
                if isinstance(base, Number) and not self.starts_argument():
                    base = self.without_last_digit(base)
            elif self.next == "^":
                self.take()
                power = self.script()
        argument = self.group() if self.next == "(" else self.product(has_functions=False)
        if name in ("log", "ln", "lg"):
            base = base or (Number(Fraction(10)) if name == "lg" else None)
            value = Operation("log", (argument, base)) if base else Operation("ln", (argument,))
        elif power == MINUS_ONE and name in _CIRCULAR:
            return Operation(f"a{name}", (argument,))
        else:
            value = Operation(name, (argument,))
        return Operation("^", (value, power)) if power is not None else value

    def starts_argument(self) -> bool:
        return self.next in ("+", "-", "^") or self.starts_factor(has_functions=False)

    def without_last_digit(self, value: Number) -> Number:
        """In log_2 8 the digits run together as 28; the grammar keeps the last digit for the argument."""
        digits = str(value.value)
        if not digits[1:] or not digits.isdigit() or not self.tokens[self.position - 1].isdigit():
            raise UnparsableAnswer("a function without argument")
        self.position -= 1
        return Number(Fraction(int(digits[:-1])))

    def name(self, is_script: bool) -> Expression:
        """A variable with index and primes, or a function when parentheses follow."""
        name = self.take().removeprefix("\\")
        if name == "infty":
            return INFINITY
        for _ in range(2):
            if self.next == "_" and "_" not in name:
                self.take()
                start = self.position
                self.script()
                name += "_" + "".join(self.tokens[start : self.position]).translate(_NO_BRACES)
            elif self.next.startswith("'"):
                name += self.take()
        if self.next != "(" or is_script:
            return Symbol(name)
        self.take()
        arguments = [self.sum()]
        while self.next == ",":
            self.take()
            arguments.append(self.sum())
        self.expect(")")
        return Operation(f"@{name}", tuple(arguments))


def _negated(value: Expression) -> Expression:
    return Number(-value.value) if isinstance(value, Number) else Operation("*", (MINUS_ONE, value))
