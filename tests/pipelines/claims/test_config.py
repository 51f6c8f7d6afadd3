"""Claims and tasks: every file of the project is sound, and what is wrong in one is named."""

import pytest

from pipelines.claims.config import Claim, Variant, claim_names, load_claim, load_task, with_values
from pipelines.cli.main import main
from pipelines.config import ConfigError


@pytest.mark.parametrize("name", claim_names())
def test_variants_are_settings_of_their_tasks_and_differ(name):
    claim = load_claim(name)
    for task in claim.tasks:
        run = load_task(task).run
        changed = [with_values(run, claim.set | variant.set) for variant in claim.variants]
        assert len({each.name for each in changed}) == len(claim.variants)
        assert len({each.model_dump_json(exclude={"name"}) for each in changed}) == len(claim.variants)
    assert any(variant.expect for variant in claim.variants) or len(claim.variants) == 1


def test_the_list_says_what_is_claimed(capsys):
    assert main(["claims", "--list"]) == 0
    assert "lambda: In responses of about 150 tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("statment = 'x'", r"c.toml: statment: unknown key; did you mean 'statement'\?"),
        ("statement = 3", r"c.toml: statement: .*valid string.*got 3"),
        ("statement = 'x", r"c.toml: cannot be read: "),
        (
            "variants = [{name = 'a', expect = 'same'}]",
            r"variants.0: variant 'a': margin belongs to expect = 'same'",
        ),
        ("variants = []", r"variants: .*at least 1 item"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_claim(str(tmp_path / "c.toml"))


def test_unknown_names_are_refused_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"no claim 'lamda'; there are: .*lambda"):
        load_claim("lamda")
    with pytest.raises(ConfigError, match=r"no task 'chains'; there are: chain, "):
        load_task("chains")


def test_an_installed_package_has_no_claims_and_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("pipelines.claims.config.FOLDER", tmp_path / "configs" / "claims")
    assert main(["claims", "--runs", str(tmp_path)]) == 2
    assert "no configs/claims: name a file of your own" in capsys.readouterr().err


def test_long_claims_run_only_when_they_are_named():
    from pipelines.claims.run import choose_claims

    assert "smollm2" not in choose_claims([]) and "lambda" in choose_claims([])
    assert choose_claims(["smollm2"]) == ["smollm2"]


def test_margins_belong_to_small_differences():
    assert Variant(name="a", expect="not more", margin=0.1).margin == 0.1
    with pytest.raises(ValueError, match="margin belongs"):
        Variant(name="a", expect="less", margin=0.1)
    assert Claim.model_fields["seeds"].default == (0,)
