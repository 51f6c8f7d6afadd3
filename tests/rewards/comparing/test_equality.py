"""Pairs that must be equal and pairs that must not be, by kind of answer."""

import pytest

from rewards.grader import compare_answers
from rewards.verdict import Reason

EQUAL = {
    "numbers": [
        ("7", "7.0"), ("-0", "0"), ("1/8", "0.125"), ("0.5", r"\frac{4}{8}"), (r"\frac{3}{-4}", r"-\frac34"),
        ("1234567", "1,234,567"), ("12{,}345", "12345"), (r"25\,000", "25000"), ("1e3", "1000"),
        (r"1.5\times10^{-3}", "0.0015"), (r"3\frac{1}{7}", r"\frac{22}{7}"), ("2 3/4", "2.75"),
        ("-1½", "-1.5"), (r"0.\overline{27}", r"\frac{3}{11}"), (r"1.1\dot{6}", r"\frac76"), (r"12^2", "144"),
        ("６", "6"), ("²⁄₃", "²⁄₃"),
    ],
    "constants": [
        (r"\frac{\sqrt6-\sqrt2}{4}", r"\sin 15^\circ"), (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt3"),
        ("8^{1/3}", "2"), (r"\log_4 8", r"\frac32"), (r"\ln 12", r"2\ln2+\ln 3"), (r"e^{i\pi/2}", "i"),
        (r"\frac{2}{1-i}", "1+i"), (r"\frac{8!}{6!}", "56"), (r"\binom{9}{2}", "36"),
        (r"\arctan 1", r"\frac\pi4"), ("3\\cdot3^{99}", "3^{100}"), (r"\frac{1}{60!}", r"(60!)^{-1}"),
        (r"\sqrt[3]{-27}", "-3"), ("√20", r"2\sqrt{5}"), (r"\lfloor 7/2\rfloor", "3"),
    ],
    "functions": [
        ("(x+2)(x-5)", "x^2-3x-10"), (r"\frac{x}{x^2-4}", r"\frac12\left(\frac1{x-2}+\frac1{x+2}\right)"),
        (r"\cos 2t", r"1-2\sin^2 t"), (r"2^{n+1}", r"2\cdot2^n"), (r"\frac{n!}{(n-2)!}", "n(n-1)"),
        ("ab+ac", "a(b+c)"), (r"\ln x^2+C", r"C+2\ln x"), (r"\frac{1+(-1)^n}{2}", r"\frac{1+\cos(\pi n)}{2}"),
        ("x_1x_2", "x_2x_1"), (r"\sqrt{x+1}-\sqrt{x}", r"\frac{1}{\sqrt{x+1}+\sqrt{x}}"),
        (r"\tanh x", r"\frac{e^x-e^{-x}}{e^x+e^{-x}}"),
    ],
    "names": [
        ("9", "x=9"), ("y=9", "9"), ("f(x)=3x", "3x"), ("f(x)=x+1", "f(t)=t+1"), ("f(2)=7", "7"),
        (r"\angle B=40^\circ", "40"), ("(x,y)=(1,4)", "x=1, y=4"), ("(1,4)", r"x=1 \text{ and } y=4"),
        ("a=1,b=2", "b=2, a=1"), ("12", "5+7=12"), ("x=3", "3=x"), (r"\frac{dy}{dx}=2x", "y'=2x"),
        ("20", r"\text{Area}=20"),
    ],
    "collections": [
        ("1,2,3", "3, 1, 2"), (r"\{1,2\}", "2,1"), (r"\pm5", "5,-5"), (r"1\pm\sqrt2", r"1-\sqrt2,1+\sqrt2"),
        (r"x=1\text{ or }x=4", "4, 1"), (r"\{3\}", "3"), ("(2, 0.5)", r"\left(2,\frac12\right)"),
        ("2;7", "7, 2"), (r"\langle1,2\rangle", "(1,2)"), (r"(\pm1,2)", "(1,2),(-1,2)"),
        (r"x\in\{1,2\}", "1,2"), ("(1，2)", "(1,2)"),
        (r"\begin{pmatrix}1&\frac12\\0&2\end{pmatrix}", r"\begin{bmatrix}1&0.5\\0&2\end{bmatrix}"),
        (r"3\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}3\\6\end{pmatrix}"), (r"\emptyset", r"\{\}"),
    ],
    "regions": [
        ("x>2", r"(2,\infty)"), (r"1\le x<4", "[1,4)"), (r"2<x", "x>2"), ("2x+1<5", "x<2"), ("-x<3", "x>-3"),
        (r"(-\infty,1)\cup(3,\infty)", r"x<1\text{ or }x>3"), (r"|x-1|<2", "(-1,3)"),
        (r"[0,1]\cup(1,2)", "[0,2)"), (r"x\ne2", r"(-\infty,2)\cup(2,\infty)"),
        (r"\{x\mid x\ge4\}", r"[4,+\infty)"), (r"x\in\mathbb{R}", r"(-\infty,\infty)"),
        (r"\mathbb{R}\setminus\{0,1\}", r"(-\infty,0)\cup(0,1)\cup(1,\infty)"), ("]0,1[", "(0,1)"),
    ],
    "relations": [
        ("y=3x-1", "3x-y=1"), ("x^2+y^2=4", r"\frac{x^2}{4}+\frac{y^2}{4}=1"), ("xy=1", r"y=\frac1x"),
        ("a+b<c", "c>a+b"), (r"AB\parallel CD", r"CD\parallel AB"), (r"n\equiv1\pmod4", r"n\equiv5\pmod{4}"),
    ],
    "quantities": [
        (r"5\text{ cm}", "5"), ("5", r"5\,\mathrm{cm}"), (r"5\text{ cm}", "5 centimeters"),
        (r"3\text{ m}^2", "3 square meters"), (r"\$4.50", "4.5"), (r"4\text{ dollars}", r"\$4"),
        ("60", r"60\text{ km/h}"), (r"60\text{ km/h}", "60 kilometers per hour"), (r"40\%", "0.4"),
        (r"40\%", "40 percent"), (r"90^\circ", "90"), (r"90^{\circ}", "90 degrees"), ("15元", "15"),
        (r"12\text{ apples}", "12 apple"), (r"2\text{ m}", r"200\text{ cm}"),
    ],
    "others": [
        (r"\text{Blue}", "blue"), ("the circle", r"\text{a circle}."), ("B", r"\textbf{(B)}"),
        ("(D)", "D. 17"), (r"\text{(A) }3", "3"), ("2:3", r"\frac23"), ("2:3", r"2\text{ to }3"),
        ("110_2", r"110_{\text{two}}"), ("7:45 p.m.", r"7:45\text{ PM}"), (r"\infty", r"+\infty"),
        ("星期五", r"\text{星期五}"), ("No", r"\text{no}."), (r"p\land q", r"p\wedge q"),
    ],
}  # fmt: skip

DIFFERENT = {
    "numbers": [
        ("1/3", "0.333"), ("10", "100"), ("1.5", "15"), ("1,234", "1,243"),
        ("12345678901234567890", "12345678901234567891"), ("1", r"1+10^{-30}"), ("0", "10^{-9}"),
        (r"0.\overline{3}", "0.3"), (r"2\frac13", r"\frac23"), ("5", "-5"),
        ("1.2\\times10^5", "1.2\\times105"), ("7", "⁷"),
    ],
    "constants": [
        (r"\pi", "3.14159"), (r"\frac{22}{7}", r"\pi"), (r"\frac{1}{80!}", r"\frac{1}{81!}"),
        ("2^{100}", "2^{100}+1"), (r"\sqrt{10^{24}+1}", "10^{12}"), ("e^{-60}", "0"),
        (r"\pi+10^{-300}", r"\pi"), (r"\ln 7", r"\log 7"), ("5!", "5"), ("9^{9^9}", "9^{9^9}+1"),
        (r"\sin 30", r"\frac12"), ("4i", "4"), (r"\sqrt{18}", r"2\sqrt3"),
    ],
    "functions": [
        ("|x|", "x"), (r"\sqrt{x^2+y^2}", "x+y"), ("x^2", "x^3"), (r"\sin x^2", r"\sin^2x"), ("2ab", "2"),
        ("x+1", "y+1"), ("n!", "n^n"), (r"\lfloor x\rfloor", r"\lceil x\rceil"), ("GM", "Gm"), ("v_0", "v_1"),
        ("f(x)", "x"), ("x^2+C", "x^3+C"),
    ],
    "names": [
        ("f(3)=10", "f(3)=11"), ("f(3)=10", "f(4)=10"), ("f(3)=10", "3"), ("x=5", "x=-5"),
        ("a=1,b=2", "a=2,b=1"), ("a_{n+1}=2a_n", "a_{n+1}=a_n+2"), ("2", "1=2"), ("2", "2=3"),
        ("3x-4y+5=0", "0"), ("y=2x+3", "0=0"), ("10", "2x=10"),
    ],
    "collections": [
        ("1,2", "1"), ("1", "1,2"), ("1,2", "1,2,3"), ("(1,2)", "(2,1)"), (r"\{0,1\}", "[0,1]"),
        ("2,3", "23"), ("2;5", "2.5"), (r"\pm3", "3"), ("4", r"4\text{ or }5"), ("4", "4 or anything else"),
        ("4", r"3\text{ to }5"), ("10", r"5\pm5"), ("(1,2)", "1.2"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}"),
        (r"\emptyset", "0"), (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\\3\end{pmatrix}"),
        ("2,4,\\ldots,2n", "2,4"),
    ],
    "regions": [
        ("[0,1]", "[0,1)"), ("x>2", r"x\ge2"), ("x>2", "2"), ("(0,1)", "(1,0)"), ("4", "3<x<5"),
        ("x>2", "x<2"), ("x>2", "y>2"), (r"(0,1)\cup(1,2)", "(0,2)"), ("100", r"\infty"),
        (r"\infty", r"-\infty"), ("a>0", r"a\ne0"),
    ],
    "relations": [
        ("x^2+y^2=25", "x^2+y^2=5"), ("y=x^2", "x=y^2"), ("a+b<c", "a+b>c"),
        (r"AB\parallel CD", r"AB\perp CD"), (r"3\pmod7", r"3\pmod5"), ("9", r"9\ne9"),
        ("x^2+y^2=1", "x^2+y^2+1=0"),
    ],
    "quantities": [
        (r"5\text{ cm}", r"5\text{ m}"), (r"5\text{ kg}", r"5\text{ km}"),
        (r"3\text{ hours}", r"3\text{ minutes}"), (r"\$5", r"\$50"), ("50", r"500\%"), (r"25\%", "2.5"),
        (r"30^\circ", r"-30^\circ"), (r"5\text{ m}", r"5\text{ m}^2"), ("5", r"5\text{ is wrong}"),
    ],
    "others": [
        ("A", "B"), ("A", "AB"), ("A", "a^2"), ("E", "e^2"), ("(B)", r"\text{(8)}"), ("C", "(A)(B)(C)(D)"),
        ("yes", "no"), ("Yes", r"\text{Yes and no}"), ("not prime", "prime"), ("line", "line segment"),
        ("1011_2", "1011_3"), ("12_7", "127"), ("1:2:3", "1:3:2"), ("2:5", "25"), ("8:15", "8.15"),
        ("3:30 p.m.", "3:30 a.m."), ("5", r"\text{gold}"), ("5", "x"), (r"\triangle ABC", r"\triangle ABD"),
        ("May 4", "May 5"), ("星期一", "星期二"), ("5", "?5"), ("0", r"\text{no solution}"),
    ],
}  # fmt: skip


def _params(table: dict[str, list[tuple[str, str]]]) -> list:
    return [
        pytest.param(*pair, id=f"{kind}:{pair[0]}|{pair[1]}")
        for kind, pairs in table.items()
        for pair in pairs
    ]


@pytest.mark.parametrize(("gold", "answer"), _params(EQUAL))
def test_equal(gold: str, answer: str) -> None:
    assert compare_answers(gold, answer)[0] is Reason.CORRECT


@pytest.mark.parametrize(("gold", "answer"), _params(DIFFERENT))
def test_different(gold: str, answer: str) -> None:
    assert compare_answers(gold, answer)[0] is not Reason.CORRECT


@pytest.mark.parametrize(("gold", "answer"), _params(EQUAL)[::3])
def test_reflexive(gold: str, answer: str) -> None:
    assert compare_answers(gold, gold)[0] is Reason.CORRECT
    assert compare_answers(answer, f"$\\displaystyle {answer}$.")[0] is Reason.CORRECT
