"""A reader of tokens, one after another: TeX's few rules about single ones, and what holds no expression."""

from fractions import Fraction

from rewards.parsing.tokens import Token
from rewards.verdict import UnparsableAnswer

END = Token("sign", "")
"""Follows the last token."""


class TokenReader:
    """A position in a list of tokens; the list is a copy, because reading may cut a number in two."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = list(tokens)
        self.position = 0
        self.depth = 0
        self.bars = 0
        self.indices: list[str] = []
        """Indices of the sums and products around the position."""

    @property
    def next(self) -> Token:
        return self.tokens[self.position] if self.position < len(self.tokens) else END

    def peek(self, offset: int) -> Token:
        position = self.position + offset
        return self.tokens[position] if position < len(self.tokens) else END

    def accepts(self, sign: str) -> bool:
        if self.next.kind == "sign" and self.next.value == sign:
            self.position += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.accepts(sign):
            raise UnparsableAnswer(f"expected {sign!r}, found {self.next.value!r}")

    def subscript_first(self) -> None:
        """Put a subscript that follows a superscript in front of it: x^2_{23} is x_{23}^2."""
        if not (self.next.kind == "sign" and self.next.value == "^"):
            return
        middle = self._after(self.position + 1)
        follows = self.tokens[middle] if middle < len(self.tokens) else END
        if follows.kind == "sign" and follows.value == "_":
            end = self._after(middle + 1)
            power, subscript = self.tokens[self.position : middle], self.tokens[middle:end]
            self.tokens[self.position : end] = subscript + power

    def _after(self, start: int) -> int:
        """Position after the token at `start`, or after the group that it opens."""
        level = 0
        for position in range(start, len(self.tokens)):
            level += {"{": 1, "}": -1}.get(self.tokens[position].value, 0)
            if level <= 0:
                return position + 1
        return len(self.tokens)

    def subscript(self) -> str:
        """Read an index as text: braces and spaces do not matter."""
        if not (self.next.kind == "sign" and self.next.value == "{"):
            token = self.single()
            return token.value
        level = 0
        parts: list[str] = []
        while self.position < len(self.tokens):
            token = self.next
            self.position += 1
            level += {"{": 1, "}": -1}.get(token.value, 0) if token.kind == "sign" else 0
            if level == 0:
                return "".join(parts)
            if token.value not in ("{", "}"):
                parts.append(token.value)
        raise UnparsableAnswer("an index that is never closed")

    def single(self) -> Token:
        """Take one token, but only the first digit of a number, as TeX does."""
        token = self.next
        if token is END:
            raise UnparsableAnswer("an argument is missing")
        if token.kind == "number" and token.value.isdigit() and len(token.value) > 1 and not token.is_spaced:
            first, rest = token.value[0], token.value[1:]
            self.tokens[self.position] = Token("number", rest, False, Fraction(int(rest)))
            return Token("number", first, False, Fraction(int(first)))
        self.position += 1
        return token

    def sign(self) -> str:
        """Read signs in front of a term: - (odd), + (even), pm or mp."""
        result = "+"
        while True:
            token = self.next
            if token.kind == "command" and token.value in ("pm", "mp"):
                result = token.value
            elif token.kind == "sign" and token.value in ("+", "-"):
                if token.value == "-":
                    result = "-" if result == "+" else "+"
            else:
                return result
            self.position += 1

    def is_degree(self) -> bool:
        r"""Read \circ or {\circ} after a ^."""
        if self.next.kind == "command" and self.next.value == "circ":
            self.position += 1
            return True
        if self.next.value == "{" and self.peek(1).value == "circ" and self.peek(2).value == "}":
            self.position += 3
            return True
        return False

    def is_applied_to_zero(self) -> bool:
        """I(0) is a value of I: nobody writes a product with zero."""
        return [self.peek(n).value for n in range(3)] == ["(", "0", ")"]

    def starts_vertices(self) -> bool:
        token = self.peek(1) if self.next.kind == "sign" and self.next.value == "{" else self.next
        return token.kind == "name" and token.value.isupper()

    def vertices(self, figure: str) -> str:
        """Read the vertices of an angle, the same reversed, or of a triangle, the same in any order."""
        is_braced = self.accepts("{")
        vertices = []
        while self.next.kind == "name" and self.next.value.isupper():
            vertices.append(self.next.value)
            self.position += 1
        if is_braced:
            self.expect("}")
        return "".join(sorted(vertices) if figure == "triangle" else min(vertices, vertices[::-1]))
