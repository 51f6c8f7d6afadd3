"""Several things asked for with one answer."""

import pytest

from tests.curation.test_filters import reason


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        # Labels with a task each, in any dress; the last task may stand after a sentence.
        ("(Ⅰ) Find the value of $q$;\n(Ⅱ) Let $S$ be the sum of its terms. Compare them and find $S_3$.", "-1/2", True),
        ("Let \\\\(f\\\\).\n\\\\((1)\\\\) Find angle \\\\(A\\\\).\n\\\\((2)\\\\) If \\\\(b=2\\\\), find the area.", "16", True),
        ("(I) Find the equation of the ellipse.\n\n(II) A line meets it at A and B. If AB = 2, find its slope.", "1", True),
        ("Given $f$,\n- (i) Determine $f(1)$.\n- (ii) It has a period. Calculate that period.", "2", True),
        ("Find:\n(1) The value of $a$;\n(2) The value of $b$ if $a < b$.", "3", True),
        ("Calculate:\n\n1. $(\\sqrt{2}+2)^{2}$\n2. $(\\sqrt{3}-\\sqrt{8})$", "3", True),
        ("Seat 3 boys and 2 girls in a row,\n(1) The number of all arrangements;\n(2) The number of those with boys first.", "20", True),
        ("How many teams are there in the following cases?\n(1) with 3 boys;\n(2) with 2 boys.", "191", True),
        ("Find the number of all n with these properties:\n(1) the number n is even;\n(2) the number n is below 9.", "4", False),
        ("The graph has two properties: (1) The maximum value of it is 5. (2) The sum of its roots is 6. What is its vertex?", "3", False),
        ("Steps are: (a) double the number, (b) add 3. Starting from 1, what is the result after five steps?", "125", False),
        ("How many n satisfy the following conditions?\n(1) n is odd;\n(2) n is below 100.", "50", False),
        ("Evaluate $f(1)$ when (1) holds, where f is linear with f(2) = 3 and f(0) = 1.", "2", False),
        # Two things in a sentence, two sentences in words.
        ("Calculate $E\\xi$ and $D\\xi$.", "2.4", True),
        ("Determine the largest value of $x + y$. Find also the values of $x$ at which it is reached.", "3/4", True),
        ("The height, bisector and one side are 4, 5 and 5. Find the other two sides.", "4", True),
        ("The sum of two numbers is 84. Find the smaller number. Find the larger number.", "21", True),
        ("The intercept, the slope and the angle of the line are respectively.", "4/5", True),
        ("The sum of two numbers is 52. What are the numbers?", "29", True),
        ("What are the measures of the angles KLM and KML?", "55", True),
        ("Two pens and a book cost 9. Find the cost of a pen and a book.", "3", True),
        ("How much is invested at 4.5 % and how much at 6.5 %?", "3200", True),
        ("What are the numbers of even digits used in all?", "5", False),
        ("Find the length of a rectangle with area 12 and a width of 3.", "4", False),
        ("Find $r$ and $s$.", "r = 4, s = 5", False),
        ("Compute $a$ and $b$ such that $a + b = 3$, and write $a^b$.", "2, 1", False),
        ("Find the prices of a pen and a book. Find the sum of the prices.", "9", False),
        ("Find the remaining volume if two of the five parts are removed.", "6", False),
        ("Find the area of the triangle if its sides are 3, 4 and 5, respectively.", "6", False),
        ("The radii are 4 and 7 respectively. Find the distance of the centers.", "11", False),
    ],
)  # fmt: skip
def test_parts_have_a_task_each(problem, answer, expected):
    assert (reason(problem, answer) == "multi_part") == expected


@pytest.mark.parametrize(
    ("problem", "solution", "answer", "expected"),
    [
        ("Enter the angles of the triangle, separated by commas.", r"\boxed{60}, \boxed{45}, \boxed{75}", "75", "part_of_answer"),
        ("Find all possible values of $k$.", r"$k=\boxed{1}$ or $k=\boxed{-\frac{5}{2}}$", r"-\frac{5}{2}", "part_of_answer"),
        ("Find all points where the curves meet.", r"\boxed{(-2,18)} and \boxed{(8,38)}", "(8,38)", "part_of_answer"),
        ("Find all possible values of $k$.", r"$\boxed{1}$ and $\boxed{2}$", "1, 2", None),
        ("Find all possible values of $k$.", r"so $\boxed{\dfrac{1}{6}}$, or again $\boxed{\frac{1}{6}}$", r"\frac{1}{6}", None),
        ("Find the sum of all solutions.", r"They are $\boxed{3}$ and $\boxed{4}$: $\boxed{7}$.", "7", None),
        ("The possible values of x add up to m/n. Find $m+n$.", r"$\boxed{\frac34}$, so $\boxed{7}$", "7", None),
        ("Find the sum of all solutions.", r"The sum is $\boxed{7}$.", "7", None),
        ("Evaluate $\\log_2 16$.", r"$\log_2 4 = \boxed{2}$ and so $\boxed{4}$", "4", None),
        ("Find all possible values of $k$.", None, "4", None),
    ],
)  # fmt: skip
def test_one_of_several_boxes_is_a_part(problem, solution, answer, expected):
    assert reason(problem, answer, solution=solution) == expected
