"""Plus-minus: one spelling that means two answers."""

from rewards.answer.types import Answer, Collection, Expression, Operation, Scalar, negative, walk


def both_signs(answer: Answer) -> Answer:
    """Return the answers for the upper and lower signs as a list; an answer without the sign is unchanged."""
    if isinstance(answer, Scalar) and _has_sign(answer.value):
        values = (
            Scalar(_choose(answer.value, upper), answer.unit, answer.is_percent) for upper in (True, False)
        )
        return Collection("list", tuple(values))
    if isinstance(answer, Collection) and answer.kind in ("tuple", "square"):
        lists = [item for item in answer.items if isinstance(item, Collection) and item.kind == "list"]
        if lists and all(len(item.items) == 2 for item in lists):
            return Collection("list", tuple(_pick(answer, n) for n in range(2)))
    return answer


def _pick(answer: Collection, n: int) -> Collection:
    items = (
        item.items[n] if isinstance(item, Collection) and item.kind == "list" else item
        for item in answer.items
    )
    return Collection(answer.kind, tuple(items))


def _has_sign(value: Expression) -> bool:
    return any(isinstance(part, Operation) and part.name in ("pm", "mp") for part in walk(value))


def _choose(value: Expression, upper: bool) -> Expression:
    if not isinstance(value, Operation):
        return value
    operands = tuple(_choose(operand, upper) for operand in value.operands)
    if value.name in ("pm", "mp"):
        return operands[0] if (value.name == "pm") == upper else negative(operands[0])
    return Operation(value.name, operands)
