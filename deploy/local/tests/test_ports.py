import socket
from pathlib import Path

from local_stack.ports import FIRST, LAST, LOOPBACK, free_port, free_ports, is_free
from local_stack.site import Site


def listener() -> socket.socket:
    server = socket.create_server((LOOPBACK, free_port()))
    server.listen()
    return server


def test_a_free_port_can_be_listened_on_and_is_none_that_the_kernel_gives_to_clients() -> None:
    port = free_port()
    assert FIRST <= port <= LAST
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)


def test_the_preferred_port_is_taken_when_free_and_left_alone_when_not() -> None:
    with listener() as server:
        used = server.getsockname()[1]
        assert free_port(used) != used
    wish = free_port()
    assert free_port(wish) == wish
    assert free_port(wish, taken=[wish]) != wish


def test_ports_asked_for_together_differ() -> None:
    assert len(set(free_ports(30))) == 30


def test_a_stack_remembers_its_ports_and_changes_only_the_one_that_was_lost(tmp_path: Path) -> None:
    site = Site.load(tmp_path)
    site.claim_ports({"a": None, "b": None})
    site.invent_secrets(["a"], ["shop"], ["support"])
    site.save()
    with socket.create_server((LOOPBACK, site.ports["a"])):
        again = Site.load(tmp_path)
        again.claim_ports({"a": None, "b": None})
    assert again.ports["a"] != site.ports["a"]
    assert again.ports["b"] == site.ports["b"]
    assert (again.seal_keys, again.storefront_keys) == (site.seal_keys, site.storefront_keys)
    assert again.agent_keys == site.agent_keys


def test_only_its_owner_may_read_a_stacks_keys(tmp_path: Path) -> None:
    site = Site.load(tmp_path)
    site.invent_secrets(["a"], ["shop"], ["support"])
    site.save()
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0
