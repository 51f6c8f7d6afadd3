"""Points that words bring into the plane."""

import pytest

from curation.screens.points import n_unknown, places_all


@pytest.mark.parametrize(
    ("before", "last", "is_placed"),
    [
        ("$ABC$ is a triangle and $D$ is the midpoint of $BC$.", "Find the length of $AD$.", True),
        ("$BD$ is perpendicular to $BC$. $AB = 52$, $BC = 21$.", "Find the length of $AC$.", True),
        ("$AB = 13$ and $DC = 20$.", "Find the length of $AC$.", False),
        ("$ABCD$ is a rectangle.", "Find the area of triangle $BQW$ with $Q$ above $W$.", False),
    ],
)
def test_points_placed_by_words(before, last, is_placed):
    assert places_all(before, last) is is_placed


def test_points_only_asked_about():
    assert n_unknown("$AB = 3$ and $BC = 4$.", "Find $AC$.") == 0
    assert n_unknown("$AB = 3$ and $BC = 4$.", "Find $XY$.") == 2
    assert n_unknown("$AB = 3$.", "Find the area of square $PQRS$.") == 0
    assert n_unknown("", "Find $AC$ if $AB = 3$.") == 0
