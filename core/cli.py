"""The `preceptor` command: finds the rooms' commands by entry point and prints their errors as sentences.

It imports no room. A room's command module imports click and core alone, so `preceptor --help` is quick.
"""

import sys
from importlib.metadata import EntryPoint, entry_points
from importlib.metadata import version as installed_version

import click

from core.errors import PreceptorError

JOURNEY = (
    *("run", "learn-curve", "plan", "calibrate", "evaluate", "score", "label", "prioritise", "people"),
    *("promote", "rollback", "serve", "key", "decision", "shadow", "stop", "resume"),
    *("verify", "policy", "measure", "ledger", "store", "feedback"),
)
"""The order in which help lists the commands; others follow by name."""


class Rooms(click.Group):
    """A group whose commands are the entry points of `preceptor.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, those of the journey first."""
        names = set(_entry_points())
        return [name for name in JOURNEY if name in names] + sorted(names.difference(JOURNEY))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None when there is none."""
        entry_point = _entry_points().get(cmd_name)
        if entry_point is None:
            return None
        command = entry_point.load()
        if not isinstance(command, click.Command):
            raise TypeError(f"Entry point {cmd_name} = {entry_point.value} is not a click command.")
        return command


@click.group(
    cls=Rooms,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: preceptor run configs/medical_coding.yaml --dry-run",
)
@click.version_option(installed_version("preceptor"), prog_name="preceptor")
def preceptor() -> None:
    """Adapt LLM routers to regulated work: label, fine-tune, certify, promote, serve, watch."""


def main() -> None:
    """Run the command line: exit 0 done, 1 refused or failed with a sentence, 2 misuse."""
    try:
        preceptor(standalone_mode=True)
    except PreceptorError as error:
        click.echo(f"preceptor: {error}", err=True)
        sys.exit(1)


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="preceptor.commands")}


if __name__ == "__main__":
    main()
