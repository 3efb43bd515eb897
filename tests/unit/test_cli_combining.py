"""`snugtune combine`: what it asks of the engine, and what it says."""

import json

import pytest

from studio.cli import combining, main
from studio.domain.combining import Way
from studio.domain.errors import ExitCode
from studio.protocol.export_events import Combined
from tests.engine.helpers import new_run, recipe_for


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Two runs, an adapter's folder, and an engine that is asked."""
    asked = []

    def found(verb, *arguments, listener):
        asked.append((verb, *arguments))
        return Combined(
            path=str(tmp_path / "out"),
            adapter=str(tmp_path / "out" / "adapter"),
            how="cat",
            rank=12,
            size_bytes=3,
            distance=0.8,
        )

    monkeypatch.setattr(combining, "run_engine", found)
    recipe = recipe_for("model", "data.jsonl")
    runs = [str(new_run(tmp_path / "runs", recipe).path) for _ in range(2)]
    adapter = tmp_path / "exported"
    adapter.mkdir()
    return tmp_path, [*runs, str(adapter)], asked


def test_that_all_that_is_ordered_reaches_the_engine(engine):
    folder, places, asked = engine
    out = str(folder / "out")
    order = ["--how", "dare_ties", "--weights", "-0.5,1,2", "--density", "0.3"]
    order += ["--seed", "7", "--base", "model", "--overwrite"]
    assert main(["combine", *places, "--out", out, *order]) == ExitCode.OK
    assert asked == [
        (
            *("combine", *places, "--out", out, "--weights=-0.5,1.0,2.0"),
            *("--how", "dare_ties", "--density", "0.3", "--seed", "7", "--rank", "0"),
            *("--base", "model", "--overwrite"),
        )
    ]


def test_that_each_counts_alike_and_exactly_unless_said_otherwise(engine):
    folder, places, asked = engine
    main(["combine", *places[:2], "--out", str(folder / "out")])
    assert {"--weights=0.5,0.5", "cat"} <= set(asked[0])


def test_that_the_result_is_told_to_people_and_programs(engine, capsys):
    folder, places, _ = engine
    order = ["combine", *places, "--out", str(folder / "out")]
    main(order)
    said = capsys.readouterr().out
    assert str(folder / "out" / "adapter") in said
    assert "by 0.8 times that sum’s size" in said
    main([*order, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["rank"], told["distance"]) == (12, 0.8)
    assert told["adapter"] == str(folder / "out" / "adapter")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--how", "mean"], "no way of combining"),
        (["--weights", "1"], "1 weights for 2 adapters"),
        (["--weights", "a,b"], "isn’t numbers"),
        (["--density", "0"], "density of 0"),
        (["--rank", "4"], "isn’t cut to a rank"),
    ],
)
def test_that_what_makes_no_sense_is_refused_at_once(more, said, engine, capsys):
    folder, places, asked = engine
    code = main(["combine", *places[:2], "--out", str(folder / "out"), *more])
    assert code == ExitCode.BAD_INPUT
    assert said in capsys.readouterr().err
    assert asked == []


def test_that_an_unknown_run_is_refused(engine, capsys):
    folder, places, asked = engine
    order = ["combine", places[0], "nobody", "--out", str(folder / "out")]
    assert main(order) == ExitCode.BAD_INPUT
    assert "no run “nobody”" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize("way", Way)
def test_that_each_way_says_what_it_means(way):
    assert way.meaning[0].isupper()
    assert way.meaning.endswith(".")
    exact = way.meaning.startswith("Exactly")
    assert exact is (way is Way.CAT)
