"""Environments that are applied once, with few functions: what a test does to one is undone."""

from collections.abc import Iterator

import pytest

from tests.terraform.running import DOMAIN, FEW, KEPT, Terraform, undone, with_few


@pytest.fixture(scope="session")
def applied_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    with with_few(tmp_path_factory.mktemp("dev"), {"migrate", "movies_list"}) as terraform:
        terraform.plan("dev")
        terraform.apply()
        yield terraform


@pytest.fixture
def dev(applied_dev: Terraform) -> Iterator[Terraform]:
    """Give dev with a function of each kind, at its beginning."""
    with undone(applied_dev):
        yield applied_dev


@pytest.fixture(scope="session")
def applied_prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Terraform, str]]:
    with with_few(tmp_path_factory.mktemp("prod"), KEPT) as terraform:
        terraform.plan("prod", *FEW, *DOMAIN)
        shown = terraform.run("show", "-json", "movies.tfplan").stdout
        terraform.apply()
        yield terraform, shown


@pytest.fixture
def live(applied_prod: tuple[Terraform, str]) -> Iterator[Terraform]:
    """Give prod with a domain, at its beginning."""
    with undone(applied_prod[0]) as terraform:
        yield terraform
