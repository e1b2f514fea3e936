"""Who sets a cookie: the pages of people who sign in, and the example shop, whose pages say so. No buyer's page."""

from local_stack.paths import WORK_TREE

#: The only places that set one: sessions of agents and operators, and the example shop (its own tests read the notice).
SETTERS = {
    "examples/shop/src/example_shop/context.py",
    "examples/shop/src/example_shop/pages.py",
    "shared/src/shared/signin/openid_routes.py",
    "shared/src/shared/signin/sessions.py",
    "shared/src/shared/signin/sign_in.py",
}


def test_no_other_page_sets_a_cookie() -> None:
    found = {
        str(path.relative_to(WORK_TREE))
        for root in ("services", "shared/src", "examples", "deploy/operations/src")
        for path in (WORK_TREE / root).rglob("*.py")
        if "tests" not in path.parts
        and (".set_cookie(" in (text := path.read_text("utf-8")) or "set-cookie" in text.lower())
    }
    assert found == SETTERS
