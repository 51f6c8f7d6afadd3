r"""A recursive descent parser from tokens to one expression; nothing is evaluated or executed.

>>> from rewards.parsing.tokens import tokenize
>>> parse_expression(tokenize(r"\frac12x^2")).name
'*'
"""

from dataclasses import replace
from fractions import Fraction

from rewards.answer.types import (
    MINUS_ONE,
    Constant,
    Expression,
    Number,
    Operation,
    Symbol,
    negative,
    substitute,
)
from rewards.answer.units import words
from rewards.parsing.functions import ALIASES, COMMUTATIVE, INVERSE, apply_function
from rewards.parsing.token_reader import TokenReader
from rewards.parsing.tokens import FUNCTIONS, Token
from rewards.verdict import AnswerTooLarge, UnparsableAnswer

MAX_DEPTH = 250
"""Deepest recursion of the parser and of the trees it builds."""

APPLIED_NAMES = frozenset(("f", "g", "h", "F", "G"))
"""Letters that are functions, not factors, before a parenthesis."""
_CONSTANTS = {"pi": Constant("pi"), "infty": Constant("infinity")}
_UNSUPPORTED = words("int lim iint oint input write to Rightarrow hline quad")
_RELATIONS = words("le ge ne in notin equiv approx parallel perp sim cong subset")
_STRUCTURE = words("cup cap setminus pmod bmod mod Leftrightarrow subseteq ldots")
_FIGURES = frozenset(("angle", "measuredangle", "triangle"))
_NO_FACTORS = _RELATIONS | _STRUCTURE | {"pm", "mp", "rfloor", "rceil", "choose", "circ", "over"}
MAX_SERIES = 3
"""Deepest nesting of sums and products."""


def parse_expression(tokens: list[Token]) -> Expression:
    """Return the expression that the tokens spell; UnparsableAnswer when there is none."""
    parser = _Parser(tokens)
    value = parser.sum()
    if parser.position < len(parser.tokens):
        raise UnparsableAnswer(f"unexpected {parser.next.value!r}")
    return value


class _Parser(TokenReader):
    def sum(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise AnswerTooLarge(f"nested deeper than {MAX_DEPTH}")
        terms = [self.product()]
        while True:
            token = self.next
            if token.kind == "sign" and token.value in ("+", "-"):
                self.position += 1
                term = self.product()
                terms.append(term if token.value == "+" else negative(term))
            elif token.kind == "command" and token.value in ("pm", "mp"):
                self.position += 1
                terms.append(Operation(token.value, (self.product(),)))
            else:
                break
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Operation("+", tuple(terms))

    def product(self) -> Expression:
        sign = self.sign()
        factors = [self.factor()]
        while True:
            token = self.next
            if token.kind == "sign" and token.value in ("*", "/"):
                self.position += 1
                inner = self.sign()
                factor = self.factor()
                factor = Operation(inner, (factor,)) if inner in ("pm", "mp") else factor
                if token.value == "/":
                    left = factors[0] if len(factors) == 1 else Operation("*", tuple(factors))
                    factors = [Operation("/", (left, factor))]
                else:
                    factors.append(factor)
                if inner == "-":
                    factors.append(MINUS_ONE)
            elif token.kind == "command" and token.value in ("cdot", "times"):
                self.position += 1
                inner = self.sign()
                factors.append(self.factor())
                if inner == "-":
                    factors.append(MINUS_ONE)
            elif self.starts_factor(token):
                if token.kind == "number" and not self.may_precede_number(factors[-1]):
                    raise UnparsableAnswer(f"a number right after a factor: {token.value}")
                factors.append(self.factor())
            else:
                break
        value = factors[0] if len(factors) == 1 else Operation("*", tuple(factors))
        if sign in ("pm", "mp"):
            return Operation(sign, (value,))
        return negative(value) if sign == "-" else value

    def may_precede_number(self, factor: Expression) -> bool:
        """3 may follow 2^a or (n-2), and 2^n may follow n; any other number after a factor is a typo."""
        if isinstance(factor, Operation):
            return factor.name != "/"
        return isinstance(factor, Symbol | Constant) and self.peek(1).value == "^"

    def starts_factor(self, token: Token) -> bool:
        if token.kind in ("number", "name"):
            return True
        if token.kind == "command":
            return token.value not in _NO_FACTORS
        return token.kind == "sign" and (
            token.value in ("(", "{", "[") or (token.value == "|" and not self.bars)
        )

    def factor(self) -> Expression:
        """An atom with what follows it: powers, factorials, percent and degree signs."""
        value = self.atom()
        n_postfix = 0
        while True:
            token = self.next
            n_postfix += 1
            if n_postfix > 20:
                raise AnswerTooLarge("too many postfix operators")
            if token.kind != "sign":
                return value
            if token.value == "^":
                self.position += 1
                value = self.power(value)
            elif token.value == "!":
                self.position += 1
                name = "!!" if self.accepts("!") else "!"
                value = Operation(name, (value,))
            elif token.value == "%":
                self.position += 1
                value = Operation("percent", (value,))
            elif token.value == "'" and isinstance(value, Symbol):
                self.position += 1
                value = self.applied(value.name + "'")
            else:
                return value

    def power(self, base: Expression) -> Expression:
        if self.is_degree():
            return Operation("degree", (base,))
        if self.next.kind == "sign" and self.next.value == "{":
            exponent = self.group()
        else:
            sign = self.sign()
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise AnswerTooLarge(f"nested deeper than {MAX_DEPTH}")
            exponent = self.atom()
            if self.accepts("^"):
                exponent = self.power(exponent)
            self.depth -= 1
            exponent = negative(exponent) if sign == "-" else exponent
        if isinstance(base, Symbol) and base.name in APPLIED_NAMES and exponent == MINUS_ONE:
            return self.applied(base.name + "^-1")
        return Operation("^", (base, exponent))

    def applied(self, name: str) -> Expression:
        """A named function with its arguments, or its name alone."""
        if not (self.next.kind == "sign" and self.next.value == "("):
            return Symbol(name)
        self.position += 1
        arguments = [self.sum()]
        while self.accepts(","):
            arguments.append(self.sum())
        self.expect(")")
        return Operation("@" + name, tuple(arguments))

    def group(self) -> Expression:
        opened = self.next.value
        self.position += 1
        bars, self.bars = self.bars, 0
        value = self.sum()
        if self.next.kind == "command" and self.next.value == "choose":
            self.position += 1
            value = Operation("binom", (value, self.sum()))
        elif opened == "{" and self.next.kind == "command" and self.next.value == "over":
            self.position += 1
            value = Operation("/", (value, self.sum()))
        self.bars = bars
        self.expect({"(": ")", "[": "]", "{": "}"}[opened])
        return value

    def atom(self) -> Expression:
        token = self.next
        if token.kind == "number":
            return self.number()
        if token.kind == "name":
            return self.name()
        if token.kind == "command":
            return self.command()
        if token.kind == "sign" and token.value in ("(", "{", "["):
            return self.group()
        if token.kind == "sign" and token.value == "|":
            self.position += 1
            self.bars += 1
            value = self.sum()
            self.bars -= 1
            self.expect("|")
            return Operation("abs", (value,))
        raise UnparsableAnswer(f"unexpected {token.value!r}")

    def number(self) -> Expression:
        r"""A number, or a mixed number such as 3 1/2 and 3\frac12."""
        token = self.next
        self.position += 1
        whole = token.number or Fraction(0)
        is_whole = token.value.isdigit()
        if is_whole and self.next.kind == "command" and self.next.value == "frac":
            start = self.position
            saved = list(self.tokens)
            part = self.atom()
            proper = _proper_fraction(part)
            if proper is not None and (self.next.value != "^" or self.peek(1).value == "circ"):
                return Number(whole + proper)
            self.tokens, self.position = saved, start
        elif is_whole and self.next.kind == "number" and self.next.is_spaced and self.peek(1).value == "/":
            top, bottom = self.next, self.peek(2)
            if top.value.isdigit() and bottom.value.isdigit() and int(top.value) < int(bottom.value):
                self.position += 3
                return Number(whole + Fraction(int(top.value), int(bottom.value)))
        return Number(whole)

    def name(self) -> Expression:
        name = self.next.value
        self.position += 1
        if name in self.indices:
            return Symbol(f"#{name}")
        self.subscript_first()
        if self.next.kind == "sign" and self.next.value == "_":
            self.position += 1
            if self.indices and (index := self.index_of_term()) is not None:
                return Operation(f"@{name}_", (index,))
            name = f"{name}_{self.subscript()}"
            return self.applied(name) if self.is_applied_to_zero() else Symbol(name)
        if (name in APPLIED_NAMES and self.next.kind == "sign" and self.next.value == "(") or (
            self.is_applied_to_zero()
        ):
            return self.applied(name)
        if name == "e":
            return Constant("e")
        if name == "i":
            return Constant("i")
        return Symbol(name)

    def index_of_term(self) -> Expression | None:
        """The subscript of F_{n-k} in a sum over k, as an expression; None when no index is in it."""
        if self.next.value != "{":
            is_index = self.next.kind == "name" and self.next.value in self.indices
            return self.atom() if is_index else None
        close = self.position
        while close < len(self.tokens) and self.tokens[close].value != "}":
            close += 1
        names = {token.value for token in self.tokens[self.position : close] if token.kind == "name"}
        return self.group() if names & set(self.indices) else None

    def series(self, name: str) -> Expression:
        r"""A finite sum or product: \\sum_{k=1}^{n} k^2; the body is the product that follows."""
        bounds: dict[str, Expression] = {}
        index = ""
        for _ in range(2):
            if self.accepts("_"):
                self.expect("{")
                index = self.next.value if self.next.kind == "name" else ""
                self.position += 1
                self.expect("=")
                bounds["low"] = self.sum()
                self.expect("}")
            elif self.accepts("^"):
                bounds["high"] = self.group() if self.next.value == "{" else self.atom()
        if not index or len(bounds) < 2 or len(self.indices) >= MAX_SERIES:
            raise UnparsableAnswer(f"\\{name} without an index and two bounds")
        self.indices.append(index)
        body = self.product()
        self.indices.pop()
        return Operation(name, (body, Symbol(f"#{index}"), bounds["low"], bounds["high"]))

    def argument(self) -> Expression:
        r"""Argument of \frac, \binom or \sqrt: a group, or one token."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise AnswerTooLarge(f"nested deeper than {MAX_DEPTH}")
        try:
            token = self.next
            if token.kind == "sign" and token.value in ("{", "("):
                return self.group()
            if token.kind == "number":
                return Number(self.single().number or Fraction(0))
            return self.atom()
        finally:
            self.depth -= 1

    def command(self) -> Expression:
        token = self.next
        name = token.value
        self.position += 1
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in ("frac", "binom"):
            if self.next.kind == "number":
                self.tokens[self.position] = replace(self.next, is_spaced=False)
            first = self.argument()
            second = self.argument()
            return Operation("/" if name == "frac" else "binom", (first, second))
        if name in ("sqrt", "cbrt"):
            return self.root(3 if name == "cbrt" else 2)
        if name in ("lfloor", "lceil"):
            value = self.sum()
            if not (self.next.kind == "command" and self.next.value == "r" + name[1:]):
                raise UnparsableAnswer(f"{name} is never closed")
            self.position += 1
            return Operation(name[1:], (value,))
        if name == "conj":
            return substitute(self.argument(), {Constant("i"): negative(Constant("i"))})
        if name in ("floor", "ceil", "abs"):
            return Operation(name, (self.argument(),))
        if name in ("sum", "prod"):
            return self.series(name)
        if name in _FIGURES and self.starts_vertices():
            return Symbol(f"\\{name} {self.vertices(name)}")
        if name in FUNCTIONS:
            return self.function(ALIASES.get(name, name))
        if name in _RELATIONS or name in _STRUCTURE or name in _UNSUPPORTED:
            raise UnparsableAnswer(f"cannot read \\{name} in an expression")
        self.subscript_first()
        if self.next.kind == "sign" and self.next.value == "_":
            self.position += 1
            return Symbol(f"{name}_{self.subscript()}")
        if self.is_applied_to_zero():
            return self.applied(name)
        return Symbol("\\" + name)

    def root(self, index: int) -> Expression:
        degree: Expression = Number(Fraction(index))
        if self.accepts("["):
            degree = self.sum()
            self.expect("]")
        return Operation("root", (self.argument(), degree))

    def function(self, name: str) -> Expression:
        """A function with optional index and power: \\log_2 x, \\sin^2 x, \\tan^{-1} x."""
        base: Expression = Number(Fraction(10))
        power: Expression | None = None
        for _ in range(2):
            if self.next.value == "_" and name not in ("log", "max", "min", "gcd", "lcm"):
                raise UnparsableAnswer(f"an index on {name}")
            if self.accepts("_"):
                base = self.argument()
            elif self.accepts("^"):
                power = (
                    self.group() if self.next.value == "{" else Number(self.single().number or Fraction(0))
                )
                if power == MINUS_ONE and name in INVERSE:
                    name, power = INVERSE[name], None
        return apply_function(name, self.operands(name), base, power)

    def operands(self, name: str) -> list[Expression]:
        """What a function is applied to: everything in its parentheses, or the factors that follow."""
        closing = {"(": ")", "\\{": "\\}"}.get(self.next.value) if self.next.kind == "sign" else None
        if closing is None or (closing == "\\}" and name not in COMMUTATIVE):
            return [self.juxtaposed()]
        self.position += 1
        operands = [self.sum()]
        while self.accepts(","):
            operands.append(self.sum())
        self.expect(closing)
        return operands

    def juxtaposed(self) -> Expression:
        """The argument of a function without parentheses: 2t in \\sin 2t\\cos t."""
        sign = self.sign()
        factors = [self.factor()]
        while self.next.kind in ("number", "name") or (
            self.next.kind == "command"
            and self.next.value not in FUNCTIONS
            and self.starts_factor(self.next)
            and self.next.value not in ("cdot", "times")
        ):
            factors.append(self.factor())
        value = factors[0] if len(factors) == 1 else Operation("*", tuple(factors))
        return negative(value) if sign == "-" else value


def _proper_fraction(value: Expression) -> Fraction | None:
    if not (isinstance(value, Operation) and value.name == "/"):
        return None
    top, bottom = value.operands
    if isinstance(top, Number) and isinstance(bottom, Number) and 0 < top.value < bottom.value:
        return top.value / bottom.value if top.value.denominator == bottom.value.denominator == 1 else None
    return None
