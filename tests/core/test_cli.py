import subprocess
import sys

from click.testing import CliRunner

from core.cli import preceptor


def test_help_lists_every_command_of_the_journey():
    result = CliRunner().invoke(preceptor, ["--help"])

    assert result.exit_code == 0
    for name in ("run", "evaluate", "score", "label", "people", "promote", "rollback", "serve", "verify", "ledger"):
        assert f"\n  {name} " in result.output


def test_help_loads_neither_torch_nor_mlflow_nor_numpy():
    heavy = {"torch", "transformers", "mlflow", "numpy", "fastapi", "sqlalchemy", "pydantic"}
    code = (
        "import sys; from click.testing import CliRunner; from core.cli import preceptor; "
        "assert CliRunner().invoke(preceptor, ['--help']).exit_code == 0; "
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_every_command_ends_its_help_with_an_example():
    def walk(command, path):
        if hasattr(command, "list_commands"):
            for name in command.list_commands(None):
                yield from walk(command.get_command(None, name), [*path, name])
        yield path, command

    for path, command in walk(preceptor, []):
        assert "Example:" in (command.help or "") + (command.epilog or ""), path


def test_a_user_s_mistake_exits_1_with_a_sentence_and_no_traceback(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", "from core.cli import main; main()", "run", str(tmp_path / "absent.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr.startswith("preceptor: ")
    assert "Traceback" not in result.stderr
