"""Formulas: found where they are, drawn from a list of elements, and harmless whatever a model wrote."""

import pytest

from evals.viewer.formulas import ATTRIBUTES, ELEMENTS, MAX_CHARS, find_formulas, read_formulas, to_tree

ALIGNED = r"\begin{align*}a&=b\\[2pt]c&=d\end{align*}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(r"a \(x\) b \[y\] c", ["x", "y"], id="brackets"),
        pytest.param("$x$ and $$y$$", ["x", "y"], id="dollars"),
        pytest.param("costs $5 or $6", [], id="prices"),
        pytest.param("it is $5, then $x$", ["x"], id="a-price-before-a-formula"),
        pytest.param(r"\$5 and \$6", [], id="escaped"),
        pytest.param(r"so \boxed{\frac{1}{2}} it is", [r"\boxed{\frac{1}{2}}"], id="bare-box"),
        pytest.param(r"\boxed{1", [], id="box-without-end"),
        pytest.param(ALIGNED, [ALIGNED], id="environment"),
        pytest.param("$a\n\nb$", [], id="not-over-paragraphs"),
        pytest.param(r"\( \)", [], id="empty"),
        pytest.param("\\(" + "x" * (MAX_CHARS + 1) + "\\)", [], id="too-long"),
    ],
)  # fmt: skip
def test_formulas_are_found(text: str, found: list[str]) -> None:
    assert [latex for _, _, latex, _ in find_formulas(text)] == found


def test_the_pieces_are_the_text() -> None:
    text = r"so \(x^2\) is \unknowncommand{4} but $\nope$ and \[y\]."
    pieces, trees = read_formulas(text)
    assert "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces) == text
    assert [piece[0] for piece in pieces if not isinstance(piece, str)] == [r"\(x^2\)", r"\[y\]"]
    assert trees[0] == ["math", {}, ["msup", {}, ["mi", {}, "x"], ["mn", {}, "2"]]]
    assert trees[1][1] == {"display": "block"}


def nodes(tree):
    yield tree
    for child in tree[2:]:
        if not isinstance(child, str):
            yield from nodes(child)


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script><img src=x onerror=alert(1)>}",
        r"\href{javascript:alert(1)}{x}",
        r"\color{red}{x}",
        r"\hspace{99999em}x",
        r"\boxed{<b>}",
        r"\label{a}\tag{1}x",
    ],
)
def test_a_tree_has_only_known_elements_and_attributes(latex: str) -> None:
    tree = to_tree(latex)
    for name, attributes, *_ in nodes(tree) if tree else ():
        assert name in ELEMENTS and set(attributes) <= ATTRIBUTES | {"class"}
        assert "javascript" not in str(attributes) and "99999" not in str(attributes)


def test_columns_stand_where_they_stand_in_latex() -> None:
    tree = to_tree(r"\begin{array}{|r|l|}\hline a&b\end{array}")
    classes = [attributes.get("class", "") for name, attributes, *_ in nodes(tree) if name == "mtd"]
    assert ["m-right" in classes[0], "m-left" in classes[1], "m-line-right" in classes[1]] == [True] * 3


@pytest.mark.parametrize(
    "hostile",
    ["$" * 50_000, r"\[" * 50_000, r"\boxed{" * 20_000, "{" * 1000, r"\newcommand\a{\a\a}\a", "\0<x>"],
)
def test_hostile_texts_stay_text(hostile: str) -> None:
    assert read_formulas(f"\\({hostile}\\)")[1] == []
    assert read_formulas(hostile)[0] == [hostile]
