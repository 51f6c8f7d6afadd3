"""Filters: each names its reason, and problems similar to those it removes stay."""

import polars as pl
import pytest

from curation.filters import FILTERS, FilterConfig, details, first_reason


def reason(
    problem: str, answer: str = "4", language: str = "en", solution: str | None = None, **config
) -> str | None:
    row = {
        "problem": problem,
        "written": problem,
        "answer": answer,
        "language": language,
        "solution": solution,
    }
    frame = pl.DataFrame([row], schema_overrides={"solution": pl.String})
    return frame.select(first_reason(FilterConfig(**config))).item()


CHOICE = "Which is prime?\n(A) 4\n(B) 5\n(C) 6"


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        pytest.param(CHOICE, "B", "multiple_choice", id="options in brackets"),
        pytest.param("Which?\n**A)** $4$\n**B)** $5$\n**C)** $6$", "B", "multiple_choice", id="emphasis"),
        pytest.param("Which is prime? A. 4 B. 5 C. 6", "B", "multiple_choice", id="options in a line"),
        pytest.param(r"$\textbf{(A)} 4\;\textbf{(B)} 5\;\textbf{(C)} 6$", "5", "multiple_choice", id="bold"),
        pytest.param(r"$\textbf{a)} 4\;\textbf{b)} 5\;\textbf{c)} 6$", "5", "multiple_choice", id="low"),
        pytest.param("下列正确的是 A．一 B．二 C．三", "A", "multiple_choice", id="Chinese options"),
        pytest.param("Points A, B and C lie on a line. Find AB.", "3", None, id="points are no options"),
        pytest.param("How many of the integers from 25 to 95 are even ?", "a", "multiple_choice", id="options lost"),
        pytest.param("A shirt of 40 dollars costs 30. What percent is off?", "B", "multiple_choice", id="lost"),
        pytest.param("What percent is a pen's price of 12 cents?", "\\text{(C)}", "multiple_choice", id="lost too"),
        pytest.param("A box holds $b$ bags of 1 pen. How many pens is that?", "b", None, id="a variable"),
        pytest.param("There are c cats. How many cats are there after none leaves?", "c", None, id="a bare variable"),
        pytest.param("How much is 6 + 6 in base 16?", "C", None, id="a hexadecimal digit"),
        pytest.param("A fence is 3 m. How long are 2?", "6", None, id="a number"),
        pytest.param("Prove that 2 is prime.", "x", "proof", id="prove"),
        pytest.param("Let n > 1. Show that n^2 > n.", "x", "proof", id="show that"),
        pytest.param("已知 n>1，求证 n^2>n。", "x", "proof", id="Chinese proof"),
        pytest.param("Jill saw a show that was 30 minutes long. How long are 4?", "120", None, id="a show"),
        pytest.param("Two dice show the same number. What is the chance?", "1/6", None, id="dice show"),
        pytest.param("Let f(x)=x^2.\n(1) Find f(2).\n(2) Find f(3).", "4; 9", "multi_part", id="parts"),
        pytest.param(
            "A sequence has\n(i) a_1 = 1, and\n(ii) a_n = 2a_{n-1} for n > 1.\n\nFind a_5.", "16", None,
            id="conditions are no parts",
        ),
        pytest.param(
            "Calculate:\n$(1)\\sqrt{8}-\\sqrt{2}$;\n$(2)2^{-1}+3$.", "7/2", "multi_part", id="formulas",
        ),
        pytest.param(
            "Find the number of integers n such that:\n(1) n > 3;\n(2) n < 9.", "5", None, id="conditions",
        ),
        pytest.param(r"The sum of $1$ and $2$ is $\boxed{3}$.", "3", "holds_answer", id="boxed result"),
        pytest.param(r"The chance is $\boxed{\frac{1}{2}}$.", "1/2", "holds_answer", id="boxed fraction"),
        pytest.param(r"Find x. Put it in \boxed{}.", "3", None, id="empty box"),
        pytest.param(r"The sum is $\boxed{\text{\_\_\_}}$.", "3", None, id="a blank in a box"),
        pytest.param("Find x.\n<details><summary>Answer</summary>6", "6", "holds_answer", id="unfolds"),
        pytest.param("[asy] draw((0,0)--(1,1)); [/asy] Find x.", "3", "missing_figure", id="asy"),
        pytest.param("As shown in the figure, find the angle.", "30", "missing_figure", id="as shown"),
        pytest.param("如图，求角度。", "30", "missing_figure", id="Chinese figure"),
        pytest.param("The figure skater spins 5 times. How often in 3?", "15", None, id="figure skater"),
        pytest.param("Is 7 prime?", "Yes", "yes_no", id="yes"),
        pytest.param("Is 7 prime?", "是", "yes_no", id="Chinese yes"),
        pytest.param("Who is older?", "Noah", None, id="a name"),
        pytest.param("Find x in the equation.", "N/A", "missing_answer", id="placeholder"),
        pytest.param("Find x in the equation.", " . ", "missing_answer", id="only marks"),
        pytest.param("Find x in the equation.", "0", None, id="zero is an answer"),
        pytest.param("Find x in the equation.", "∅", "missing_answer", id="a symbol alone cannot be checked"),
        pytest.param("x?", "4", "too_short", id="short"),
        pytest.param("x" * 4001, "4", "too_long", id="long"),
        pytest.param("Find x in the equation.", "y" * 151, "long_answer", id="long answer"),
        pytest.param("27+58=?", "85", None, id="a generated problem"),
    ],
)  # fmt: skip
def test_first_reason(problem, answer, expected):
    assert reason(problem, answer) == expected


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        # Multiple choice, and letters that are no options.
        pytest.param("find the ratio ?\n(a) 1:2 ,\n(b) 1:3 ,\n(c) 2:1 ,\n(d) 3:1", "b", "multiple_choice", id="lower"),
        pytest.param("Which list?\nA $1,2$\nB $0,1$\nC $0,2$\nD $2$", "C", "multiple_choice", id="no sign"),
        pytest.param("Which of the following is prime: 4, 7, 9?", "7", "multiple_choice", id="of the following"),
        pytest.param("Select the correct answer: 3 + 4 is 6 or 7.", "7", "multiple_choice", id="select"),
        pytest.param(r"Find $\frac{a}{(a - b)(a - c)(a - d)} + \frac{b}{(b - a)(b - c)}$.", "0", None, id="factors"),
        pytest.param("In triangle ABC, D lies on BC and AB = 5. Find AD.", "4", None, id="points"),
        pytest.param("Choose 3 of 5 books. In how many ways?", "10", None, id="choose books"),
        # Several questions, and one question in several sentences.
        pytest.param(r"The reciprocal of 2 is ______, the opposite of -2.5 is ______.", "2.5", "multi_part", id="blanks"),
        pytest.param("How many were hiking? How many were riding?", "427", "multi_part", id="two questions"),
        pytest.param("1. Find the value of b.\n2. Find the area.", "7", "multi_part", id="numbered"),
        pytest.param("a) What is 2 + 2?\nb) What is 3 + 3?", "6", "multi_part", id="lettered"),
        pytest.param("What is the area, and what is the perimeter?", "12", "multi_part", id="and what"),
        pytest.param("Find the area and separately for the inner square.", "12", "multi_part", id="separately"),
        pytest.param("The roots of x^2 = 4 are ____ and ____.", "2, -2", None, id="an answer for each blank"),
        pytest.param("What is the sum of the numbers? Express your answer as a fraction.", "1/2", None, id="how to"),
        pytest.param("Compute the product and determine the real part of the resulting number.", "3", None, id="chain"),
        pytest.param("There are 15 \"Where's Waldo?\" books. How long does it take?", "9", None, id="a title"),
        pytest.param("How much is it?\nIf the answer of the above question is 44, what is x?", "3", None, id="above"),
        # Figures, and texts that hold what they refer to.
        pytest.param("Each square in the following hexomino has side 1. Find its area.", "6", "missing_figure", id="shape"),
        pytest.param("Fill 1 to 6 into the boxes in the image. Find the smallest result.", "3", "missing_figure", id="image"),
        pytest.param("Ali moves ... [img]https://x.y/z.png[/img] How far?", "7", "missing_figure", id="bbcode"),
        pytest.param("A square has side 4. Find the area of the shaded region.", "8", "missing_figure", id="shaded"),
        pytest.param(
            "A square has side 4. A circle in it is shaded. Find the area of the shaded region.", "8", None, id="told"
        ),
        pytest.param(
            "The table below holds scores:\n| a | b |\n|---|---|\n| 3 | 4 |\nFind the mean.", "3.5", None, id="a table"
        ),
        pytest.param("On a scale drawing, 1 inch is 8 feet. How long is 4 inches in the drawing?", "32", None, id="scale"),
        pytest.param("There were 22 sweets on the table at first. Jack ate 4. How many are left?", "18", None, id="table"),
        pytest.param("Brackets follow this pattern: (1), (3, 5), (7, 9, 11). Find the 9th sum.", "3", None, id="pattern"),
        # Yes or no, and questions that begin like it.
        pytest.param("Is it possible to divide a triangle into 1000 convex polygons?", "1707", "yes_no", id="a number"),
        pytest.param("Determine whether the series converges.", "converges", "yes_no", id="whether"),
        pytest.param("Is 7 prime?", "Yes, because it has two divisors", "yes_no", id="yes, because"),
        pytest.param("Is it raining? If it rains for 3 of 10 days, what is the share of dry days?", "7/10", None, id="then"),
        pytest.param("What is the largest n for which it is possible to win?", "4", None, id="largest"),
        # Answers.
        pytest.param("How many ways are there?", "Show that there are $n$ such sums.", "prose_answer", id="show"),
        pytest.param("What is the sum?", "We know (5-2)*180 = 540, so it is 540.", "prose_answer", id="sentence"),
        pytest.param("How fast is it?", "3 cubic feet per second", None, id="a unit of four words"),
        pytest.param("Find x.", r"x = 3 \text{ or } x = 4", None, id="two solutions"),
        pytest.param("Find the number of k.", "notfound", "missing_answer", id="notfound"),
        pytest.param("Consider n^2 modulo eight.", "proof", "missing_answer", id="proof"),
        pytest.param("Find the number of k. Answer: 4000.", "4000", "holds_answer", id="answer line"),
        pytest.param("Expand $7(3y+2)$ Show that it is 21y+14.", "21y+14", "proof", id="show that it is"),
        pytest.param("Find k. Give the answer as a decimal: round to tenths.", "4.1", None, id="how to answer"),
        # No problem, no math.
        pytest.param("I'm sorry, your suggestion is providing an answer.", "42", "no_problem", id="chatter"),
        pytest.param("The sum of all sides is to be added up here by us.", "42", "no_problem", id="asks nothing"),
        pytest.param("The value of the sum is", "42", None, id="to be completed"),
        pytest.param("Write a Python program that adds two numbers.", "4", "code_task", id="program"),
        pytest.param("Add.", '{"inputs": ["1 2"], "outputs": ["3"]}', "code_task", id="test cases"),
        pytest.param("A program prints 3 lines a second. How many lines does it print in 9?", "27", None, id="prints"),
        pytest.param("Sketch the graph of y = x^2.", "a parabola", "open_ended", id="sketch"),
        pytest.param("Find x in x + 3 = 5. Explain your answer.", "2", None, id="explain as well"),
    ],
)  # fmt: skip
def test_reads_like_a_person(problem, answer, expected):
    assert reason(problem, answer) == expected


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        pytest.param("How can you weigh 2 kg of rice with weights of 300 g and 850 g?", "2000", "open_ended", id="weigh"),
        pytest.param("How can 9 minutes be measured with two hourglasses of 4 and 7 minutes?", "9", "open_ended", id="be"),
        pytest.param("How to construct a unit segment using only ruler and compass?", "1", "open_ended", id="how to"),
        pytest.param("A and B lie in a circle. Draw a point M on it for which AM + BM is smallest.", "M", "open_ended", id="draw"),
        pytest.param("Given h_a, h_b and m_a. Construct the triangle ABC.", "ABC", "open_ended", id="construct"),
        pytest.param("How can you cut a cake into 8 pieces with the fewest cuts?", "3", None, id="fewest"),
        pytest.param("How can 0.35 be written as a fraction?", "7/20", None, id="a value in another form"),
        pytest.param("How do you write 12 in base 2?", "1100", None, id="write"),
        pytest.param("Construct a square on AB = 4. Calculate its diagonal.", "4\\sqrt2", None, id="then calculate"),
        pytest.param("Through P draw a tangent of length 5. If PO = 13, what is the radius?", "12", None, id="what"),
        pytest.param("Nina learns how to make pasta from 3 eggs each. How many eggs do 4 need?", "12", None, id="how many"),
    ],
)  # fmt: skip
def test_a_method_is_no_answer(problem, answer, expected):
    assert reason(problem, answer) == expected


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        ("Which is greater: v or g?", "-1", "multiple_choice"),
        ("Let t = 1.5. Which is closer to 0: -0.5 or t?", "-0.5", "multiple_choice"),
        ("Which number is larger, $2^{300}$ or $3^{200}$?", "3^{200}", "multiple_choice"),
        ("Among the following propositions, the true one is ____.\n(1) 4 is prime.\n(2) 5 is prime.", "(2)", "multiple_choice"),
        ("Consider: (1) 4 is prime; (2) 5 is odd; (3) 6 is even. The correct statements are ____.", "(2)(3)", "multiple_choice"),
        ("What counts could they have got?\n\nOptions:\n- $4$\n- $5$\n- $6$", "5", "multiple_choice"),
        ("Which integer is the greatest below $\\frac{17}{3}$?", "5", None),
        ("A palindrome is a number which reads the same both ways, like 121 or 44. How many have 3 digits?", "90", None),
        ("Exactly three of the following four statements about n are true: it is prime, even, odd, 2. Find n.", "2", None),
        ("Consider these statements: (1) p and q; (2) p or q. How many of the true statements are there?", "1", None),
        ("Find the least $n$ for which the following statement is true: $n!$ ends in 45 zeros.", "185", None),
        ("Find all n that satisfy the conditions:\n(a) n is even,\n(b) n is below 9,\n(c) n is above 6.", "8", None),
        # Nothing is asked: what is given, or the value itself, comes last.
        ("The imaginary part of the complex number $z = 3 - 4i$ is $-4i$.", "-4", "no_problem"),
        ("In any isosceles triangle the altitude halves the base. Given that the sides are 15 and the base is 20.", "50", "no_problem"),
        ("The product of the roots of the equation $x^2 - 2x - 3 = 0$.", "-3", None),
        ("The output was 84,300,000 yuan. Represent this number in scientific notation.", "8.43", None),
        ("Vehicles of one kind stay apart, so that there are a total of ▲ arrangements.", "840", None),
        ("Given that the point $M(n, 2)$ is on the line $y = x$, then $n=$ .", "2", None),
        ("If the sides of the rectangle are 3 and 4 then the area of it is $\\boxed{\\text{answer}}$.", "12", None),
        # A reason or an example.
        ("I got 105 by doubling, but the official result adds 3 first. Why is this step necessary?", "114", "open_ended"),
        ("Attempt to obtain one million by multiplying two numbers without zeros.", "64 * 15625", "open_ended"),
        ("Provide an example of an expression of ones with the value 11.", "11", "open_ended"),
        ("Find the smallest example of a number whose square ends in 6.", "4", None),
        ("How many primes are below 20, and why?", "8", None),
        ("Sam tries to write a sum with ten ones. What is the greatest sum?", "20", None),
        # A heading of the worked solution.
        ("Find the sum of the terms.", "Step 4: Calculate the LCM", "prose_answer"),
        ("Find the sum of the terms.", "Starting with 5:", "prose_answer"),
        ("Find the sum of the terms.", "Conclusion", "prose_answer"),
        ("Find the ratio of the terms.", "1:2", None),
        ("Find the second step of the method.", "x = 2", None),
        # Figures.
        ("In the drawing, 5 lines meet in a point. Find the sum of the four gray angles.", "146", "missing_figure"),
        ("The figure may be folded along the lines shown to form a cube. Find the largest sum.", "14", "missing_figure"),
        ("In a survey, the table shows how many pay by card. How many do not?", "60", "missing_figure"),
        ("The graph relates the distance to the time. During which hour was the speed largest?", "2", "missing_figure"),
        ("The graph of f passes through (1, 2), and f is linear with slope 3. Find f(4).", "11", None),
        ("A figure may have up to 6 sides. How many sides do 4 such figures have at most?", "24", None),
        ("A grid of 7 by 7 cells is drawn. How many squares can be found in this drawing?", "140", None),
    ],
)  # fmt: skip
def test_choices_statements_and_reasons(problem, answer, expected):
    assert reason(problem, answer) == expected


def test_languages_are_one_switch():
    assert reason("求 x 的值。", language="zh") == "language"
    assert reason("求 x 的值。", language="zh", languages="en+zh") is None
    assert reason("Найдите x.", language="other", languages="en+zh") == "language"


@pytest.mark.parametrize("name", ["multiple_choice", "proof", "multi_part", "missing_figure", "yes_no"])
def test_kinds_can_be_kept(name):
    examples = {
        "multiple_choice": (CHOICE, "B"),
        "proof": ("Prove that 2 is prime.", "x"),
        "multi_part": ("(1) Find 2+2. (2) Find 3+3.", "4, 6"),
        "missing_figure": ("Find x in the figure below.", "4"),
        "yes_no": ("Is 7 prime?", "yes"),
    }
    assert reason(*examples[name]) == name
    assert reason(*examples[name], **{name: False}) is None


def test_every_filter_has_its_own_reason():
    assert len(details()) == len(FILTERS)


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        # The letter of an option that is not there, for any question.
        ("If 2x + 3 = 11, what is x?", "b", "multiple_choice"),
        ("Find the area of a rectangle with sides 3 and 4.", "A", "multiple_choice"),
        ("The sum of 5 numbers is 40. Find their average.", "(C)", "multiple_choice"),
        ("A car goes 60 miles in 2 hours. What is its speed?", "d", "multiple_choice"),
        ("Simplify the ratio of 15 to 25.", "\\text{(D)}", "multiple_choice"),
        ("Let $b$ be the root of $x - b = 0$. Find $x$.", "b", None),
        ("Find the limit of $(1+1/n)^n$.", "e", None),
        ("Which letter comes 2 after A?", "C", None),
        ("If $a + a = 2a$, simplify $3a - 2a$.", "a", None),
        ("Write the number ten as a hexadecimal digit.", "A", None),
        # Letters in braces and assignments of a drawing are no options.
        (r"Find $100\text{A}+10\text{B}+\text{C}$ for the time $\text{A:BC}$ equal to 2:75.", "275", None),
        ("Three points are\nA = (0,0)\nB = (1,0)\nC = (0,1)\nFind the area of the triangle.", "1/2", None),
        ("Pick one:\nA. 3\nB. 4\nC. 5", "4", "multiple_choice"),
        # A box that states a result, and boxes that name something.
        (r"The smallest number of bottles is $\boxed{18}$ bottles.", "18", "holds_answer"),
        (r"In 100 days he did at least $\boxed{106}$ of them.", "106", "holds_answer"),
        (r"Let $\boxed{n}$ be the sum of the factors of $n$, so that $\boxed{6} = 12$. Find $\boxed{11}$.", "12", None),
        (r"The display is $\boxed{002}$. How often must the key be pressed to show $\boxed{256}$?", "3", None),
        (r"What number goes in the box in $4x = 3x + \boxed{\phantom{2}}$ for $x=2$?", "2", None),
        # Nothing but a name of what is wanted.
        ("The number of integers from 1 to 2002 that contain exactly one digit 0.", "414", None),
        ("Three tenths plus four thousandths.", "0.304", None),
        ("I think of a number. If I subtract 6, I get 26. Find my number.", "32", None),
        ("The probability that the card drawn first was red is shown to be a half.", "1/2", "no_problem"),
        ("I think that your question lacks its data.", "3", "no_problem"),
        # Guesses that are scored by their distance.
        ("Estimate $N$, the number of primes below a million. An estimate of $E$ earns $20 - |E-N|$ points.", "78498", "open_ended"),
        (r"Compute the digits of 2015!. Your score will be $\max(0, 20-|A-C|)$.", "5787", "open_ended"),
        ("You will earn 3 points for each of 7 answers. How many points do you earn at most?", "21", None),
        ("Estimate $14.8^2$ to the nearest hundred.", "200", None),
        ("Divide by 11 and take the root: it is always 3. Find out why it works!", "3", "open_ended"),
        ("Find out how many days it takes to read 60 pages at 5 a day.", "12", None),
        # Two things, one of them behind a blank or after "and the".
        ("(1) The vertex of $y=x^2-2x$ is ______.\n(2) If $x>0$, find the least $y$.", "-1", "multi_part"),
        ("Determine the minimum value of $m+n$ and the lengths of the cuts for which it is reached.", "15", "multi_part"),
        ("Determine the minimum value of the sum of the lengths of two cuts and of three joints.", "15", None),
        ("Write only your code on the sheet. Calculate $2+3$.", "5", None),
        ("Write a code that adds two numbers.", "5", "code_task"),
    ],
)  # fmt: skip
def test_letters_boxes_names_and_scores(problem, answer, expected):
    assert reason(problem, answer) == expected


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (r"If $N$ is a sum of 3 and of 11 such numbers, then the smallest $N$ is \(\qquad\).", None),
        (r"Then the probability of the student passing the test is $(\quad)$", None),
        (r"The number of integers up to 100 that 2 does not divide is \( (\ \ \ ).", None),
        ("Then the number of different ways they can stand is (answer in digits).", None),
        ("The number of trailing zeros in 2006! is to be calculated.", None),
        ("Ways to distribute 7 identical balls into 4 boxes such that no box is empty.", None),
        (r"The radian measure of a 60° angle is $\frac{\pi}{6}$.", "no_problem"),
        ("Two equal circles have the following number of common tangents in all, all told.", "no_problem"),
        ("A box holds the pens of the class, and all of them are blue or green or red.", "no_problem"),
        (r"It is given that the base of the triangle is $30$ units.", "no_problem"),
    ],
)  # fmt: skip
def test_blanks_and_statements(problem, expected):
    assert reason(problem, "30") == expected


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        ("Divide an angle of 54 degrees into three equal parts using a compass and a straightedge.", "18", "open_ended"),
        ("How many clients must he have to make a profit of 92 dollars?", "None", "missing_answer"),
        ("If $b_1 > c_1$ and $b_1 + c_1 = 2a_1$, then:", r"$\left\{S_n\right\}$ is an increasing sequence", "prose_answer"),
        ("The function $f$ is graphed below on 9 boxes of width 1. What is $f(1)+f(2)$?", "4", "missing_figure"),
        ("Using a compass, a circle of radius 3 is drawn. Its area is equal to how many times that of a circle of radius 1?", "9", None),
        ("Three equal parts of a cake weigh 54 g each. What does it weigh?", "162", None),
        ("How many even primes are greater than 2?", "0", None),
        ("Solve $x = x + 1$.", "no solution", None),
        ("What is $f$ if $f(1) = 1$ and $f$ is linear with slope 1?", "$f(x) = x$", None),
    ],
)  # fmt: skip
def test_constructions_and_answers_that_say_something(problem, answer, expected):
    assert reason(problem, answer) == expected


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        ("What is the area?\n(a)\n(s) 80\n(b)\n(s) 85\n(c)\n(s) 90", "b", "multiple_choice"),
        ("Who wins the game of 100 stones?\n(A) A\n(B) B", "B", "multiple_choice"),
        ("Let z = 7/6 - 3/2. Which is the biggest value? (a) z (b) 4 (c) -3", "4", "multiple_choice"),
        ("Four boys spoke of the same number. Can it be determined? The statements are:", "25", "no_problem"),
        ("Determine the minimum and maximum values of $x^2 + y$ for the given disc.", "2", "multi_part"),
        ("A game has the rules:\n(a) take 1 stone, or\n(b) put 2 stones back.\nWho wins with 5 stones? Give his number.", "1", None),
        ("Find the sum of the minimum and maximum values of $x$ on $[0, 3]$.", "3", None),
        ("The roots of $x^2 - 4 = 0$ are:", "2, -2", None),
        ("In which town, (a) or (b), do 5 more people live? Town (a) has 3, (b) has 8. Give the larger number.", "8", None),
    ],
)  # fmt: skip
def test_two_options_and_lost_statements(problem, answer, expected):
    assert reason(problem, answer) == expected
