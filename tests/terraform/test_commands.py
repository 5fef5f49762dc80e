"""Every command that the documents and the pipeline tell can be run, by who is told to.

Its words, flags and names exist; the API that it calls is enabled at that moment; whoever runs it
has the permissions that it takes. `needs.yaml` says what commands take, `roles.json` what roles
hold.
"""

import argparse
import json
import re
import runpy
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from local.__main__ import _parser
from local.environment import ROOT
from local.functions import read_functions
from tests.terraform.commands import (
    CHECKED,
    GLOBAL_FLAGS,
    HARMLESS,
    Command,
    arguments_of,
    entry_of,
    flags_of,
    is_module,
    read_document,
    read_documents,
    read_pipeline,
    read_shell,
)
from tests.terraform.configuration import TERRAFORM, read
from tests.terraform.roles import FILE, NEEDS, OWNER, named_roles, permissions_of

DOCUMENTED: Final = read_documents()
EVERY: Final = [*DOCUMENTED, *read_pipeline()]
CONFIGURATION: Final = "\n".join(
    file.read_text(encoding="utf-8") for file in sorted(TERRAFORM.rglob("*.tf"))
)
DASHBOARD: Final = "roles/monitoring.viewer"  # it is looked at in a browser
IDENTITY: Final = "roles/iam.serviceAccountOpenIdTokenCreator"


def of(program: str) -> list[Command]:
    """Return the commands of a program, wherever they stand."""
    return [command for command in EVERY if command.program == program]


def is_placeholder(word: str) -> bool:
    """Tell what a reader or a shell puts something else for."""
    return "$" in word or "…" in word or bool(re.fullmatch(r"[A-Z_]+", word))


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("a b # c\n# d\ne", [("a", "b"), ("e",)]),
        ("a \\\n  --b=c", [("a", "--b=c")]),
        ("a | b && c; d", [("a",), ("b",), ("c",), ("d",)]),
        ("x=$(a 'b (c)' $(d)) && y=1 e", [("d",), ("a", "b (c)", "$"), ("e",)]),
        ("a 'b;\nc' >file", [("a", "b;\nc")]),
        ("if [ -n x ]; then\n  a\nfi", [("a",)]),
        ("for x in b c; do\n  a $x\ndone", [("a", "$x")]),
        ("terraform plan -var a=b -var c=d", [("terraform", "plan", "-var=a=b", "-var=c=d")]),
    ],
)
def test_commands_are_read_as_a_shell_reads_them(
    text: str, commands: list[tuple[str, ...]]
) -> None:
    assert list(read_shell(text)) == commands


# --- Words ----------------------------------------------------------------------------------------


def test_no_command_is_unknown() -> None:
    known = {*CHECKED, *HARMLESS}
    assert not [str(one) for one in EVERY if one.program not in known]
    assert not [str(one) for one in of("gcloud") if not entry_of(one) and not is_part(one)]
    assert not [str(one) for one in of("terraform") if not entry_of(one)]
    assert not [str(one) for one in EVERY if is_module(one.words) and not entry_of(one)]


def is_part(command: Command) -> bool:
    """Tell whether a sentence names a group of commands, such as `gcloud config`."""
    words = " ".join(command.words[1:])
    return command.is_mention and any(f"{name} ".startswith(words) for name in NEEDS["gcloud"])


def test_no_flag_is_unknown_and_no_argument_missing() -> None:
    wrong = []
    for command in [*of("gcloud"), *of("terraform")]:
        name, entry = entry_of(command) or ("", None)
        if entry is None:
            continue
        known = GLOBAL_FLAGS if command.program == "gcloud" else {"-chdir"}
        unknown = {*flags_of(command)} - {*entry.get("flags", ())} - known
        fits = takes(entry, len(arguments_of(command, name)))
        if unknown or not (fits or command.is_mention or command.program == "terraform"):
            wrong.append(str(command))
    assert not wrong


def takes(entry: Mapping[str, Any], arguments: int) -> bool:
    """Tell whether a command takes so many arguments."""
    least = len(entry.get("arguments", ()))
    return arguments >= least if entry.get("more") else arguments == least


# What Google's SDK, where there is one, completes commands from.
SDK: Final = Path(shutil.which("gcloud") or "/nowhere/bin/gcloud").resolve().parents[1]
COMPLETIONS: Final = SDK / "data" / "cli" / "gcloud_completions.py"


@pytest.mark.skipif(not COMPLETIONS.exists(), reason="gcloud is not installed")
def test_gcloud_itself_knows_what_the_table_names() -> None:
    tree = runpy.run_path(str(COMPLETIONS))["STATIC_COMPLETION_CLI_TREE"]
    release = (SDK / "VERSION").read_text(encoding="utf-8").partition(".")[0]
    for name, entry in NEEDS["gcloud"].items():
        if int(release) <= int(entry.get("after", 0)):
            continue
        node: dict[str, Any] = tree
        for word in name.split():
            assert word in node["commands"], name
            node = node["commands"][word]
        flags = {flag.replace("--no-", "--") for flag in entry.get("flags", ())}
        assert flags <= {*node["flags"]}, name


def options_of(parser: argparse.ArgumentParser, words: Iterable[str]) -> set[str] | None:
    """Return the options of a command of ours, None where there is no such command."""
    options: set[str] = set()
    for word in words:
        groups = [
            action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
        ]
        if not groups or word.startswith("-"):
            break
        if word not in groups[0].choices:
            return None
        parser = groups[0].choices[word]
    for action in parser._actions:
        options |= {*action.option_strings}
    return options


def test_every_command_of_ours_and_its_options_exist() -> None:
    usage = (ROOT / "dev").read_text(encoding="utf-8")
    wrong = []
    for command in of("./dev"):
        if len(command.words) == 1:
            continue
        options = options_of(_parser(), command.words[1:])
        in_bash = re.search(rf"^  {command.words[1]}\b", usage, re.MULTILINE)
        if not (in_bash if options is None else {*flags_of(command)} <= options):
            wrong.append(str(command))
    assert not wrong


def test_every_function_that_is_called_exists_and_is_private() -> None:
    called = [one.words[2] for one in of("./dev") if one.words[1:2] == ("call",)]
    assert "migrate" in called
    for name in called:
        assert is_placeholder(name) or name in read_functions(), name


def test_whom_a_private_function_is_called_as_is_an_output() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', read("outputs.tf"), re.MULTILINE))
    invokers = {function.invoker for function in read_functions().values()}
    assert invokers - {"public"} <= outputs


# --- Names ----------------------------------------------------------------------------------------


def made(kind: str, attribute: str = "name") -> str:
    """Return a pattern of the names that Terraform gives what it makes of a type."""
    blocks = re.findall(
        rf'^resource "{kind}" "\w+" \{{\n(.*?)^\}}', CONFIGURATION, re.DOTALL | re.MULTILINE
    )
    names = [
        name
        for block in blocks
        for name in re.findall(rf'^  {attribute}\s*= "(.+)"$', block, re.MULTILINE)
    ]
    assert names, kind
    return "|".join(_pattern_of(name) for name in names)


def _pattern_of(template: str) -> str:
    parts = re.split(r"\$\{([^}]*)\}", template)
    known = {"var.environment": "(dev|staging|prod)", "var.prefix": "movies"}
    return "".join(
        known.get(part, "[a-z0-9-]*") if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )


def is_api(name: str) -> bool:
    return name.endswith(".googleapis.com") and name in read("services.tf") + (
        "serviceusage.googleapis.com"  # what enables the others
    )


def is_function(name: str) -> bool:
    return name in {function.replace("_", "-") for function in read_functions()}


def is_account(name: str) -> bool:
    account = name.partition("@")[0]
    if account.startswith("fn-"):
        return is_function(account.removeprefix("fn-"))
    return bool(re.fullmatch(made("google_service_account", "account_id"), account))


def is_job(name: str) -> bool:
    schedules = read("variables.tf").partition('variable "import_schedules"')[2].partition("\n}")[0]
    keys = re.findall(r"^    (\w+) = \{ schedule", schedules, re.MULTILINE)
    key = name.rpartition("-")[2]
    return bool(re.fullmatch(made("google_cloud_scheduler_job"), name)) and key in keys


def is_secret(name: str) -> bool:
    return bool(
        re.search(
            rf'= "{re.escape(name)}"$',
            read("secrets.tf").replace("${var.prefix}", "movies"),
            re.MULTILINE,
        )
    )


def is_instance(name: str) -> bool:
    return bool(re.fullmatch(made("google_sql_database_instance"), name))


def is_role(name: str) -> bool:
    return name in json.loads(FILE.read_text(encoding="utf-8"))["roles"]


KINDS: Final[dict[str, Callable[[str], bool]]] = {
    "account": is_account,
    "any": lambda _: True,
    "api": is_api,
    "function": is_function,
    "instance": is_instance,
    "job": is_job,
    "role": is_role,
    "secret": is_secret,
}


def test_every_name_is_one_that_terraform_makes() -> None:
    checked: set[str] = set()
    for command in of("gcloud"):
        found = entry_of(command)
        if not found:
            continue
        name, entry = found
        kinds = entry.get("arguments", [])
        given = arguments_of(command, name)
        named = list(zip([*kinds, *kinds[-1:] * len(given)], given, strict=False))
        named += [
            (entry.get("flags", {}).get(flag, "any"), it) for flag, it in flags_of(command).items()
        ]
        account = flags_of(command).get("--impersonate-service-account", "")
        for kind, value in [*named, *([("account", account)] if account else [])]:
            assert is_placeholder(value) or KINDS[kind](value), f"{command}: {value}"
            checked.add(kind)
    assert checked >= {"account", "api", "function", "instance", "job", "secret"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("account", "movies-deploy@p.iam.gserviceaccount.com"),
        ("account", "fn-movies-lst@p.iam.gserviceaccount.com"),
        ("api", "iamcredential.googleapis.com"),
        ("function", "movies_list"),
        ("instance", "movies-production"),
        ("job", "movies-import-daily"),
        ("role", "roles/cloudkms.encrypter"),
        ("secret", "movies-omdb-key"),
    ],
)
def test_a_name_that_nothing_has_is_found(kind: str, name: str) -> None:
    assert not KINDS[kind](name)


VARIABLES: Final = dict(
    re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', read("variables.tf"), re.DOTALL | re.MULTILINE)
)


def test_every_output_resource_and_file_that_terraform_is_told_exists() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', read("outputs.tf"), re.MULTILINE))
    for command in of("terraform"):
        found = entry_of(command)
        assert found
        name, _ = found
        if name == "output":
            assert {*arguments_of(command, name)} <= outputs, command
        for word in command.words:
            flag, _, value = word.partition("=")
            if flag in {"-var-file", "-backend-config"} and not is_placeholder(value):
                assert (TERRAFORM / value).exists(), command
            if flag == "-var":
                assert value.partition("=")[0] in VARIABLES, command
            if flag in {"-replace", "-target"}:
                kind, label = re.split(r"[.\[]", value)[:2]
                assert f'resource "{kind}" "{label}"' in CONFIGURATION, command


@pytest.mark.parametrize(
    "document", ["README.md", *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))]
)
def test_every_variable_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    settings = "\n".join(re.findall(r"```hcl\n(.*?)```", text, re.DOTALL))
    mentions = re.findall(r"`([^`]+)`", text)
    values = (re.match(r"(\w+) = (?:\{|true|false|null|\d|\")", one) for one in mentions)
    named = set(re.findall(r"^(\w+) += ", settings, re.MULTILINE))
    named |= {found[1] for found in values if found}
    named |= {name for one in mentions for name in re.findall(r"-var[= ]'?(\w+)=", one)}
    assert named <= {*VARIABLES}
    for mention in mentions:
        found = re.fullmatch(r"(\w+)\.(\w+)", mention)
        if found and found[1] in VARIABLES:
            assert re.search(rf"^    {found[2]}\s+= ", VARIABLES[found[1]], re.MULTILINE), mention


# --- APIs and permissions -------------------------------------------------------------------------


def apis_of(command: Command) -> set[str]:
    """Return the APIs that a command calls."""
    if command.words[:2] == ("./dev", "call"):
        return {"iamcredentials"}
    _, entry = entry_of(command) or ("", {})
    return {*entry.get("apis", ()), *([entry["api"]] if "api" in entry else [])}


def needs_of(command: Command) -> set[str]:
    """Return the permissions that a command takes."""
    if command.words[:2] == ("./dev", "call"):
        is_public = (
            command.words[2] in read_functions() and read_functions()[command.words[2]].is_public
        )
        return set() if is_public else {"iam.serviceAccounts.getOpenIdToken"}
    _, entry = entry_of(command) or ("", {})
    speaks_for = "--impersonate-service-account" in flags_of(command)
    tokens = {"iam.serviceAccounts.getAccessToken"} if speaks_for else set()
    return {*entry.get("permissions", ()), *tokens}


def enabled_by_terraform() -> set[str]:
    return {*re.findall(r'"(\w+)\.googleapis\.com"', read("services.tf"))}


def test_the_first_hour_can_be_walked_from_the_first_command_to_the_last() -> None:
    enabled: set[str] = set()
    held = permissions_of(OWNER)
    document = [one for one in read_document("docs/deployment.md") if one.program in CHECKED]
    walked = [one for one in document if not one.is_mention]
    for command in walked:
        assert apis_of(command) <= enabled, command
        assert needs_of(command) <= held, command
        words = " ".join(command.words)
        if words.startswith("gcloud services enable"):
            enabled |= {word.partition(".")[0] for word in command.words[3:]}
        if words.startswith("terraform apply"):
            enabled |= enabled_by_terraform()
        if words.startswith("gcloud iam service-accounts add-iam-policy-binding"):
            held |= permissions_of([flags_of(command)["--role"]])
    assert {"apply", "call"} <= {one.words[1] for one in walked}
    for command in document:
        assert needs_of(command) <= held, command


def test_an_owner_has_no_identity_of_an_account_without_being_given_it() -> None:
    needed = {"iam.serviceAccounts.getOpenIdToken"}
    assert not needed & permissions_of(OWNER)
    assert needed <= permissions_of([IDENTITY])


def on_call() -> dict[str, set[str]]:
    """Return the roles of the runbook's table of who runs what, by whom."""
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    rows = runbook.partition("| who | roles |")[2].partition("\n\n")[0].splitlines()[2:]
    return {
        row.split("|")[1].strip(): {*re.findall(r"`(roles/[\w.]+)`", row)} for row in rows if row
    }


def operators() -> set[str]:
    """Return the roles that Terraform gives those who may log in to the database."""
    given = re.search(r"^  operator_roles += .*?^  \)", CONFIGURATION, re.DOTALL | re.MULTILINE)
    return {*re.findall(r'"(roles/[\w.]+)"', given[0])} if given else set()


def by_hand() -> list[Command]:
    """Return what the runbook has people do themselves: all but what the pipeline applies."""
    return [
        one
        for one in read_document("docs/runbook.md")
        if one.program in CHECKED
        and one.words[:2] not in {("terraform", "apply"), ("terraform", "plan")}
    ]


def test_who_is_on_call_may_do_what_the_runbook_says() -> None:
    held = permissions_of({role for roles in on_call().values() for role in roles} | operators())
    for command in by_hand():
        assert apis_of(command) <= enabled_by_terraform() | {"storage"}, command
    assert not [(str(one), needs_of(one) - held) for one in by_hand() if needs_of(one) - held]


def test_who_only_looks_changes_nothing() -> None:
    held = permissions_of(on_call()["looks"])
    assert not {one for one in held if re.search(r"\.(create|delete|update|add|set\w+|run)$", one)}


def test_nobody_on_call_has_a_role_that_no_command_takes() -> None:
    needed = {one for command in by_hand() for one in needs_of(command)}
    for role in {role for roles in on_call().values() for role in roles} - {DASHBOARD}:
        assert needed & permissions_of([role]), role


# --- The pipeline's account -----------------------------------------------------------------------


def deployer() -> set[str]:
    """Return the permissions of the account that the pipeline runs as, with all options on."""
    iam = read("iam.tf")
    roles = set(
        re.findall(r'"(roles/[\w.]+)"', iam.partition("deployer_roles")[2].partition("  ))")[0])
    )
    blocks = re.findall(
        r'^resource "\w+_iam_member" "deployer\w*" \{\n(.*?)^\}',
        CONFIGURATION,
        re.DOTALL | re.MULTILINE,
    )
    roles |= {role for block in blocks for role in re.findall(r'role\s*= "(roles/[\w.]+)"', block)}
    return permissions_of(roles)


def made_types() -> set[str]:
    """Return the types of what Terraform makes and reads at Google."""
    return set(re.findall(r'^(?:resource|data) "(google_\w+)"', CONFIGURATION, re.MULTILINE))


def test_the_pipelines_account_may_do_what_its_steps_do() -> None:
    held = deployer()
    assert "logging.logEntries.create" in held
    assert read_pipeline()
    assert not [(str(one), needs_of(one) - held) for one in read_pipeline() if needs_of(one) - held]


def test_the_pipelines_account_may_make_change_and_remove_what_is_here() -> None:
    held = deployer()
    unknown = made_types() - {*NEEDS["resources"]}
    assert not unknown, "needs.yaml does not say what these take"
    for kind in made_types():
        missing = {*NEEDS["resources"][kind]["permissions"]} - held
        assert not missing, f"{kind}: {missing}"


def enabled_by_hand() -> set[str]:
    """Return the APIs that the documents have people enable before the first apply."""
    lines = [one for one in of("gcloud") if one.words[1:3] == ("services", "enable")]
    return {word.partition(".")[0] for one in lines for word in one.words[3:]}


def test_every_api_that_resources_are_made_by_is_enabled() -> None:
    # In our project, whoever's the resource is: the provider names it as who pays for each call
    # (user_project_override, and `X-Goog-User-Project` in the provider's transport/config.go).
    enabled = enabled_by_terraform() | enabled_by_hand()
    apis = {kind: NEEDS["resources"][kind]["api"] for kind in made_types()}
    assert not {kind: api for kind, api in apis.items() if api not in enabled}


def test_who_invokes_a_private_function_is_given_it() -> None:
    member = (TERRAFORM / "modules" / "function" / "main.tf").read_text(encoding="utf-8")
    assert "run.routes.invoke" in permissions_of(re.findall(r'role\s*= "(roles/run\.\w+)"', member))


def test_every_role_that_is_named_is_known() -> None:
    missing = named_roles() - {*json.loads(FILE.read_text(encoding="utf-8"))["roles"]}
    assert not missing, "as tests/terraform/roles.py says, take them from what Google publishes"


def test_every_permission_that_the_tables_name_is_one_of_iams() -> None:
    named = {
        one
        for table in NEEDS.values()
        for name, entry in table.items()
        if not name.startswith("google_") or name in made_types()
        for one in entry.get("permissions", ())
    }
    assert named <= permissions_of(json.loads(FILE.read_text(encoding="utf-8"))["roles"])
