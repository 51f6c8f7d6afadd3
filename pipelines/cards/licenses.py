"""Licenses: from the text of a data set's authors to the hub's identifier."""

import re

NONE_STATED = "none stated; published by the owner's choice"


HUB_LICENSES = {
    "apache-2.0",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "mit",
    "odc-by",
}
"""Identifiers in the hub's list that math corpora use. Any other license is `other` there; the card's table
gives its name."""

LICENSE_PAGES = {
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "bsd-3-clause": "https://opensource.org/license/bsd-3-clause",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "cc-by-sa-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "mit": "https://opensource.org/license/mit",
    "odc-by": "https://opendatacommons.org/licenses/by/1-0/",
}
"""Where each license is written."""


def other_license(licenses: list[str]) -> dict[str, str]:
    """Front matter that the hub asks for beside `license: other`."""
    if "other" not in licenses:
        return {}
    return {"license_name": "per-source", "license_link": "#licenses"}


def hub_license(text: str) -> str:
    """The identifier of a license in the hub's list, or `other`.

    >>> hub_license("CC BY-SA 4.0"), hub_license("Apache-2.0"), hub_license("ask the authors")
    ('cc-by-sa-4.0', 'apache-2.0', 'other')
    """
    name = re.sub(r"[\s_]+", "-", text.strip().lower())
    return name if name in HUB_LICENSES else "other"
