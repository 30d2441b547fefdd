"""The chapter's claims: a bundled suite tests every one, or the chapter's file says why not."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest
import synthetic
from pydantic import ValidationError

from manyseeds.report import render
from manyseeds.report.output_folder import OutputFolder
from manyseeds.report.pages.chapter_page import chapter_page
from manyseeds.suite.chapter import ChapterClaim, chapter_claims
from manyseeds.suite.files import read_suite, suite_names

ASKED = {name for claim in chapter_claims() for name in claim.asked}


def claims_of_suites():
    suites = [read_suite(name).suite for name in suite_names()]
    return {f"{suite.name}.{claim.name}" for suite in suites for claim in suite.claims}


def test_the_chapters_claims_are_numbered_from_1_to_41():
    assert [claim.number for claim in chapter_claims()] == list(range(1, 42))


def test_every_question_is_a_claim_of_a_suite():
    assert claims_of_suites() >= ASKED


def test_every_claim_of_a_suite_is_the_chapters_or_known_to_be_more():
    more = claims_of_suites() - ASKED
    assert more == {
        "mc_dropout.plain_dropout",  # with plain dropout, where the chapter has alpha dropout
        "optimizers.keras3_nadam",  # two algorithms of one name
        "readers_mnist.decay",  # readers' runs
        "readers_mnist.dropout",
        "regularisation.early_stopping",
        "regularisation.l2",
        "schedules.piecewise",
        "schedules.power",
        "sparsity.pruning_is_cheap",
    }


def test_a_claim_that_is_asked_nowhere_must_say_why():
    with pytest.raises(ValidationError, match="say why in `unasked`"):
        ChapterClaim(number=1, sentence="Something.")


def test_the_page_has_every_claim_with_its_answers_and_the_suites_not_run(tmp_path):
    text = synthetic.SMALL.replace('"small"', '"sparsity"').replace('"better"', '"l1_sparse"')
    ledger = synthetic.write(tmp_path / "results", synthetic.World(text=text, curves=False))
    render([ledger], tmp_path / "out", ["html", "csv", "md"])
    page = (tmp_path / "out" / "chapter.html").read_text(encoding="utf-8")
    assert page.count("<tbody>") == 41
    assert "manyseeds run activations" in page
    (answer,) = re.findall(r'href="sparsity.html#(claim-\d+)">(.*?)</a>', page)
    assert answer[1] == "A larger rate is better."
    assert f'id="{answer[0]}"' in (tmp_path / "out" / "sparsity.html").read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "out" / "chapter.csv")
    assert set(table["number"]) == set(range(1, 42))
    answered = table[table["verdict"].notna() & (table["verdict"] != "not run")]
    assert answered["number"].tolist() == [27]
    assert set(table["unasked"].dropna()) == {c.unasked for c in chapter_claims() if c.unasked}
    assert re.search(r"\| +27 \|", (tmp_path / "out" / "chapter.md").read_text(encoding="utf-8"))


def test_the_full_form_answers_where_it_was_asked_and_the_quick_form_elsewhere():
    def line(name):
        return SimpleNamespace(name=name, verdict="holds", verdicts={})

    full = SimpleNamespace(suite="sparsity", claims=[line("l1_sparse")], backends={})
    quick = SimpleNamespace(
        suite="sparsity", claims=[line("l1_sparse"), line("ftrl_sparse")], backends={}
    )
    row = chapter_page([full, quick], None).rows[26]
    found = {answer.claim: answer.entry for answer in row.answers}
    assert found == {"l1_sparse": full, "ftrl_sparse": quick, "tiny_weights": None}


def test_a_page_of_an_earlier_report_goes_when_nothing_of_the_chapter_is_asked(tmp_path, small):
    out = tmp_path / "out"
    OutputFolder(out).write({"chapter.html": b"an earlier one"})
    render([small[1]], out, ["html"])
    assert not (out / "chapter.html").exists()


def test_suites_that_ask_nothing_of_the_chapter_have_no_page_of_it(several):
    assert chapter_page([], None) is None
    assert not (several / "chapter.html").exists()
    assert "chapter.html" not in (several / "index.html").read_text(encoding="utf-8")
