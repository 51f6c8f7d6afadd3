"""Sets of contraries: words that turn a problem into a different one when swapped.

"the largest n" and "the smallest n" differ in one word and are two problems; "determine" and "find" do not
make a difference. Members of one inner tuple mean the same. A set of one tuple holds negations: its members
have no contrary, but a text with one of them more says the opposite.
"""

from functools import cache

_SETS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("largest", "greatest", "maximum", "maximal", "biggest", "highest", "maximize", "max"),
        ("smallest", "least", "minimum", "minimal", "lowest", "minimize", "min"),
    ),
    (("smallest",), ("most",)),
    (("more", "greater", "larger"), ("less", "fewer", "smaller")),
    (("sum", "sums"), ("product", "products"), ("difference", "differences"), ("quotient",)),
    (("half",), ("twice", "double", "doubled"), ("triple", "thrice"), ("quarter", "fourth"), ("third",)),
    (("positive",), ("negative",), ("nonnegative",), ("nonzero",)),
    (("even",), ("odd",)),
    (("radius", "radii"), ("diameter", "diameters"), ("circumference",)),
    (("area", "areas"), ("perimeter", "perimeters"), ("volume", "volumes"), ("circumference",)),
    (("increasing", "increase", "increases"), ("decreasing", "decrease", "decreases")),
    (("inscribed",), ("circumscribed",)),
    (("first",), ("last",)),
    (("before",), ("after",)),
    (("above",), ("below",)),
    (("inside",), ("outside",)),
    (("left",), ("right",)),
    (("rational",), ("irrational",), ("real",), ("complex",), ("integer", "integers")),
    (("prime", "primes"), ("composite",)),
    (("convex",), ("concave",)),
    (("numerator",), ("denominator",)),
    (("row", "rows"), ("column", "columns")),
    (("sin",), ("cos",), ("tan",), ("cot",), ("sec",), ("csc",)),
    (("parallel",), ("perpendicular",)),
    (("mean", "average"), ("median",), ("mode",)),
    (("buy", "buys", "bought", "buying"), ("sell", "sells", "sold", "selling")),
    (("true",), ("false",)),
    (("always",), ("never",)),
    (("multiple", "multiples"), ("divisor", "divisors", "factor", "factors")),
    (("day", "days", "daily"), ("week", "weeks", "weekly"), ("month", "months"), ("year", "years")),
    (("north",), ("south",), ("east",), ("west",)),
    (("with",), ("without",)),
    (("not", "lnot", "neg"),),
    (("cup", "bigcup"), ("cap", "bigcap")),
    (("union",), ("intersection",)),
    (("vee", "lor"), ("wedge", "land")),
    (("subset", "subseteq"), ("supset", "supseteq")),
    (("forall",), ("exists",)),
    (("inclusive",), ("exclusive",)),
    (("boy", "boys"), ("girl", "girls")),
    (("man", "men"), ("woman", "women")),
    (("red",), ("blue",), ("green",), ("white",), ("black",), ("yellow",)),
    (("clockwise",), ("counterclockwise",)),
    (("triangle",), ("square",), ("rectangle",), ("pentagon",), ("hexagon",), ("octagon",), ("rhombus",)),
    (("cube",), ("tetrahedron",), ("octahedron",), ("sphere",), ("cone",), ("cylinder",), ("pyramid",)),
    (("square", "squares"), ("cube", "cubes")),
    (("altitude",), ("bisector",), ("median",)),
    (("heart", "hearts"), ("spade", "spades"), ("diamond", "diamonds"), ("club", "clubs")),
    (("faster",), ("slower",)),
    (("older",), ("younger",)),
    (("taller", "longer"), ("shorter",)),
    (("大", "高"), ("小", "低")),
    (("多",), ("少",)),
    (("积",), ("和",), ("差",), ("商",)),
    (("半",), ("倍",)),
    (("正",), ("负",)),
    (("奇",), ("偶",)),
    (("增",), ("减",)),
    (("面",), ("周",), ("体",)),
    (("前",), ("后",)),
    (("买",), ("卖",)),
    (("长",), ("短",), ("宽",)),
    (("上",), ("下",)),
    (("左",), ("右",)),
    (("甲",), ("乙",)),
)  # fmt: skip

assert len(_SETS) <= 64, "one bit of a 64-bit word for each set"
NEGATION = 1 << next(place for place, groups in enumerate(_SETS) if len(groups) == 1)
"""The bit of words that negate."""


@cache
def synonyms() -> dict[str, tuple[str, int]]:
    """Map each word to the representative of its meaning, and to one bit per set that contains it.

    >>> known = synonyms()
    >>> known["greatest"][0], known["doubled"][0], "apple" in known
    ('largest', 'twice', False)
    >>> known["largest"][1] & known["smallest"][1] > 0
    True
    """
    same: dict[str, str] = {}
    bits: dict[str, int] = {}
    for position, groups in enumerate(_SETS):
        for group in groups:
            for word in group:
                bits[word] = bits.get(word, 0) | 1 << position
                same.setdefault(word, group[0])
    return {word: (same[word], bits[same[word]]) for word in bits}
