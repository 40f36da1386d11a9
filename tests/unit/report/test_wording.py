"""Numbers in words."""

from cryoglean.report.wording import say_expected


def test_the_expected_number_is_said_with_who_says_it_and_how_sure() -> None:
    told = {"per_micrograph": 312.4, "source": "best bin", "interval": [250.0, 1400.0]}

    assert say_expected(told) == "particles a micrograph: about 312 (best bin, 95 % interval 250 to 1,400)"
    assert say_expected({"per_micrograph": 25.0, "source": "user"}) == "particles a micrograph: about 25 (user)"
    unknown = {"per_micrograph": None, "source": "best bin", "interval": [0.0, 90.0]}
    assert say_expected(unknown) == "particles a micrograph: can't be told, at most about 90 (best bin)"
