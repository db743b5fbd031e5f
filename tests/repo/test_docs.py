"""The documents say what the program does."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from core.cli import preceptor

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "mlflow").glob("*.md"))]


def command_lines() -> list[tuple[str, str]]:
    """Every `preceptor ...` line of a code block, continued lines joined, with the page it stands on."""
    lines = []
    for page in PAGES:
        for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", page.read_text(), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                line = line.strip().removeprefix("$ ").split(" #")[0].split(" | ")[0].rstrip("& ")
                if line.startswith("preceptor "):
                    lines.append((page.name, line))
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


@pytest.mark.parametrize(("where", "line"), command_lines() + examples(), ids=lambda value: value[:60])
def test_every_documented_command_parses_with_options_that_exist(where, line):
    words = shlex.split(line)[1:]
    context = click.Context(preceptor)
    command: click.Command = preceptor
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words.pop(0))
        assert inner is not None, f"{where}: no such command: {line}"
        command = inner
    if words in (["--help"], ["--version"]):
        return
    parser = command.make_parser(click.Context(command, info_name=line))
    parser.parse_args(words)


def test_there_are_commands_to_check():
    assert len(command_lines()) >= 5
    assert len(examples()) >= 10


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
