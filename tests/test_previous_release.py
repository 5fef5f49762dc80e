"""Which release a roll-back returns to, and whether a schema that would break it is seen."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from local.environment import ROOT

SCRIPT: Final = ".ci/previous-release"
VERSIONS: Final = "lib/schema/migrations/versions"
PRETENDING_PYTHON: Final = f"""#!/bin/sh
echo "migrations: $(cd {VERSIONS} && echo *)"
echo "code: $(cat code)"
echo "arguments: $*"
"""
OURS = max(file.name[:4] for file in (ROOT / VERSIONS).glob("0*.py"))
NEXT = f"{int(OURS) + 1:04}"
MIGRATION: Final = '''"""A trial."""

from alembic import op

revision = "{revision}"
down_revision = "{after}"


def upgrade() -> None:
    """Apply."""
    op.get_bind().exec_driver_sql("{statements}")
'''

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@dataclass(frozen=True, kw_only=True)
class Project:
    """A repository with the script in it."""

    folder: Path
    venv: Path

    def git(self, *arguments: str) -> str:
        """Run git as somebody who has set nothing up."""
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        done = subprocess.run(  # noqa: S603
            ["git", *identity, *arguments],  # noqa: S607
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        """Write files and commit all there is; return how git calls that."""
        for name, content in files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A step")
        return self.git("rev-parse", "--short", "HEAD")

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run the script; return its exit code and all that it says."""
        done = subprocess.run(  # noqa: S603
            [str(self.folder / SCRIPT), *arguments],
            env=self.environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout

    def environment(self) -> dict[str, str]:
        """Return a plain environment in which the virtual environment is ours."""
        return {"PATH": os.environ["PATH"], "DEV_VENV": str(self.venv), "HOME": "/nowhere"}


@pytest.fixture
def empty_project(tmp_path: Path) -> Project:
    """Return a folder with the script, and a Python that only tells what it is asked."""
    project = Project(folder=tmp_path / "a project", venv=tmp_path / "venv")
    (project.folder / SCRIPT).parent.mkdir(parents=True)
    shutil.copy(ROOT / SCRIPT, project.folder / SCRIPT)
    python = project.venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PRETENDING_PYTHON)
    python.chmod(0o755)
    return project


@pytest.fixture
def project(empty_project: Project) -> Project:
    """Return a project with one commit and one migration."""
    empty_project.git("init", "--quiet")
    packages = dict.fromkeys(("requirements.txt", "requirements-dev.txt"), "a==1\n")
    empty_project.commit({f"{VERSIONS}/0001_a.py": "a", "code": "one", **packages})
    return empty_project


def test_a_tag_names_the_release_and_its_tests_meet_the_migrations_of_now(
    project: Project,
) -> None:
    project.git("tag", "v1.0.0")
    project.commit({f"{VERSIONS}/0002_b.py": "b", "code": "two"})
    project.commit({f"{VERSIONS}/0003_c.py": "c", "code": "three"})

    code, said = project.run()

    assert code == 0
    assert "migrations: 0001_a.py 0002_b.py 0003_c.py\ncode: one\n" in said
    assert said.endswith("previous-release: it runs on this schema\n")


def test_the_release_that_is_being_made_is_not_the_one_before(project: Project) -> None:
    project.git("tag", "v1.0.0")
    project.commit({"code": "two"})
    project.git("tag", "v1.1.0")

    assert "code: one\n" in project.run()[1]


def test_without_tags_it_is_the_newest_code_that_lacks_a_migration(project: Project) -> None:
    project.commit({f"{VERSIONS}/0002_b.py": "b", "code": "two"})
    project.commit({"code": "three"})
    project.commit({f"{VERSIONS}/0003_c.py": "c", "code": "four"})
    project.commit({"code": "five"})

    _, said = project.run()

    assert "migrations: 0001_a.py 0002_b.py 0003_c.py\ncode: three\n" in said


def test_a_migration_that_is_not_committed_yet_meets_the_code_that_is(project: Project) -> None:
    (project.folder / VERSIONS / "0002_b.py").write_text("b")

    _, said = project.run()

    assert "migrations: 0001_a.py 0002_b.py\ncode: one\n" in said


def test_code_with_a_migration_that_is_another_by_now_was_never_a_release(
    project: Project,
) -> None:
    project.commit({f"{VERSIONS}/0002_b.py": "tried", "code": "two"})
    project.commit({f"{VERSIONS}/0002_b.py": "b", "code": "three"})

    assert "code: one\n" in project.run()[1]


def test_where_no_code_had_fewer_migrations_there_is_nothing_to_try(project: Project) -> None:
    project.commit({"code": "two"})

    code, said = project.run()

    assert code == 0
    assert said.startswith("previous-release: no code here has had fewer migrations: going back")
    assert "code:" not in said


def test_any_commit_and_tests_can_be_named(project: Project) -> None:
    project.commit({"code": "two"})

    _, said = project.run("HEAD", "tests/catalogue", "-x")

    assert "code: two\n" in said
    assert said.splitlines()[-2].endswith(" tests/catalogue -x")
    assert project.run("nothing") == (1, "previous-release: there is no commit nothing\n")


def test_a_first_commit_and_a_folder_without_history_have_no_release_before(
    empty_project: Project,
) -> None:
    assert empty_project.run() == (
        3,
        "previous-release: there is no history here, so no release before\n",
    )
    empty_project.git("init", "--quiet")
    empty_project.commit({f"{VERSIONS}/0001_a.py": "a"})

    assert empty_project.run() == (
        3,
        "previous-release: there is no commit before this one, so no release before\n",
    )


def test_the_rest_of_a_shallow_clone_is_fetched_or_its_lack_told(
    project: Project, tmp_path: Path
) -> None:
    project.commit({f"{VERSIONS}/0002_b.py": "b", "code": "two"})
    clone = Project(folder=tmp_path / "clone", venv=project.venv)
    project.git("clone", "--quiet", "--depth=1", project.folder.as_uri(), str(clone.folder))
    away = project.folder.rename(tmp_path / "away")

    code, said = clone.run()
    assert code == 4
    assert "previous-release: only a part of the history is here" in said

    away.rename(project.folder)
    assert "code: one\n" in clone.run()[1]


def test_other_packages_are_set_up_apart(project: Project) -> None:
    stand_in = "#!/bin/sh\nmkdir -p $DEV_VENV/bin\nln -s $PYTHON $DEV_VENV/bin/python\necho $*\n"
    (project.folder / "dev").write_text(stand_in)
    (project.folder / "dev").chmod(0o755)
    project.commit({"code": "two"})
    project.commit({f"{VERSIONS}/0002_b.py": "b", "requirements.txt": "a==2\n"})

    code, said = project.run()

    assert code == 0
    assert said.splitlines()[1:4] == ["setup", "migrations: 0001_a.py 0002_b.py", "code: two"]


def test_tests_that_fail_are_a_schema_that_does_not_suit(project: Project) -> None:
    (project.venv / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    project.commit({f"{VERSIONS}/0002_b.py": "b"})

    code, said = project.run()

    assert code == 1
    assert "a migration expands first, and contracts a release later" in said


@pytest.fixture
def ours(tmp_path: Path) -> Project:
    """Return this very project as a repository with one commit."""
    left_out = shutil.ignore_patterns("__pycache__", ".*_cache", "docs", "terraform")
    project = Project(folder=tmp_path / "ours", venv=Path(sys.prefix))
    project.folder.mkdir()
    for name in (".ci", "functions", "lib", "local", "tests"):
        shutil.copytree(ROOT / name, project.folder / name, ignore=left_out)
    for file in (*ROOT.glob("requirements*"), ROOT / "pyproject.toml", ROOT / "dev"):
        shutil.copy(file, project.folder)
    project.git("init", "--quiet")
    project.commit({})
    return project


EXPANDING = (
    "alter table movies add column reviewed boolean not null default false; "
    "create table reviews (movie text references movies (imdb_id) on delete cascade, "
    "user_id bigint references users (id) on delete cascade)"
)
CONTRACTING = "alter table movies drop column plot"


@pytest.mark.parametrize(
    ("statements", "ends_with"),
    [(EXPANDING, 0), (CONTRACTING, 1)],
    ids=["expanding", "contracting"],
)
def test_our_own_code_runs_on_a_schema_that_expands_and_not_on_one_that_contracts(
    ours: Project, statements: str, ends_with: int
) -> None:
    migration = MIGRATION.format(revision=NEXT, after=OURS, statements=statements)
    ours.commit({f"{VERSIONS}/{NEXT}_trial.py": migration})

    rooms = ("tests/functions/test_movies_list.py", "tests/accounts/test_access.py")
    code, said = ours.run("HEAD^", *rooms, "-n", "0", "-k", "order or lowered", "-q")

    assert code == ends_with, said
    assert (" passed" in said) == (ends_with == 0), said
