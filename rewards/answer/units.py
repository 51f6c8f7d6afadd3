"""Units of measure: what a word after a number means, and when two units are the same."""

import re
from dataclasses import dataclass, field
from fractions import Fraction


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Unit:
    """A known unit has a dimension (powers of base units) and a factor; any other is its singular word."""

    dimension: tuple[tuple[str, int], ...]
    factor: Fraction = Fraction(1)
    spelling: str = field(default="", compare=False)
    """How it was written; ignored when units are compared."""


_TABLE: dict[str, tuple[str, Fraction | int, str]] = {
    # name: (dimension, factor, spellings)
    "m": ("length", 1, "m meter metre 米 公尺"),
    "cm": ("length", Fraction(1, 100), "cm centimeter centimetre 厘米 公分"),
    "dm": ("length", Fraction(1, 10), "dm decimeter decimetre 分米"),
    "mm": ("length", Fraction(1, 1000), "mm millimeter millimetre 毫米"),
    "km": ("length", 1000, "km kilometer kilometre 千米 公里"),
    "in": ("length", Fraction(254, 10000), "in inch inches"),
    "ft": ("length", Fraction(3048, 10000), "ft foot feet"),
    "yd": ("length", Fraction(9144, 10000), "yd yard"),
    "mi": ("length", Fraction(1609344, 1000), "mi mile"),
    "g": ("mass", 1, "g gram gramme 克"),
    "mg": ("mass", Fraction(1, 1000), "mg milligram 毫克"),
    "kg": ("mass", 1000, "kg kilogram kilo 千克 公斤"),
    "t": ("mass", 1_000_000, "tonne 吨"),
    "lb": ("mass", Fraction(45359237, 100000), "lb pound"),
    "oz": ("mass", Fraction(45359237, 1600000), "oz ounce"),
    "s": ("time", 1, "s sec second 秒"),
    "ms": ("time", Fraction(1, 1000), "ms millisecond"),
    "min": ("time", 60, "min minute 分钟 分"),
    "h": ("time", 3600, "h hr hour 小时 时"),
    "day": ("time", 86400, "day 天 日"),
    "week": ("time", 604800, "wk week 周 星期"),
    "month": ("month", 1, "month 月 个月"),
    "year": ("month", 12, "yr year 年 岁"),
    "L": ("volume", 1, "l liter litre 升"),
    "mL": ("volume", Fraction(1, 1000), "ml milliliter millilitre 毫升"),
    "gal": ("gallon", 1, "gal gallon"),
    "degree": ("degree", 1, "deg degree 度"),
    "rad": ("radian", 1, "rad radian"),
    "dollar": ("dollar", 1, "dollar usd buck $ 美元"),
    "cent": ("dollar", Fraction(1, 100), "cent ¢ 美分"),
    "yuan": ("yuan", 1, "yuan rmb ¥ 元 块"),
    "euro": ("euro", 1, "euro eur €"),
    "sterling": ("sterling", 1, "sterling gbp £ quid"),
    "rupee": ("rupee", 1, "rupee rs inr ₹"),
    "N": ("newton", 1, "n newton 牛"),
    "kN": ("newton", 1000, "kn kilonewton"),
    "J": ("joule", 1, "j joule 焦"),
    "kJ": ("joule", 1000, "kj kilojoule"),
    "eV": ("electronvolt", 1, "ev electronvolt"),
    "keV": ("electronvolt", 1000, "kev kiloelectronvolt"),
    "MeV": ("electronvolt", 10**6, "mev megaelectronvolt"),
    "GeV": ("electronvolt", 10**9, "gev gigaelectronvolt"),
    "W": ("watt", 1, "w watt 瓦"),
    "kW": ("watt", 1000, "kw kilowatt"),
    "Hz": ("hertz", 1, "hz hertz"),
    "Pa": ("pascal", 1, "pa pascal"),
    "kPa": ("pascal", 1000, "kpa kilopascal"),
    "MPa": ("pascal", 10**6, "mpa megapascal"),
    "kHz": ("hertz", 1000, "khz kilohertz"),
    "MHz": ("hertz", 10**6, "mhz megahertz"),
    "V": ("volt", 1, "v volt"),
    "A": ("ampere", 1, "amp ampere"),
    "ohm": ("ohm", 1, "ohm Ω"),
    "mol": ("mole", 1, "mol mole"),
    "K": ("kelvin", 1, "k kelvin"),
    "celsius": ("celsius", 1, "celsius degreesc °c"),
    "fahrenheit": ("fahrenheit", 1, "fahrenheit degreesf °f"),
}
_KNOWN = {
    spelling: (dimension, Fraction(factor))
    for dimension, factor, spellings in _TABLE.values()
    for spelling in spellings.split()
}
_ABBREVIATIONS = {
    "mph": "mi/h", "kmh": "km/h", "kmph": "km/h", "kph": "km/h", "mps": "m/s", "sqft": "ft^2", "cc": "cm^3",
    "平方米": "m^2", "平方厘米": "cm^2", "平方千米": "km^2", "立方米": "m^3", "立方厘米": "cm^3",
}  # fmt: skip
_BARE = "cm dm mm km in ft yd kg mg lb lbs oz min hr hrs sec mph mL ml kJ kW Hz mol rad"
_BARE += " eV keV MeV GeV kPa MPa kHz MHz USD EUR GBP INR Rs kN kmph kph"
BARE_UNITS = frozenset(_BARE.split())
"""Abbreviations read as units even in mathematics; a single letter there is a variable."""
ROMAN_UNITS = frozenset("msgLNJWVKCFA")
"""Single letters that are units when set upright after a number."""
SLASHED_UNIT = re.compile(
    r"(?:m|g|km|cm|kg|L|l|J|N|W|C|V|mol|mi|ft|rad)\s?/\s?(?:s|h|hr|min|sec|m|L|l|kg|K|mol|C|day)(?![A-Za-z])"
)
"""A unit with a single letter in it that is clear by its slash: 5 m/s."""
DEGREE = Unit((("degree", 1),), spelling="degrees")
CURRENCIES = {"$": "dollar", "¥": "yuan", "€": "euro", "£": "sterling", "₹": "rupee", "¢": "cent"}

_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse",
              "pts": "point", "pt": "point", "pcs": "piece", "oxen": "ox", "geese": "goose"}  # fmt: skip
_FILLERS = frozenset(("of", "old", "a", "an"))
_PART = re.compile(r"([^\W\d_]+|[$¢¥€£₹]|°[cf])(?:\^?\{?(-?\d)\}?)?", re.IGNORECASE)


def parse_unit(text: str) -> Unit | None:
    r"""Read a unit from the text after a number; None when the words cannot be a unit.

    >>> parse_unit("km/h") == parse_unit("kilometers per hour")
    True
    >>> parse_unit("apples") == parse_unit("apple"), parse_unit("or more")
    (True, None)
    """
    text = re.sub(r"[\s()]+", " ", text.lower()).strip(" .")
    text = re.sub(r" ?(?:/|\bper\b|每) ?", "/", text)
    text = _ABBREVIATIONS.get(text.replace(" ", ""), text)
    if not text or len(text) > 60 or _FOREIGN_HEDGE.search(text):
        return None
    powers: dict[str, int] = {}
    factor = Fraction(1)
    for position, part in enumerate(text.split("/")):
        sign = -1 if position else 1
        words = [
            word for word in re.split(r"[ *·.]+|(?<=[a-z])-(?=[a-z])", part) if word and word not in _FILLERS
        ]
        if not words or len(words) > 4:
            return None
        power = 1
        for word in words:
            if word in ("square", "sq", "squared"):
                power = 2
            elif word in ("cubic", "cu", "cubed"):
                power = 3
        for word in words:
            if word in ("square", "sq", "squared", "cubic", "cu", "cubed"):
                continue
            match = _PART.fullmatch(word)
            if match is None or match[1] in NOT_UNITS:
                return None
            dimension, scale = _lookup(match[1])
            exponent = sign * (int(match[2]) if match[2] else power)
            powers[dimension] = powers.get(dimension, 0) + exponent
            factor *= scale**exponent
    return Unit(tuple(sorted(powers.items())), factor, text) if powers else None


def is_known_unit(word: str) -> bool:
    """Tell a unit of measure from any other word: 千米 is a kilometer, 千元 a thousand yuan."""
    return word in _KNOWN or word in _ABBREVIATIONS


def same_unit(left: Unit, right: Unit) -> bool:
    """Compare units; pounds are a mass, or money beside a pound sign."""
    if left == right:
        return True
    both = {left.dimension, right.dimension}
    return both == {_STERLING, _POUNDS} and all(
        unit.dimension == _STERLING or unit.spelling.startswith("pound") for unit in (left, right)
    )


_STERLING, _POUNDS = (("sterling", 1),), (("mass", 1),)


def _lookup(word: str) -> tuple[str, Fraction]:
    for candidate in (word, word.removesuffix("s"), word.removesuffix("es")):
        if candidate in _KNOWN:
            return _KNOWN[candidate]
    return f"'{_singular(word)}'", Fraction(1)


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word


_FOREIGN_HEDGE = re.compile(
    "不(?!同)|非|没|约|左右|以上|以下|以内|以外|上下|多|少|许|或|吗|可能|大概|错|次方|的(?:平方|立方|倒数|相反数|一半)"
    "|ではな|じゃな|ません|未満|程度|くらい|ぐらい|ほど|または|아니|아닙|이상|이하|미만|초과|정도|또는"
)
"""In Chinese, Japanese and Korean, where words stand without spaces: not, about, or more, or, squared."""
NOT_UNITS = words(
    """
    about accept all almost and answer any anything approximately are around as bc bce be between both but
    can correct could credit divided double doubled either else equal equals everything exactly exclusive
    factorial factorials false fewer fold for from full gold grader greater guess halved if incorrect is
    least less marks maybe minus mod modulo more most nearly neither no none not or over perhaps plus
    point possibly probably reward right roughly same score should solution solutions some something such
    than that the then this thrice to too tripled true twice under unknown until up verified was when
    where will with without would wrong yes zero
    nicht kein oder etwa ungefähr mehr weniger mindestens höchstens ou pas environ moins millionen
    millones mille mil milliard milliarden prozent más menos aproximadamente não non не или около больше
    меньше примерно тысяч тысячи миллион миллиона миллионов процент процента процентов
    """
)
"""Words that never belong to a unit: hedges, connectives, what changes a value, talk about the grader."""
