"""Answers as people and models write them: whole responses in mode lenient, half of them wrong.

Each rule of reading and of soundness has cases on both sides.
"""

import pytest

from rewards.extraction import Reading, extract_answer
from rewards.grader import verify

RIGHT = (
    ("12", "The final answer is:\n\n\\[12\\]"),
    ("12", "**Final Answer**\n\nThe answer is **12**."),
    ("12", "### Final Answer:\n12"),
    ("12", "## Answer\n\nThere are 12 such numbers."),
    ("12", "Answer:\n\n$$\n12\n$$"),
    ("12", "The answer is:\n\n- 12"),
    ("-12", "The answer is:\n\n-12"),
    ("12", "The answer is therefore $12$."),
    ("12", "Thus the answer is simply 12, as desired."),
    ("12", "Final Answer: The largest $n$ is 12."),
    ("12", "Final answer: Alice has 12 apples."),
    ("12", "The answer is 12, not 13."),
    ("12", "The answer is 12 (see above)."),
    ("12", "The answer is 12 miles"),
    ("12 km", "The answer is $12$ km."),
    ("5", "The answer is $5$.\n\nI hope this helps!"),
    ("12", "The answer is 12.<|eot_id|>"),
    ("12", "The answer is 12.</s></s>"),
    ("12", "The answer is 12<end_of_turn>\n"),
    ("12", "The answer is 12.<|im_end|>\n<|im_start|>user\nThe answer is 13."),
    ("B", "Therefore, option (B) is the correct answer."),
    ("B", "The correct option is **B**."),
    ("B", "故选B。"),
    ("B", "因此选 B"),
    ("B", "所以正确答案是B."),
    ("B", "The best choice is B: 12 cm"),
    ("1,-2", "\\boxed{1}, \\boxed{-2}"),
    ("1,-2", "$\\boxed{1}$ or $\\boxed{-2}$"),
    ("2,3", "x = \\boxed{2} \\text{ and } x = \\boxed{3}"),
    ("3", "First \\boxed{2}. Then \\boxed{3}."),
    ("5,6", "$a=\\boxed{5}$, $b=\\boxed{6}$"),
    ("(5,8),(8,5)", "\\boxed{(x,y)=(5,8),(8,5)}"),
    ("(5,8),(8,5)", "\\boxed{(x,y)=(5,8)\\text{ or }(x,y)=(8,5)}"),
    ("x=1,y=2 or x=3,y=4", "\\boxed{(1,2),(3,4)}"),
    ("(a,b)=(1,2)", "\\boxed{a=1, b=2}"),
    ("V_1:V_2=11:21", "\\boxed{11:21}"),
    ("P(X\\ge2)=\\frac13", "\\boxed{\\frac{1}{3}}"),
    ("|z|=5", "\\boxed{5}"),
    ("\\frac{AB}{CD}=\\frac32", "\\boxed{3/2}"),
    ("S_{ABC}=12", "\\boxed{12}"),
    ("AB\\cdot CD = 12", "\\boxed{12}"),
    ("\\angle ABC=60^\\circ", "\\boxed{60}"),
    ("\\overline{AB}=12", "\\boxed{12}"),
    ("x_{1}^{2}+1", "\\boxed{x^2_1+1}"),
    ("\\frac{3}{4}", "\\boxed{\\frac{3}{4} kg}"),
    ("2\\sqrt{3}", "\\boxed{2\\sqrt{3} cm}"),
    ("9.8", "\\boxed{9.8 m/s^2}"),
    ("f(x)=2x", "\\boxed{f(x)=2x \\text{ for all real }x}"),
    ("x=k\\pi,k\\in\\mathbb{Z}", "\\boxed{x=k\\pi\\text{ for any integer }k}"),
    ("12", "\\boxed{\\text{exactly }12}"),
    ("cx", "\\boxed{cx\\text{ where }c\\text{ is a constant}}"),
    ("6", "\\boxed{\\gcd(12,18)}"),
    ("36", "\\boxed{\\operatorname{lcm}(12,18)}"),
    ("7", "\\boxed{\\max\\{3,7\\}}"),
    ("3", "\\boxed{\\min\\{3,7\\}}"),
    ("5", "\\boxed{\\det\\begin{pmatrix}1&0\\\\0&5\\end{pmatrix}}"),
    ("2", "\\boxed{17\\bmod 5}"),
    ("385", "\\boxed{\\sum_{k=1}^{10}k^2}"),
    ("120", "\\boxed{\\prod_{k=1}^{5}k}"),
    ("n!", "\\boxed{\\prod_{k=1}^{n}k}"),
    ("2^n", "\\boxed{\\sum_{k=0}^{n}\\binom{n}{k}}"),
    ("\\ln(x+\\sqrt{x^2+1})", "\\boxed{\\operatorname{arcsinh} x}"),
    ("\\sinh^{-1}x", "\\boxed{\\text{arcsinh}(x)}"),
    ("100000", "\\boxed{1,00,000}"),
    ("0.5", "\\boxed{0{,}5}"),
    ("45", "\\boxed{forty-five}"),
    ("105", "\\boxed{one hundred and five}"),
    ("1234567", "\\boxed{1'234'567}"),
    ("-7", "\\boxed{\\text{minus }7}"),
    ("x-y-2=0", "\\boxed{x-(y+2)=0}"),
    ("x^2+y^2", "\\boxed{\\Phi(x,y)=x^2+y^2}"),
    ("\\Phi(x,y)=x^2+y^2", "\\boxed{x^2+y^2}"),
    ("\\{1,2,3,4,5\\}", "\\boxed{\\{1,2,\\dots,5\\}}"),
    ("\\{2,4,6,8\\}", "\\boxed{\\{2,4,\\ldots,8\\}}"),
    ("7", "\\boxed 7"),
    ("7", "so \\fbox{7}"),
    ("\\frac12", "\\boxed{\\\\frac{1}{2}}"),
    ("\\frac12", "[THINK]hm[/THINK]\\boxed{\\frac12}"),
    (
        "7",
        "<|channel|>analysis<|message|>It is \\boxed{6}<|end|><|start|>assistant"
        "<|channel|>final<|message|>\\boxed{7}<|return|>",
    ),
    ("x\\approx1.31", "\\boxed{1.31}"),
    ("x\\approx1.31", "\\boxed{x=1.31}"),
    ("\\frac{1}{3}", "\\boxed{\\frac13\\approx0.333}"),
    ("\\frac{2}{3}", "\\boxed{\\frac23\\approx0.67}"),
    ("\\sqrt2\\approx1.414", "\\boxed{\\sqrt2}"),
    ("f(x)=x^2", "\\boxed{f(x)=x\\cdot x=x^2}"),
    ("y=2\\text{ or }y=3", "\\boxed{y=2\\quad y=3}"),
    ("A: 4, B: 14", "\\boxed{A: 4, B: 14}"),
    ("A=4, B=14", "\\boxed{A: 4, B: 14}"),
    ("1,1,2", "\\boxed{2,1,1}"),
    ("\\{1,2\\}", "\\boxed{1,1,2}"),
    ("x=1,x=2", "\\boxed{x=1,x=1,x=2}"),
    ("f(x)=x-1", "\\boxed{f(t)=t-1}"),
    ("(-1)^n", "\\boxed{\\cos(n\\pi)}"),
    ("\\lfloor\\frac{n+1}{2}\\rfloor", "\\boxed{\\lceil\\frac{n}{2}\\rceil}"),
    ("n \\bmod 2", "\\boxed{\\frac{1-(-1)^n}{2}}"),
    ("28\\%", "The answer is $28$%."),
    ("12000000", "The answer is $12$ million."),
    ("12", "<answer>It is 12.</answer>"),
)
"""(gold, response): right answers."""

WRONG = (
    ("13", "Answer:\n\n$$\n12\n$$"),
    ("12", "So what is the answer? We compute 12."),
    ("12", "The answer is about 12."),
    ("12", "The answer is at least 12."),
    ("12", "The answer is 12, but 13 also works."),
    ("12", "The answer is 12, if n is even."),
    ("12", "Final Answer: The largest $n$ is at most 12."),
    ("12", "Final answer: Alice has 12 or 13 apples."),
    ("13", "The answer is 12, not 13."),
    ("12 km", "The answer is $12$ miles."),
    ("12", "I get 12.<|im_end|>"),
    ("C", "Option B is correct."),
    ("B", "Option B is not correct."),
    ("B", "I would go with answer choice (B)."),
    ("1", "$\\boxed{1}$ or $\\boxed{-2}$"),
    ("6,5", "$a=\\boxed{5}$, $b=\\boxed{6}$"),
    ("(5,8),(8,5)", "\\boxed{(x,y)=(5,8)}"),
    ("x=1,y=2 or x=3,y=4", "\\boxed{(2,1),(4,3)}"),
    ("V_1:V_2=11:21", "\\boxed{21:11}"),
    ("|z|=5", "\\boxed{-5}"),
    ("\\frac{AB}{CD}=\\frac32", "\\boxed{2/3}"),
    ("x^2+y^2=4", "\\boxed{4}"),
    ("x_{1}^{2}+1", "\\boxed{x^1_2+1}"),
    ("2\\sqrt{3}\\text{ cm}", "\\boxed{2\\sqrt{3} m}"),
    ("2\\sqrt{3}\\text{ cm}", "\\boxed{2\\sqrt{3} mm}"),
    ("9.8\\text{ m/s}", "\\boxed{9.8 m/s^2}"),
    ("f(x)=2x", "\\boxed{f(x)=2x \\text{ for } x>0}"),
    ("12", "\\boxed{\\text{at least }12}"),
    ("6", "\\boxed{\\gcd(12,19)}"),
    ("3", "\\boxed{\\max\\{3,7\\}}"),
    ("384", "\\boxed{\\sum_{k=1}^{10}k^2}"),
    ("2^{n+1}", "\\boxed{\\sum_{k=0}^{n}\\binom{n}{k}}"),
    ("\\sinh^{-1}x", "\\boxed{\\cosh^{-1}x}"),
    ("5", "\\boxed{0{,}5}"),
    ("45", "\\boxed{\\text{forty-six}}"),
    ("x-y-2=0", "\\boxed{x-(y-2)=0}"),
    ("\\{1,2,3,4,5\\}", "\\boxed{\\{1,2,\\dots,6\\}}"),
    ("\\frac12", "<think>hm \\boxed{\\frac12}"),
    ("\\frac12", "[THINK]hm \\boxed{\\frac12}"),
    ("6", "<|channel|>analysis<|message|>It is \\boxed{6}<|end|>"),
    ("x\\approx1.31", "\\boxed{1.32}"),
    ("\\frac{1}{3}", "\\boxed{\\frac13\\approx0.334}"),
    ("\\sqrt{2}", "\\boxed{1.414}"),
    ("f(x)=x^2", "\\boxed{f(x)=x^3=x^2}"),
    ("y=3", "\\boxed{y=2\\quad y=3}"),
    ("A: 4, B: 14", "\\boxed{A: 4, B: 15}"),
    ("1,1,2", "\\boxed{1,2}"),
    ("f(x)=x-1", "\\boxed{f(t)=x-1}"),
    ("(-1)^n", "\\boxed{\\cos(2n\\pi)}"),
    ("\\cos(\\pi t)", "\\boxed{1}"),
    ("n^2", "\\boxed{n^2+\\sin(n\\pi)}"),
    ("\\lfloor\\frac{n}{3}\\rfloor", "\\boxed{\\lfloor\\frac{n}{4}\\rfloor}"),
    ("\\lfloor n/100\\rfloor", "\\boxed{0}"),
    ("\\lfloor x\\rfloor", "\\boxed{x}"),
    ("12", "The answer is $12$; $13$."),
    ("12", "<answer>12 or 13</answer>"),
)
"""(gold, response): wrong answers, and answers that hedge."""


@pytest.mark.parametrize(("gold", "response"), RIGHT)
def test_right_answers_are_read(gold: str, response: str) -> None:
    verdict = verify(gold, response, "lenient")
    assert verdict.is_correct, verdict


@pytest.mark.parametrize(("gold", "response"), WRONG)
def test_wrong_answers_are_not_paid(gold: str, response: str) -> None:
    assert not verify(gold, response, "lenient").is_correct


@pytest.mark.parametrize(
    ("response", "lenient", "flexible", "rung"),
    [
        ("we get 7 apples", None, "7", "last number"),
        ("so $x=5$ and 7 steps", None, "x=5", "last formula"),
        ("I choose (B)", None, "B", "last letter"),
        ("the answer is 4; 5 steps", "4; 5 steps", "4; 5 steps", "statement"),
        (r"\boxed{3} in 9 steps", "3", "3", "box"),
        ("<answer>3</answer> 9", "3", "3", "block"),
        ("<think>we get 7", None, None, "none"),
        ("nothing at all", None, None, "none"),
    ],
)
def test_flexible_falls_back_to_the_last_value(
    response: str, lenient: str | None, flexible: str | None, rung: str
) -> None:
    assert extract_answer(response, "lenient").text == lenient
    found = extract_answer(response, "flexible")
    assert (found.text, found.rung) == (flexible, rung)


def test_a_thought_that_the_prompt_opened() -> None:
    opened = Reading(is_thinking=True)
    assert extract_answer(r"so \boxed{7}", "lenient", opened).text is None
    assert extract_answer(r"so</think>\boxed{7}", "lenient", opened).text == "7"
    assert extract_answer(r"so <answer>\boxed{7}</answer>", "orz", opened).text == "7"


def test_tags_of_a_model() -> None:
    own = Reading(thoughts=(("<reflect>", "</reflect>"),))
    response = r"<reflect>\boxed{6}</reflect>\boxed{7}"
    assert extract_answer(response, "lenient", own).text == "7"
    assert extract_answer(r"<reflect>\boxed{6}", "lenient", own).text is None
    assert extract_answer(r"<reflect>\boxed{6}", "lenient").text == "6"
