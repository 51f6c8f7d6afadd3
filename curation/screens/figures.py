"""Figures however named: pictures that are missing, and drawings as code that only decorate a statement."""

import polars as pl

from curation.screens.completeness import holds_labels, is_complete
from curation.screens.described import explains_shading
from curation.screens.patterns import count, has

PROBLEM = pl.col("problem")

CODE = r"(?s)\[asy\].*?(?:\[/asy\]|$)|\\begin\{(?:tikzpicture|asy|picture|pspicture)\}.*?\\end\{(?:tikzpicture|asy|picture|pspicture)\}"
_PICTURE = (
    r"(?:figures?|diagrams?|pictures?|images?|drawings?|sketch(?:es)?|illustrations?|photo(?:graph)?s?|charts?"
    r"|graphs?|tables?|maps?|grids?|plots?|spinners?|number lines?|nets?|schemes?|histograms?|pie charts?)"
)
_SHAPE = (
    r"(?:shapes?|polygons?|(?:pent|hex|poly|tetr|hept)omino(?:es)?|tiles?|tilings?|patterns?|mazes?|puzzles?|boards?|dials?"
    r"|arrangements?|polyhedron|solids?|objects?|networks?|circuits?|floor plans?|scales?|thermometers?|rulers?|clocks?|blocks?|cubes?)"
)
REFERENCE = (
    r"(?i)\\includegraphics|!\[|\[img\]|<img\b|<image|\.(?:png|jpe?g|gif|svg)\b|\battach(?:ment|ed (?:image|file|figure|picture))"
    r"|\bas (?:shown|pictured|illustrated|depicted|drawn|seen|indicated|marked|labell?ed) ?(?:in|on|by|below|above|at|here|,|\.|\$|$)"
    rf"|\b(?:in|see|from|using|study|consult|on|use|examine|refer to|given|according to|to) the (?:\w+ )?{_PICTURE} (?:below|above|shown|here|at (?:the )?right|(?:to|on) the (?:right|left))\b"
    rf"|\b{_PICTURE} (?:below|above|shown|given below|at (?:the )?right)\b"
    rf"|\b{_PICTURE} (?:to|on) the (?:right|left)(?:[.,;:?!)]|\s*$|\s+(?:is|are|has|have|shows?|represents?|consists?)\b)"
    rf"|\bthe (?:following|adjoining|accompanying|attached|adjacent) {_PICTURE}\b"
    r"|\b(?:in|on|from|into) (?:the|this) (?:figures?|diagrams?|picture|image|illustrations?|sketch|photograph)\b"
    rf"|\b(?:the|this|each) (?:figures?|diagrams?|pictures?|images?|drawings?|illustrations?|sketch) (?:shows?|represents?|depicts?|illustrates?|displays?|consists?|contains?|is made)\b"
    rf"|\b(?:the|this) {_SHAPE} (?:shown|below|above|pictured|at (?:the )?right)\b"
    rf"|\b(?:the|this) following {_SHAPE}\b|\b(?:is|are) (?:(?:shown|pictured|depicted|illustrated) (?:below|above|here|in)|drawn (?:below|above|here))\b"
    r"|\b(?:shown|graphed|plotted) (?:below|above|here|at right)\b|\bpictured (?:below|above|here)\b|\bdiagrammed\b"
    r"|\b(?:the|this) (?:figure|diagram|picture|drawing|net) (?:may|can|could|will) be (?:folded|cut|divided|drawn|traced|assembled)\b|\balong the (?:\w+ )?lines shown\b"
    r"|\bthe (?:graph|chart|calendar) (?:relates|indicates|displays|depicts|illustrates)\b|\b[Oo]n this (?:\w+ )?(?:calendar|map|clock)\b|\blook(?:ed|s|ing)? at (?:the|this) (?:drawing|picture)\b|(?:^|[.?!]\s+)In (?:the|this) drawing,? "
    r"|\b(?:cell|circle|box|square|region|space|node)s? of the (?:figure|diagram|picture|drawing)\b|\bthe (?:attached |given )?table (?:shows|lists|gives|records|summarizes)\b|\bfig(?:ure)?\.? ?[A-Z]?\d"
    r"|如图|下图|右图|左图|图中|见图|图所示|所示的图"
)
_SHADED = r"(?i)\bthe shaded (?:region|area|part|portion|section|triangle|square|sector|figure)s?\b"
_TABLE_INSIDE = (
    r"\\begin\{(?:tabular|array|matrix)\}|\|[^\n|]+\|[^\n|]+\||\\hline|\n[^\n]*(?:\t|  +)\S+(?:\t|  +)\S+"
)
_LISTED = (
    r"(?is)\b(?:below|following \w+|shown|above|here)\s*[:：]\s*\S.{10,}|\bbelow\.\s*\n.{10,}"
    r"|\b(?:equations?|expressions?|formulas?|addition|multiplication|subtraction|division|sums?|systems?|inequalit\w+|sequences?|matri\w+|terms) "
    r"(?:(?:is |are )?(?:shown|given) )?(?:below|above)\b"
    r"|\b(?:row \$?1|first row)\b.*\b(?:row \$?2|second row)\b"
)
_TABLE_REFERENCE = r"(?i)\b(?:table|chart|grid|histogram|plot|row)s?\b|Pascal's triangle"
_OTHER_PICTURE = r"(?i)\b(?:figure|diagram|picture|image|drawing|illustration|graph|map|spinner)s?\b|如图|!\[|\[img\]|includegraphics"
_POINTS_AT = (
    r"(?i)\b(?:shown|shows|figure|diagram|picture|drawing|below|above|marked|labell?ed|shaded|depicted|indicated|drawn|grid|graph|"
    r"chart|table|map|spinner|pattern|arrangement|this|these|here|pictured|path|net|figures|illustrated|plotted|dots?|lattice|"
    r"toothpicks?|tiles?|boxes|cells?|arrows?|the (?:two|three|four|five|six|large|small|larger|smaller) \w+)\b"
)
_OF_ANY = r"\b[Ll]et\b|\b(?:of|in|does|has) an? (?:\w+ ){0,2}(?:prism|pyramid|cube|tetrahedron|octahedron|sphere|cone|cylinder|triangle|square|rectangle|rhombus|(?:penta|hexa|octa|deca|dodeca)gon)\b"
"""What is asked of any prism needs no picture of one."""
_DATA = r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twice|half)\b|="

FIGURE_HINT = (
    r"(?i)figure|fig\b|fig\.|fig ?[a-z]?\d|diagram|picture|image|img|draw|sketch|illustrat|photo|chart|graph|table|map|grid|plot|spinner"
    r"|number line|calendar|clock|\bnets?\b|scheme|histogram|shown|shad|depict|as seen|indicated|marked|label|below|above|here|at right|attach|following"
    r"|\[asy\]|\\begin\{|\.(?:png|jpe?g|gif|svg)|!\[|图"
)


def needs_figure() -> pl.Expr:
    """A picture is referred to and not there, and the text is not complete without it; a table that the text
    holds is there."""
    has_table = has(PROBLEM, _TABLE_INSIDE) & has(PROBLEM, _TABLE_REFERENCE)
    is_listed = has(PROBLEM, _LISTED)
    is_sum = has(
        PROBLEM, r"\\begin\{array\}[^$]*\\(?:hline|cline)|Pascal's triangle[^$]*\$\$?\s*\\begin\{array\}"
    )
    refers = has(PROBLEM, REFERENCE) & ~(((has_table | is_listed) & ~has(PROBLEM, _OTHER_PICTURE)) | is_sum)
    is_shaded = has(PROBLEM, _SHADED)
    is_drawn = has(PROBLEM, CODE)
    flags = pl.struct(PROBLEM, refers=refers, is_shaded=is_shaded, is_drawn=is_drawn)
    return flags.map_batches(_unless_described, return_dtype=pl.Boolean)


def _unless_described(rows: pl.Series) -> pl.Series:
    """Whether what a statement refers to is missing: its words do not tell it, nor which region is shaded."""
    columns = (rows.struct.field(name) for name in ("problem", "refers", "is_shaded", "is_drawn"))
    needed = [
        drawn or (shaded and not explains_shading(text)) or (refers and not is_complete(text))
        for text, refers, shaded, drawn in zip(*columns, strict=True)
    ]
    return pl.Series(needed, dtype=pl.Boolean)


def without_decoration(problems: pl.Series) -> pl.Series:
    """Take drawings as code off statements that are complete without them; others keep theirs.

    >>> problems = ["In a square of side 3 and area 9, find the perimeter. [asy]draw(unitsquare);[/asy]"]
    >>> without_decoration(pl.Series(problems + ["Find $x$. [asy]draw(unitsquare);[/asy]"])).to_list()
    ['In a square of side 3 and area 9, find the perimeter.', 'Find $x$. [asy]draw(unitsquare);[/asy]']
    """
    rows = problems.str.contains(CODE).fill_null(False).arg_true()
    if not len(rows):
        return problems
    some = pl.DataFrame({"problem": problems.gather(rows)})
    bare = some.select(
        PROBLEM.str.replace_all(CODE, " ").str.replace_all(r"[ \t]{2,}", " ").str.strip_chars()
    )["problem"]
    code = some["problem"].str.extract_all(CODE).list.join(" ")
    names_no_picture = bare.to_frame().select(
        ~has(PROBLEM, REFERENCE)
        & ~has(PROBLEM, _POINTS_AT)
        & ((count(PROBLEM, _DATA) >= 2) | has(PROBLEM, _OF_ANY))
        & (count(PROBLEM, r"[A-Za-z]{2,}") >= 8)
    )["problem"]
    is_shaded = bare.to_frame().select(has(PROBLEM, _SHADED))["problem"]
    decorated = [
        not (shaded and not explains_shading(text))
        and ((len(text.split()) >= 40 or holds_labels(text, drawn)) if plain else is_complete(text, drawn))
        for text, drawn, plain, shaded in zip(bare, code, names_no_picture, is_shaded, strict=True)
    ]
    is_bare = pl.Series(decorated, dtype=pl.Boolean)
    return problems.scatter(rows, bare.zip_with(is_bare, some["problem"]))
