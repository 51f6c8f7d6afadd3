"""What a picture shows and words describe as well: curves, sectors, shaded regions."""

import pytest

from curation.screens.described import explains_shading, states_curve, without_described


@pytest.mark.parametrize(
    ("text", "is_stated"),
    [
        ("The graph of $y = x^2 - 4x + 3$ is shown.", True),
        (r"The ellipse \[\frac{x^2}{9} + \frac{y^2}{4} = 1\] is graphed below.", True),
        ("Let $f(x)$ be given by the formula $f(x) = 3 - x^2$. Below is the graph of $y = f(x)$.", True),
        ("Below is the graph of $y = f(x)$. Find $f(f(2))$.", False),
        ("The graph of $y = ax^2 + bx + c$ is shown. Find $a + b$.", False),
        ("The graph of $y = g(x)$ is shown. How often is $g(x) = 3$?", False),
    ],
)
def test_curves_with_their_formula(text, is_stated):
    assert states_curve(text) is is_stated


@pytest.mark.parametrize(
    ("text", "is_explained"),
    [
        ("The part of the square outside the circle is shaded. What is its area?", True),
        ("Two concentric circles have radii 3 and 5. Find the shaded area.", True),
        ("What fraction is shaded if the triangle at the corner is left white?", True),
        ("The garden (gray) is a ring 8 feet wide. What is its area?", True),
        ("What percent of the square is shaded?", False),
        ("The shaded region consists of 12 congruent squares. What is its area?", False),
        ("Semicircles of diameter 3 are lined up. Find the area of the shaded region.", False),
    ],
)
def test_shaded_regions_told_in_words(text, is_explained):
    assert explains_shading(text) is is_explained


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("On a 4 by 4 grid of points shown, how many squares?", False),
        ("A spinner for a game has a radius of 10 cm. One spin wins.", False),
        ("The central angle of a sector of the chart is 90 degrees.", False),
        ("The spinner shown is spun twice.", True),
        ("The chart shows the votes.", True),
    ],
)
def test_described_things_are_taken_out(text, left):
    rest = without_described(text, text)
    assert any(word in rest for word in ("grid", "spinner", "chart")) is left
