import itertools
import tomllib
from dataclasses import replace
from datetime import date

import pytest

from studio.domain.cards import CardKind, CloudPrice, find_card
from studio.domain.errors import StudioError
from studio.domain.hardware import GIB, MIB, GpuReading, MachineReading
from studio.services.cards import cloud_price_of, device_named, known_cards
from studio.system.resources import resource_root

HERE = MachineReading(
    ram_total_bytes=16 * GIB,
    ram_available_bytes=8 * GIB,
    disk_free_bytes=GIB,
    read_at=0.0,
    processor="A processor",
)


def with_card(name):
    gpu = GpuReading(
        index=0,
        uuid="GPU-1",
        name=name,
        compute_capability=(8, 9),
        total_bytes=24 * GIB,
        free_bytes=20 * GIB,
    )
    return MachineReading(
        gpus=(gpu,),
        ram_total_bytes=16 * GIB,
        ram_available_bytes=8 * GIB,
        disk_free_bytes=GIB,
        read_at=0.0,
    )


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("RTX 4090 24GB", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "RTX 4090 Laptop"),
        ("4090 D", "RTX 4090 D"),
        ("4070tisuper", "RTX 4070 Ti SUPER"),
        ("4070 Ti", "RTX 4070 Ti"),
        ("RTX 3060", "RTX 3060"),
        ("3060 8 GB", "RTX 3060 8GB"),
        ("T4", "T4"),
        ("Tesla T4", "T4"),
        ("A100 80GB", "A100 80GB"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("NVIDIA A100-PCIE-40GB", "A100 PCIe 40GB"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("Tesla V100-SXM2-32GB", "V100 32GB"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("Quadro RTX 6000", "Quadro RTX 6000"),
        ("a6000", "RTX A6000"),
        ("GTX 1080Ti", "GTX 1080 Ti"),
    ],
)
def test_that_a_card_is_found_as_people_and_drivers_write_it(asked, meant):
    assert find_card(known_cards(), asked).name == meant


@pytest.mark.parametrize("card", known_cards(), ids=lambda card: card.name)
def test_that_every_card_is_found_by_its_own_name(card):
    assert find_card(known_cards(), card.name) is card
    assert find_card(known_cards(), card.name.replace(" ", "-").lower()) is card


@pytest.mark.parametrize(
    ("asked", "candidates"),
    [
        ("A100", ["A100 40GB", "A100 80GB"]),
        ("3080", ["RTX 3080 10GB", "RTX 3080 12GB"]),
        ("RTX 6000", ["Quadro RTX 6000", "RTX 6000 Ada", "RTX PRO 6000 Blackwell"]),
    ],
)
def test_that_a_name_of_several_cards_is_answered_with_them(asked, candidates):
    with pytest.raises(StudioError) as refused:
        find_card(known_cards(), asked)
    assert refused.value.finding.code == "card.ambiguous"
    for candidate in candidates:
        assert candidate in refused.value.finding.what


@pytest.mark.parametrize(
    ("asked", "near"),
    [("RTX 9090", "RTX 3090"), ("4090 48GB", "RTX 4090"), ("banana", "such as")],
)
def test_that_an_unknown_name_is_answered_with_near_ones(asked, near):
    with pytest.raises(StudioError) as refused:
        find_card(known_cards(), asked)
    assert refused.value.finding.code == "card.unknown"
    assert near in refused.value.finding.how_to_fix


def test_that_there_are_cards_of_every_kind_and_each_once():
    cards = known_cards()
    assert len(cards) >= 60
    assert {card.kind for card in cards} == set(CardKind)
    assert len({card.name for card in cards}) == len(cards)


@pytest.mark.parametrize("card", known_cards(), ids=lambda card: card.name)
def test_that_a_card_s_figures_hold_together(card):
    # A sixteenth goes to error correction; makers round HBM both ways.
    assert 0.93 < card.driver_bytes / (card.memory_gib * GIB) < 1.01
    assert 0.95 * card.driver_bytes < card.usable_bytes < card.driver_bytes
    assert 100 < card.bandwidth_gb_s < 10_000
    has_tensor_cores = card.compute_capability >= (7, 0) and "GTX" not in card.name
    if card.tensor_tflops is None:
        assert card.kind is CardKind.LAPTOP
    else:
        assert bool(card.tensor_tflops) is has_tensor_cores


def test_that_what_a_card_can_follows_from_its_capability():
    def can(name):
        card = find_card(known_cards(), name)
        return card.has_bf16, card.has_flash, card.has_fp8

    assert can("T4") == (False, False, False)
    assert can("RTX 3090") == (True, True, False)
    assert can("L4") == (True, True, True)


def test_that_a_named_card_is_priced_with_its_own_memory_and_capability():
    device = device_named("Tesla T4", HERE)
    assert device.total_bytes == 15_360 * MIB
    # As torch's messages name it: 14.56 to 14.75 GiB, by driver.
    assert 14.5 < device.free_bytes / GIB < 14.8
    assert device.compute_capability == (7, 5)
    assert not device.has_bf16


@pytest.mark.parametrize("size", ["24", "24 GiB", "24GB", " 24.0 gib"])
def test_that_a_size_alone_is_a_card(size):
    assert device_named(size, HERE).free_bytes == 24 * GIB


def test_that_no_name_means_the_device_that_is_here():
    assert device_named("", HERE) == HERE.device()
    assert device_named("4090", with_card("NVIDIA GeForce RTX 4090")).free_bytes == (
        20 * GIB
    )


@pytest.mark.parametrize(
    ("asked", "here", "total_gib"),
    [
        ("RTX 4070 Ti", "NVIDIA GeForce RTX 4070 Ti SUPER", 12),
        ("RTX 4090", "NVIDIA GeForce RTX 4090 Laptop GPU", 24),
        ("RTX 3060", "NVIDIA GeForce RTX 3060 Ti", 12),
    ],
)
def test_that_part_of_a_name_means_the_card_of_that_whole_name(asked, here, total_gib):
    meant = device_named(asked, with_card(here))
    assert meant.name == asked
    assert round(meant.total_bytes / GIB) == total_gib
    own = device_named(here.removeprefix("NVIDIA "), with_card(here))
    assert own.free_bytes == 20 * GIB


def test_that_every_card_of_the_machine_is_meant_with_what_is_free_of_it():
    first = with_card("NVIDIA GeForce RTX 3060")
    other = GpuReading(
        index=1,
        uuid="GPU-2",
        name="NVIDIA GeForce RTX 4090",
        compute_capability=(8, 9),
        total_bytes=24 * GIB,
        free_bytes=3 * GIB,
    )
    both = replace(first, gpus=(*first.gpus, other))
    assert device_named("4090", both).free_bytes == 3 * GIB
    assert device_named("3060", both).free_bytes == 20 * GIB
    assert device_named("", both).name == "NVIDIA GeForce RTX 3060"


@pytest.mark.parametrize("name", ["-3", "0", "9999", "nan", "24 apples", "%s", "💥"])
def test_that_nonsense_is_refused_in_a_sentence(name):
    with pytest.raises(StudioError) as refused:
        device_named(name, HERE)
    assert "--gpu 24" in refused.value.finding.sentence()


def test_that_permuted_words_mean_the_same_card():
    for words in itertools.permutations(["RTX", "4070", "Ti", "SUPER"]):
        assert find_card(known_cards(), " ".join(words)).name == "RTX 4070 Ti SUPER"


def test_that_each_price_belongs_to_a_card_and_says_where_and_when_it_was_read():
    listed = resource_root() / "gpus.toml"
    pages = tomllib.loads(listed.read_text(encoding="utf-8"))["prices"]
    priced = {card["name"]: page for page in pages for card in page["cards"]}
    cards = {card.name: card.cloud_price for card in known_cards()}
    assert len(priced) == sum(len(page["cards"]) for page in pages)
    assert {name for name, price in cards.items() if price} == set(priced)
    for name, page in priced.items():
        price = cards[name]
        assert 0.1 < price.usd_an_hour < 20
        assert (price.provider, price.page) == (page["provider"], page["page"])
        assert price.read_on >= date(2026, 1, 1)
        assert page["via"]


def test_that_a_price_is_said_to_be_old_after_a_year():
    price = CloudPrice(
        usd_an_hour=3.994,
        provider="Rent",
        page="rent.example/prices",
        read_on=date(2026, 11, 9),
    )
    assert price.words(date(2027, 11, 9)) == "$3.99 an hour at Rent (2026-11-09)"
    assert price.words(date(2027, 11, 10)) == (
        "$3.99 an hour at Rent (2026-11-09, an old price)"
    )


def test_that_only_a_known_card_has_a_price():
    assert cloud_price_of(device_named("H100", HERE)).usd_an_hour > 0
    assert cloud_price_of(device_named("80", HERE)) is None
    assert cloud_price_of(device_named("RTX 4090", HERE)) is None
