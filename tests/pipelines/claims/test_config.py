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
        ("variants = [{name = ''}]", r"variants.0.name: .*at least 1 character"),
        (r'variants = [{name = "a\nb"}]', r"variants.0.name: must be one printable line"),
        ("seeds = []", r"seeds: .*at least 1 item"),
        ("[set]\n'training.seed' = 3", r"set: training.seed is decided by the claim, .*`seeds`"),
        ("[set]\ntraining.seed = 3", r"set: training.seed is decided by the claim"),
        ("[set]\nname = 'x'", r"set: name is decided by the claim, run by run: remove it"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_claim(str(tmp_path / "c.toml"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seeds": [0, 1, 0]}, r"seeds: 0 is there twice"),
        ({"tasks": ["sums", "sums"]}, r"tasks: 'sums' is there twice"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, r"names of variants: 'a' is there twice"),
        (
            {"variants": [{"name": "a"}, {"name": "b", "expect": "never"}]},
            r"'never' belongs to .*turning_point",
        ),
        (
            {"variants": [{"name": "a", "expect": "more"}]},
            r"'a' is the control .* remove its expect = 'more'",
        ),
        ({"measure": "gain", "variants": [{"name": "a", "expect": "more"}]}, None),
        ({"measure": "turning_point", "variants": [{"name": "a", "expect": "never"}]}, None),
        ({"seeds": [-1, 1]}, None),
    ],
)
def test_a_claim_expects_what_its_measure_can_decide(changed, message):
    words = dict.fromkeys(("statement", "refuted_by", "cannot_show", "source"), "x")
    table = words | {"tasks": ["sums"], "variants": [{"name": "a"}, {"name": "b"}]} | changed
    if message is None:
        Claim.model_validate(table)
    else:
        with pytest.raises(ValueError, match=message):
            Claim.model_validate(table)


def test_unquoted_keys_are_dotted_keys_and_tables_under_quoted_ones_stay():
    nested = {"training": {"ppo": {"gae_lambda": 0.9}}, "training.model.scratch": {"hidden": 32}}
    flat = {"training.ppo.gae_lambda": 0.9, "training.model.scratch": {"hidden": 32}}
    assert Variant(name="a", set=nested).set == flat


def test_unknown_names_are_refused_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"no claim 'lamda'; there are: .*lambda"):
        load_claim("lamda")
    with pytest.raises(ConfigError, match=r"no task 'chains'; there are: chain, "):
        load_task("chains")
    with pytest.raises(ConfigError, match=r"claim nowhere.toml: no such file"):
        load_claim("nowhere.toml")


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
