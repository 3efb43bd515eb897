"""Every colour and measure of the window, in one frozen table.

No other module of the window spells out a colour. The table was checked for contrast
(text at least 4.5:1 on each ground) and for neighbouring memory colours under
simulated colour blindness; tests/ui repeats the contrast check.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The colours of one palette, as ``#RRGGBB``.

    Attributes:
        name: ``light`` or ``dark``; also names the files of control marks.
    """

    name: str
    window: str
    surface: str
    raised: str
    sunken: str
    border: str
    border_strong: str
    text: str
    muted: str
    disabled: str
    accent: str
    accent_hover: str
    on_accent: str
    selection: str
    success: str
    success_soft: str
    warning: str
    warning_soft: str
    danger: str
    danger_soft: str
    info: str
    info_soft: str
    chart_grid: str
    series_1: str
    series_2: str
    series_3: str
    series_4: str
    mem_other: str
    mem_weights: str
    mem_adapter: str
    mem_activations: str
    mem_loss: str
    mem_overhead: str
    mem_headroom: str
    mem_free: str
    mem_other_label: str
    mem_weights_label: str
    mem_adapter_label: str
    mem_activations_label: str
    mem_loss_label: str
    mem_overhead_label: str


LIGHT: Final = Tokens(
    name="light",
    window="#F4F3F0",
    surface="#FFFFFF",
    raised="#FBFAF8",
    sunken="#E9E7E2",
    border="#DBD8D1",
    border_strong="#8E8A82",
    text="#1C2024",
    muted="#5A5F65",
    disabled="#9A9A97",
    accent="#0B6A66",
    accent_hover="#085551",
    on_accent="#FFFFFF",
    selection="#DDEEEC",
    success="#1D7544",
    success_soft="#E1F2E8",
    warning="#855600",
    warning_soft="#FBF0D9",
    danger="#B0281F",
    danger_soft="#FBE7E5",
    info="#2A5DA8",
    info_soft="#E5EDF8",
    chart_grid="#E6E3DD",
    series_1="#0B6A66",
    series_2="#B3326A",
    series_3="#454D55",
    series_4="#66720E",
    mem_other="#858B94",
    mem_weights="#2B65AE",
    mem_adapter="#62B0E3",
    mem_activations="#E2A322",
    mem_loss="#C04A17",
    mem_overhead="#935A8B",
    mem_headroom="#6A7077",
    mem_free="#E9E7E2",
    mem_other_label="#16191C",
    mem_weights_label="#FFFFFF",
    mem_adapter_label="#16191C",
    mem_activations_label="#16191C",
    mem_loss_label="#FFFFFF",
    mem_overhead_label="#FFFFFF",
)

DARK: Final = Tokens(
    name="dark",
    window="#15171A",
    surface="#1D2023",
    raised="#25292D",
    sunken="#2B3035",
    border="#353A40",
    border_strong="#7A818A",
    text="#E8EAEC",
    muted="#A4AAB1",
    disabled="#666C73",
    accent="#4FC0B2",
    accent_hover="#6FD2C5",
    on_accent="#06201D",
    selection="#1B3A36",
    success="#62C48F",
    success_soft="#18301F",
    warning="#E6B65A",
    warning_soft="#352A14",
    danger="#F28B81",
    danger_soft="#3B1E1C",
    info="#8AB6F5",
    info_soft="#1A2A40",
    chart_grid="#2A2E33",
    series_1="#4FC0B2",
    series_2="#F28DB2",
    series_3="#CDD3D9",
    series_4="#B7C25A",
    mem_other="#7E858E",
    mem_weights="#4F90DC",
    mem_adapter="#A5D6F4",
    mem_activations="#EDBB50",
    mem_loss="#E4713E",
    mem_overhead="#C28ABA",
    mem_headroom="#8C939B",
    mem_free="#2B3035",
    mem_other_label="#0E1012",
    mem_weights_label="#0E1012",
    mem_adapter_label="#0E1012",
    mem_activations_label="#0E1012",
    mem_loss_label="#0E1012",
    mem_overhead_label="#0E1012",
)


class Tone(StrEnum):
    """What a mark or a text says by its colour, always beside words."""

    NORMAL = "normal"
    MUTED = "muted"
    ACCENT = "accent"
    SUCCESS = "success"
    WARNING = "warning"
    DANGER = "danger"
    INFO = "info"


class Space(IntEnum):
    """Distances between things, in device-independent pixels."""

    HAIR = 4
    SMALL = 8
    MEDIUM = 12
    LARGE = 16
    PAGE = 24
    WIDE = 32


class Radius(IntEnum):
    """Rounded corners, in device-independent pixels."""

    BAR = 3
    CONTROL = 5
    CARD = 6


class Height(IntEnum):
    """Heights of rows and controls, in device-independent pixels."""

    CONTROL = 32
    LARGE_BUTTON = 40
    START_BUTTON = 48
    TABLE_HEADER = 32
    ROW_DENSE = 36
    ROW = 40
    ROW_TWO_LINES = 48
    PAGE_HEADER = 80
    CARD_HEADER = 48
    STATUS_BAR = 32
    LOGO = 64


class PointSize(IntEnum):
    """Type sizes in points; nothing is smaller than a caption."""

    CAPTION = 9
    BODY = 10
    CARD_TITLE = 12
    PAGE_TITLE = 15
    NUMBER = 21


NAV_WIDTH: Final = 208
NAV_WIDTH_FOLDED: Final = 56
FOLD_BELOW: Final = 1120
"""Window width under which the nav folds and two-column pages stack."""
CONTENT_WIDTH: Final = 1600
TEXT_WIDTH: Final = 720
MINIMUM_WINDOW: Final = (1024, 700)
MOTION_MS: Final = 120


def ink_for(tokens: Tokens, tone: Tone) -> str:
    """The text colour of a tone."""
    inks = {
        Tone.NORMAL: tokens.text,
        Tone.MUTED: tokens.muted,
        Tone.ACCENT: tokens.accent,
        Tone.SUCCESS: tokens.success,
        Tone.WARNING: tokens.warning,
        Tone.DANGER: tokens.danger,
        Tone.INFO: tokens.info,
    }
    return inks[tone]
