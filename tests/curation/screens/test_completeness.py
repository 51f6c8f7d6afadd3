"""Statements that mention a picture: complete in words, or not without it."""

import pytest

from curation.screens.completeness import holds_labels, is_complete

COMPLETE = [
    "As shown in the figure, $PQRS$ is a rhombus and $T$ is the midpoint of $QR$. If $PQ=6$ and $QS=8$, find $PT$.",
    "In the diagram, $O$ is the center of a circle of radius 5 and chord $AB$ has length 6. Find the area of triangle $OAB$.",
    "A cone of height 12 stands on a disc of radius 5, as shown. What is the slant height of the cone in centimeters?",
    "The diagram below shows an isosceles triangle with base 10 and height 12. What is the radius of its inscribed circle?",
    "Each station is joined to at most 3 others. The figure shows an example with 7 stations. How many can there be at most?",
    "On the $3 \\times 5$ grid shown below, how many rectangles have their sides along the lines of the grid?",
    "In the diagram, $PT$ is perpendicular to $PQ$ and to $RT$. If $PQ=20$, $QR=29$ and $RT=21$, find the length of $PR$.",
    "Seven coins lie on a table as shown, one in the middle and six around it, each touching the middle one and two neighbors. "
    "Each coin has radius 2. What is the radius of the smallest circle that holds all seven coins?",
    "A ladder leans on a wall as in the figure below. Its foot is 7 feet from the wall and its top is 24 feet above the "
    "ground. A painter climbs two fifths of the ladder. How many feet above the ground is he then?",
]
LACKING = [
    "In the diagram, what is the perimeter of triangle $PQR$ if the side $PQ$ is 4 and the side $QR$ is 5?",
    "Four equal squares are put together as shown in the figure. One square has side 3. Find the perimeter of the shape.",
    "In the figure, $AB = 12$ and $AD = 5$, and angle $ADB$ is a right angle. Find the length of $DC$ if $BC$ is 20.",
    "The graph of $y=f(x)$ is shown below on a grid with 8 lines. What is the value of $f(2)+f(3)$ on this grid?",
    "Two circles of radii 3 and 5 touch at $A$, as shown. What is the area of the shaded region in square meters?",
    "In the figure, lines $l$ and $m$ are parallel and one of the angles is 40 degrees. What is the value of $x$?",
    "In the diagram, $KLM$ is a straight line and $\\angle LKN = 35^\\circ$. What is the measure of $\\angle LNM$?",
    "Each sector of the spinner shown is equally likely. The spinner is spun twice and the two numbers are multiplied. "
    "What is the probability that the product is odd? Express your answer as a common fraction in lowest terms.",
    "Place the numbers 1 to 9 into the nine circles of the figure so that the sum along each of the lines is the same and "
    "as large as possible, each number being used exactly once. What is that sum?",
]


@pytest.mark.parametrize("text", COMPLETE)
def test_complete_in_words(text):
    assert is_complete(text)


@pytest.mark.parametrize("text", LACKING)
def test_incomplete_without_the_picture(text):
    assert not is_complete(text)


def test_numbers_of_the_drawing_are_in_the_text():
    code = '[asy] draw((0,0)--(3,4), linetype("4 4")); label("$7$", (1,1)); [/asy]'
    assert holds_labels("A segment has length 7.", code)
    assert not holds_labels("A segment has some length.", code)
    assert holds_labels("A segment is seven units long.", code)
