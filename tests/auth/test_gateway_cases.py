"""Sixteen ways in which gateways were broken into, and the tests that show that this one is not."""

import ast
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.main import Gateway
from tests.reach.asking import ask
from tests.reach.conftest import BASE, environment, open_gateway

TESTS = Path(__file__).resolve().parents[1]
CHECKOUT = TESTS.parent

CASES: dict[str, tuple[str, ...]] = {
    "1 Host and Origin count on every route, for every method, on loopback too": (
        "reach/test_every_route.py::test_a_foreign_host_is_misdirected_everywhere",
        "reach/test_every_route.py::test_a_page_of_another_origin_is_refused_everywhere",
        "reach/test_every_route.py::test_our_own_names_pass_everywhere",
        "reach/test_forwarded.py::test_a_peer_that_is_not_trusted_is_not_believed",
        "reach/test_forwarded.py::test_a_page_on_a_rebound_name_does_not_rename_itself",
    ),
    "2 No address that others name reaches a shell or opens a browser": (
        "auth/test_gateway_cases.py::test_nothing_opens_addresses_or_starts_a_shell",
        "oauth/test_registration.py::test_any_other_address_is_refused",
    ),
    "3 Names of servers are names, and no paths, options or twins": (
        "supervisor/test_catalog.py::test_bad_names_get_one_short_sentence",
        "tools/test_servers.py::test_a_bad_name_is_refused_and_writes_nothing",
        "tools/test_servers.py::test_fixed_and_dynamic_servers_have_their_own_tools",
        "auth/test_gateway_cases.py::test_no_path_in_an_address_is_a_server",
    ),
    "4 The owner is asked each time, in the browser where it began": (
        "oauth/test_consent.py::test_the_owner_is_asked_every_time",
        "oauth/test_consent.py::test_a_page_is_good_in_its_own_browser_only",
        "oauth/test_consent.py::test_another_sites_form_is_refused",
        "oauth/test_consent.py::test_nobody_frames_the_page_and_its_form_leads_to_the_client_alone",
    ),
    "5 A token is good at its own endpoint, in its own place, and goes no further": (
        "oauth/test_connectors.py::test_a_token_is_good_at_its_own_endpoint_alone",
        "oauth/test_connectors.py::test_what_is_no_access_token_of_ours_is_refused",
        "oauth/test_connectors.py::test_what_a_revoked_client_has_open_ends_with_its_grant",
        "auth/test_gateway_cases.py::test_a_token_anywhere_but_in_its_header_is_none",
        "relay/test_child_requests.py::test_no_child_is_told_who_calls_or_by_which_token",
        "auth/test_guard.py::test_a_token_that_expires_while_it_is_known_is_nobodys",
    ),
    "6 Redirects are compared exactly; codes work once, briefly, with PKCE": (
        "oauth/test_registration.py::test_addresses_are_compared_exactly_but_for_ports_of_loopback",
        "oauth/test_consent.py::test_a_wrong_client_or_address_is_shown_and_never_redirected",
        "oauth/test_tokens.py::test_a_code_that_is_used_twice_ends_what_it_gave",
        "oauth/test_tokens.py::test_a_code_is_exchanged_with_everything_it_was_given_for",
        "oauth/test_tokens.py::test_a_code_is_good_for_a_minute_and_for_its_client",
        "oauth/test_consent.py::test_other_mistakes_are_told_to_the_owners_own_client",
        "oauth/test_consent.py::test_mistakes_of_a_stranger_are_shown_to_the_owner_who_may_go_back",
        "oauth/test_consent.py::test_without_a_login_no_mistake_leads_anywhere",
    ),
    "7 Registrations are bounded, and what they say is text": (
        "oauth/test_registration.py::test_ten_thousand_registrations_do_not_fill_the_database",
        "oauth/test_registration.py::test_registrations_have_a_rate",
        "oauth/test_registration.py::test_an_address_that_registers_too_often_leaves_the_others_theirs",
        "oauth/test_documents.py::test_documents_do_not_fill_the_database",
        "oauth/test_tokens.py::test_codes_are_bounded",
        "oauth/test_consent.py::test_the_page_shows_who_gets_the_answer_and_hostile_names_as_text",
    ),
    "8 What is fetched for others leads outside, is small, and is checked where it is dialled": (
        "oauth/test_document_fetch.py::test_a_name_that_leads_inside_is_not_dialled",
        "oauth/test_document_fetch.py::test_a_name_that_changes_after_the_check_changes_nothing",
        "oauth/test_document_fetch.py::test_an_answer_without_an_end_is_cut_off",
        "oauth/test_document_fetch.py::test_what_is_no_small_document_is_refused",
        "oauth/test_document_fetch.py::test_a_slow_host_has_five_seconds_in_all",
        "oauth/test_document_fetch.py::test_who_cannot_prove_the_name_is_not_asked",
        "oauth/test_documents.py::test_anything_else_is_none",
        "oauth/test_documents.py::test_only_the_owners_browser_has_the_gateway_fetch",
    ),
    "9 A session belongs to its token": (
        "relay/test_endpoint.py::test_a_session_is_bound_to_server_and_token_and_can_be_ended",
        "combined/test_messages.py::test_a_session_is_of_the_token_that_opened_it",
        "tools/test_long_calls.py::test_another_token_reaches_neither_call_nor_result",
    ),
    "10 A tool that changes by itself is not served": (
        "supervisor/test_pins.py::test_a_description_that_changes_at_run_time_is_withheld",
        "supervisor/test_pins.py::test_every_field_of_a_definition_counts",
        "supervisor/test_pins.py::test_a_change_that_nobody_was_told_of_is_seen_by_the_first_who_lists",
        "supervisor/test_pins.py::test_a_tool_that_comes_without_an_edit_waits_unless_the_metadata_says_so",
        "supervisor/test_pins.py::test_an_owners_edit_pins_what_the_new_code_lists",
        "supervisor/test_pins.py::test_pins_that_cannot_be_read_quarantine_every_tool",
        "relay/test_pins.py::test_a_relayed_list_shows_no_quarantined_tool_in_either_era",
    ),
    "11 No server takes another's name, nor its tools'": (
        "combined/test_lists.py::test_names_that_clash_or_are_too_long_are_left_out_and_told",
        "supervisor/test_catalog.py::test_bad_names_get_one_short_sentence",
        "tools/test_names.py::test_a_natural_name_is_never_taken_by_a_shortened_one",
    ),
    "12 What is switched off is off on every way": (
        "relay/test_endpoint.py::test_unknown_and_disabled_servers_say_what_they_are",
        "combined/test_lists.py::test_a_disabled_server_is_not_listed_and_not_called",
        "tools/test_discovery.py::test_a_disabled_servers_tools_are_not_found",
        "relay/test_endpoint.py::test_a_disabled_server_is_given_to_no_run",
        "jobs/test_a_run.py::test_run_whose_server_cannot_take_calls_is_refused",
    ),
    "13 A run, or a token for servers, has no power over the gateway": (
        "auth/test_gateway_cases.py::test_a_token_for_servers_reaches_no_management_tool",
        "auth/test_management_is_closed.py::test_management_is_closed_to_them",
        "auth/test_management_is_closed.py::test_no_management_tool_is_among_all_servers_tools",
        "auth/test_guard.py::test_the_local_token_may_do_everything_and_a_runs_token_its_grant",
        "tools/test_scopes.py::test_a_token_cannot_call_beyond_its_scopes",
    ),
    "14 New code gets stored credentials once its owner approves, and its difference is kept": (
        "tools/test_code_changes.py::test_new_code_waits_and_the_old_code_serves",
        "tools/test_code_changes.py::test_what_waits_is_still_held_after_a_restart",
        "tools/test_code_changes.py::test_no_way_around_leads_new_code_to_the_credentials",
        "tools/test_code_changes.py::test_by_default_new_code_runs_and_its_version_is_kept",
        "e2e/test_secrets.py::test_new_code_is_approved_in_the_browser",
    ),
    "15 A child asks a client for what that client declared, and nobody else": (
        "relay/test_child_requests.py::test_a_client_is_asked_what_it_declared_only",
        "relay/test_child_requests.py::test_with_calls_of_two_clients_in_flight_nobody_is_asked",
        "relay/test_child_requests.py::test_a_request_without_a_call_is_refused",
    ),
    "16 Every call leaves one entry of who did what, and no value of it": (
        "audit/test_entries.py::test_every_way_leaves_exactly_one_entry",
        "audit/test_entries.py::test_a_token_is_named_by_its_id_and_what_it_may_not_is_refused",
        "audit/test_hidden.py::test_no_value_of_an_argument_is_kept",
        "audit/test_trail.py::test_strangers_cannot_wash_the_log_out",
    ),
}
OPENERS = {"webbrowser", "pty", "commands"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "asyncio.create_subprocess_shell"}


def test_every_case_is_shown() -> None:
    """Ours: sixteen, each once."""
    numbers = [int(case.partition(" ")[0]) for case in CASES]
    assert sorted(numbers) == list(range(1, 17))


@pytest.mark.parametrize("case", CASES)
def test_the_tests_of_a_case_exist(case: str) -> None:
    """Ours: a table that outlives its tests would promise what nobody checks."""
    missing = [name for name in CASES[case] if name.partition("::")[2] not in _tests(name)]
    assert CASES[case]
    assert missing == []


def _tests(name: str) -> set[str]:
    path = TESTS / name.partition("::")[0]
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_nothing_opens_addresses_or_starts_a_shell() -> None:
    """Case 2: what a client or a server names as an address is never run."""
    wrong: list[str] = []
    for floor in ("gateway", "supervisor", "sandboxes"):
        for path in (CHECKOUT / floor).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                    wrong += [f"{path.name}: {name}" for name in names & OPENERS]
                elif isinstance(node, ast.Attribute) and ast.unparse(node) in SHELLS:
                    wrong.append(f"{path.name}: {ast.unparse(node)}")
                elif isinstance(node, ast.keyword) and node.arg == "shell":
                    wrong.append(f"{path.name}: shell=")
    assert wrong == []


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gateway]:
    """A gateway without servers."""
    async with open_gateway(environment(tmp_path_factory.mktemp("cases")), BASE) as built:
        yield built


HOST = ("host", "127.0.0.1:8080")


async def make_token(gateway: Gateway, **wish: object) -> str:
    """Return a new token."""
    body = json.dumps({"name": "t", **wish}).encode()
    local = f"Bearer {gateway.guard.make_local_token()}"
    headers = (HOST, ("authorization", local), ("content-type", "application/json"))
    length = ("content-length", str(len(body)))
    made = await ask(gateway.app, "/local/tokens", *headers, length, method="POST", body=body)
    return json.loads(made.body)["token"]


@pytest.mark.parametrize(
    "name", ["..", ".", "%2e%2e", "-x", "a%00", "CON", "a" * 300, "\u0430dder", "Adder", "a__b"]
)
async def test_no_path_in_an_address_is_a_server(gateway: Gateway, name: str) -> None:
    """Case 3: what stands in an address is compared with names, and opens nothing."""
    token = await make_token(gateway, scope="admin")
    headers = (HOST, ("authorization", f"Bearer {token}"), ("content-type", "application/json"))
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
    answer = await ask(
        gateway.app, f"/servers/{name}/mcp", *headers, method="POST", body=body, client="127.0.0.1"
    )
    assert answer.status in (200, 400, 404)
    assert b'"result"' not in answer.body
    assert not gateway.servers.names()


async def test_a_token_anywhere_but_in_its_header_is_none(gateway: Gateway) -> None:
    """Case 5; RFC 6750, section 2: neither an address nor a cookie nor a login carries one."""
    token = await make_token(gateway, scope="admin")
    for path in ("/mcp", "/mcp/all", "/servers/adder/mcp"):
        for extra in (
            ("cookie", f"access_token={token}"),
            ("authorization", f"Basic {token}"),
            ("x-api-key", token),
        ):
            asked = f"{path}?access_token={token}&token={token}"
            answer = await ask(gateway.app, asked, HOST, extra, method="POST", body=b"{}")
            assert answer.status == 401, (path, extra)
            assert "resource_metadata=" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/", "/local/status", "/local/tokens"])
async def test_a_token_for_servers_reaches_no_management_tool(gateway: Gateway, path: str) -> None:
    """Case 13: neither by its endpoints nor by those of the command line; runs have such tokens."""
    token = await make_token(gateway, scope="run", servers=["*"])
    headers = (HOST, ("authorization", f"Bearer {token}"), ("content-type", "application/json"))
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_jobs"}}'
    for method in ("GET", "POST", "DELETE"):
        answer = await ask(gateway.app, path, *headers, method=method, body=body)
        assert answer.status == 403, method
