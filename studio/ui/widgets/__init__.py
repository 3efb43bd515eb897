"""The kit that every page is built from.

- `labels`: `label(text, role, tone)`, `Sentence` (one line with **strong** figures),
  `line()`, `set_tone`.
- `buttons`: `button(text, kind, icon)`, `icon_button(icon, name)`.
- `inputs`: `ChoiceBox`, `IntegerField`, `TextField`, `SearchField`,
  `set_error`; none of them takes the wheel without the focus.
- `card`: `Card(title, note)`, with `body` and header widgets.
- `page`: `PageFrame` (header, content that scrolls when too low), `TwoColumns`.
- `page_header`: `PageHeader(title)`: facts line, actions at the right.
- `segmented`: `Segmented`, exclusive buttons in a row.
- `memory_bar`, `memory_bar_state`: `MemoryBar`, `MemoryBarState`, `Segment`, `Verdict`.
- `fit_mark`: `FitMark`, `Mark`: icon and words.
- `finding_card`: `FindingCard`: what, consequence, at most three fixes.
- `metric_tile`: `MetricTile`: caption, value, change.
- `progress_header`: `ProgressHeader`: time left, step, bar, figures.
- `icon_label`: `IconLabel`, an icon that is a picture, not a control.
- `empty_state`: `EmptyState`: icon, sentence, the button that helps.
- `table`: `DataTable` and its delegates for marks and small memory bars.
- `side_nav`, `status_bar`: the frame of the window; pages don't touch them.

Modules are imported by name (``from studio.ui.widgets.card import Card``), so that the
window pays at its start only for what it shows.
"""
