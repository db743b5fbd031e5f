"""The documents say what the program does."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from core.cli import JOURNEY, preceptor
from core.settings import load_settings

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("**/*.yaml"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "mlflow").glob("*.md")),
]


FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.M | re.S)


def command_lines() -> list[tuple[str, str]]:
    """Every `preceptor ...` line of a code block, continued lines joined, with the page it stands on."""
    lines = []
    for page in PAGES:
        text = page.read_text()
        fenced = [block for word, block in FENCED.findall(text) if word in ("", "bash", "sh", "console")]
        indented = re.findall(r"^ {4}preceptor .*", FENCED.sub("", text), re.M)
        for block in [*fenced, *indented]:
            for line in block.replace("\\\n", " ").splitlines():
                line = line.strip().removeprefix("$ ").split(" #")[0].split(" | ")[0].rstrip("& ")
                if line.startswith("preceptor "):
                    lines.append((page.relative_to(ROOT).as_posix(), line))
    return lines


def examples() -> list[tuple[str, str]]:
    """The line after `Example:` in every command's help."""
    found = []

    def walk(command: click.Command, path: str) -> None:
        text = (command.help or "") + "\n" + (command.epilog or "")
        found.extend((path, match.strip()) for match in re.findall(r"Example:\s*(preceptor [^\n]+)", text))
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                walk(inner, f"{path} {name}")

    walk(preceptor, "preceptor")
    return found


def comments() -> list[tuple[str, str]]:
    """The command that the first line of each YAML in configs/ names."""
    return [(path.name, path.read_text().splitlines()[0].removeprefix("# ")) for path in CONFIGS]


@pytest.mark.parametrize(("where", "line"), command_lines() + examples() + comments(), ids=lambda value: value[:60])
def test_every_documented_command_is_one_with_these_options_and_arguments(where, line):
    words = shlex.split(line)[1:]
    if words[-1:] == ["--help"] or words == ["--version"]:
        words = words[:-1]
    context, command = click.Context(preceptor, info_name="preceptor"), preceptor
    while isinstance(command, click.Group) and words:
        name, *words = words
        inner = command.get_command(context, name)
        assert inner is not None, f"{where}: no such command: {line}"
        command = inner
    if not isinstance(command, click.Group):
        command.make_context(line, words)  # refuses what is unknown, missing, too much, or of another type


@pytest.mark.parametrize("line", ["preceptor run", "preceptor run a.yaml --fast", "preceptor rollback a b --by ann"])
def test_a_command_that_is_not_one_would_be_noticed(line):
    with pytest.raises(click.UsageError):
        test_every_documented_command_is_one_with_these_options_and_arguments("here", line)


def test_the_journey_names_every_command_once():
    assert len(set(JOURNEY)) == len(JOURNEY)
    assert preceptor.list_commands(click.Context(preceptor)) == list(JOURNEY)


def test_there_are_commands_to_check():
    assert len(command_lines()) >= 15
    assert len(examples()) >= 10


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_yaml_in_configs_describes_a_run_and_starts_with_its_command(path):
    assert load_settings(path).name
    assert path.read_text().startswith(f"# preceptor run {path.relative_to(ROOT).as_posix()}\n")


def test_every_word_for_make_is_a_target_of_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {word for page in PAGES for word in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.M)}

    assert named and named <= targets


def test_every_module_that_is_run_by_name_exists():
    named = {name for page in PAGES for name in re.findall(r"python -m ([\w.]+)", page.read_text())}
    ours = {name for name in named if (ROOT / name.split(".")[0]).is_dir()}

    assert ours
    assert [name for name in sorted(ours) if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []


@pytest.mark.parametrize("page", ["cli.md", "settings.md"])
def test_generated_pages_are_what_the_code_says(page):
    name = page.removesuffix(".md")
    code = f"from docs.generate import {name}_page; print({name}_page(), end='')"
    fresh = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert (ROOT / "docs" / page).read_text() == fresh, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]

    assert [link for link in links if link and not (page.parent / link).exists()] == []
