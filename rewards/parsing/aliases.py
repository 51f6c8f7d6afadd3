r"""Aliases in mathematics: Unicode characters and LaTeX commands, each with what it is read as."""

from rewards.answer.units import words


def _pairs(table: str) -> dict[str, str]:
    entries = table.split()
    return dict(zip(entries[::2], entries[1::2], strict=True))


SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣ", "0123456789+-()nix", strict=True))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙᵢⱼₖ", "0123456789+-nijk", strict=True))

_MATHS = _pairs(
    r"""
    − -  – -  — -  ‐ -  ‑ -  × \times  ⋅ \cdot  · \cdot  • \cdot  ∗ *  ÷ /  ∕ /  ⁄ /  ≤ \le  ≥ \ge
    ⩽ \le  ⩾ \ge  ≦ \le  ≧ \ge  ≠ \ne  ≈ \approx  ≡ \equiv  ∞ \infty  ∈ \in  ∉ \notin  ∪ \cup  ∩ \cap
    ∅ \emptyset  ø \emptyset  Ø \emptyset  ∖ \setminus  ± \pm  ∓ \mp  √ \sqrt  ∛ \sqrt[3]  ∜ \sqrt[4]
    ° ^\circ  º ^\circ  ′ '  ’ '  ‘ '  ″ ''  ∠ \angle  △ \triangle  ▵ \triangle  ∥ \parallel  ⊥ \perp
    ⌊ \lfloor  ⌋ \rfloor  ⌈ \lceil  ⌉ \rceil  ∣ |  ⟨ \langle  ⟩ \rangle  〈 \langle  〉 \rangle  … \ldots
    ⋯ \ldots  ∧ \wedge  ∨ \vee  ¬ \neg  → \to  ⇒ \Rightarrow  ℝ \mathbb{R}  ℕ \mathbb{N}  ℤ \mathbb{Z}
    ℚ \mathbb{Q}  ℂ \mathbb{C}  π \pi  ∑ \sum  ∏ \prod  ∫ \int  ∶ :  、 ,  。 .  “ "  ” "  【 [  】 ]  〔 [
    〕 ]  ⊂ \subset  ⊆ \subseteq  α \alpha  β \beta  γ \gamma  δ \delta  ε \epsilon  θ \theta  λ \lambda
    μ \mu  ρ \rho  σ \sigma  τ \tau  φ \phi  ϕ \phi  ω \omega  Δ \Delta  ∆ \Delta  Ω \Omega  Σ \Sigma
    Φ \Phi  ξ \xi  η \eta  ψ \psi  χ \chi  ζ \zeta  κ \kappa  ν \nu  Γ \Gamma  Π \Pi
    """
)
_FRACTIONS = _pairs(
    r"""
    ½ \frac{1}{2}  ⅓ \frac{1}{3}  ⅔ \frac{2}{3}  ¼ \frac{1}{4}  ¾ \frac{3}{4}  ⅕ \frac{1}{5}
    ⅖ \frac{2}{5}  ⅗ \frac{3}{5}  ⅘ \frac{4}{5}  ⅙ \frac{1}{6}  ⅚ \frac{5}{6}  ⅛ \frac{1}{8}
    ⅜ \frac{3}{8}  ⅝ \frac{5}{8}  ⅞ \frac{7}{8}
    """
)

CHARACTERS = {
    char: spelling + " " if spelling[-1].isalpha() and spelling[0] == "\\" else spelling
    for char, spelling in (_MATHS | _FRACTIONS).items()
}
"""What a character is read as; a command includes the space that ends it."""

COMMANDS = _pairs(
    r"""
    dfrac frac  tfrac frac  cfrac frac  leq le  leqslant le  leqq le  geq ge  geqslant ge  geqq ge
    neq ne  dbinom binom  tbinom binom  lt le@  gt ge@  dots ldots  cdots ldots  dotsc ldots
    dotsb ldots  land wedge  lor vee  lnot neg  varnothing emptyset  empty emptyset  backslash setminus
    smallsetminus setminus  degree ^@  textdegree ^@  lvert |  rvert |  vert |  mid |  lbrace \{
    rbrace \}  lbrack [  rbrack ]  ast *  arccot acot  varphi phi  varepsilon epsilon  vartheta theta
    overrightarrow vec  boldsymbol mathbf  bm mathbf  mathit mathrm  textrm text  textit text
    textbf text  textsf text  texttt text  mbox text  hbox text  emph text  textnormal text
    mathsf mathrm  mathtt mathrm  longrightarrow to  rightarrow to  implies Rightarrow
    iff Leftrightarrow  tg tan  ctg cot  colon :  arctg arctan  operatorname* operatorname  dotsm ldots
    hdots ldots  Vert |  lVert |  rVert |  bot perp  euro €  pounds £  yen ¥  textdollar \$  infin infty
    div /  qquad quad  bigcup cup  bigcap cap
    """
)
"""What a command is read as; a result that is a word is a command too."""

DROPPED = words(
    """
    Big Bigg Biggl Biggr Bigl Bigr Huge LARGE Large allowbreak bf bfseries big bigg biggl biggr bigl bigr
    boldmath break displaylimits displaystyle enspace ensuremath footnotesize hfill hspace huge it itshape
    large left limits mathstrut medspace middle noindent nolimits nonumber normalsize notag phantom
    protect right rm scriptstyle sf small strut textstyle therefore thickspace thinspace tt
    """
)
"""Commands that only change the appearance."""
