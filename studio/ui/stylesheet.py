"""The window's one style sheet, filled from the tokens by one function."""

from dataclasses import asdict
from string import Template
from typing import Final

from studio.services.assets import control_mark
from studio.ui.tokens import Tokens

_CARDS_AND_LABELS: Final = """
QFrame[card="true"] {
  background: $surface; border: 1px solid $border; border-radius: 6px }
QFrame[line="horizontal"] {
  background: $border; border: 0; min-height: 1px; max-height: 1px }
QFrame[line="vertical"] {
  background: $border; border: 0; min-width: 1px; max-width: 1px }
QFrame[ground="sunken"] { background: $sunken; border: 0; border-radius: 6px }
QFrame[ground="raised"] {
  background: $raised; border: 1px solid $border; border-radius: 5px }
QFrame[ground="status"] {
  background: $surface; border: 0; border-top: 1px solid $border }
QFrame[ground="nav"] { border: 0; border-right: 1px solid $border }
QFrame[ground="success"] {
  background: $success_soft; border: 0; border-radius: 5px }
QFrame[ground="warning"] {
  background: $warning_soft; border: 0; border-radius: 5px }
QFrame[ground="danger"] { background: $danger_soft; border: 0; border-radius: 5px }
QFrame[ground="info"] { background: $info_soft; border: 0; border-radius: 5px }
QFrame[current="true"] { background: $selection; border: 0 }
QLabel { background: transparent; border: 0 }
QLabel[role="caption"] { font-size: 9pt }
QLabel[role="strong"] { font-weight: 500 }
QLabel[role="answer"] { font-weight: 600 }
QLabel[role="caption-strong"] { font-size: 9pt; font-weight: 500 }
QLabel[role="caption-answer"] { font-size: 9pt; font-weight: 600 }
QLabel[role="card-title"] { font-size: 12pt; font-weight: 600 }
QLabel[role="value"] { font-size: 12pt; font-weight: 600 }
QLabel[role="page-title"] { font-size: 15pt; font-weight: 600 }
QLabel[role="number"] { font-size: 21pt; font-weight: 600 }
QLabel[role="mono"] { font-family: "JetBrains Mono"; font-size: 9pt }
QLabel[tone="muted"] { color: $muted }
QLabel[tone="accent"] { color: $accent }
QLabel[tone="success"] { color: $success }
QLabel[tone="warning"] { color: $warning }
QLabel[tone="danger"] { color: $danger }
QLabel[tone="info"] { color: $info }
QLabel:disabled { color: $disabled }
"""

_BUTTONS: Final = """
QPushButton {
  min-height: 30px; padding: 0 14px; border: 1px solid $border_strong;
  border-radius: 5px; background: $surface; color: $text; font-weight: 500 }
QPushButton:hover { background: $raised; border-color: $text }
QPushButton:pressed { background: $sunken }
QPushButton:disabled {
  color: $disabled; border-color: $border; background: $window }
QPushButton::menu-indicator { width: 0; height: 0 }
QPushButton[extent="large"] { min-height: 38px }
QPushButton[extent="start"] { min-height: 46px; padding: 0 28px }
QPushButton[kind="primary"] {
  background: $accent; border-color: $accent; color: $on_accent; font-weight: 600 }
QPushButton[kind="primary"]:hover, QPushButton[kind="primary"]:pressed {
  background: $accent_hover; border-color: $accent_hover }
QPushButton[kind="primary"]:disabled {
  background: $window; border-color: $border; color: $disabled }
QPushButton[kind="danger"] { color: $danger; border-color: $danger }
QPushButton[kind="danger"]:hover { background: $danger_soft }
QPushButton[kind="danger"]:disabled { color: $disabled; border-color: $border }
QPushButton[kind="flat"] {
  border: 1px solid transparent; background: transparent; color: $accent;
  padding: 0 8px }
QPushButton[kind="flat"]:hover { color: $accent_hover; background: $raised }
QPushButton[kind="flat"]:disabled { color: $disabled; background: transparent }
QPushButton[kind="status"] {
  border: 1px solid transparent; background: transparent; color: $muted;
  font-size: 9pt; font-weight: 400; min-height: 22px; padding: 0 8px }
QPushButton[kind="status"]:hover { color: $text; background: $raised }
QPushButton[segment] { border-radius: 0; font-weight: 400 }
QPushButton[segment="middle"], QPushButton[segment="last"] { border-left: 0 }
QPushButton[segment="first"] {
  border-top-left-radius: 5px; border-bottom-left-radius: 5px }
QPushButton[segment="last"] {
  border-top-right-radius: 5px; border-bottom-right-radius: 5px }
QPushButton[segment="only"] { border-radius: 5px }
QPushButton[segment]:hover { border-color: $border_strong }
QPushButton[segment]:checked {
  background: $selection; color: $accent; font-weight: 600 }
QPushButton[chip="true"]:checked {
  background: $selection; border-color: $accent; color: $accent; font-weight: 600 }
/* The focus ring is drawn outside, for the keyboard alone. */
QPushButton, QToolButton, QCheckBox, QRadioButton, QComboBox, QSlider { outline: none }
QToolButton { border: 1px solid transparent; border-radius: 5px; padding: 5px }
QToolButton:hover { background: $raised; border-color: $border }
QToolButton:checked { background: $selection; color: $accent }
"""

_FIELDS: Final = """
QLineEdit, QComboBox, QAbstractSpinBox {
  min-height: 30px; padding: 0 10px; border: 1px solid $border_strong;
  border-radius: 5px; background: $surface; color: $text;
  selection-background-color: $selection; selection-color: $text }
QPlainTextEdit, QTextEdit {
  padding: 6px; border: 1px solid $border_strong; border-radius: 5px;
  background: $surface; selection-background-color: $selection;
  selection-color: $text }
QPlainTextEdit[role="mono"], QTextEdit[role="mono"] {
  font-family: "JetBrains Mono"; font-size: 9pt }
QPlainTextEdit[readOnly="true"], QTextEdit[readOnly="true"] {
  background: $raised; border-color: $border }
QLineEdit:hover, QComboBox:hover, QAbstractSpinBox:hover,
QLineEdit:focus, QComboBox:focus, QAbstractSpinBox:focus,
QPlainTextEdit:focus, QTextEdit:focus { border-color: $text }
QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled {
  color: $disabled; border-color: $border; background: $window }
QLineEdit[invalid="true"], QComboBox[invalid="true"],
QAbstractSpinBox[invalid="true"] { border-color: $danger }
QLineEdit[inset="true"], QComboBox[inset="true"], QAbstractSpinBox[inset="true"] {
  min-height: 26px; border-radius: 3px; padding: 0 6px }
QAbstractSpinBox { padding: 0 }
QAbstractSpinBox QLineEdit {
  min-height: 0; padding: 0; border: 0; background: transparent }
QComboBox { padding: 0 0 0 10px; font-weight: 500 }
QComboBox::drop-down { border: 0; width: 28px }
QComboBox::down-arrow { image: url("$chevron"); width: 16px; height: 16px }
QComboBox QAbstractItemView {
  background: $raised; border: 1px solid $border; outline: 0; padding: 4px;
  selection-background-color: $selection; selection-color: $text }
/* Up, Down and typing change it; "no buttons" would squeeze the text to one pixel. */
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: 0 }
QCheckBox, QRadioButton { spacing: 8px; background: transparent }
QCheckBox::indicator {
  width: 14px; height: 14px; border: 1px solid $border_strong; border-radius: 3px;
  background: $surface }
QCheckBox::indicator:hover { border-color: $text }
QCheckBox::indicator:checked {
  background: $accent; border-color: $accent; image: url("$check") }
QCheckBox::indicator:disabled { border-color: $border; background: $window }
QCheckBox::indicator:checked:disabled {
  border-color: $disabled; background: $disabled }
QRadioButton::indicator {
  width: 14px; height: 14px; border: 1px solid $border_strong; border-radius: 8px;
  background: $surface }
QRadioButton::indicator:hover { border-color: $text }
QRadioButton::indicator:checked {
  width: 6px; height: 6px; border: 5px solid $accent; border-radius: 8px;
  background: $on_accent }
QSlider { min-height: 20px }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $sunken }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent }
QSlider::handle:horizontal {
  width: 12px; height: 12px; margin: -6px 0; border-radius: 8px;
  border: 2px solid $accent; background: $surface }
QSlider::sub-page:horizontal:disabled { background: $disabled }
QSlider::handle:horizontal:disabled { border-color: $disabled }
"""

_VIEWS: Final = """
QTableView, QListView, QTreeView {
  background: transparent; border: 0; outline: 0;
  selection-background-color: $selection; selection-color: $text }
QHeaderView { background: transparent; border: 0 }
QHeaderView::section {
  background: transparent; color: $muted; border: 0;
  border-bottom: 1px solid $border; padding: 0 12px; font-size: 9pt;
  font-weight: 500 }
QProgressBar {
  border: 0; border-radius: 4px; background: $sunken; min-height: 8px;
  max-height: 8px }
QProgressBar::chunk { border-radius: 4px; background: $accent }
QProgressBar[tone="muted"]::chunk { background: $border_strong }
QScrollArea, QScrollArea > QWidget > QWidget[page="true"] {
  background: transparent; border: 0 }
QScrollBar { background: transparent; border: 0; margin: 0 }
QScrollBar:vertical { width: 8px }
QScrollBar:horizontal { height: 8px }
QScrollBar::handle { background: $border_strong; border-radius: 3px; margin: 1px }
QScrollBar::handle:vertical { min-height: 32px }
QScrollBar::handle:horizontal { min-width: 32px }
QScrollBar::handle:hover { background: $muted }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0 }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent }
QToolTip {
  background: $raised; color: $text; border: 1px solid $border_strong;
  padding: 4px 8px }
QMenu { background: $raised; border: 1px solid $border_strong; padding: 4px }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 3px }
QMenu::item:selected { background: $selection; color: $text }
QMenu::item:disabled { color: $disabled }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px }
QSplitter::handle { background: transparent }
"""


def style_sheet(tokens: Tokens) -> str:
    """The whole style sheet in the colours of `tokens`."""
    values = asdict(tokens) | {
        "check": control_mark("check", tokens.name).as_posix(),
        "chevron": control_mark("chevron-down", tokens.name).as_posix(),
    }
    text = _CARDS_AND_LABELS + _BUTTONS + _FIELDS + _VIEWS
    return Template(text).substitute(values)
