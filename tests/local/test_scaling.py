"""The simulated queues: against theory, against what was measured, and as the document has them."""

import re
import subprocess
from typing import Final

import pytest

from local.environment import ROOT
from local.failure import Failure
from local.functions import read_functions
from local.scaling import command, sizing, tables
from local.scaling.queues import Read, System, erlang_c, simulate, simulate_callers

DOCUMENT: Final = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
MEASURED: Final = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
WIDE: Final = 10**6  # so many that nobody waits for one


@pytest.mark.parametrize(
    ("servers", "share"), [(1, 0.3), (1, 0.6), (2, 0.7), (4, 0.6), (8, 0.8), (32, 0.85)]
)
def test_a_queue_before_several_servers_is_as_long_as_theory_has_it(
    servers: int, share: float
) -> None:
    second = Read(function_cpu=0, database_cpu=1.0, network=0)
    system = System(instances=1, connections=WIDE, seats=WIDE, database_cpus=servers)

    outcome = simulate(second, system, rate=servers * share, requests=20_000, seed=7)

    expected = 1 + erlang_c(servers, servers * share) / (servers * (1 - share))
    assert sum(outcome.seconds) / len(outcome.seconds) == pytest.approx(expected, rel=0.05)
    assert outcome.utilisations["CPU of Postgres"] == pytest.approx(share, rel=0.02)


def test_erlangs_formula_gives_the_values_of_its_tables() -> None:
    assert erlang_c(1, 0.5) == pytest.approx(0.5)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(10, 8.0) == pytest.approx(0.4092, abs=1e-4)
    assert erlang_c(3, 3.0) == 1.0


def test_instances_that_are_picked_by_chance_are_as_many_single_queues() -> None:
    second = Read(function_cpu=1.0, database_cpu=0, network=0)
    system = System(instances=5, connections=WIDE, seats=WIDE, database_cpus=WIDE)

    outcome = simulate(second, system, rate=5 * 0.6, requests=20_000, seed=7)

    assert sum(outcome.seconds) / len(outcome.seconds) == pytest.approx(1 / (1 - 0.6), rel=0.05)


def test_beyond_its_limit_a_queue_is_said_to_grow() -> None:
    read = Read(function_cpu=1e-3, database_cpu=1e-4, network=0)
    system = System(instances=1, connections=8, database_cpus=1)

    assert not simulate(read, system, rate=900, requests=5_000).is_full
    full = simulate(read, system, rate=1_200, requests=5_000)
    assert full.is_full
    assert full.busiest[0] == "CPU of instances"
    assert full.rate == pytest.approx(1_000, rel=0.05)


def test_too_few_connections_are_named_as_what_is_waited_for() -> None:
    slow = Read(function_cpu=1e-4, database_cpu=1e-2, network=0)
    system = System(instances=1, connections=2, database_cpus=64)

    outcome = simulate(slow, system, rate=300, requests=5_000)

    assert outcome.busiest[0] == "connections"
    assert outcome.rate == pytest.approx(200, rel=0.05)  # two, a hundredth of a second each


def measured(pattern: str) -> list[float]:
    """Read the figures of a line of `./dev bench`, as the document has recorded it."""
    [line] = re.findall(pattern, MEASURED, re.MULTILINE)
    figures = [line] if isinstance(line, str) else line
    return [float(figure.replace(",", "")) for figure in figures]


def measured_use(function: str) -> Read:
    """Read what a request to a function took of the processors."""
    milliseconds = measured(rf"^  {function} +([\d.]+) ms +([\d.]+) ms +[\d.]+ MiB$")
    of_function, of_database = (value * 1e-3 for value in milliseconds)
    return Read(function_cpu=of_function, database_cpu=of_database, network=0)


@pytest.mark.parametrize("callers", [1, 4, 16, 64])
@pytest.mark.parametrize("name", ["list", "get"])
def test_one_process_is_predicted_as_it_was_measured(name: str, callers: int) -> None:
    """What `docs/performance.md` has recorded is missed by a quarter at most."""
    columns = r" +([\d.]+) ms" * 3 + r" +([\d,]+) /s"
    *ran, rate = measured(rf"^  movies\.{name}, callers: {callers}{columns}")
    function, database, caller = (milliseconds * 1e-3 for milliseconds in ran)
    read = Read(function_cpu=function, database_cpu=database, network=caller)
    system = System(instances=1, connections=8, database_cpus=8)  # its waits are told

    outcome = simulate_callers(read, system, callers=callers, requests=20_000)

    assert 4 / 5 < outcome.rate / rate < 5 / 4


def test_the_figures_that_are_computed_with_are_those_that_were_recorded() -> None:
    for name, read in {"movies_list": sizing.LIST, "movies_get": sizing.GET}.items():
        recorded = measured_use(name)
        assert read.function_cpu == pytest.approx(recorded.function_cpu, rel=0.25)
        assert read.database_cpu == pytest.approx(recorded.database_cpu, rel=0.5)


def test_the_document_has_the_tables_that_the_command_prints() -> None:
    for heading, table in tables.all_tables().items():
        assert f"{heading}\n\n{table}\n" in DOCUMENT, f"./dev scale prints another one:\n{table}"


def test_the_command_prints_other_rates() -> None:
    asked = [str(ROOT / "dev"), "scale", "--reads", "250", "--seed", "3"]
    printed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout  # noqa: S603

    assert "\n| 250 | 250 | nothing | 2 | 16 (8 each) |" in printed


@pytest.mark.parametrize("reads", [0, sizing.MOST_READS + 1])
def test_a_rate_that_no_database_serves_is_refused(reads: int) -> None:
    with pytest.raises(Failure, match="from 1 to 250000"):
        command.run([reads], seed=1)


def test_the_greatest_rate_is_served() -> None:
    assert sizing.plan(sizing.MOST_READS, is_cached=False).system.database_cpus == 96


@pytest.mark.parametrize(("reads", "instances"), [(1, 2), (1_200, 2), (1_201, 4), (2_400, 4)])
def test_an_instance_gets_three_quarters_of_what_cloud_run_lets_through(
    reads: int, instances: int
) -> None:
    assert sizing.plan(reads, is_cached=False).system.instances == instances


def test_a_deployment_lacks_what_is_too_little_and_nothing_else() -> None:
    small, greater = (sizing.plan(reads, is_cached=False) for reads in (1_000, 4_000))

    assert list(sizing.lacks(small, greater)) == ["instances"]
    assert sizing.lacks(greater, small) == {}


@pytest.mark.parametrize(("a_second", "share"), [(1, 0.97), (0.1, 0.75), (1 / 60, 0.33)])
def test_one_address_is_cached_as_the_costs_say(
    a_second: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "ADDRESSES", 1)
    monkeypatch.setattr(sizing, "PLACES", 1)

    assert sizing.cached_share(a_second) == pytest.approx(share, abs=0.005)


def test_the_database_of_prod_costs_what_the_costs_say() -> None:
    deployment = sizing.plan(10_000, is_cached=False)

    assert deployment.system.database_cpus == 4
    assert round(sizing.prices(deployment)["database"]) == 398


def test_prod_has_as_many_connections_as_is_computed_with() -> None:
    text = (ROOT / "terraform" / "environments" / "prod" / "terraform.tfvars").read_text()
    sizes = dict(re.findall(r"^  (\w+) += \{[^}]*max_instances = (\d+)", text, re.MULTILINE))
    others = 10  # in reserve
    for name, function in read_functions().items():
        if function.rights and name not in {"movies_list", "movies_get"}:
            instances = int(sizes.get(name, function.sizes.get("max_instances", 1)))
            others += instances * int(function.sizes.get("connections", sizing.CONNECTIONS))
    [most] = re.findall(r"max_connections += (\d+)", text)

    assert others <= sizing.OTHER_CONNECTIONS
    assert int(most) == sizing.most_connections(4)
