"""docs/ci.md as it is written: its YAML is YAML, and (if asked for) every step runs in order in a fresh clone."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hrbench.cli.command_line import parser
from hrbench.suite.gate import read_policy

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/ci.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def steps() -> list[str]:
    """The `run:` of each step of the workflow, in order."""
    jobs = YAML(typ="safe").load(blocks("yaml")[0])["jobs"]
    return [step["run"] for step in jobs["gate"]["steps"] if "run" in step]


def test_the_yaml_is_yaml_and_its_commands_are_commands() -> None:
    workflow, gitlab = (YAML(typ="safe").load(block) for block in blocks("yaml"))
    assert set(workflow) == {"name", "on", "permissions", "jobs"} and "script" in gitlab["gate"]
    lines = "\n".join([*blocks("sh"), *steps(), *gitlab["gate"]["script"]]).splitlines()
    commands = [line.partition("hrbench ")[2] for line in lines if "uv run hrbench " in line]
    assert len(commands) == 7
    for command in commands:
        parser().parse_args(command.replace('"${GITHUB_REF_NAME:-a release}"', "note").split())


@pytest.mark.exhaustive
def test_every_step_runs_in_order_in_a_fresh_clone(tmp_path: Path) -> None:
    """Minutes: an environment is installed, and the miniature suite runs twice."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "clone")], check=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("VIRTUAL_ENV", "PYTEST"))}
    environment |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GITHUB_REF_NAME": "v9.9"}

    def run(text: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path / "clone", env=environment, capture_output=True,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0, (text, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    install, *others = steps()
    run(install)
    for line in blocks("sh")[0].splitlines():
        run(line)
    said = [run(step) for step in others]
    assert any("::notice title=hrbench gate::passed" in text for text in said)
    assert (tmp_path / "summary.md").read_text().startswith("## hrbench gate: passed")
    log = subprocess.run(["git", "log", "-1", "--format=%s"], cwd=tmp_path / "clone", capture_output=True, text=True)
    assert log.stdout.strip() == "Baseline of v9.9"


def test_the_policy_of_the_documentation_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/judging.md").read_text(), re.S)
    (tmp_path / "policy.yaml").write_text(example)
    policy = read_policy(tmp_path / "policy.yaml")
    assert (len(policy.rules), len(policy.floors), len(policy.waivers)) == (6, 1, 1)
