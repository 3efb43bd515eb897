"""What was found in data sets, in its wire form and back."""

from studio.domain.data_report import DataFinding, DataReport
from studio.domain.finding import Severity
from studio.domain.token_lengths import TokenLengths
from studio.domain.token_view import ShownToken, TokenUse, TokenView
from studio.protocol.data_events import DataInspected, RowShown
from studio.protocol.event_parts import ToldOfRows

_LETTERS = {TokenUse.TRAINED: "t", TokenUse.READ: "r", TokenUse.CUT: "c"}
_USES = {letter: use for use, letter in _LETTERS.items()}


def told_report(report: DataReport, index: str = "") -> DataInspected:
    """A report in its wire form, which leaves out the rows' lengths.

    Args:
        report: Of a data set.
        index: The folder that holds the lengths.
    """
    return DataInspected(
        path=report.path,
        rows=report.rows,
        usable=report.usable,
        format_name=report.format_name,
        confidence=report.confidence,
        mapping=dict(report.mapping),
        counted=report.lengths.counted,
        trained_tokens=report.trained_tokens,
        all_tokens=report.all_tokens,
        findings=[
            ToldOfRows(
                code=each.code,
                severity=each.severity.value,
                count=each.count,
                rows=list(each.rows),
                what=each.what,
                why=each.why,
                fix=each.fix,
                mends=each.mends,
            )
            for each in report.findings
        ],
        index=index,
    )


def heard_report(message: DataInspected, lengths: TokenLengths) -> DataReport:
    """A report from its wire form.

    Args:
        message: What was said.
        lengths: As the index has them.
    """
    return DataReport(
        path=message.path,
        rows=message.rows,
        usable=message.usable,
        format_name=message.format_name,
        confidence=message.confidence,
        mapping=message.mapping,
        lengths=lengths,
        trained_tokens=message.trained_tokens,
        all_tokens=message.all_tokens,
        findings=tuple(
            DataFinding(
                code=each.code,
                severity=Severity(each.severity),
                count=each.count,
                rows=tuple(each.rows),
                what=each.what,
                why=each.why,
                fix=each.fix,
                mends=each.mends,
            )
            for each in message.findings
        ),
    )


def told_view(view: TokenView, order: int) -> RowShown:
    """The tokens of a row in their wire form."""
    tokens = view.tokens
    return RowShown(
        order=order,
        line=view.line,
        texts=[token.text for token in tokens],
        ids=[token.id for token in tokens],
        uses="".join(_LETTERS[token.use] for token in tokens),
        marks=[at for at, token in enumerate(tokens) if token.is_mark],
        refusal=view.refusal,
        more=view.more,
    )


def heard_view(message: RowShown) -> TokenView:
    """The tokens of a row from their wire form."""
    marks = set(message.marks)
    told = zip(message.texts, message.ids, message.uses, strict=True)
    tokens = tuple(
        ShownToken(text, number, _USES[use], at in marks)
        for at, (text, number, use) in enumerate(told)
    )
    return TokenView(message.line, tokens, message.refusal, message.more)
